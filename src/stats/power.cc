#include "stats/power.h"

#include <algorithm>
#include <boost/math/constants/constants.hpp>
#include <boost/math/distributions/non_central_t.hpp>
#include <boost/math/distributions/normal.hpp>
#include <boost/math/distributions/students_t.hpp>
#include <cmath>

#include "stats/signed_rank.h"

namespace wattle::stats {
namespace {

constexpr int kMost = 1'000'000;

bool is_probability(double value) { return value > 0.0 && value < 1.0; }

double of_one_choice(double log_choices, Alternative alternative) {
  const double one = std::exp(-log_choices);
  return std::min(1.0, alternative == Alternative::two_sided ? 2.0 * one : one);
}

double shifted_t_below(double degrees, double shift, double t) {
  // Far out the series of the noncentral t is slow, and normal to more digits than anybody plans with.
  if (std::abs(shift) > 37.0) return boost::math::cdf(boost::math::normal(), t - shift);
  if (shift == 0.0) return boost::math::cdf(boost::math::students_t(degrees), t);
  return boost::math::cdf(boost::math::non_central_t(degrees, shift), t);
}

std::optional<double> t_power(double degrees, double shift, double alpha, Alternative alternative) {
  if (!(degrees >= 1.0) || !std::isfinite(shift) || !is_probability(alpha)) return std::nullopt;
  const double each = alternative == Alternative::two_sided ? alpha / 2.0 : alpha;
  const double critical = boost::math::quantile(boost::math::complement(boost::math::students_t(degrees), each));
  const double above = shifted_t_below(degrees, -shift, -critical);  // by symmetry: no loss where it is small
  const double below = shifted_t_below(degrees, shift, -critical);
  if (alternative == Alternative::greater) return above;
  if (alternative == Alternative::less) return below;
  return std::min(1.0, above + below);
}

// Power grows with n where the effect is on the side that is sought.
template <class Power>
std::optional<int> fewest(double wanted, Power power) {
  if (!is_probability(wanted)) return std::nullopt;
  const auto enough = [&](int n) { return power(n).value_or(0.0) >= wanted; };
  int high = 2;
  while (high < kMost && !enough(high)) high = std::min(kMost, 2 * high);
  if (!enough(high)) return std::nullopt;
  int low = 1;
  while (high - low > 1) {
    const int middle = low + (high - low) / 2;
    (enough(middle) ? high : low) = middle;
  }
  return high;
}

}  // namespace

double smallest_rank_sum_p(int n, int m, Alternative alternative) {
  if (n < 1 || m < 1) return 1.0;
  // The smaller sample's factors: exact while the number of choices is a whole number in a double.
  double choices = 1.0;
  const int fewer = std::min(n, m);
  const int more = std::max(n, m);
  for (int i = 1; i <= fewer && std::isfinite(choices); ++i) choices = choices * (more + i) / i;
  return std::min(1.0, (alternative == Alternative::two_sided ? 2.0 : 1.0) / choices);
}

double smallest_spearman_p(int n, Alternative alternative) {
  if (n < 2) return 1.0;
  return of_one_choice(std::lgamma(n + 1.0), alternative);
}

std::optional<int> rank_sum_size_for_any_significance(double alpha, Alternative alternative) {
  if (!is_probability(alpha)) return std::nullopt;
  int n = 1;
  while (smallest_rank_sum_p(n, n, alternative) >= alpha) ++n;
  return n;
}

std::optional<int> spearman_pairs_for_any_significance(double alpha, Alternative alternative) {
  if (!is_probability(alpha)) return std::nullopt;
  int n = 3;
  while (smallest_spearman_p(n, alternative) >= alpha) ++n;
  return n;
}

std::optional<double> paired_t_power(int n, double effect, double alpha, Alternative alternative) {
  return t_power(n - 1.0, effect * std::sqrt(static_cast<double>(n)), alpha, alternative);
}

std::optional<double> two_sample_t_power(int n, double effect, double alpha, Alternative alternative) {
  return t_power(2.0 * (n - 1.0), effect * std::sqrt(n / 2.0), alpha, alternative);
}

std::optional<double> signed_rank_power(int n, double effect, double alpha, Alternative alternative) {
  if (n < 1 || !std::isfinite(effect) || !is_probability(alpha)) return std::nullopt;
  if (smallest_p(n, alternative) >= alpha) return 0.0;
  const boost::math::normal standard;
  const double each = alternative == Alternative::two_sided ? alpha / 2.0 : alpha;
  const double critical = boost::math::quantile(boost::math::complement(standard, each));
  const double shift = effect * std::sqrt(n * 3.0 / boost::math::constants::pi<double>());
  const double above = boost::math::cdf(standard, shift - critical);
  const double below = boost::math::cdf(standard, -shift - critical);
  if (alternative == Alternative::greater) return above;
  if (alternative == Alternative::less) return below;
  return std::min(1.0, above + below);
}

std::optional<int> paired_t_size(double effect, double alpha, double power, Alternative alternative) {
  if (effect == 0.0) return std::nullopt;
  return fewest(power, [&](int n) { return paired_t_power(n, effect, alpha, alternative); });
}

std::optional<int> two_sample_t_size(double effect, double alpha, double power, Alternative alternative) {
  if (effect == 0.0) return std::nullopt;
  return fewest(power, [&](int n) { return two_sample_t_power(n, effect, alpha, alternative); });
}

std::optional<int> signed_rank_size(double effect, double alpha, double power, Alternative alternative) {
  if (effect == 0.0) return std::nullopt;
  return fewest(power, [&](int n) { return signed_rank_power(n, effect, alpha, alternative); });
}

}  // namespace wattle::stats
