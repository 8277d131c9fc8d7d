// The Mann-Whitney test (Wilcoxon's rank-sum test) of two independent samples (Mann & Whitney, Annals of Mathematical
// Statistics 18, 1947). Pure. Infinite values are ordered like any other.
//
// Automatic: exact up to 50 values in each sample, conditional on the ties that were seen; above, the normal
// approximation with tie and continuity corrections (Hollander, Wolfe & Chicken, "Nonparametric Statistical Methods",
// 3rd ed., 2014, eq. 4.9 to 4.13).
#pragma once

#include <optional>
#include <span>

#include "base/result.h"
#include "stats/alternative.h"

namespace wattle::stats {

struct RankSumOptions {
  double shift = 0.0;  // the hypothesis: x less this is distributed as y
  Alternative alternative = Alternative::two_sided;
  Method method = Method::automatic;
  bool continuity = true;
};

struct RankSum {
  static constexpr int kExactLimit = 50;     // of each sample
  static constexpr int kLargestExact = 200;  // of both together; half a second with ties

  int n = 0;
  int m = 0;
  double u = 0.0;  // pairs in which x is larger, and half of those in which they are equal
  bool exact = true;
  double p_value = 1.0;
  std::optional<double> z;  // corrected for ties, not for continuity; absent where all values are equal (p is 1)
};

// Fails (bad_input) for an empty sample, more than 1,000,000 values, a NaN, a shift that is not finite, or where the
// exact p-value of more than kLargestExact values is asked for.
[[nodiscard]] Result<RankSum> rank_sum(std::span<const double> x, std::span<const double> y,
                                       const RankSumOptions& options = {});

}  // namespace wattle::stats
