#include "stats/correlation.h"

#include <fmt/format.h>

#include <algorithm>
#include <boost/math/distributions/normal.hpp>
#include <boost/math/distributions/students_t.hpp>
#include <cmath>
#include <cstdint>
#include <vector>

#include "stats/descriptive.h"
#include "stats/order_distribution.h"
#include "stats/rank.h"

namespace wattle::stats {
namespace {

constexpr std::size_t kExactTied = 9;  // each table of ties is made anew

struct Pair {
  Ranks x;
  Ranks y;
  std::int64_t doubled_mean = 0;

  [[nodiscard]] bool tied() const { return x.tie_term > 0.0 || y.tie_term > 0.0; }
};

// Of ranks less their mean: whole numbers, so covariances of ranks compare exactly.
std::int64_t centred_product(const Ranks& a, const Ranks& b, std::int64_t doubled_mean) {
  std::int64_t sum = 0;
  for (std::size_t i = 0; i < a.doubled.size(); ++i) {
    sum += (a.doubled[i] - doubled_mean) * (b.doubled[i] - doubled_mean);
  }
  return sum;
}

double exact_p(const Pair& pair, Alternative alternative) {
  std::int64_t sum = 0;
  for (std::size_t i = 0; i < pair.x.doubled.size(); ++i) sum += pair.x.doubled[i] * pair.y.doubled[i];
  const OrderTails tails = order_tails(pair.x.doubled, pair.y.doubled, sum);
  return alternative == Alternative::two_sided ? tails.as_far : tails.one_sided.p_value(alternative);
}

double approximate_p(double rho, int n, Alternative alternative) {
  const double one_order = std::exp(-std::lgamma(n + 1.0));
  const double floor = alternative == Alternative::two_sided ? 2.0 * one_order : one_order;
  const double t = rho * std::sqrt((n - 2.0) / std::max(0.0, (1.0 - rho) * (1.0 + rho)));
  if (!std::isfinite(t)) {
    const bool against = (rho > 0.0) == (alternative == Alternative::less);
    return alternative != Alternative::two_sided && against ? 1.0 : floor;
  }
  const boost::math::students_t distribution(n - 2.0);
  const Tails tails{boost::math::cdf(distribution, t), boost::math::cdf(boost::math::complement(distribution, t))};
  return std::max(floor, tails.p_value(alternative));
}

void add_interval(Correlation& result, double level) {
  if (result.n < 4 || std::abs(result.rho) >= 1.0) return;
  const double z = boost::math::quantile(boost::math::complement(boost::math::normal(), (1.0 - level) / 2.0));
  const double half_width = z * std::sqrt((1.0 + result.rho * result.rho / 2.0) / (result.n - 3.0));
  result.low = std::tanh(std::atanh(result.rho) - half_width);
  result.high = std::tanh(std::atanh(result.rho) + half_width);
}

Result<void> check(std::span<const double> x, std::span<const double> y, const CorrelationOptions& options) {
  if (x.size() != y.size()) return fail(ErrorKind::bad_input, "the two samples differ in size");
  if (x.size() < 3) return fail(ErrorKind::bad_input, fmt::format("{} pairs are too few, 3 are needed", x.size()));
  if (x.size() > 1'000'000) return fail(ErrorKind::bad_input, "more than 1,000,000 pairs");
  if (any_nan(x) || any_nan(y)) return fail(ErrorKind::bad_input, "a value is not a number");
  if (!(options.level > 0.0 && options.level < 1.0)) {
    return fail(ErrorKind::bad_input, "the level is not between 0 and 1");
  }
  if (options.method == Method::exact && x.size() > static_cast<std::size_t>(kMostOrdered)) {
    return fail(ErrorKind::bad_input,
                fmt::format("the exact p-value of {} pairs takes too long, {} are the most", x.size(), kMostOrdered),
                "ask for the t approximation (`normal`)");
  }
  return {};
}

}  // namespace

Result<Correlation> spearman(std::span<const double> x, std::span<const double> y, const CorrelationOptions& options) {
  if (const auto checked = check(x, y, options); !checked) return tl::unexpected(checked.error());
  const Pair pair{rank(x), rank(y), static_cast<std::int64_t>(x.size() + 1)};
  const auto squares_x = static_cast<double>(centred_product(pair.x, pair.x, pair.doubled_mean));
  const auto squares_y = static_cast<double>(centred_product(pair.y, pair.y, pair.doubled_mean));
  if (squares_x == 0.0 || squares_y == 0.0) return fail(ErrorKind::bad_input, "one of the two never varies");

  Correlation result;
  result.n = static_cast<int>(x.size());
  const auto product = static_cast<double>(centred_product(pair.x, pair.y, pair.doubled_mean));
  const double rho = product / (std::sqrt(squares_x) * std::sqrt(squares_y));
  result.rho = pair.x.doubled == pair.y.doubled ? 1.0 : std::clamp(rho, -1.0, 1.0);
  const std::size_t most = pair.tied() ? kExactTied : static_cast<std::size_t>(kMostOrdered);
  const bool exact = options.method == Method::exact || (options.method == Method::automatic && x.size() <= most);
  result.method = exact ? CorrelationMethod::exact_permutation : CorrelationMethod::t_approximation;
  result.p_value =
      exact ? exact_p(pair, options.alternative) : approximate_p(result.rho, result.n, options.alternative);
  add_interval(result, options.level);
  return result;
}

}  // namespace wattle::stats
