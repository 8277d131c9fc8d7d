// Describing one sample. Pure. Every function answers with nothing where the sample is too small, holds a NaN, or the
// answer does not fit a double.
#pragma once

#include <optional>
#include <span>

namespace wattle::stats {

[[nodiscard]] bool any_nan(std::span<const double> sample);

// Arithmetic mean, by Welford's running update: large numbers with small differences lose nothing. n >= 1.
[[nodiscard]] std::optional<double> mean(std::span<const double> sample);

// Standard deviation with divisor n - 1, two passes with the compensating term of Chan, Golub & LeVeque ("Algorithms
// for computing the sample variance", The American Statistician 37, 1983, eq. 1.7). n >= 2.
[[nodiscard]] std::optional<double> standard_deviation(std::span<const double> sample);

// Quantile, probability in [0, 1]: type 7 of Hyndman & Fan ("Sample quantiles in statistical packages", The American
// Statistician 50, 1996), linear between order statistics, as R and NumPy do by default. n >= 1. Infinite values are
// ordered like any other; a quantile between two opposite infinities has no value.
[[nodiscard]] std::optional<double> quantile(std::span<const double> sample, double probability);
[[nodiscard]] std::optional<double> median(std::span<const double> sample);

// Half-width of the interval of the mean at the level, by Student's t: x̄ ± t · s / √n. Exact for normal samples. Absent
// for n < 2.
[[nodiscard]] std::optional<double> mean_half_width(std::span<const double> sample, double level = 0.95);

}  // namespace wattle::stats
