// The null distribution of a signed-rank sum: every rank enters or not, each with probability 1/2, independently. Pure.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

namespace wattle::stats {

// P(sum = s) at index s, for whole positive ranks (doubled mid-ranks, so that ties are whole numbers too). Exact in a
// double up to 50 ranks. O(ranks × their sum). Source: Streitberg & Röhmel, Statistical Software Newsletter 12, 1986.
[[nodiscard]] std::vector<double> sign_distribution(std::span<const std::int64_t> ranks);

}  // namespace wattle::stats
