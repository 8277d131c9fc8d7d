// How many pairs a question takes. Pure; an approximation for planning, never a finding.
#pragma once

#include <optional>

namespace wattle::stats {

// Pairs for which a one-sided signed-rank test at alpha finds, with the given power, that normally distributed
// differences with this standard deviation lie beyond a hypothesis that is `distance` away from their mean:
// (z_alpha + z_power)^2 (sd/distance)^2 / (3/pi), the t test's size over the test's efficiency of 3/pi (Lehmann,
// "Nonparametrics", 1975), and never fewer than it takes for 2^-n < alpha. For a two-sided test give alpha/2,
// for the strictest step of Holm alpha/m. Nothing for input that is not positive or alpha or power outside (0, 1), or
// where it would be more than 1,000,000.
[[nodiscard]] std::optional<int> pairs_needed(double standard_deviation, double distance, double alpha,
                                              double power = 0.8);

// The fewest pairs whose smallest p-value, 2^-n, is below alpha. Nothing for alpha outside (0, 1).
[[nodiscard]] std::optional<int> pairs_for_any_significance(double alpha);

}  // namespace wattle::stats
