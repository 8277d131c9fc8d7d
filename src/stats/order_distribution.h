// The null distribution of Spearman's rank products: all n! orders of the second sample are equally likely. Pure but
// for the tables that are kept; any thread may ask.
#pragma once

#include <cstdint>
#include <span>

#include "stats/alternative.h"

namespace wattle::stats {

inline constexpr int kMostOrdered = 12;  // 12! = 479,001,600 orders

// Of the sum of products x_i y_order(i) of doubled mid-ranks, centred by `mean` of that sum over all orders.
struct OrderTails {
  Tails one_sided;
  double as_far = 1.0;  // P(|sum - mean| at least as large as seen)
};

// `sum` is the one seen. Samples of one size n, 1 <= n <= kMostOrdered; both hold doubled mid-ranks. Exact: orders are
// counted by which ranks the first places have taken (dynamic programming over 2^n subsets), O(2^n n × sums). Without
// ties the distribution of each n is kept.
[[nodiscard]] OrderTails order_tails(std::span<const std::int64_t> x, std::span<const std::int64_t> y,
                                     std::int64_t sum);

}  // namespace wattle::stats
