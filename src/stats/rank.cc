#include "stats/rank.h"

#include <algorithm>
#include <numeric>

namespace wattle::stats {

Ranks rank(std::span<const double> sample) {
  std::vector<std::size_t> order(sample.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) { return sample[a] < sample[b]; });

  Ranks ranks;
  ranks.doubled.resize(sample.size());
  for (std::size_t first = 0; first < order.size();) {
    std::size_t end = first + 1;
    while (end < order.size() && sample[order[end]] == sample[order[first]]) ++end;
    // Places first+1 … end: their mean, doubled.
    const auto shared = static_cast<std::int64_t>(first + 1 + end);
    for (std::size_t i = first; i < end; ++i) ranks.doubled[order[i]] = shared;
    const auto tied = static_cast<double>(end - first);
    ranks.tie_term += tied * tied * tied - tied;
    first = end;
  }
  return ranks;
}

std::vector<double> mid_ranks(std::span<const double> sample) {
  const Ranks ranks = rank(sample);
  std::vector<double> result;
  result.reserve(ranks.doubled.size());
  for (const std::int64_t doubled : ranks.doubled) result.push_back(static_cast<double>(doubled) / 2.0);
  return result;
}

}  // namespace wattle::stats
