// Turns the readings of one domain into samples of its cumulative energy E(t).
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "energy/domain.h"
#include "energy/probe.h"
#include "energy/trace.h"

namespace wattle::energy {

// More than any domain of this kind can draw, averaged: about twice the largest part sold today (package and DRAM 2 kW,
// GPU 4 kW, a whole machine 30 kW). A counter difference that implies more is a reset or garbage, not energy.
// Models, and what is stated (other), have no bound.
[[nodiscard]] Watts plausible_power(DomainKind kind);

// Counters are differenced modulo their range: a wrap adds up, a reset (the difference implies more than
// plausible_power) is a gap. A counter that could not be read for a while has counted on: the interval is long and no
// gap, as long as it cannot have wrapped twice. Power is integrated by trapezoid with the true timestamps, and what
// nobody looked at for long is a gap; what rounding to whole microjoules leaves over is carried, exactly, so it never
// accumulates. One thread.
class Accumulator {
 public:
  // `interval`: between readings, where all goes well.
  explicit Accumulator(Domain domain, Nanoseconds interval = milliseconds(20));

  // The sample that this reading ends, if it ends one: the first valid reading starts E at 0, absent ones give none.
  // `suspended`: the machine slept since the reading before, and the interval is a gap. A time not after the one before
  // is ignored.
  [[nodiscard]] std::optional<Sample> add(Nanoseconds time, const Reading& reading, bool suspended);

  // Readings that gave no energy, and what the last of them said: for the trace's list of what is missing.
  [[nodiscard]] std::int64_t failures() const { return failures_; }
  [[nodiscard]] const std::string& last_failure() const { return last_failure_; }

 private:
  [[nodiscard]] std::optional<std::int64_t> energy_since_last(Nanoseconds time, const Reading& reading);
  [[nodiscard]] std::optional<std::int64_t> integral(Nanoseconds passed, const Reading& reading);
  [[nodiscard]] std::optional<std::int64_t> difference(Nanoseconds passed, const Reading& reading);
  void failed(std::string why);

  Domain domain_;
  Nanoseconds longest_hole_;     // between readings, before it needs a thought
  std::optional<Reading> last_;  // the last valid one
  Nanoseconds last_time_{};
  Microjoules cumulative_;
  std::int64_t remainder_ = 0;  // of the power integral, in 1/(2·10⁹) µJ
  bool gap_ = false;
  std::int64_t failures_ = 0;
  std::string last_failure_;
};

}  // namespace wattle::energy
