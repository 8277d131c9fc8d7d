// Do k independent samples have one mean, or one spread? Pure. All values must be finite.
#pragma once

#include <optional>

#include "base/result.h"
#include "stats/groups.h"

namespace wattle::stats {

struct FTest {
  int n = 0;
  double f = 0.0;  // infinite where groups differ and nothing varies within them
  double between_degrees = 0.0;
  double within_degrees = 0.0;
  double p_value = 1.0;
  // Sum of squares between by the total (Fisher, "Statistical Methods for Research Workers", 1925); absent for Welch's.
  std::optional<double> eta_squared;
};

// One-way analysis of variance (Fisher 1925): assumes normal values of equal spread. Fails (bad_input): see
// check_groups; fewer than k + 1 values; or values that are all equal.
[[nodiscard]] Result<FTest> anova(Groups groups);

// Without equal spreads: Welch, "On the comparison of several mean values: an alternative approach", Biometrika 38,
// 1951. Fails (bad_input): see check_groups, two values a group; or a group of equal values, which has no weight.
[[nodiscard]] Result<FTest> welch_anova(Groups groups);

// Equal spreads? Analysis of variance of the distances from each group's mean: Levene, "Robust tests for equality of
// variances", in Olkin (ed.), Contributions to Probability and Statistics, 1960. Fails as anova, and where all
// distances are equal.
[[nodiscard]] Result<FTest> levene(Groups groups);
// The same from each group's median, for values that are not normal: Brown & Forsythe, "Robust tests for the equality
// of variances", Journal of the American Statistical Association 69, 1974.
[[nodiscard]] Result<FTest> brown_forsythe(Groups groups);

}  // namespace wattle::stats
