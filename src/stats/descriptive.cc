#include "stats/descriptive.h"

#include <algorithm>
#include <boost/math/distributions/students_t.hpp>
#include <cmath>
#include <vector>

namespace wattle::stats {
namespace {

std::optional<double> finite(double value) {
  if (!std::isfinite(value)) return std::nullopt;
  return value;
}

}  // namespace

bool any_nan(std::span<const double> sample) {
  return std::any_of(sample.begin(), sample.end(), [](double value) { return std::isnan(value); });
}

std::optional<double> mean(std::span<const double> sample) {
  if (sample.empty()) return std::nullopt;
  double running = 0.0;
  double count = 0.0;
  for (const double value : sample) {
    count += 1.0;
    running += (value - running) / count;
  }
  return finite(running);
}

std::optional<double> standard_deviation(std::span<const double> sample) {
  const std::optional<double> centre = mean(sample);
  if (sample.size() < 2 || !centre) return std::nullopt;
  double squares = 0.0;
  double residue = 0.0;
  for (const double value : sample) {
    const double deviation = value - *centre;
    squares += deviation * deviation;
    residue += deviation;
  }
  const double n = static_cast<double>(sample.size());
  return finite(std::sqrt(std::max(0.0, squares - residue * residue / n) / (n - 1.0)));
}

std::optional<double> quantile(std::span<const double> sample, double probability) {
  if (sample.empty() || any_nan(sample) || !(probability >= 0.0 && probability <= 1.0)) return std::nullopt;
  std::vector<double> sorted(sample.begin(), sample.end());
  std::sort(sorted.begin(), sorted.end());
  const double position = probability * static_cast<double>(sorted.size() - 1);
  const auto below = static_cast<std::size_t>(position);
  const double weight = position - static_cast<double>(below);
  if (weight == 0.0 || sorted[below] == sorted[below + 1]) return sorted[below];
  const bool bounded = std::isfinite(sorted[below]) && std::isfinite(sorted[below + 1]);
  const double value = bounded ? std::lerp(sorted[below], sorted[below + 1], weight)
                               : (1.0 - weight) * sorted[below] + weight * sorted[below + 1];
  if (std::isnan(value)) return std::nullopt;
  return value;
}

std::optional<double> mean_half_width(std::span<const double> sample, double level) {
  const std::optional<double> spread = standard_deviation(sample);
  if (!spread || !(level > 0.0 && level < 1.0)) return std::nullopt;
  const auto n = static_cast<double>(sample.size());
  const boost::math::students_t distribution(n - 1.0);
  return finite(boost::math::quantile(distribution, 0.5 + level / 2.0) * *spread / std::sqrt(n));
}

std::optional<double> median(std::span<const double> sample) { return quantile(sample, 0.5); }

}  // namespace wattle::stats
