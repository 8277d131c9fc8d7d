#include "stats/means.h"

#include <fmt/format.h>

#include <algorithm>
#include <boost/math/distributions/students_t.hpp>
#include <cmath>

#include "stats/descriptive.h"

namespace wattle::stats {
namespace {

constexpr double kLevelOfMargins = 0.90;  // the interval that belongs to two one-sided tests at 5 %

struct Moments {
  double n = 0.0;
  double mean = 0.0;
  double variance = 0.0;
};

Result<Moments> moments(std::span<const double> sample) {
  if (sample.size() < 2)
    return fail(ErrorKind::bad_input, fmt::format("{} values are too few, 2 are needed", sample.size()));
  const bool finite = std::all_of(sample.begin(), sample.end(), [](double value) { return std::isfinite(value); });
  if (!finite) return fail(ErrorKind::bad_input, "a value is not a finite number");
  const auto centre = mean(sample);
  const auto spread = standard_deviation(sample);
  if (!centre || !spread) return fail(ErrorKind::bad_input, "the values are too large");
  return Moments{static_cast<double>(sample.size()), *centre, *spread * *spread};
}

Result<TTest> tested(TTest result, const TTestOptions& options) {
  if (!(options.level > 0.0 && options.level < 1.0))
    return fail(ErrorKind::bad_input, "the level is not between 0 and 1");
  if (!std::isfinite(options.hypothesis)) return fail(ErrorKind::bad_input, "the hypothesis is not a finite number");
  if (!(result.standard_error > 0.0)) {
    return fail(ErrorKind::bad_input, "the values do not vary: Student's t has nothing to compare with");
  }
  const boost::math::students_t distribution(result.degrees);
  result.t = (result.estimate - options.hypothesis) / result.standard_error;
  const Tails tails{boost::math::cdf(distribution, result.t),
                    boost::math::cdf(boost::math::complement(distribution, result.t))};
  result.p_value = tails.p_value(options.alternative);
  const double half =
      boost::math::quantile(boost::math::complement(distribution, (1.0 - options.level) / 2.0)) * result.standard_error;
  result.interval = {result.estimate - half, result.estimate + half, options.level, true};
  return result;
}

TTestOptions beyond(double bound, Alternative alternative) { return {bound, alternative, kLevelOfMargins}; }

Result<void> check(double margin) {
  if (margin >= 0.0 && std::isfinite(margin)) return {};
  return fail(ErrorKind::bad_input, "the margin is not a finite number of 0 or more");
}

// `test` is one of the two below for its samples.
template <class Test>
Result<MeanEquivalence> both_sides(double margin, Test test) {
  if (const auto checked = check(margin); !checked) return tl::unexpected(checked.error());
  const Result<TTest> above = test(beyond(-margin, Alternative::greater));
  if (!above) return tl::unexpected(above.error());
  const Result<TTest> below = test(beyond(margin, Alternative::less));
  if (!below) return tl::unexpected(below.error());
  return MeanEquivalence{*above, *below, std::max(above->p_value, below->p_value)};
}

}  // namespace

Result<TTest> one_sample_t(std::span<const double> values, const TTestOptions& options) {
  const auto m = moments(values);
  if (!m) return tl::unexpected(m.error());
  TTest result;
  result.degrees = m->n - 1.0;
  result.estimate = m->mean;
  result.standard_error = std::sqrt(m->variance / m->n);
  result.standardised = m->mean / std::sqrt(m->variance);
  return tested(result, options);
}

Result<TTest> welch_t(std::span<const double> x, std::span<const double> y, const TTestOptions& options) {
  const auto a = moments(x);
  if (!a) return tl::unexpected(a.error());
  const auto b = moments(y);
  if (!b) return tl::unexpected(b.error());
  const double of_x = a->variance / a->n;
  const double of_y = b->variance / b->n;
  TTest result;
  result.estimate = a->mean - b->mean;
  result.standard_error = std::sqrt(of_x + of_y);
  // As shares, so that small variances do not vanish when squared.
  const double share = of_x / (of_x + of_y);
  result.degrees = 1.0 / (share * share / (a->n - 1.0) + (1.0 - share) * (1.0 - share) / (b->n - 1.0));
  result.standardised = result.estimate / std::sqrt((a->variance + b->variance) / 2.0);
  return tested(result, options);
}

Result<TTest> mean_non_inferiority(std::span<const double> differences, double margin) {
  if (const auto checked = check(margin); !checked) return tl::unexpected(checked.error());
  return one_sample_t(differences, beyond(-margin, Alternative::greater));
}

Result<TTest> mean_non_inferiority(std::span<const double> x, std::span<const double> y, double margin) {
  if (const auto checked = check(margin); !checked) return tl::unexpected(checked.error());
  return welch_t(x, y, beyond(-margin, Alternative::greater));
}

Result<MeanEquivalence> mean_equivalence(std::span<const double> differences, double margin) {
  return both_sides(margin, [&](const TTestOptions& options) { return one_sample_t(differences, options); });
}

Result<MeanEquivalence> mean_equivalence(std::span<const double> x, std::span<const double> y, double margin) {
  return both_sides(margin, [&](const TTestOptions& options) { return welch_t(x, y, options); });
}

}  // namespace wattle::stats
