// Ranks with ties: equal values share the mean of the places they fill (mid-ranks; Hollander, Wolfe & Chicken,
// "Nonparametric Statistical Methods", 3rd ed., 2014, ch. 3). Pure. Infinite values are ranked; the caller keeps NaN
// out.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

namespace wattle::stats {

struct Ranks {
  // Twice the mid-rank of each value, in the sample's order: a whole number, so rank sums compare exactly.
  std::vector<std::int64_t> doubled;
  double tie_term = 0.0;  // sum of t^3 - t over the groups of t equal values: what ties take from a variance
};

// No value may be NaN.
[[nodiscard]] Ranks rank(std::span<const double> sample);
// The same as ordinary numbers: 1, 2.5, 2.5, 4.
[[nodiscard]] std::vector<double> mid_ranks(std::span<const double> sample);

}  // namespace wattle::stats
