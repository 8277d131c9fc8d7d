#include "stats/bootstrap.h"

#include <fmt/format.h>

#include <algorithm>
#include <boost/math/distributions/normal.hpp>
#include <cmath>
#include <vector>

#include "stats/descriptive.h"

namespace wattle::stats {
namespace {

struct Resampled {
  double estimate = 0.0;
  std::vector<double> values;     // of the resamples
  std::vector<double> jackknife;  // of the sample less each value in turn; empty for percentile
  double scale = 0.0;             // size of the largest value of the sample
};

Result<void> check(std::span<const double> sample, const BootstrapOptions& options) {
  if (sample.size() < 2)
    return fail(ErrorKind::bad_input, fmt::format("{} values are too few, 2 are needed", sample.size()));
  if (sample.size() > 1'000'000) return fail(ErrorKind::bad_input, "more than 1,000,000 values");
  if (!std::all_of(sample.begin(), sample.end(), [](double value) { return std::isfinite(value); })) {
    return fail(ErrorKind::bad_input, "a value is not a finite number");
  }
  if (!(options.level > 0.0 && options.level < 1.0))
    return fail(ErrorKind::bad_input, "the level is not between 0 and 1");
  if (options.resamples < 100 || options.resamples > 10'000'000) {
    return fail(ErrorKind::bad_input,
                fmt::format("{} resamples, from 100 to 10,000,000 are possible", options.resamples));
  }
  return {};
}

// Type 7, by selection: the order of what lies between is of no interest.
double quantile_of(std::vector<double>& values, double probability) {
  const double position = probability * static_cast<double>(values.size() - 1);
  const auto below = static_cast<std::size_t>(position);
  const auto at = values.begin() + static_cast<std::ptrdiff_t>(below);
  std::nth_element(values.begin(), at, values.end());
  const double low = *at;
  const double weight = position - static_cast<double>(below);
  if (weight == 0.0) return low;
  return std::lerp(low, *std::min_element(at + 1, values.end()), weight);
}

// Sum of cubes by the sum of squares to 3/2, of how much each value pulls.
double acceleration(const std::vector<double>& jackknife) {
  const double centre = mean(jackknife).value_or(0.0);
  double squares = 0.0;
  double cubes = 0.0;
  for (const double value : jackknife) {
    const double pull = centre - value;
    squares += pull * pull;
    cubes += pull * pull * pull;
  }
  return squares > 0.0 ? cubes / (6.0 * squares * std::sqrt(squares)) : 0.0;
}

// Ties count half. A resample whose value is the estimate but for rounding, as sums in another order are, is a tie.
double share_below(const Resampled& drawn) {
  const double rounding = 1e-12 * drawn.scale;
  std::size_t below = 0;
  std::size_t above = 0;
  for (const double value : drawn.values) {
    below += static_cast<std::size_t>(value < drawn.estimate - rounding);
    above += static_cast<std::size_t>(value > drawn.estimate + rounding);
  }
  const auto all = static_cast<double>(drawn.values.size());
  return 0.5 + (static_cast<double>(below) - static_cast<double>(above)) / (2.0 * all);
}

struct Probabilities {
  double low = 0.0;
  double high = 1.0;
};

Result<Probabilities> corrected(const Resampled& drawn, double level, Bootstrap& result) {
  const boost::math::normal standard;
  const double below = share_below(drawn);
  if (below <= 0.0 || below >= 1.0) {
    return fail(ErrorKind::bad_input, "all resamples lie on one side of the estimate: bca has no interval",
                "ask for more resamples, or for the percentile interval");
  }
  const double z0 = boost::math::quantile(standard, below);
  const double a = acceleration(drawn.jackknife);
  const double z = boost::math::quantile(boost::math::complement(standard, (1.0 - level) / 2.0));
  const auto moved = [&](double place) {
    return boost::math::cdf(standard, z0 + (z0 + place) / (1.0 - a * (z0 + place)));
  };
  if (!(a * (z0 + z) < 1.0 && a * (z0 - z) < 1.0)) {
    return fail(ErrorKind::bad_input, "one value decides the estimate: bca has no interval at this level");
  }
  result.bias_correction = z0;
  result.acceleration = a;
  return Probabilities{moved(-z), moved(z)};
}

Result<Bootstrap> interval_of(Resampled drawn, const BootstrapOptions& options) {
  Bootstrap result;
  result.estimate = drawn.estimate;
  result.interval = {drawn.estimate, drawn.estimate, options.level, false};
  const auto spread = standard_deviation(drawn.values);
  if (!spread || !std::isfinite(drawn.estimate)) {
    return fail(ErrorKind::bad_input, "the statistic has no finite value for the sample or a resample");
  }
  result.standard_error = *spread;
  const auto [least, most] = std::minmax_element(drawn.values.begin(), drawn.values.end());
  if (*least == *most && *least == drawn.estimate) return result;
  Probabilities at{(1.0 - options.level) / 2.0, (1.0 + options.level) / 2.0};
  if (options.method == BootstrapMethod::bca) {
    const auto found = corrected(drawn, options.level, result);
    if (!found) return tl::unexpected(found.error());
    at = *found;
  }
  result.interval.low = quantile_of(drawn.values, at.low);
  result.interval.high = quantile_of(drawn.values, at.high);
  return result;
}

double largest_size(std::span<const double> sample) {
  double largest = 0.0;
  for (const double value : sample) largest = std::max(largest, std::abs(value));
  return largest;
}

double sum_of(std::span<const double> values) {
  double sum = 0.0;
  for (const double value : values) sum += value;
  return sum;
}

// Of as many values as there are, drawn with replacement. Two sums at once: one would wait for each addition.
double drawn_sum(const std::vector<double>& values, Random& random) {
  const auto size = static_cast<std::uint32_t>(values.size());
  double even = 0.0;
  double odd = 0.0;
  std::uint32_t i = 0;
  for (; i + 2 <= size; i += 2) {
    const auto [first, second] = random.two_below(size);
    even += values[first];
    odd += values[second];
  }
  if (i < size) even += values[random.below(size)];
  return even + odd;
}

// The same draws as drawn_sum's, as a sample.
void draw(std::span<const double> sample, Random& random, std::vector<double>& resample) {
  const auto size = static_cast<std::uint32_t>(sample.size());
  std::uint32_t i = 0;
  for (; i + 2 <= size; i += 2) {
    const auto [first, second] = random.two_below(size);
    resample[i] = sample[first];
    resample[i + 1] = sample[second];
  }
  if (i < size) resample[i] = sample[random.below(size)];
}

}  // namespace

Result<Bootstrap> bootstrap(std::span<const double> sample, const Statistic& statistic,
                            const BootstrapOptions& options) {
  if (const auto checked = check(sample, options); !checked) return tl::unexpected(checked.error());
  Resampled drawn{
      statistic(sample), std::vector<double>(static_cast<std::size_t>(options.resamples)), {}, largest_size(sample)};
  std::vector<double> resample(sample.size());
  Random random(options.seed);
  for (double& value : drawn.values) {
    draw(sample, random, resample);
    value = statistic(resample);
  }
  if (options.method == BootstrapMethod::bca) {
    for (std::size_t left_out = 0; left_out < sample.size(); ++left_out) {
      std::copy(sample.begin(), sample.end(), resample.begin());
      resample[left_out] = resample.back();
      drawn.jackknife.push_back(statistic(std::span(resample).first(sample.size() - 1)));
    }
    if (!mean(drawn.jackknife)) {
      return fail(ErrorKind::bad_input, "the statistic has no finite value without one of the values");
    }
  }
  return interval_of(std::move(drawn), options);
}

Result<Bootstrap> bootstrap_mean(std::span<const double> sample, const BootstrapOptions& options) {
  if (const auto checked = check(sample, options); !checked) return tl::unexpected(checked.error());
  // About the first value, so that small differences of large numbers survive the sums.
  const double origin = sample.front();
  std::vector<double> shifted(sample.begin(), sample.end());
  for (double& value : shifted) value -= origin;
  const auto n = static_cast<double>(sample.size());
  const double sum = sum_of(shifted);
  Resampled drawn{
      origin + sum / n, std::vector<double>(static_cast<std::size_t>(options.resamples)), {}, largest_size(sample)};
  Random random(options.seed);
  for (double& value : drawn.values) {
    value = origin + drawn_sum(shifted, random) / n;
  }
  if (options.method == BootstrapMethod::bca) {
    for (const double value : shifted) drawn.jackknife.push_back(origin + (sum - value) / (n - 1.0));
  }
  return interval_of(std::move(drawn), options);
}

}  // namespace wattle::stats
