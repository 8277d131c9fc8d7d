// The null distribution of a signed-rank sum: every rank enters or not, each with probability 1/2, independently. Pure.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "stats/alternative.h"

namespace wattle::stats {

// P(sum = s) at index s, for whole positive ranks (doubled mid-ranks, so that ties are whole numbers too). Exact in a
// double up to 50 ranks, above to 1e-13 of each value. O(ranks × their sum). Source: Streitberg & Röhmel, Statistical
// Software Newsletter 12, 1986.
[[nodiscard]] std::vector<double> sign_distribution(std::span<const std::int64_t> ranks);

// The largest n of which untied_sign_tails keeps a table.
inline constexpr int kKeptSigns = 50;

// P(W <= w) and P(W >= w) for the untied ranks 1…n, 1 <= n <= kKeptSigns, 0 <= w <= n(n + 1)/2. The distribution of
// each n is made once and kept; any thread may ask.
[[nodiscard]] Tails untied_sign_tails(int n, std::int64_t w);

}  // namespace wattle::stats
