#include "stats/rank_sum.h"

#include <fmt/format.h>

#include <boost/math/distributions/normal.hpp>
#include <cmath>
#include <cstdint>
#include <vector>

#include "stats/descriptive.h"
#include "stats/rank.h"
#include "stats/rank_sum_distribution.h"

namespace wattle::stats {
namespace {

Result<void> check(std::span<const double> x, std::span<const double> y, const RankSumOptions& options) {
  if (x.empty() || y.empty()) return fail(ErrorKind::bad_input, "a sample is empty");
  if (x.size() + y.size() > 1'000'000) return fail(ErrorKind::bad_input, "more than 1,000,000 values");
  if (any_nan(x) || any_nan(y)) return fail(ErrorKind::bad_input, "a value is not a number");
  if (!std::isfinite(options.shift)) return fail(ErrorKind::bad_input, "the shift is not a finite number");
  if (options.method == Method::exact && x.size() + y.size() > RankSum::kLargestExact) {
    return fail(ErrorKind::bad_input,
                fmt::format("the exact p-value of {} values takes too long, {} are the most", x.size() + y.size(),
                            RankSum::kLargestExact),
                "ask for the normal approximation, which is good for so many");
  }
  return {};
}

double standard_deviation_of_u(double n, double m, double tie_term) {
  const double all = n + m;
  return std::sqrt(n * m / 12.0 * (all + 1.0 - (all > 1.0 ? tie_term / (all * (all - 1.0)) : 0.0)));
}

Tails normal_tails(double distance, double deviation, double correction) {
  const boost::math::normal standard;
  return {boost::math::cdf(standard, (distance + correction) / deviation),
          boost::math::cdf(boost::math::complement(standard, (distance - correction) / deviation))};
}

bool wants_exact(std::size_t n, std::size_t m, Method method) {
  const auto limit = static_cast<std::size_t>(RankSum::kExactLimit);
  return method == Method::exact || (method == Method::automatic && n <= limit && m <= limit);
}

}  // namespace

Result<RankSum> rank_sum(std::span<const double> x, std::span<const double> y, const RankSumOptions& options) {
  if (const auto checked = check(x, y, options); !checked) return tl::unexpected(checked.error());
  std::vector<double> pooled;
  pooled.reserve(x.size() + y.size());
  for (const double value : x) pooled.push_back(value - options.shift);
  pooled.insert(pooled.end(), y.begin(), y.end());
  const Ranks ranks = rank(pooled);
  std::int64_t doubled_sum = 0;
  for (std::size_t i = 0; i < x.size(); ++i) doubled_sum += ranks.doubled[i];

  RankSum result;
  result.n = static_cast<int>(x.size());
  result.m = static_cast<int>(y.size());
  const auto n = static_cast<double>(x.size());
  const auto m = static_cast<double>(y.size());
  result.u = (static_cast<double>(doubled_sum) - n * (n + 1.0)) / 2.0;
  const double deviation = standard_deviation_of_u(n, m, ranks.tie_term);
  const double distance = result.u - n * m / 2.0;
  result.exact = wants_exact(x.size(), y.size(), options.method);
  if (!(deviation > 0.0)) return result;
  result.z = distance / deviation;
  Tails tails;
  if (!result.exact) {
    tails = normal_tails(distance, deviation, options.continuity ? 0.5 : 0.0);
  } else if (ranks.tie_term == 0.0) {
    tails = untied_count_tails(result.n, result.m, static_cast<std::int64_t>(result.u));
  } else {
    tails = tied_sum_tails(ranks.doubled, x.size(), doubled_sum);
  }
  result.p_value = tails.p_value(options.alternative);
  return result;
}

}  // namespace wattle::stats
