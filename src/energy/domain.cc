#include "energy/domain.h"

#include <array>
#include <utility>

namespace wattle::energy {
namespace {

constexpr std::array<std::pair<DomainKind, std::string_view>, 12> kKinds{{{DomainKind::wall, "wall"},
                                                                          {DomainKind::psys, "psys"},
                                                                          {DomainKind::package, "package"},
                                                                          {DomainKind::core, "core"},
                                                                          {DomainKind::uncore, "uncore"},
                                                                          {DomainKind::dram, "dram"},
                                                                          {DomainKind::gpu, "gpu"},
                                                                          {DomainKind::board, "board"},
                                                                          {DomainKind::cpu_model, "cpu_model"},
                                                                          {DomainKind::ram_model, "ram_model"},
                                                                          {DomainKind::gpu_model, "gpu_model"},
                                                                          {DomainKind::other, "other"}}};

constexpr std::array<std::pair<Provenance, std::string_view>, 5> kProvenances{
    {{Provenance::counter, "counter"},
     {Provenance::integrated_power, "integrated_power"},
     {Provenance::attributed, "attributed"},
     {Provenance::model, "model"},
     {Provenance::constant, "constant"}}};

template <class Table, class Value>
std::string_view name_of(const Table& table, Value value) {
  for (const auto& [known, name] : table) {
    if (known == value) return name;
  }
  return "?";
}

}  // namespace

std::string_view to_string(DomainKind kind) { return name_of(kKinds, kind); }
std::string_view to_string(Provenance provenance) { return name_of(kProvenances, provenance); }

std::optional<DomainKind> domain_kind(std::string_view name) {
  for (const auto& [kind, known] : kKinds) {
    if (known == name) return kind;
  }
  return std::nullopt;
}

std::optional<Provenance> provenance(std::string_view name) {
  for (const auto& [value, known] : kProvenances) {
    if (known == name) return value;
  }
  return std::nullopt;
}

}  // namespace wattle::energy
