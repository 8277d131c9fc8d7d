// Are these values normal? Pure.
#pragma once

#include <span>

#include "base/result.h"

namespace wattle::stats {

struct ShapiroWilk {
  int n = 0;
  double w = 1.0;  // 1: exactly as normal values lie
  double p_value = 1.0;
};

// Shapiro & Wilk, "An analysis of variance test for normality", Biometrika 52, 1965, with the weights and the p-value
// of Royston, "Remark AS R94: A remark on algorithm AS 181: The W-test for normality", Applied Statistics 44, 1995. The
// p-value is an approximation above n = 3, good to a unit or two of its second digit; above 5,000 values it was never
// checked. Fails (bad_input) for n outside 3…5,000, a value that is not finite, or values that are all equal.
[[nodiscard]] Result<ShapiroWilk> shapiro_wilk(std::span<const double> sample);

}  // namespace wattle::stats
