// What a number of runs can show: the smallest p-values there are, and the power of tests. Pure; approximations for
// planning, never a finding. The signed-rank test's own smallest p-value is in signed_rank.h.
#pragma once

#include <optional>

#include "stats/alternative.h"

namespace wattle::stats {

// The smallest exact p-value that untied samples of n and m can give in the Mann-Whitney test: 1 of C(n + m, n)
// choices, two-sided twice that, at most 1. n or m below 1: 1.
[[nodiscard]] double smallest_rank_sum_p(int n, int m, Alternative alternative);
// … that n untied pairs can give for Spearman's rho: 1 of n! orders, two-sided twice that, at most 1. n below 2: 1.
[[nodiscard]] double smallest_spearman_p(int n, Alternative alternative);

// The fewest values in each of two samples of one size whose smallest two-sided (or one-sided) p-value is below alpha;
// and the fewest pairs for Spearman's rho. Nothing for alpha outside (0, 1).
[[nodiscard]] std::optional<int> rank_sum_size_for_any_significance(double alpha, Alternative alternative);
[[nodiscard]] std::optional<int> spearman_pairs_for_any_significance(double alpha, Alternative alternative);

// Power of Student's t test of n pairs whose differences are normal with mean `effect` standard deviations, exact: the
// noncentral t distribution (Cohen, "Statistical Power Analysis for the Behavioral Sciences", 2nd ed., 1988, 2.2). A
// two-sided test counts rejections on either side. greater: effect > 0 is what is sought. Nothing for n < 2, an effect
// that is not finite, or alpha outside (0, 1).
[[nodiscard]] std::optional<double> paired_t_power(int n, double effect, double alpha, Alternative alternative);
// … of the t test of two samples of n each, of equal spread, whose means differ by `effect` standard deviations.
[[nodiscard]] std::optional<double> two_sample_t_power(int n, double effect, double alpha, Alternative alternative);

// Power of the signed-rank test of n pairs with normal differences, by normal approximation with the test's efficiency
// of 3/pi (Lehmann, "Nonparametrics", 1975); the inverse of pairs_needed in sample_size.h. 0 where n is too small for
// any p-value below alpha. Nothing for n < 1, an effect that is not finite, or alpha outside (0, 1).
[[nodiscard]] std::optional<double> signed_rank_power(int n, double effect, double alpha, Alternative alternative);

// The fewest pairs, or values in each sample, for the power; nothing where that is more than 1,000,000 or the input is
// not as above with an effect other than 0 and a power in (0, 1).
[[nodiscard]] std::optional<int> paired_t_size(double effect, double alpha, double power, Alternative alternative);
[[nodiscard]] std::optional<int> two_sample_t_size(double effect, double alpha, double power, Alternative alternative);
[[nodiscard]] std::optional<int> signed_rank_size(double effect, double alpha, double power, Alternative alternative);

}  // namespace wattle::stats
