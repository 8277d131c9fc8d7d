#include "stats/shapiro_wilk.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <boost/math/constants/constants.hpp>
#include <boost/math/distributions/normal.hpp>
#include <cmath>
#include <vector>

#include "stats/sorting.h"

namespace wattle::stats {
namespace {

// c[0] + c[1] x + c[2] x² + …
template <std::size_t N>
double polynomial(const std::array<double, N>& c, double x) {
  double value = 0.0;
  for (std::size_t i = N; i-- > 0;) value = value * x + c[i];
  return value;
}

// Royston's coefficients, as published.
constexpr std::array kLast{0.0, 0.221157, -0.147981, -2.07119, 4.434685, -2.706056};
constexpr std::array kSecond{0.0, 0.042981, -0.293762, -1.752461, 5.682633, -3.582633};
constexpr std::array kGamma{-2.273, 0.459};
constexpr std::array kSmallMean{0.544, -0.39978, 0.025054, -6.714e-4};
constexpr std::array kSmallSpread{1.3822, -0.77857, 0.062767, -0.0020322};
constexpr std::array kLargeMean{-1.5861, -0.31082, -0.083751, 0.0038915};
constexpr std::array kLargeSpread{-0.4803, -0.082676, 0.0030302};

// Weights of the upper half, the largest value's first; those of the lower half are their negatives.
std::vector<double> weights(std::size_t size) {
  const auto n = static_cast<double>(size);
  if (size == 3) return {std::sqrt(0.5)};
  std::vector<double> a(size / 2);
  double squares = 0.0;
  for (std::size_t i = 0; i < a.size(); ++i) {
    a[i] = -boost::math::quantile(boost::math::normal(), (static_cast<double>(i) + 0.625) / (n + 0.25));
    squares += 2.0 * a[i] * a[i];
  }
  const double root = std::sqrt(squares);
  const double inverse = 1.0 / std::sqrt(n);
  const double first = polynomial(kLast, inverse) + a[0] / root;
  std::size_t polished = 1;
  double left = squares - 2.0 * a[0] * a[0];
  double norm = 1.0 - 2.0 * first * first;
  double second = 0.0;
  if (size > 5) {
    polished = 2;
    second = a[1] / root + polynomial(kSecond, inverse);
    left -= 2.0 * a[1] * a[1];
    norm -= 2.0 * second * second;
  }
  const double scale = std::sqrt(left / norm);
  a[0] = first;
  if (polished == 2) a[1] = second;
  for (std::size_t i = polished; i < a.size(); ++i) a[i] /= scale;
  return a;
}

// 1 - W, found without taking W from 1: (ssq - sum)(ssq + sum)/ssq² of values and weights about their means.
double distance_from_normal(const std::vector<double>& sorted, const std::vector<double>& half) {
  const std::size_t n = sorted.size();
  const double range = sorted.back() - sorted.front();
  double mean = 0.0;
  for (const double value : sorted) mean += (value / range) / static_cast<double>(n);
  double weight_squares = 0.0;
  double squares = 0.0;
  double products = 0.0;
  for (std::size_t i = 0; i < n; ++i) {
    double weight = 0.0;
    if (i < half.size()) weight = -half[i];
    if (n - 1 - i < half.size()) weight = half[n - 1 - i];
    const double deviation = sorted[i] / range - mean;
    weight_squares += weight * weight;
    squares += deviation * deviation;
    products += weight * deviation;
  }
  const double both = std::sqrt(weight_squares * squares);
  return (both - products) * (both + products) / (weight_squares * squares);
}

double p_value(double distance, std::size_t size) {
  const auto n = static_cast<double>(size);
  if (size == 3) {
    constexpr double kPi = boost::math::constants::pi<double>();
    const double p = 6.0 / kPi * (std::asin(std::sqrt(1.0 - distance)) - std::asin(std::sqrt(0.75)));
    return std::clamp(p, 0.0, 1.0);
  }
  double y = std::log(distance);
  const double log_n = std::log(n);
  double mean = 0.0;
  double spread = 0.0;
  if (size <= 11) {
    const double gamma = polynomial(kGamma, n);
    if (y >= gamma) return 1e-99;  // as published: beyond the transformation's range
    y = -std::log(gamma - y);
    mean = polynomial(kSmallMean, n);
    spread = std::exp(polynomial(kSmallSpread, n));
  } else {
    mean = polynomial(kLargeMean, log_n);
    spread = std::exp(polynomial(kLargeSpread, log_n));
  }
  return boost::math::cdf(boost::math::complement(boost::math::normal(), (y - mean) / spread));
}

}  // namespace

Result<ShapiroWilk> shapiro_wilk(std::span<const double> sample) {
  if (sample.size() < 3 || sample.size() > 5000) {
    return fail(ErrorKind::bad_input, fmt::format("{} values, the test is for 3 to 5,000", sample.size()));
  }
  if (!std::all_of(sample.begin(), sample.end(), [](double value) { return std::isfinite(value); })) {
    return fail(ErrorKind::bad_input, "a value is not a finite number");
  }
  std::vector<double> sorted(sample.begin(), sample.end());
  sort_values(sorted);
  const double range = sorted.back() - sorted.front();
  if (!std::isfinite(range)) return fail(ErrorKind::bad_input, "the values are too large");
  if (range == 0.0) return fail(ErrorKind::bad_input, "all values are equal: there is no shape to test");
  const double distance = std::clamp(distance_from_normal(sorted, weights(sorted.size())), 0.0, 1.0);
  ShapiroWilk result;
  result.n = static_cast<int>(sorted.size());
  result.w = 1.0 - distance;
  result.p_value = distance == 0.0 ? 1.0 : p_value(distance, sorted.size());
  return result;
}

}  // namespace wattle::stats
