#include "stats/correlation.h"

#include <fmt/format.h>

#include <algorithm>
#include <boost/math/distributions/students_t.hpp>
#include <cmath>
#include <cstdint>
#include <vector>

#include "stats/descriptive.h"
#include "stats/rank.h"

namespace wattle::stats {
namespace {

constexpr int kExactLimit = 9;  // 9! = 362,880 orders
constexpr double kNormal975 = 1.959963984540054;

// Twice the ranks less their mean: whole numbers, so covariances of ranks compare exactly.
std::vector<std::int64_t> centred_ranks(std::span<const double> sample) {
  std::vector<std::int64_t> centred = rank(sample).doubled;
  const auto doubled_mean = static_cast<std::int64_t>(sample.size() + 1);
  for (std::int64_t& value : centred) value -= doubled_mean;
  return centred;
}

std::int64_t product_sum(const std::vector<std::int64_t>& a, const std::vector<std::int64_t>& b) {
  std::int64_t sum = 0;
  for (std::size_t i = 0; i < a.size(); ++i) sum += a[i] * b[i];
  return sum;
}

double exact_p(const std::vector<std::int64_t>& x, std::vector<std::int64_t> y) {
  const std::int64_t observed = std::abs(product_sum(x, y));
  std::sort(y.begin(), y.end());
  std::int64_t orders = 0;
  std::int64_t as_extreme = 0;
  // Every distinct order of tied ranks stands for the same number of orders of the values, so distinct ones suffice.
  do {
    ++orders;
    if (std::abs(product_sum(x, y)) >= observed) ++as_extreme;
  } while (std::next_permutation(y.begin(), y.end()));
  return static_cast<double>(as_extreme) / static_cast<double>(orders);
}

double approximate_p(double rho, int n) {
  const double floor = 2.0 * std::exp(-std::lgamma(n + 1.0));
  if (std::abs(rho) >= 1.0) return floor;
  const double t = std::abs(rho) * std::sqrt((n - 2.0) / ((1.0 - rho) * (1.0 + rho)));
  const boost::math::students_t distribution(n - 2.0);
  return std::max(floor, 2.0 * boost::math::cdf(boost::math::complement(distribution, t)));
}

void add_interval(Correlation& result) {
  if (result.n < 4 || std::abs(result.rho) >= 1.0) return;
  const double half_width = kNormal975 * std::sqrt((1.0 + result.rho * result.rho / 2.0) / (result.n - 3.0));
  result.low = std::tanh(std::atanh(result.rho) - half_width);
  result.high = std::tanh(std::atanh(result.rho) + half_width);
}

}  // namespace

Result<Correlation> spearman(std::span<const double> x, std::span<const double> y) {
  if (x.size() != y.size()) return fail(ErrorKind::bad_input, "the two samples differ in size");
  if (x.size() < 3) return fail(ErrorKind::bad_input, fmt::format("{} pairs are too few, 3 are needed", x.size()));
  if (x.size() > 1'000'000) return fail(ErrorKind::bad_input, "more than 1,000,000 pairs");
  if (any_nan(x) || any_nan(y)) return fail(ErrorKind::bad_input, "a value is not a number");

  const std::vector<std::int64_t> rank_x = centred_ranks(x);
  const std::vector<std::int64_t> rank_y = centred_ranks(y);
  const auto squares_x = static_cast<double>(product_sum(rank_x, rank_x));
  const auto squares_y = static_cast<double>(product_sum(rank_y, rank_y));
  if (squares_x == 0.0 || squares_y == 0.0) return fail(ErrorKind::bad_input, "one of the two never varies");

  Correlation result;
  result.n = static_cast<int>(x.size());
  const double rho = static_cast<double>(product_sum(rank_x, rank_y)) / (std::sqrt(squares_x) * std::sqrt(squares_y));
  result.rho = rank_x == rank_y ? 1.0 : std::clamp(rho, -1.0, 1.0);
  if (result.n <= kExactLimit) {
    result.method = CorrelationMethod::exact_permutation;
    result.p_value = exact_p(rank_x, rank_y);
  } else {
    result.method = CorrelationMethod::t_approximation;
    result.p_value = approximate_p(result.rho, result.n);
  }
  add_interval(result);
  return result;
}

}  // namespace wattle::stats
