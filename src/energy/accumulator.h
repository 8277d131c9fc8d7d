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
// Models have no bound.
[[nodiscard]] Watts plausible_power(DomainKind kind);

// Counters are differenced modulo their range: a wrap adds up; a reset (the difference implies more than
// plausible_power) is a gap. Power is integrated by trapezoid with the true timestamps; what rounding to whole
// microjoules leaves over is carried, exactly, so it never accumulates. One thread.
class Accumulator {
 public:
  explicit Accumulator(Domain domain) : domain_(std::move(domain)) {}

  // The sample that this reading ends, if it ends one: the first valid reading starts E at 0, absent ones give none and
  // make the interval up to the next valid reading a gap. `suspended`: the machine slept since the reading before. A
  // time not after the one before is ignored.
  [[nodiscard]] std::optional<Sample> add(Nanoseconds time, const Reading& reading, bool suspended);

  // Readings that gave no energy, and what the last of them said: for the trace's list of what is missing.
  [[nodiscard]] std::int64_t failures() const { return failures_; }
  [[nodiscard]] const std::string& last_failure() const { return last_failure_; }

 private:
  [[nodiscard]] std::optional<std::int64_t> energy_since_last(Nanoseconds time, const Reading& reading);
  void failed(std::string why);

  Domain domain_;
  std::optional<Reading> last_;  // the last valid one
  Nanoseconds last_time_{};
  Microjoules cumulative_;
  std::int64_t remainder_ = 0;  // of the power integral, in 1/(2·10⁹) µJ
  bool gap_ = false;
  std::int64_t failures_ = 0;
  std::string last_failure_;
};

}  // namespace wattle::energy
