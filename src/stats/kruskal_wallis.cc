#include "stats/kruskal_wallis.h"

#include <boost/math/distributions/chi_squared.hpp>
#include <boost/math/distributions/normal.hpp>
#include <cmath>
#include <cstdint>

#include "stats/multiplicity.h"
#include "stats/rank.h"

namespace wattle::stats {
namespace {

struct RankedGroups {
  double n = 0.0;
  double tie_term = 0.0;
  std::vector<std::int64_t> doubled_sums;
};

RankedGroups ranked(Groups groups) {
  std::vector<double> pooled;
  std::size_t size = 0;
  for (const auto& group : groups) size += group.size();
  pooled.reserve(size);
  for (const auto& group : groups) pooled.insert(pooled.end(), group.begin(), group.end());
  const Ranks ranks = rank(pooled);
  RankedGroups result{static_cast<double>(size), ranks.tie_term, std::vector<std::int64_t>(groups.size(), 0)};
  std::size_t place = 0;
  for (std::size_t g = 0; g < groups.size(); ++g) {
    for (std::size_t i = 0; i < groups[g].size(); ++i) result.doubled_sums[g] += ranks.doubled[place++];
  }
  return result;
}

}  // namespace

Result<KruskalWallis> kruskal_wallis(Groups groups) {
  if (const auto checked = check_groups(groups, 1, false); !checked) return tl::unexpected(checked.error());
  const RankedGroups all = ranked(groups);
  const double n = all.n;
  const auto k = static_cast<double>(groups.size());
  KruskalWallis result;
  result.n = static_cast<int>(n);
  result.groups = static_cast<int>(groups.size());
  const double corrected = n * n * n - n - all.tie_term;
  if (corrected > 0.0) {
    // Sum of n_g (mean rank - (n + 1)/2)²: no large numbers to subtract from each other.
    double between = 0.0;
    for (std::size_t g = 0; g < groups.size(); ++g) {
      const auto size = static_cast<double>(groups[g].size());
      const double deviation = static_cast<double>(all.doubled_sums[g]) / (2.0 * size) - (n + 1.0) / 2.0;
      between += size * deviation * deviation;
    }
    result.h = 12.0 * (n - 1.0) * between / corrected;
  }
  result.p_value = boost::math::cdf(boost::math::complement(boost::math::chi_squared(k - 1.0), result.h));
  if (n > k) result.eta_squared = (result.h - k + 1.0) / (n - k);
  result.epsilon_squared = result.h * (n + 1.0) / (n * n - 1.0);
  return result;
}

Result<std::vector<DunnPair>> dunn(Groups groups) {
  if (const auto checked = check_groups(groups, 1, false); !checked) return tl::unexpected(checked.error());
  if (groups.size() > 1000) return fail(ErrorKind::bad_input, "more than 1,000 groups");
  const RankedGroups all = ranked(groups);
  const double variance = (all.n * (all.n + 1.0) - all.tie_term / (all.n - 1.0)) / 12.0;
  std::vector<DunnPair> pairs;
  std::vector<double> p_values;
  for (std::size_t a = 0; a < groups.size(); ++a) {
    for (std::size_t b = a + 1; b < groups.size(); ++b) {
      const auto n_a = static_cast<double>(groups[a].size());
      const auto n_b = static_cast<double>(groups[b].size());
      const double difference = static_cast<double>(all.doubled_sums[a]) / (2.0 * n_a) -
                                static_cast<double>(all.doubled_sums[b]) / (2.0 * n_b);
      DunnPair pair{.first = a, .second = b};
      if (variance > 0.0) pair.z = difference / std::sqrt(variance * (1.0 / n_a + 1.0 / n_b));
      pair.p_value = 2.0 * boost::math::cdf(boost::math::complement(boost::math::normal(), std::abs(pair.z)));
      pairs.push_back(pair);
      p_values.push_back(pair.p_value);
    }
  }
  const auto adjusted = holm(p_values);
  if (!adjusted) return tl::unexpected(adjusted.error());
  for (std::size_t i = 0; i < pairs.size(); ++i) pairs[i].adjusted = (*adjusted)[i];
  return pairs;
}

}  // namespace wattle::stats
