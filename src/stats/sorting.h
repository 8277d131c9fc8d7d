// Sorting numbers fast: tests sort and do little else. No value may be NaN; -0 and 0 are equal and stay in any order.
#pragma once

#include <span>

namespace wattle::stats {

// Ascending. Insertion sort for a few, std::sort for some, radix sort for many. Memory: of the sample's size, for many.
void sort_values(std::span<double> values);

}  // namespace wattle::stats
