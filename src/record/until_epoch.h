// Energy to target: what a run had used when its validation metric first reached a value.
#pragma once

#include <optional>

#include "record/record.h"

namespace wattle::record {

// The name of windows (of kind phase, with the epoch) that go from the run's begin to the end of an epoch, its
// validation included: cumulative energy, which sums of epochs would miss the start of.
inline constexpr const char* kUntilEpoch = "until epoch";

// The window's energy over the run's cover: measured domains where the run's own total is measured, else estimated.
[[nodiscard]] Total total_of(const Record& record, const MeasuredWindow& window);

struct ToTarget {
  bool reached = false;
  std::optional<int> epoch;      // first whose validation metric reaches the target
  std::optional<double> joules;  // to that epoch's end; where it was never reached, of the whole run: censored there
  std::optional<double> seconds;
  bool estimated = false;
  std::string why_absent;  // of joules
};

// Design, "energy to target". Runs that end as `reached` or `censored` by a target of their own are taken at their
// word: the whole run is what it took. Others are looked at epoch by epoch. A run that diverged or failed never
// reaches, and is not censored: nothing (as for one that told no validation metric by epoch).
[[nodiscard]] std::optional<ToTarget> energy_to_target(const Record& record, double target);

}  // namespace wattle::record
