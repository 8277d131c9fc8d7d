#include "stats/sequential.h"

#include <algorithm>
#include <boost/math/distributions/students_t.hpp>
#include <boost/math/special_functions/beta.hpp>
#include <cmath>
#include <limits>
#include <numbers>

#include "stats/descriptive.h"

namespace wattle::stats {
namespace {

// Plain doubles are good to 1e-14 here and three times as fast; simulations ask for millions.
using Plain = boost::math::policies::policy<boost::math::policies::promote_double<false>>;
using Student = boost::math::students_t_distribution<double, Plain>;

constexpr double kInfinite = std::numeric_limits<double>::infinity();

Result<void> check(std::span<const double> values, double effect_variance) {
  if (!std::all_of(values.begin(), values.end(), [](double value) { return std::isfinite(value); })) {
    return fail(ErrorKind::bad_input, "a value is not a finite number");
  }
  if (!(effect_variance > 0.0) || !std::isfinite(effect_variance)) {
    return fail(ErrorKind::bad_input, "the variance of the effect is not a finite number above 0");
  }
  return {};
}

// log T_n(t), also where T_n(t) is below the smallest double.
double log_student(double n, double t) {
  const double probability = boost::math::cdf(Student(n), t);
  if (probability > 1e-290) return std::log(probability);
  // I_x(a, 1/2) / 2 by its hypergeometric series (DLMF 8.17.8), x far below 1 in this tail.
  const double a = n / 2.0;
  const double log_x = -std::log1p(t * t / n);
  const double x = std::exp(log_x);
  double term = 1.0;
  double sum = 1.0;
  for (int k = 0; term > 1e-17 * sum; ++k) {
    term *= x * (a + 0.5 + k) / (a + 1.0 + k);
    sum += term;
  }
  const double log_beta = std::lgamma(a) + std::lgamma(0.5) - std::lgamma(a + 0.5);
  return a * log_x + 0.5 * std::log1p(-x) - std::log(2.0 * a) - log_beta + std::log(sum);
}

// u of the header, the part of the squares about the hypothesis that the mean explains; in [0, 1] and free of the
// scale.
double explained(std::span<const double> values, double distance, double spread) {
  if (distance == 0.0) return 0.0;
  const auto n = static_cast<double>(values.size());
  const double ratio = spread / distance;
  return 1.0 / (1.0 + ratio * ratio * (n - 1.0) / n);
}

}  // namespace

Result<double> log_e_value(std::span<const double> values, const SequentialOptions& options) {
  if (const auto checked = check(values, options.effect_variance); !checked) return tl::unexpected(checked.error());
  if (!std::isfinite(options.null_mean)) return fail(ErrorKind::bad_input, "the mean to test is not a finite number");
  if (values.size() < 2) return 0.0;
  const auto n = static_cast<double>(values.size());
  const auto centre = mean(values);
  const auto spread = standard_deviation(values);
  if (!centre || !spread) return fail(ErrorKind::bad_input, "the values are too large to be squared");
  const double distance = *centre - options.null_mean;
  const double u = explained(values, distance, *spread);
  const double information = n * options.effect_variance;
  // 1 - b u, without the cancellation where b and u are near 1.
  const double rest = (1.0 - u) + u / (1.0 + information);
  const double two_sided = -0.5 * std::log1p(information) - 0.5 * n * std::log(rest);
  if (options.alternative == Alternative::two_sided) return two_sided;
  const double size = n * std::sqrt(options.effect_variance / (1.0 + information)) * std::sqrt(u / rest);
  const bool towards = (distance > 0.0) == (options.alternative == Alternative::greater);
  return two_sided + std::numbers::ln2 + log_student(n, towards ? size : -size);
}

Result<ConfidenceSequence> confidence_sequence(std::span<const double> values, double level, double effect_variance) {
  if (const auto checked = check(values, effect_variance); !checked) return tl::unexpected(checked.error());
  if (!(level > 0.0 && level < 1.0)) return fail(ErrorKind::bad_input, "the level is not between 0 and 1");
  if (values.size() < 2) return ConfidenceSequence{-kInfinite, kInfinite};
  const auto n = static_cast<double>(values.size());
  const auto centre = mean(values);
  const auto spread = standard_deviation(values);
  if (!centre || !spread) return fail(ErrorKind::bad_input, "the values are too large to be squared");
  const double log_information = std::log1p(n * effect_variance);
  const double log_r = (log_information - 2.0 * std::log1p(-level)) / n;
  if (log_r >= log_information) return ConfidenceSequence{-kInfinite, kInfinite};
  const double t_squared = (n - 1.0) * std::expm1(log_r) / -std::expm1(log_r - log_information);
  const double half_width = std::sqrt(t_squared / n) * *spread;
  return ConfidenceSequence{*centre - half_width, *centre + half_width};
}

Result<double> log_e_majority(int hits, int trials) {
  if (hits < 0 || hits > trials || trials > 1000) {
    return fail(ErrorKind::bad_input, "not a number of hits among at most 1,000 trials");
  }
  const double a = hits + 1.0;
  const double b = trials - hits + 1.0;
  // P(p > 1/2) of Beta(a, b) is I_1/2(b, a); uniform on (1/2, 1) has density 2, halved by its weight.
  const double log_spread =
      std::log(boost::math::ibeta(b, a, 0.5, Plain())) + std::lgamma(a) + std::lgamma(b) - std::lgamma(a + b);
  const double log_point = hits == trials ? -std::numbers::ln2 : -kInfinite;
  const double larger = std::max(log_spread, log_point);
  return trials * std::numbers::ln2 + larger + std::log1p(std::exp(std::min(log_spread, log_point) - larger));
}

}  // namespace wattle::stats
