// What a probe's joules belong to, and how far they can be trusted.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "base/units.h"

namespace wattle::energy {

enum class DomainKind {
  wall,
  psys,
  package,
  core,
  uncore,
  dram,
  gpu,
  board,  // what it contains is not known: shown, never added
  cpu_model,
  ram_model,
  gpu_model,
  other,  // a part that nothing else covers: added to the estimated total
};
[[nodiscard]] std::string_view to_string(DomainKind kind);
[[nodiscard]] std::optional<DomainKind> domain_kind(std::string_view name);

// How a number came about. counter and integrated_power are measured; attributed, model and constant are
// estimated. The two are never added into one number.
enum class Provenance { counter, integrated_power, attributed, model, constant };
[[nodiscard]] std::string_view to_string(Provenance provenance);
[[nodiscard]] std::optional<Provenance> provenance(std::string_view name);
[[nodiscard]] constexpr bool measured(Provenance p) {
  return p == Provenance::counter || p == Provenance::integrated_power;
}

struct Domain {
  std::string name;  // unique in a trace: "package-0", "dram-0", "gpu-0", "cpu (model)"
  DomainKind kind = DomainKind::package;
  Provenance provenance = Provenance::counter;
  std::string source;             // for people: "powercap", "model: CPU + RAM"
  std::string parent;             // name of the domain that contains this one (core in package), or empty
  double gain_uncertainty = 0.0;  // relative half-width of ~95 % for the scale of the readings (0.4 = ±40 %)
  Nanoseconds update_period{};    // of the source itself; 0 when every read is fresh
  bool simulated = false;         // replay or scripted: never a finding
};

}  // namespace wattle::energy
