#include "ledger.h"

#include <fmt/format.h>

#include <cmath>
#include <fstream>
#include <nlohmann/json.hpp>

namespace wattle::trainer {
namespace {

using Json = nlohmann::ordered_json;

constexpr std::size_t kMostEntries = 10'000;

template <typename Value>
bool take(const Json& object, const char* name, Value& value) {
  const auto found = object.find(name);
  if (found == object.end()) {
    return false;
  }
  if constexpr (std::is_same_v<Value, std::string>) {
    return found->is_string() && (value = found->get<std::string>(), true);
  } else {
    return found->is_number() && (value = found->get<Value>(), true);
  }
}

std::optional<double> joules_of(const Json& object) {
  double joules = 0;
  return take(object, "energy_j", joules) && std::isfinite(joules) && joules >= 0 ? std::optional(joules)
                                                                                  : std::nullopt;
}

std::string provenance_of(const Json& object, const char* name) {
  std::string told;
  return take(object, name, told) && told == "measured" ? told : "estimated";
}

std::optional<LedgerEntry> parse_entry(const Json& object) {
  LedgerEntry entry;
  if (!object.is_object() || !take(object, "run", entry.run) || !take(object, "version", entry.version) ||
      !take(object, "model", entry.model) || !take(object, "dataset", entry.dataset) ||
      !take(object, "task", entry.task) || !take(object, "seed", entry.seed) || !take(object, "epochs", entry.epochs) ||
      !take(object, "images_seen", entry.images_seen) || !take(object, "duration_s", entry.duration_s)) {
    return std::nullopt;
  }
  entry.energy_j = joules_of(object);
  static_cast<void>(take(object, "energy_source", entry.energy_source));
  entry.energy_provenance = entry.energy_j ? provenance_of(object, "energy_provenance") : "";
  return entry;
}

}  // namespace

Json ledger_json(const Ledger& ledger) {
  Json list = Json::array();
  for (const LedgerEntry& entry : ledger) {
    list.push_back({{"run", entry.run},
                    {"version", entry.version},
                    {"model", entry.model},
                    {"dataset", entry.dataset},
                    {"task", entry.task},
                    {"seed", entry.seed},
                    {"epochs", entry.epochs},
                    {"images_seen", entry.images_seen},
                    {"duration_s", entry.duration_s},
                    {"energy_j", entry.energy_j ? Json(*entry.energy_j) : Json(nullptr)},
                    {"energy_source", entry.energy_source},
                    {"energy_provenance", entry.energy_provenance}});
  }
  return list;
}

std::optional<Ledger> parse_ledger(const std::string& text) {
  const Json list = Json::parse(text, nullptr, /*allow_exceptions=*/false);
  if (!list.is_array() || list.size() > kMostEntries) {
    return std::nullopt;
  }
  Ledger ledger;
  for (const Json& object : list) {
    auto entry = parse_entry(object);
    if (!entry) {
      return std::nullopt;
    }
    ledger.push_back(std::move(*entry));
  }
  return ledger;
}

Result<void> fill_from_file(Ledger& ledger, const std::filesystem::path& checkpoint) {
  const std::string path = checkpoint.string() + ".ledger.json";
  std::ifstream file(path);
  if (!file) {
    return {};
  }
  const Json runs = Json::parse(file, nullptr, /*allow_exceptions=*/false);
  const auto damaged_ledger = bad_input(fmt::format("{}: must be {{\"RUN\": {{\"energy_j\": NUMBER}}}}", path));
  if (!runs.is_object()) {
    return damaged_ledger;
  }
  for (LedgerEntry& entry : ledger) {
    const auto found = runs.find(entry.run);
    if (found == runs.end()) {
      continue;
    }
    const auto joules = found->is_object() ? joules_of(*found) : std::nullopt;
    const bool unknown = found->is_object() && found->value("energy_j", Json()).is_null();
    if (!joules && !unknown) {
      return damaged_ledger;
    }
    if (joules && !entry.energy_j) {
      entry.energy_j = joules;
      entry.energy_source = "file";
      entry.energy_provenance = provenance_of(*found, "provenance");
    }
  }
  return {};
}

}  // namespace wattle::trainer
