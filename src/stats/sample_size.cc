#include "stats/sample_size.h"

#include <algorithm>
#include <boost/math/constants/constants.hpp>
#include <boost/math/distributions/normal.hpp>
#include <cmath>

namespace wattle::stats {
namespace {

bool is_probability(double value) { return value > 0.0 && value < 1.0; }

}  // namespace

std::optional<int> pairs_needed(double standard_deviation, double distance, double alpha, double power) {
  if (!(standard_deviation > 0.0) || !(distance > 0.0) || !is_probability(alpha) || !is_probability(power)) {
    return std::nullopt;
  }
  const boost::math::normal standard;
  const double z =
      boost::math::quantile(boost::math::complement(standard, alpha)) + boost::math::quantile(standard, power);
  const double efficiency = 3.0 / boost::math::constants::pi<double>();
  const double ratio = std::max(0.0, z) * (standard_deviation / distance);
  const double pairs = std::ceil(ratio * ratio / efficiency);
  if (!(pairs <= 1e6)) return std::nullopt;
  return std::max(static_cast<int>(pairs), pairs_for_any_significance(alpha).value_or(1));
}

std::optional<int> pairs_for_any_significance(double alpha) {
  if (!is_probability(alpha)) return std::nullopt;
  int pairs = 1;
  while (std::ldexp(1.0, -pairs) >= alpha) ++pairs;
  return pairs;
}

}  // namespace wattle::stats
