#include "stats/signed_rank.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <bit>
#include <boost/math/distributions/normal.hpp>
#include <cmath>
#include <cstdint>
#include <numeric>
#include <vector>

#include "stats/sign_distribution.h"

namespace wattle::stats {
namespace {

double rounded(double value, double resolution) {
  if (resolution == 0.0 || !std::isfinite(value)) return value;
  const double multiples = std::round(value / resolution);
  return std::isfinite(multiples) ? multiples * resolution : value;
}

// A difference as a whole number that sorts by its size: the bits of |d|, and below them whether it is positive.
std::uint64_t key_of(double difference) {
  return std::bit_cast<std::uint64_t>(std::abs(difference)) << 1U | static_cast<std::uint64_t>(difference > 0.0);
}

void sort_keys(std::span<std::uint64_t> keys) {
  if (keys.size() > 64) return std::sort(keys.begin(), keys.end());
  for (std::size_t i = 1; i < keys.size(); ++i) {
    const std::uint64_t key = keys[i];
    std::size_t place = i;
    for (; place > 0 && key < keys[place - 1]; --place) keys[place] = keys[place - 1];
    keys[place] = key;
  }
}

struct Sums {
  std::int64_t doubled_w_plus = 0;
  double tie_term = 0.0;  // as in rank.h
};

// Keys sorted. Equal sizes share the mean of the places first+1 … end, here doubled.
Sums sums_of(std::span<const std::uint64_t> keys) {
  Sums sums;
  for (std::size_t first = 0; first < keys.size();) {
    std::size_t end = first;
    std::int64_t positive = 0;
    for (; end < keys.size() && keys[end] >> 1U == keys[first] >> 1U; ++end) {
      positive += static_cast<std::int64_t>(keys[end] & 1U);
    }
    sums.doubled_w_plus += positive * static_cast<std::int64_t>(first + 1 + end);
    const auto tied = static_cast<double>(end - first);
    sums.tie_term += tied * tied * tied - tied;
    first = end;
  }
  return sums;
}

Tails tied_tails(std::span<const std::uint64_t> keys, std::int64_t doubled_w_plus) {
  std::vector<std::int64_t> doubled;
  for (std::size_t first = 0; first < keys.size();) {
    std::size_t end = first + 1;
    while (end < keys.size() && keys[end] >> 1U == keys[first] >> 1U) ++end;
    doubled.insert(doubled.end(), end - first, static_cast<std::int64_t>(first + 1 + end));
    first = end;
  }
  const std::vector<double> probability = sign_distribution(doubled);
  const auto at = probability.begin() + doubled_w_plus;
  return {std::accumulate(probability.begin(), at + 1, 0.0), std::accumulate(at, probability.end(), 0.0)};
}

Tails exact_tails(std::span<const std::uint64_t> keys, const Sums& sums) {
  const bool kept = sums.tie_term == 0.0 && keys.size() <= static_cast<std::size_t>(kKeptSigns);
  if (kept) return untied_sign_tails(static_cast<int>(keys.size()), sums.doubled_w_plus / 2);
  return tied_tails(keys, sums.doubled_w_plus);
}

struct Moments {
  double mean = 0.0;
  double deviation = 0.0;
};

Moments moments(double n, double tie_term) {
  return {n * (n + 1.0) / 4.0, std::sqrt(n * (n + 1.0) * (2.0 * n + 1.0) / 24.0 - tie_term / 48.0)};
}

Tails normal_tails(double w_plus, const Moments& m, double correction) {
  const boost::math::normal standard;
  return {boost::math::cdf(standard, (w_plus - m.mean + correction) / m.deviation),
          boost::math::cdf(boost::math::complement(standard, (w_plus - m.mean - correction) / m.deviation))};
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

// Keys of what is not 0 after the shift, unsorted; returns how many.
std::size_t fill(std::span<const double> differences, const SignedRankOptions& options, std::uint64_t* keys) {
  std::size_t count = 0;
  for (const double difference : differences) {
    const double shifted = rounded(difference - options.shift, options.resolution);
    keys[count] = key_of(shifted);
    count += static_cast<std::size_t>(shifted != 0.0);
  }
  return count;
}

Result<SignedRank> test(std::span<std::uint64_t> keys, const SignedRankOptions& options) {
  SignedRank result;
  result.n = static_cast<int>(keys.size());
  if (keys.empty()) return result;
  sort_keys(keys);
  const Sums sums = sums_of(keys);
  const auto n = static_cast<double>(keys.size());
  const double total = n * (n + 1.0) / 2.0;
  result.w_plus = static_cast<double>(sums.doubled_w_plus) / 2.0;
  result.w_minus = total - result.w_plus;
  result.rank_biserial = (result.w_plus - result.w_minus) / total;
  const Moments m = moments(n, sums.tie_term);
  result.z = (result.w_plus - m.mean) / m.deviation;
  if (options.method == Method::exact && result.n > SignedRank::kLargestExact) {
    return fail(ErrorKind::bad_input,
                fmt::format("the exact p-value of {} differences takes too long, {} are the most", result.n,
                            SignedRank::kLargestExact),
                "ask for the normal approximation, which is good for so many");
  }
  result.exact =
      options.method == Method::exact || (options.method == Method::automatic && result.n <= SignedRank::kExactLimit);
  const Tails tails =
      result.exact ? exact_tails(keys, sums) : normal_tails(result.w_plus, m, options.continuity ? 0.5 : 0.0);
  result.p_value = tails.p_value(options.alternative);
  return result;
}

}  // namespace

Result<SignedRank> signed_rank(std::span<const double> differences, const SignedRankOptions& options) {
  if (const auto checked = check(differences, options); !checked) return tl::unexpected(checked.error());
  constexpr std::size_t kOnStack = 256;
  std::array<std::uint64_t, kOnStack> few;  // NOLINT: filled before it is read
  std::vector<std::uint64_t> many(differences.size() > kOnStack ? differences.size() : 0);
  std::uint64_t* keys = many.empty() ? few.data() : many.data();
  const std::size_t count = fill(differences, options, keys);
  Result<SignedRank> result = test({keys, count}, options);
  if (result) result->zeros = static_cast<int>(differences.size() - count);
  return result;
}

double smallest_p(int n, Alternative alternative) {
  if (n < 1) return 1.0;
  const double one_sided = std::ldexp(1.0, -n);
  return alternative == Alternative::two_sided ? 2.0 * one_sided : one_sided;
}

Result<SignedRank> non_inferiority(std::span<const double> differences, double margin, double resolution) {
  if (!(margin >= 0.0)) return fail(ErrorKind::bad_input, "the margin is not a number of 0 or more");
  SignedRankOptions options;
  options.shift = -margin;
  options.alternative = Alternative::greater;
  options.resolution = resolution;
  return signed_rank(differences, options);
}

Result<Equivalence> equivalence(std::span<const double> differences, double margin, double resolution) {
  const auto above = non_inferiority(differences, margin, resolution);
  if (!above) return tl::unexpected(above.error());
  SignedRankOptions options;
  options.shift = margin;
  options.alternative = Alternative::less;
  options.resolution = resolution;
  const auto below = signed_rank(differences, options);
  if (!below) return tl::unexpected(below.error());
  return Equivalence{*above, *below, std::max(above->p_value, below->p_value)};
}

}  // namespace wattle::stats
