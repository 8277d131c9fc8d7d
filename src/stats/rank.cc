#include "stats/rank.h"

#include <algorithm>
#include <array>

namespace wattle::stats {
namespace {

struct Entry {
  double value = 0.0;
  std::size_t place = 0;
};

void share_ranks(std::span<const Entry> sorted, Ranks& ranks) {
  for (std::size_t first = 0; first < sorted.size();) {
    std::size_t end = first + 1;
    while (end < sorted.size() && sorted[end].value == sorted[first].value) ++end;
    // Places first+1 … end: their mean, doubled.
    const auto shared = static_cast<std::int64_t>(first + 1 + end);
    for (std::size_t i = first; i < end; ++i) ranks.doubled[sorted[i].place] = shared;
    const auto tied = static_cast<double>(end - first);
    ranks.tie_term += tied * tied * tied - tied;
    first = end;
  }
}

}  // namespace

Ranks rank(std::span<const double> sample) {
  // Values travel with their places: sorting places alone would look each value up in memory at random.
  constexpr std::size_t kOnStack = 128;
  std::array<Entry, kOnStack> few;
  std::vector<Entry> many(sample.size() > kOnStack ? sample.size() : 0);
  const std::span<Entry> entries(many.empty() ? few.data() : many.data(), sample.size());
  for (std::size_t i = 0; i < sample.size(); ++i) entries[i] = {sample[i], i};
  std::sort(entries.begin(), entries.end(), [](const Entry& a, const Entry& b) { return a.value < b.value; });
  Ranks ranks;
  ranks.doubled.resize(sample.size());
  share_ranks(entries, ranks);
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
