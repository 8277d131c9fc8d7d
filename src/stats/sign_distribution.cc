#include "stats/sign_distribution.h"

#include <array>
#include <mutex>
#include <numeric>

namespace wattle::stats {
namespace {

// P(W <= w) at index w. The distribution is symmetric, so upper tails are read from it too.
std::vector<double> cumulated(int n) {
  std::vector<std::int64_t> ranks(static_cast<std::size_t>(n));
  std::iota(ranks.begin(), ranks.end(), std::int64_t{1});
  std::vector<double> probability = sign_distribution(ranks);
  std::partial_sum(probability.begin(), probability.end(), probability.begin());
  return probability;
}

const std::vector<double>& kept(int n) {
  static std::array<std::once_flag, kKeptSigns + 1> made;
  static std::array<std::vector<double>, kKeptSigns + 1> tables;
  const auto index = static_cast<std::size_t>(n);
  std::call_once(made[index], [&] { tables[index] = cumulated(n); });
  return tables[index];
}

}  // namespace

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

Tails untied_sign_tails(int n, std::int64_t w) {
  const std::vector<double>& cumulative = kept(n);
  const auto at = static_cast<std::size_t>(w);
  return {cumulative[at], cumulative[cumulative.size() - 1 - at]};
}

}  // namespace wattle::stats
