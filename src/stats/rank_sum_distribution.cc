#include "stats/rank_sum_distribution.h"

#include <algorithm>
#include <map>
#include <memory>
#include <mutex>
#include <numeric>
#include <shared_mutex>
#include <utility>
#include <vector>

namespace wattle::stats {
namespace {

using Table = std::vector<double>;

// P(U = u) for samples of i and j from those of (i - 1, j) and (i, j - 1): the largest value is of the first sample
// with probability i / (i + j) and then lies above all j of the other.
Table grown(const Table& one_fewer_first, const Table& one_fewer_second, std::size_t i, std::size_t j) {
  Table table(i * j + 1, 0.0);
  const double first = static_cast<double>(i) / static_cast<double>(i + j);
  const double second = static_cast<double>(j) / static_cast<double>(i + j);
  for (std::size_t u = 0; u < one_fewer_first.size(); ++u) table[u + j] += first * one_fewer_first[u];
  for (std::size_t u = 0; u < one_fewer_second.size(); ++u) table[u] += second * one_fewer_second[u];
  return table;
}

Table cumulated(std::size_t n, std::size_t m) {
  std::vector<Table> row(m + 1, Table{1.0});  // i = 0: U is 0
  for (std::size_t i = 1; i <= n; ++i) {
    row[0] = {1.0};
    for (std::size_t j = 1; j <= m; ++j) row[j] = grown(row[j], row[j - 1], i, j);
  }
  std::partial_sum(row[m].begin(), row[m].end(), row[m].begin());
  return std::move(row[m]);
}

std::shared_ptr<const Table> kept(int n, int m) {
  static std::shared_mutex guard;
  static std::map<std::pair<int, int>, std::shared_ptr<const Table>> tables;
  const auto sizes = std::minmax(n, m);  // the distribution is the same with the samples exchanged
  {
    const std::shared_lock lock(guard);
    if (const auto found = tables.find(sizes); found != tables.end()) return found->second;
  }
  auto made = std::make_shared<const Table>(
      cumulated(static_cast<std::size_t>(sizes.first), static_cast<std::size_t>(sizes.second)));
  const std::unique_lock lock(guard);
  if (tables.size() < 256) tables.emplace(sizes, made);
  return made;
}

}  // namespace

Tails untied_count_tails(int n, int m, std::int64_t u) {
  const auto table = kept(n, m);
  const auto at = static_cast<std::size_t>(u);
  return {(*table)[at], (*table)[table->size() - 1 - at]};
}

Tails tied_sum_tails(std::span<const std::int64_t> doubled_ranks, std::size_t chosen, std::int64_t sum) {
  const auto total =
      static_cast<std::size_t>(std::accumulate(doubled_ranks.begin(), doubled_ranks.end(), std::int64_t{0}));
  // ways[c][s]: how many choices of c ranks sum to s; whole numbers up to 2^53, above good to 1e-14.
  std::vector<Table> ways(chosen + 1, Table(total + 1, 0.0));
  ways[0][0] = 1.0;
  std::size_t reached = 0;
  std::size_t seen = 0;
  for (const std::int64_t rank : doubled_ranks) {
    const auto step = static_cast<std::size_t>(rank);
    reached += step;
    ++seen;
    for (std::size_t c = std::min(seen, chosen); c > 0; --c) {
      double* to = ways[c].data();
      const double* from = ways[c - 1].data();
      for (std::size_t s = step; s <= reached; ++s) to[s] += from[s - step];
    }
  }
  const Table& all = ways[chosen];
  const auto at = all.begin() + sum;
  const double every = std::accumulate(all.begin(), all.end(), 0.0);
  return {std::accumulate(all.begin(), at + 1, 0.0) / every, std::accumulate(at, all.end(), 0.0) / every};
}

}  // namespace wattle::stats
