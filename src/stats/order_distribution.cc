#include "stats/order_distribution.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cstddef>
#include <mutex>
#include <numeric>
#include <vector>

namespace wattle::stats {
namespace {

using Counts = std::vector<std::uint32_t>;  // how many orders give each sum; 12! fits

std::size_t largest_sum(std::vector<std::int64_t> x, std::vector<std::int64_t> y) {
  std::sort(x.begin(), x.end());
  std::sort(y.begin(), y.end());
  return static_cast<std::size_t>(std::inner_product(x.begin(), x.end(), y.begin(), std::int64_t{0}));
}

// The ranks in `taken` stand at the first places: one row of counts for every subset of the second sample.
Counts count_orders(const std::vector<std::int64_t>& x, const std::vector<std::int64_t>& y) {
  const std::size_t width = largest_sum(x, y) + 1;
  const std::size_t subsets = std::size_t{1} << y.size();
  std::vector<std::uint32_t> table(subsets * width, 0);
  table[0] = 1;
  for (std::size_t taken = 0; taken + 1 < subsets; ++taken) {
    const std::uint32_t* from = &table[taken * width];
    const std::int64_t place = x[static_cast<std::size_t>(std::popcount(taken))];
    for (std::size_t next = 0; next < y.size(); ++next) {
      const std::size_t bit = std::size_t{1} << next;
      if ((taken & bit) != 0) continue;
      const auto step = static_cast<std::size_t>(place * y[next]);
      std::uint32_t* to = &table[(taken | bit) * width];
      for (std::size_t s = 0; s + step < width; ++s) to[s + step] += from[s];
    }
  }
  return {table.end() - static_cast<std::ptrdiff_t>(width), table.end()};
}

const Counts& untied_counts(std::size_t n) {
  static std::array<std::once_flag, kMostOrdered + 1> made;
  static std::array<Counts, kMostOrdered + 1> tables;
  std::call_once(made[n], [&] {
    std::vector<std::int64_t> ranks(n);
    std::iota(ranks.begin(), ranks.end(), std::int64_t{1});
    tables[n] = count_orders(ranks, ranks);
  });
  return tables[n];
}

bool has_ties(std::span<const std::int64_t> doubled_ranks) {
  std::vector<std::int64_t> ranks(doubled_ranks.begin(), doubled_ranks.end());
  std::sort(ranks.begin(), ranks.end());
  return std::adjacent_find(ranks.begin(), ranks.end()) != ranks.end();
}

}  // namespace

OrderTails order_tails(std::span<const std::int64_t> x, std::span<const std::int64_t> y, std::int64_t sum) {
  const bool tied = has_ties(x) || has_ties(y);
  const Counts own = tied ? count_orders({x.begin(), x.end()}, {y.begin(), y.end()}) : Counts{};
  const Counts& counts = tied ? own : untied_counts(x.size());
  const std::int64_t scale = tied ? 1 : 4;  // kept tables are of ranks that are not doubled
  const auto n = static_cast<std::int64_t>(x.size());
  // Doubled mid-ranks of n values have the mean n + 1, so the sum's mean is n (n + 1)².
  const std::int64_t mean = n * (n + 1) * (n + 1);
  const std::int64_t distance = std::abs(sum - mean);
  double all = 0.0;
  double below = 0.0;
  double above = 0.0;
  double as_far = 0.0;
  for (std::size_t s = 0; s < counts.size(); ++s) {
    const double orders = counts[s];
    const std::int64_t value = static_cast<std::int64_t>(s) * scale;
    all += orders;
    if (value <= sum) below += orders;
    if (value >= sum) above += orders;
    if (std::abs(value - mean) >= distance) as_far += orders;
  }
  return {{below / all, above / all}, as_far / all};
}

}  // namespace wattle::stats
