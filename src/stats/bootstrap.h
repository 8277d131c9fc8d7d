// Intervals by resampling: the sample stands for the population, and is drawn from again and again. Pure: the same seed
// gives the same interval everywhere.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <span>

#include "base/result.h"
#include "stats/interval.h"
#include "stats/random.h"

namespace wattle::stats {

enum class BootstrapMethod {
  percentile,  // Efron & Tibshirani, "An Introduction to the Bootstrap", 1993, 13.3
  // Bias-corrected and accelerated, second-order correct: Efron, "Better bootstrap confidence intervals", Journal of
  // the American Statistical Association 82, 1987; acceleration by the jackknife (Efron & Tibshirani 1993, eq. 14.15).
  bca,
};

struct BootstrapOptions {
  int resamples = 10'000;
  double level = 0.95;
  std::uint64_t seed = kDefaultSeed;
  BootstrapMethod method = BootstrapMethod::bca;
};

struct Bootstrap {
  double estimate = 0.0;         // of the sample itself
  double standard_error = 0.0;   // standard deviation of the resamples' values
  Interval interval;             // quantiles of the resamples' values, of type 7 as in descriptive.h
  double bias_correction = 0.0;  // z0; 0 for percentile
  double acceleration = 0.0;     // a; 0 for percentile
};

// A number of a sample, pure; called once a resample with as many values as the sample has.
using Statistic = std::function<double(std::span<const double>)>;

// Fails (bad_input) for fewer than 2 values, a value that is not finite, a level outside (0, 1), resamples outside
// 100…10,000,000, a statistic that is not finite for the sample or a resample, and for bca where it has no answer: all
// resamples lie on one side of the estimate. A statistic that never varies gives an interval of width 0.
[[nodiscard]] Result<Bootstrap> bootstrap(std::span<const double> sample, const Statistic& statistic,
                                          const BootstrapOptions& options = {});

// Of the arithmetic mean: the same resamples and, but for the last digits, values; several times faster.
[[nodiscard]] Result<Bootstrap> bootstrap_mean(std::span<const double> sample, const BootstrapOptions& options = {});

}  // namespace wattle::stats
