// How two measures move together. Pure.
#pragma once

#include <optional>
#include <span>

#include "base/result.h"

namespace wattle::stats {

enum class CorrelationMethod {
  exact_permutation,  // all n! orders of the second sample's mid-ranks, n <= 9
  t_approximation,    // Student's t with n - 2 degrees of freedom
};

struct Correlation {
  int n = 0;
  double rho = 0.0;
  double p_value = 1.0;  // two-sided: P(|rho| at least this large) where the two are unrelated
  CorrelationMethod method = CorrelationMethod::exact_permutation;
  // 95 %, approximate; absent for n < 4 or |rho| = 1, where Fisher's z has none.
  std::optional<double> low;
  std::optional<double> high;
};

// Spearman's rho: Pearson's r of the mid-ranks, so ties are allowed (Hollander, Wolfe & Chicken, "Nonparametric
// Statistical Methods", 3rd ed., 2014, 8.5). The t approximation (Kendall & Stuart, "The Advanced Theory of
// Statistics", vol. 2, 1973, 31.18) is never told smaller than 2/n!, which no order of the data can go below. Interval:
// Fisher's z with variance (1 + rho^2/2)/(n - 3), Bonett & Wright, "Sample size requirements for estimating Pearson,
// Kendall and Spearman correlations", Psychometrika 65, 2000. Fails (bad_input, with the reason) for samples of
// different size, n < 3, a NaN, or a sample of one value only.
[[nodiscard]] Result<Correlation> spearman(std::span<const double> x, std::span<const double> y);

}  // namespace wattle::stats
