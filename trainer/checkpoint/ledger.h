#pragma once

#include <cstdint>
#include <filesystem>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <vector>

#include "../result.h"

namespace wattle::trainer {

/// What one run put into a checkpoint. The trainer cannot measure energy: it writes who ran, for how long, over how
/// many images, and leaves `joules` empty. Whoever measured the run fills them in afterwards.
struct LedgerEntry {
  std::string run;  ///< its identity: 16 hexadecimal digits, also in `hello` and in the result
  std::string version, model, dataset, task;
  std::uint64_t seed = 0;
  std::int64_t epochs = 0, images_seen = 0;  ///< images: training and validation, every pass counted
  double duration_s = 0;
  std::optional<double> energy_j;
  std::string energy_source;      ///< who says so: `file`, `flag`; empty without joules
  std::string energy_provenance;  ///< `measured` or `estimated`; whoever does not say has estimated
};

/// The cost of making a checkpoint: one entry a run, the oldest first. A run that starts from another checkpoint's
/// weights, or resumes one, carries that one's ledger on.
using Ledger = std::vector<LedgerEntry>;

[[nodiscard]] nlohmann::ordered_json ledger_json(const Ledger& ledger);
/// Nothing where `text` is no such list.
[[nodiscard]] std::optional<Ledger> parse_ledger(const std::string& text);

/// Fills entries without joules from `CHECKPOINT.ledger.json`, if it is there: {"RUN": {"energy_j": 12.5, "provenance":
/// "measured", …}, …}. A run whose joules are absent or null there stays without.
/// Fails where that file is there and damaged: wrong joules are worse than none.
[[nodiscard]] Result<void> fill_from_file(Ledger& ledger, const std::filesystem::path& checkpoint);
}  // namespace wattle::trainer
