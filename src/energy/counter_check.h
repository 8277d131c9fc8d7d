// Whether a GPU's energy counter and the integral of its power agree. Pure.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "energy/trace.h"

namespace wattle::energy {

struct CounterCheck {
  std::string domain;                  // "gpu-0"
  std::optional<Microjoules> counter;  // absent with a reason, both
  std::optional<Microjoules> integral;
  std::optional<double> ratio;  // integral / counter; absent where the counter stood still
  bool suspicious = false;      // they differ by more than kSuspicious of the counter
  std::string why_absent;
};

inline constexpr double kSuspicious = 0.10;
// Both are refreshed every 20 to 100 ms and lag behind each other by as much: over less time that alone may differ.
inline constexpr Nanoseconds kShortestCheck = seconds(5);
// The part of the window that both must have seen, so that a gap in one is not taken for a difference.
inline constexpr double kCheckedCoverage = 0.98;

// One for each GPU domain with a counter that has the integral of the same GPU's power inside, in the order of the
// series.
[[nodiscard]] std::vector<CounterCheck> check_counters(const std::vector<Series>& series, const Window& window);

}  // namespace wattle::energy
