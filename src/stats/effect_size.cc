#include "stats/effect_size.h"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <vector>

#include "stats/descriptive.h"

namespace wattle::stats {

std::optional<double> cliffs_delta(std::span<const double> x, std::span<const double> y) {
  if (x.empty() || y.empty() || any_nan(x) || any_nan(y)) return std::nullopt;
  std::vector<double> sorted(y.begin(), y.end());
  std::sort(sorted.begin(), sorted.end());
  std::int64_t dominance = 0;
  for (const double value : x) {
    const auto [first_equal, first_above] = std::equal_range(sorted.begin(), sorted.end(), value);
    dominance += (first_equal - sorted.begin()) - (sorted.end() - first_above);
  }
  return static_cast<double>(dominance) / (static_cast<double>(x.size()) * static_cast<double>(y.size()));
}

Magnitude magnitude(double delta) {
  const double size = std::abs(delta);
  if (size >= kLargeDelta) return Magnitude::large;
  if (size >= kMediumDelta) return Magnitude::medium;
  if (size >= kSmallDelta) return Magnitude::small;
  return Magnitude::negligible;
}

std::string_view to_string(Magnitude magnitude) {
  switch (magnitude) {
    case Magnitude::negligible:
      return "negligible";
    case Magnitude::small:
      return "small";
    case Magnitude::medium:
      return "medium";
    case Magnitude::large:
      break;
  }
  return "large";
}

}  // namespace wattle::stats
