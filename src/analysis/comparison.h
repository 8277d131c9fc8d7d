// One measure of a mutant against the original, over its pairs.
#pragma once

#include <optional>
#include <span>
#include <vector>

#include "analysis/findings.h"
#include "analysis/runs.h"

namespace wattle::analysis {

enum class Measure { energy, time };

struct Compared {
  Comparison comparison;                // its Holm p and verdict are still to come
  bool upwards = false;                 // the signed ranks lean towards more
  std::optional<double> p_less;         // one-sided: less than the original
  std::optional<double> p_noninferior;  // of the metric
  std::optional<double> p_equivalent;   // of the metric: two one-sided tests at the tolerance
};

// Ratios after / before of values above 0, pair by pair: the estimate, its interval and test, as compare_ratio.
[[nodiscard]] Comparison compare_ratios(std::span<const double> before, std::span<const double> after);
// Ratio of two independent samples of values above 0: exp of the Hodges-Lehmann shift of their logarithms (the median
// of all differences), with the interval that belongs to the Mann-Whitney test, by its normal approximation (Hollander,
// Wolfe & Chicken, "Nonparametric Statistical Methods", 3rd ed., 2014, 4.2 and 4.3). No interval for fewer than 4 in
// either sample, or more than 4,000,000 pairs (then the ratio of medians).
struct Shift {
  double ratio = 1.0;
  std::optional<double> low;
  std::optional<double> high;
};
[[nodiscard]] Shift ratio_of_samples(std::span<const double> x, std::span<const double> y);
// Ratios mutant / original.
[[nodiscard]] Compared compare_ratio(std::span<const Pair> pairs, Measure measure);
// Differences mutant − original, turned so that more is better.
[[nodiscard]] Compared compare_metric(std::span<const Pair> pairs, const study::Metric& metric);

// Holm across a family in which an absent p counts as 1: the family does not shrink because a run is missing.
[[nodiscard]] std::vector<std::optional<double>> holm_across(std::span<const std::optional<double>> family);

}  // namespace wattle::analysis
