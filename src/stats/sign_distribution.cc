#include "stats/sign_distribution.h"

#include <numeric>

namespace wattle::stats {

std::vector<double> sign_distribution(std::span<const std::int64_t> ranks) {
  const std::int64_t total = std::accumulate(ranks.begin(), ranks.end(), std::int64_t{0});
  std::vector<double> probability(static_cast<std::size_t>(total) + 1, 0.0);
  probability[0] = 1.0;
  std::size_t reached = 0;
  for (const std::int64_t value : ranks) {
    const auto step = static_cast<std::size_t>(value);
    reached += step;
    for (std::size_t sum = reached; sum >= step; --sum) {
      probability[sum] = 0.5 * (probability[sum] + probability[sum - step]);
    }
    for (std::size_t sum = 0; sum < step; ++sum) probability[sum] *= 0.5;
  }
  return probability;
}

}  // namespace wattle::stats
