#include "stats/signed_rank.h"

#include <algorithm>
#include <boost/math/distributions/normal.hpp>
#include <cmath>
#include <cstdint>
#include <numeric>
#include <vector>

#include "stats/rank.h"
#include "stats/sign_distribution.h"

namespace wattle::stats {
namespace {

double rounded(double value, double resolution) {
  if (resolution == 0.0 || !std::isfinite(value)) return value;
  const double multiples = std::round(value / resolution);
  return std::isfinite(multiples) ? multiples * resolution : value;
}

// P(W+ <= w) and P(W+ >= w) of doubled rank sums, exact.
struct Tails {
  double lower = 1.0;
  double upper = 1.0;
};

Tails exact_tails(const std::vector<std::int64_t>& doubled_ranks, std::int64_t doubled_w_plus) {
  const std::vector<double> probability = sign_distribution(doubled_ranks);
  const auto at = probability.begin() + doubled_w_plus;
  return {std::accumulate(probability.begin(), at + 1, 0.0), std::accumulate(at, probability.end(), 0.0)};
}

Tails normal_tails(const Ranks& ranks, double w_plus) {
  const auto n = static_cast<double>(ranks.doubled.size());
  const double centre = n * (n + 1.0) / 4.0;
  const double deviation = std::sqrt(n * (n + 1.0) * (2.0 * n + 1.0) / 24.0 - ranks.tie_term / 48.0);
  const boost::math::normal standard;
  return {boost::math::cdf(standard, (w_plus - centre + 0.5) / deviation),
          boost::math::cdf(boost::math::complement(standard, (w_plus - centre - 0.5) / deviation))};
}

double p_of(const Tails& tails, Alternative alternative) {
  switch (alternative) {
    case Alternative::greater:
      return std::min(1.0, tails.upper);
    case Alternative::less:
      return std::min(1.0, tails.lower);
    case Alternative::two_sided:
      break;
  }
  return std::min(1.0, 2.0 * std::min(tails.lower, tails.upper));
}

Result<void> check(std::span<const double> differences, const SignedRankOptions& options) {
  if (differences.empty()) return fail(ErrorKind::bad_input, "there are no differences");
  if (differences.size() > 1'000'000) return fail(ErrorKind::bad_input, "more than 1,000,000 differences");
  if (!std::isfinite(options.shift)) return fail(ErrorKind::bad_input, "the shift is not a finite number");
  if (!(options.resolution >= 0.0)) return fail(ErrorKind::bad_input, "the resolution is not a number of 0 or more");
  for (const double difference : differences) {
    if (std::isnan(difference)) return fail(ErrorKind::bad_input, "a difference is not a number");
  }
  return {};
}

}  // namespace

Result<SignedRank> signed_rank(std::span<const double> differences, const SignedRankOptions& options) {
  if (const auto checked = check(differences, options); !checked) return tl::unexpected(checked.error());
  std::vector<double> sizes;
  std::vector<bool> positive;
  for (const double difference : differences) {
    const double shifted = rounded(difference - options.shift, options.resolution);
    if (shifted == 0.0) continue;
    sizes.push_back(std::abs(shifted));
    positive.push_back(shifted > 0.0);
  }

  SignedRank result;
  result.n = static_cast<int>(sizes.size());
  result.zeros = static_cast<int>(differences.size() - sizes.size());
  if (sizes.empty()) return result;

  const Ranks ranks = rank(sizes);
  std::int64_t doubled_w_plus = 0;
  std::int64_t doubled_total = 0;
  for (std::size_t i = 0; i < sizes.size(); ++i) {
    doubled_total += ranks.doubled[i];
    if (positive[i]) doubled_w_plus += ranks.doubled[i];
  }
  result.w_plus = static_cast<double>(doubled_w_plus) / 2.0;
  result.w_minus = static_cast<double>(doubled_total - doubled_w_plus) / 2.0;
  result.exact = result.n <= SignedRank::kExactLimit;
  const Tails tails = result.exact ? exact_tails(ranks.doubled, doubled_w_plus) : normal_tails(ranks, result.w_plus);
  result.p_value = p_of(tails, options.alternative);
  return result;
}

double smallest_p(int n, Alternative alternative) {
  if (n < 1) return 1.0;
  const double one_sided = std::ldexp(1.0, -n);
  return alternative == Alternative::two_sided ? 2.0 * one_sided : one_sided;
}

Result<SignedRank> non_inferiority(std::span<const double> differences, double margin, double resolution) {
  if (!(margin >= 0.0)) return fail(ErrorKind::bad_input, "the margin is not a number of 0 or more");
  return signed_rank(differences, {-margin, Alternative::greater, resolution});
}

Result<Equivalence> equivalence(std::span<const double> differences, double margin, double resolution) {
  const auto above = non_inferiority(differences, margin, resolution);
  if (!above) return tl::unexpected(above.error());
  const auto below = signed_rank(differences, {margin, Alternative::less, resolution});
  if (!below) return tl::unexpected(below.error());
  return Equivalence{*above, *below, std::max(above->p_value, below->p_value)};
}

}  // namespace wattle::stats
