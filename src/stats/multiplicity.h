// Many tests at once. Pure. p-values are adjusted, so that each compares with alpha as it stands; the order is kept.
// Fails (bad_input) where a p-value is outside [0, 1] or NaN; an empty family gives an empty answer.
#pragma once

#include <span>
#include <vector>

#include "base/result.h"

namespace wattle::stats {

// Holm, "A simple sequentially rejective multiple test procedure", Scandinavian Journal of Statistics 6, 1979: the
// chance of any false rejection stays at most alpha, whatever the dependence. Adjusted values are monotone, at most 1.
[[nodiscard]] Result<std::vector<double>> holm(std::span<const double> p_values);

// Benjamini & Hochberg, "Controlling the false discovery rate", JRSS B 57, 1995: the expected share of false ones among
// the rejected stays at most alpha for independent or positively dependent tests.
[[nodiscard]] Result<std::vector<double>> benjamini_hochberg(std::span<const double> p_values);

}  // namespace wattle::stats
