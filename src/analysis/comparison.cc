#include "analysis/comparison.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "stats/descriptive.h"
#include "stats/effect_size.h"
#include "stats/hodges_lehmann.h"
#include "stats/multiplicity.h"
#include "stats/signed_rank.h"

namespace wattle::analysis {
namespace {

constexpr double kWorst = -std::numeric_limits<double>::infinity();

struct Paired {
  std::vector<double> original;
  std::vector<double> mutant;
  std::vector<double> differences;
  double resolution = 0.0;
};

std::optional<double> p_of(const Result<stats::SignedRank>& test) {
  if (!test) return std::nullopt;
  return test->p_value;
}

Compared compare(const Paired& paired) {
  Compared compared;
  Comparison& comparison = compared.comparison;
  comparison.pairs = static_cast<int>(paired.differences.size());
  comparison.p_floor = stats::smallest_p(comparison.pairs, stats::Alternative::two_sided);
  comparison.cliffs_delta = stats::cliffs_delta(paired.mutant, paired.original);
  comparison.spread = stats::standard_deviation(paired.differences);
  const auto test = stats::signed_rank(paired.differences, {0.0, stats::Alternative::two_sided, paired.resolution});
  comparison.p_two_sided = p_of(test);
  compared.upwards = test && test->w_plus > test->w_minus;
  const auto location = stats::hodges_lehmann(paired.differences);
  if (!location || !std::isfinite(location->estimate)) return compared;
  comparison.estimate = location->estimate;
  if (!location->interval || !std::isfinite(location->interval->low) || !std::isfinite(location->interval->high)) {
    return compared;
  }
  comparison.low = location->interval->low;
  comparison.high = location->interval->high;
  comparison.interval_level = location->interval->level;
  return compared;
}

void exponentiate(std::optional<double>& log_ratio) {
  if (log_ratio) log_ratio = std::exp(*log_ratio);
}

void add_ratio(double before, double after, Paired& paired) {
  paired.original.push_back(before);
  paired.mutant.push_back(after);
  paired.differences.push_back(std::log(after) - std::log(before));
}

Compared compared_ratio(const Paired& paired) {
  Compared compared = compare(paired);
  compared.p_less = p_of(stats::signed_rank(paired.differences, {0.0, stats::Alternative::less, 0.0}));
  exponentiate(compared.comparison.estimate);
  exponentiate(compared.comparison.low);
  exponentiate(compared.comparison.high);
  return compared;
}

Paired metric_differences(std::span<const Pair> pairs, double sign) {
  Paired paired;
  double largest = 0.0;
  for (const auto& [original, mutant] : pairs) {
    if (!original->metric || (!mutant->metric && !mutant->lost)) continue;
    const double before = sign * *original->metric;
    const double after = mutant->lost ? kWorst : sign * *mutant->metric;
    paired.original.push_back(before);
    paired.mutant.push_back(after);
    paired.differences.push_back(after - before);
    largest = std::max({largest, std::abs(before), mutant->lost ? 0.0 : std::abs(after)});
  }
  // Accuracies are fractions of whole counts: their differences tie but for the last bits of a double.
  paired.resolution = 1e-12 * largest;
  return paired;
}

}  // namespace

Compared compare_ratio(std::span<const Pair> pairs, Measure measure) {
  const auto value = [&](const Run* run) { return measure == Measure::energy ? run->energy_j : run->time_s; };
  Paired paired;
  for (const auto& [original, mutant] : pairs) {
    const auto before = value(original);
    const auto after = value(mutant);
    if (before && after) add_ratio(*before, *after, paired);
  }
  return compared_ratio(paired);
}

Comparison compare_ratios(std::span<const double> before, std::span<const double> after) {
  Paired paired;
  for (std::size_t i = 0; i < before.size() && i < after.size(); ++i) add_ratio(before[i], after[i], paired);
  return compared_ratio(paired).comparison;
}

Shift ratio_of_samples(std::span<const double> x, std::span<const double> y) {
  constexpr std::size_t kMostPairs = 4'000'000;
  constexpr double kZ = 1.959963984540054;
  const std::size_t n = x.size();
  const std::size_t m = y.size();
  if (n * m > kMostPairs) return {stats::median(x).value_or(1.0) / stats::median(y).value_or(1.0), {}, {}};
  std::vector<double> differences;
  differences.reserve(n * m);
  for (const double a : x) {
    for (const double b : y) differences.push_back(std::log(a) - std::log(b));
  }
  Shift shift;
  shift.ratio = std::exp(stats::median(differences).value_or(0.0));
  if (n < 4 || m < 4) return shift;
  std::sort(differences.begin(), differences.end());
  const double pairs = static_cast<double>(n * m);
  const double deviation = std::sqrt(pairs * static_cast<double>(n + m + 1) / 12.0);
  const double place = std::floor(pairs / 2.0 - kZ * deviation);
  const auto k = static_cast<std::size_t>(std::max(1.0, place));
  shift.low = std::exp(differences[k - 1]);
  shift.high = std::exp(differences[n * m - k]);
  return shift;
}

Compared compare_metric(std::span<const Pair> pairs, const study::Metric& metric) {
  const Paired paired = metric_differences(pairs, metric.goal == study::Goal::maximize ? 1.0 : -1.0);
  Compared compared = compare(paired);
  compared.p_noninferior = p_of(stats::non_inferiority(paired.differences, metric.tolerance, paired.resolution));
  const auto both = stats::equivalence(paired.differences, metric.tolerance, paired.resolution);
  if (both) compared.p_equivalent = both->p_value;
  return compared;
}

std::vector<std::optional<double>> holm_across(std::span<const std::optional<double>> family) {
  std::vector<double> p_values;
  p_values.reserve(family.size());
  for (const auto& p : family) p_values.push_back(p.value_or(1.0));
  const auto adjusted = stats::holm(p_values);
  std::vector<std::optional<double>> result(family.size());
  for (std::size_t i = 0; adjusted && i < family.size(); ++i) {
    if (family[i]) result[i] = (*adjusted)[i];
  }
  return result;
}

}  // namespace wattle::analysis
