#include "stats/multiplicity.h"

#include <fmt/format.h>

#include <algorithm>
#include <numeric>

namespace wattle::stats {
namespace {

Result<std::vector<std::size_t>> ascending_order(std::span<const double> p_values) {
  for (const double p : p_values) {
    if (!(p >= 0.0 && p <= 1.0)) return fail(ErrorKind::bad_input, fmt::format("{} is not a p-value", p));
  }
  std::vector<std::size_t> order(p_values.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) { return p_values[a] < p_values[b]; });
  return order;
}

}  // namespace

Result<std::vector<double>> holm(std::span<const double> p_values) {
  const auto order = ascending_order(p_values);
  if (!order) return tl::unexpected(order.error());
  std::vector<double> adjusted(p_values.size());
  double largest = 0.0;
  for (std::size_t i = 0; i < order->size(); ++i) {
    const auto still_open = static_cast<double>(p_values.size() - i);
    largest = std::min(1.0, std::max(largest, still_open * p_values[(*order)[i]]));
    adjusted[(*order)[i]] = largest;
  }
  return adjusted;
}

Result<std::vector<double>> benjamini_hochberg(std::span<const double> p_values) {
  const auto order = ascending_order(p_values);
  if (!order) return tl::unexpected(order.error());
  std::vector<double> adjusted(p_values.size());
  const auto m = static_cast<double>(p_values.size());
  double smallest = 1.0;
  for (std::size_t i = order->size(); i-- > 0;) {
    smallest = std::min(smallest, m / static_cast<double>(i + 1) * p_values[(*order)[i]]);
    adjusted[(*order)[i]] = smallest;
  }
  return adjusted;
}

}  // namespace wattle::stats
