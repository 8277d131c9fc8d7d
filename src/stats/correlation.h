// How two measures move together. Pure.
#pragma once

#include <optional>
#include <span>

#include "base/result.h"
#include "stats/alternative.h"

namespace wattle::stats {

enum class CorrelationMethod {
  exact_permutation,  // all n! orders of the second sample's mid-ranks
  t_approximation,    // Student's t with n - 2 degrees of freedom
};

struct CorrelationOptions {
  Alternative alternative = Alternative::two_sided;  // greater: rho > 0
  // Automatic: exact for n <= 12, with ties for n <= 9; exact can be asked for up to n = 12; normal is Student's t
  // here.
  Method method = Method::automatic;
  double level = 0.95;  // of the interval
};

struct Correlation {
  int n = 0;
  double rho = 0.0;
  // Two-sided: P(|rho| at least this large) where the two are unrelated.
  double p_value = 1.0;
  CorrelationMethod method = CorrelationMethod::exact_permutation;
  // At the level, approximate; absent for n < 4 or |rho| = 1, where Fisher's z has none.
  std::optional<double> low;
  std::optional<double> high;
};

// Spearman's rho: Pearson's r of the mid-ranks, so ties are allowed (Hollander, Wolfe & Chicken, "Nonparametric
// Statistical Methods", 3rd ed., 2014, 8.5). The t approximation (Kendall & Stuart, "The Advanced Theory of
// Statistics", vol. 2, 1973, 31.18) is never told smaller than 1/n! (two-sided 2/n!), which no order of the data can go
// below. Interval: Fisher's z with variance (1 + rho^2/2)/(n - 3), Bonett & Wright, "Sample size requirements for
// estimating Pearson, Kendall and Spearman correlations", Psychometrika 65, 2000. Fails (bad_input, with the reason)
// for samples of different size, n < 3, a NaN, a sample of one value only, a level outside (0, 1), or exact for n > 12.
[[nodiscard]] Result<Correlation> spearman(std::span<const double> x, std::span<const double> y,
                                           const CorrelationOptions& options = {});

}  // namespace wattle::stats
