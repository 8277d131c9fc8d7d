// What weights cost to make: FILE.ledger.json beside them (docs/trainer_protocol.md), written by `wattle` or by
// anybody. Read and never trusted. Pure values but for the two functions that read and write files.
#pragma once

#include <filesystem>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "base/units.h"

namespace wattle::study {

// One run that went into the weights.
struct LedgerEntry {
  std::string run;               // its identity, as whoever made the weights names it
  std::optional<Joules> energy;  // absent: nobody knows
  bool estimated = false;
  double uncertainty = 0.0;  // relative half-width of ~95 %
  std::optional<Seconds> duration;
  std::string machine;  // on which it ran; empty: not told

  friend bool operator==(const LedgerEntry&, const LedgerEntry&) = default;
};
// All runs that went into the weights. Empty: nobody tells what they cost.
using Ledger = std::vector<LedgerEntry>;

[[nodiscard]] std::filesystem::path ledger_file(const std::filesystem::path& weights);

// The ledger beside `weights`; empty where there is none. Weights of wattle-train say themselves which runs went into
// them: one of these that the file lacks has no joules, and one that the file has beside them makes it another's
// ledger. Fails (bad_input) for what is no ledger: damaged JSON, joules that are negative, not finite or beyond
// kMostJoules, a provenance that is neither measured nor estimated.
[[nodiscard]] Result<Ledger> read_ledger(const std::filesystem::path& weights);
// Writes it beside `weights`, entries with joules alone: what is not there is not known.
[[nodiscard]] Result<void> write_ledger(const std::filesystem::path& weights, const Ledger& ledger);

// {"RUN": {"energy_j": 12.5, "provenance": "measured", "uncertainty": 0.02, "duration_s": 3.1, "machine": "…"}, …}
[[nodiscard]] nlohmann::json to_json(const Ledger& ledger);
[[nodiscard]] Result<Ledger> ledger_from_json(const nlohmann::json& json);

// More than any training took: a mistake in the unit is likelier.
inline constexpr double kMostJoules = 1e15;

// The sum of all entries: joules only where every entry has some and all are of one provenance.
struct LedgerTotal {
  std::optional<Joules> energy;
  std::string why_absent;
  bool estimated = false;
  double uncertainty = 0.0;  // as if all erred the same way
  std::optional<Seconds> duration;
};
[[nodiscard]] LedgerTotal total_of(const Ledger& ledger);

}  // namespace wattle::study
