// The null distribution of the Mann-Whitney count: every choice of which n of n + m values are the first sample's is
// equally likely. Pure but for the tables that are kept; any thread may ask.
#pragma once

#include <cstdint>
#include <span>

#include "stats/alternative.h"

namespace wattle::stats {

// P(U <= u) and P(U >= u) without ties, n, m >= 1, 0 <= u <= n m: Mann & Whitney, "On a test of whether one of two
// random variables is stochastically larger than the other", Annals of Mathematical Statistics 18, 1947, eq. 1, as
// probabilities. O((n m)^2) the first time; the tables of the 256 pairs of sizes asked for first are kept.
[[nodiscard]] Tails untied_count_tails(int n, int m, std::int64_t u);

// P(sum <= s) and P(sum >= s) of `chosen` of the doubled mid-ranks: Streitberg & Röhmel, "Exact distributions for
// permutation and rank tests", Statistical Software Newsletter 12, 1986. O(ranks × chosen × sum).
[[nodiscard]] Tails tied_sum_tails(std::span<const std::int64_t> doubled_ranks, std::size_t chosen, std::int64_t sum);

}  // namespace wattle::stats
