// How large a difference is, apart from whether it is significant. Pure.
#pragma once

#include <optional>
#include <span>
#include <string_view>

#include "base/result.h"
#include "stats/interval.h"

namespace wattle::stats {

// Cliff's delta: P(x > y) - P(x < y) over all pairs of one from each sample, -1…1 (Cliff, "Dominance statistics",
// Psychological Bulletin 114, 1993). O((n + m) log m). Infinite values are ordered like any other. Nothing for an empty
// sample or one with a NaN.
[[nodiscard]] std::optional<double> cliffs_delta(std::span<const double> x, std::span<const double> y);

// Vargha and Delaney's A: P(x > y) + P(x = y)/2 = (delta + 1)/2, 0…1 ("A critique and improvement of the CL common
// language effect size statistics", Journal of Educational and Behavioral Statistics 25, 2000). Nothing as above.
[[nodiscard]] std::optional<double> vargha_delaney(std::span<const double> x, std::span<const double> y);

enum class Quantile { student, normal };

struct Dominance {
  double delta = 0.0;
  // Of delta, Cliff's consistent estimate ((m-1) s_i² + (n-1) s_j² + s_ij²)/(n m); absent where n or m is 1.
  std::optional<double> variance;
  // Asymmetric, within -1…1: (d - d³ ± z s sqrt((1-d²)² + z² s²))/(1 - d² + z² s²), z Student's with n + m - 2 degrees
  // of freedom or normal (Feng & Cliff, "Monte Carlo evaluation of ordinal d with improved confidence interval",
  // Journal of Modern Applied Statistical Methods 3, 2004, eq. 6). Where every x is above (or below) every y the
  // variance is that of delta (n m - 1)/(n m), as in R's effsize, and the bound there is 1 (or -1). Absent with the
  // variance.
  std::optional<Interval> interval;
};

// Cliff's delta with its interval, O((n + m) log(n + m)). For Vargha and Delaney's A take (value + 1)/2 of delta and
// both bounds. Fails (bad_input) for an empty sample, a NaN, or a level outside (0, 1).
[[nodiscard]] Result<Dominance> dominance(std::span<const double> x, std::span<const double> y, double level = 0.95,
                                          Quantile quantile = Quantile::student);

// Thresholds .147, .33 and .474 on |delta|: Romano, Kromrey, Coraggio & Skowronek, "Appropriate statistics for ordinal
// level data", Florida Association of Institutional Research, 2006.
enum class Magnitude { negligible, small, medium, large };
inline constexpr double kSmallDelta = 0.147;
inline constexpr double kMediumDelta = 0.33;
inline constexpr double kLargeDelta = 0.474;
[[nodiscard]] Magnitude magnitude(double delta);
[[nodiscard]] std::string_view to_string(Magnitude magnitude);

}  // namespace wattle::stats
