#include "stats/anova.h"

#include <fmt/format.h>

#include <boost/math/distributions/fisher_f.hpp>
#include <cmath>
#include <limits>
#include <vector>

#include "stats/descriptive.h"

namespace wattle::stats {
namespace {

double upper_tail(double f, double between_degrees, double within_degrees) {
  if (std::isinf(f)) return 0.0;
  return boost::math::cdf(boost::math::complement(boost::math::fisher_f(between_degrees, within_degrees), f));
}

double squares_about(std::span<const double> values, double centre) {
  double sum = 0.0;
  double residue = 0.0;
  for (const double value : values) {
    sum += (value - centre) * (value - centre);
    residue += value - centre;
  }
  return std::max(0.0, sum - residue * residue / static_cast<double>(values.size()));
}

// Of the distances of each group's values from its centre; what never varies has no F.
Result<FTest> of_distances(Groups groups, std::optional<double> (*centre)(std::span<const double>)) {
  if (const auto checked = check_groups(groups, 1, true); !checked) return tl::unexpected(checked.error());
  std::vector<std::vector<double>> distances;
  for (const auto& group : groups) {
    const std::optional<double> middle = centre(group);
    if (!middle) return fail(ErrorKind::bad_input, "the values are too large");
    std::vector<double>& own = distances.emplace_back();
    for (const double value : group) own.push_back(std::abs(value - *middle));
  }
  auto result = anova(groups_of(distances));
  if (!result) return fail(ErrorKind::bad_input, "distances from the centre: " + result.error().message);
  return result;
}

struct Weighted {
  std::vector<double> weights;  // n/s²
  std::vector<double> means;
  double total = 0.0;
  double mean = 0.0;
};

Result<Weighted> weighted(Groups groups) {
  Weighted all;
  for (std::size_t g = 0; g < groups.size(); ++g) {
    const auto spread = standard_deviation(groups[g]);
    const auto centre = mean(groups[g]);
    if (!spread || !centre) return fail(ErrorKind::bad_input, "the values are too large");
    if (*spread == 0.0) {
      return fail(ErrorKind::bad_input,
                  fmt::format("all values of group {} are equal: it has no spread to weigh by", g + 1));
    }
    all.weights.push_back(static_cast<double>(groups[g].size()) / (*spread * *spread));
    all.means.push_back(*centre);
    all.total += all.weights.back();
  }
  for (std::size_t g = 0; g < groups.size(); ++g) all.mean += all.weights[g] / all.total * all.means[g];
  return all;
}

}  // namespace

Result<FTest> anova(Groups groups) {
  if (const auto checked = check_groups(groups, 1, true); !checked) return tl::unexpected(checked.error());
  std::vector<double> pooled;
  for (const auto& group : groups) pooled.insert(pooled.end(), group.begin(), group.end());
  const auto n = static_cast<double>(pooled.size());
  const auto k = static_cast<double>(groups.size());
  if (n <= k) return fail(ErrorKind::bad_input, "every group has one value only: nothing varies within groups");
  const auto grand = mean(pooled);
  if (!grand) return fail(ErrorKind::bad_input, "the values are too large");
  double between = 0.0;
  double within = 0.0;
  for (const auto& group : groups) {
    const auto centre = mean(group);
    if (!centre) return fail(ErrorKind::bad_input, "the values are too large");
    between += static_cast<double>(group.size()) * (*centre - *grand) * (*centre - *grand);
    within += squares_about(group, *centre);
  }
  const double total = between + within;
  if (!std::isfinite(total)) return fail(ErrorKind::bad_input, "the values are too large");
  if (total == 0.0) return fail(ErrorKind::bad_input, "all values are equal");
  FTest result;
  result.n = static_cast<int>(n);
  result.between_degrees = k - 1.0;
  result.within_degrees = n - k;
  result.f = within == 0.0 ? std::numeric_limits<double>::infinity() : (between / (k - 1.0)) / (within / (n - k));
  result.p_value = upper_tail(result.f, result.between_degrees, result.within_degrees);
  result.eta_squared = between / total;
  return result;
}

Result<FTest> welch_anova(Groups groups) {
  if (const auto checked = check_groups(groups, 2, true); !checked) return tl::unexpected(checked.error());
  const auto all = weighted(groups);
  if (!all) return tl::unexpected(all.error());
  const auto k = static_cast<double>(groups.size());
  double between = 0.0;
  double lambda = 0.0;
  FTest result;
  for (std::size_t g = 0; g < groups.size(); ++g) {
    const auto size = static_cast<double>(groups[g].size());
    const double deviation = all->means[g] - all->mean;
    const double share = 1.0 - all->weights[g] / all->total;
    between += all->weights[g] * deviation * deviation;
    lambda += share * share / (size - 1.0);
    result.n += static_cast<int>(groups[g].size());
  }
  result.between_degrees = k - 1.0;
  result.within_degrees = (k * k - 1.0) / (3.0 * lambda);
  result.f = (between / (k - 1.0)) / (1.0 + 2.0 * (k - 2.0) / (k * k - 1.0) * lambda);
  if (!std::isfinite(result.f)) return fail(ErrorKind::bad_input, "the values are too large");
  result.p_value = upper_tail(result.f, result.between_degrees, result.within_degrees);
  return result;
}

Result<FTest> levene(Groups groups) { return of_distances(groups, mean); }

Result<FTest> brown_forsythe(Groups groups) { return of_distances(groups, median); }

}  // namespace wattle::stats
