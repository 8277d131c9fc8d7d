// Where paired differences lie: the estimate and interval that belong to the signed-rank test. Pure.
#pragma once

#include <optional>
#include <span>

#include "base/result.h"
#include "stats/interval.h"

namespace wattle::stats {

struct Location {
  double estimate = 0.0;             // median of the Walsh averages
  std::optional<Interval> interval;  // absent where n cannot give the level: n < 6 at 95 %
};

// Hodges-Lehmann estimate: median of the n(n+1)/2 means of two differences (each with itself too); interval: the Walsh
// averages at the signed-rank distribution's places, closed (Hollander, Wolfe & Chicken, "Nonparametric Statistical
// Methods", 3rd ed., 2014, 3.2 and 3.3; Hodges & Lehmann, Annals of Mathematical Statistics 34, 1963). The places are
// exact up to 50 differences, by normal approximation above; with ties the closed interval covers no less than its
// level. Fails (bad_input) for no differences, more than 4,000, a NaN, infinities of both signs, or a level outside (0,
// 1).
[[nodiscard]] Result<Location> hodges_lehmann(std::span<const double> differences, double level = 0.95);

}  // namespace wattle::stats
