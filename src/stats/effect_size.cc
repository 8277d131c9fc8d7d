#include "stats/effect_size.h"

#include <algorithm>
#include <array>
#include <boost/math/distributions/normal.hpp>
#include <boost/math/distributions/students_t.hpp>
#include <cmath>
#include <cstdint>
#include <vector>

#include "stats/descriptive.h"
#include "stats/sorting.h"

namespace wattle::stats {

namespace {

std::vector<double> sorted(std::span<const double> sample) {
  std::vector<double> values(sample.begin(), sample.end());
  sort_values(values);
  return values;
}

// For every x, ascending: how many y lie below it and how many above. Both samples sorted.
template <class Each>
void count_dominated(const std::vector<double>& x, const std::vector<double>& y, Each each) {
  std::size_t first_equal = 0;
  std::size_t first_above = 0;
  for (const double value : x) {
    while (first_equal < y.size() && y[first_equal] < value) ++first_equal;
    first_above = std::max(first_above, first_equal);
    while (first_above < y.size() && y[first_above] == value) ++first_above;
    each(static_cast<std::int64_t>(first_equal), static_cast<std::int64_t>(y.size() - first_above));
  }
}

// Adds up, over all values, how many of `ordered` lie below less how many above: n log m without sorting both. Several
// searches at once, without branches: none waits for another's memory, and random data mispredicts nothing.
std::int64_t dominance_over(std::span<const double> values, const std::vector<double>& ordered) {
  constexpr std::size_t kAtOnce = 8;
  const auto size = static_cast<std::int64_t>(ordered.size());
  std::int64_t dominance = 0;
  for (std::size_t first = 0; first < values.size(); first += kAtOnce) {
    const std::size_t many = std::min(kAtOnce, values.size() - first);
    std::array<double, kAtOnce> sought{};
    std::array<std::size_t, kAtOnce> at{};
    std::copy_n(values.begin() + static_cast<std::ptrdiff_t>(first), many, sought.begin());
    for (std::size_t left = ordered.size(); left > 1; left -= left / 2) {
      const std::size_t half = left / 2;
      for (std::size_t i = 0; i < kAtOnce; ++i) at[i] += ordered[at[i] + half - 1] < sought[i] ? half : 0;
    }
    for (std::size_t i = 0; i < many; ++i) {
      const std::size_t below = at[i] + (ordered[at[i]] < sought[i] ? 1 : 0);
      std::size_t not_above = below;
      if (below < ordered.size() && ordered[below] == sought[i]) {
        const auto from = ordered.begin() + static_cast<std::ptrdiff_t>(below);
        not_above = static_cast<std::size_t>(std::upper_bound(from, ordered.end(), sought[i]) - ordered.begin());
      }
      dominance += static_cast<std::int64_t>(below + not_above) - size;
    }
  }
  return dominance;
}

struct Row {
  std::int64_t dominance = 0;
  std::int64_t unequal = 0;
  double squares = 0.0;  // of the rows' means about the given delta
};

Row rows(const std::vector<double>& x, const std::vector<double>& y, double about) {
  Row row;
  const auto size = static_cast<double>(y.size());
  count_dominated(x, y, [&](std::int64_t below, std::int64_t above) {
    row.dominance += below - above;
    row.unequal += below + above;
    const double deviation = static_cast<double>(below - above) / size - about;
    row.squares += deviation * deviation;
  });
  return row;
}

// Kept, for it is asked of many pairs of samples of the same sizes in a row and costs more than all the rest.
double critical_t(double degrees, double tail) {
  thread_local double of_degrees = 0.0;
  thread_local double of_tail = 0.0;
  thread_local double kept = 0.0;
  if (of_degrees != degrees || of_tail != tail) {
    kept = boost::math::quantile(boost::math::complement(boost::math::students_t(degrees), tail));
    of_degrees = degrees;
    of_tail = tail;
  }
  return kept;
}

Interval interval_of(double d, double variance, double z, double level) {
  const double s = std::sqrt(variance);
  const double free = 1.0 - d * d;
  const double half = z * s * std::sqrt(free * free + z * z * variance);
  const double scale = free + z * z * variance;
  return {(d * free - half) / scale, (d * free + half) / scale, level, false};
}

}  // namespace

std::optional<double> cliffs_delta(std::span<const double> x, std::span<const double> y) {
  if (x.empty() || y.empty() || any_nan(x) || any_nan(y)) return std::nullopt;
  // The smaller one is sorted; exchanged, the sign turns.
  const std::int64_t dominance = x.size() < y.size() ? -dominance_over(y, sorted(x)) : dominance_over(x, sorted(y));
  return static_cast<double>(dominance) / (static_cast<double>(x.size()) * static_cast<double>(y.size()));
}

std::optional<double> vargha_delaney(std::span<const double> x, std::span<const double> y) {
  const std::optional<double> delta = cliffs_delta(x, y);
  if (!delta) return std::nullopt;
  return (*delta + 1.0) / 2.0;
}

Result<Dominance> dominance(std::span<const double> x, std::span<const double> y, double level, Quantile quantile) {
  const std::optional<double> delta = cliffs_delta(x, y);
  if (!delta) return fail(ErrorKind::bad_input, "a sample is empty, or a value is not a number");
  if (!(level > 0.0 && level < 1.0)) return fail(ErrorKind::bad_input, "the level is not between 0 and 1");
  Dominance result;
  result.delta = *delta;
  if (x.size() < 2 || y.size() < 2) return result;

  const auto n = static_cast<double>(x.size());
  const auto m = static_cast<double>(y.size());
  const bool apart = std::abs(*delta) == 1.0;
  const double d = apart ? *delta * (n * m - 1.0) / (n * m) : *delta;
  const std::vector<double> sorted_x = sorted(x);
  const std::vector<double> sorted_y = sorted(y);
  const Row of_x = rows(sorted_x, sorted_y, d);
  const Row of_y = rows(sorted_y, sorted_x, -d);
  // Sum over all pairs of (sign - d)²: sign² is 1 where they differ.
  const double all_squares =
      static_cast<double>(of_x.unequal) - 2.0 * d * static_cast<double>(of_x.dominance) + n * m * d * d;
  const double s_i = of_x.squares / (n - 1.0);
  const double s_j = of_y.squares / (m - 1.0);
  const double s_ij = all_squares / ((n - 1.0) * (m - 1.0));
  result.variance = ((m - 1.0) * s_i + (n - 1.0) * s_j + s_ij) / (n * m);
  const double tail = (1.0 - level) / 2.0;
  const double z = quantile == Quantile::normal
                       ? boost::math::quantile(boost::math::complement(boost::math::normal(), tail))
                       : critical_t(n + m - 2.0, tail);
  result.interval = interval_of(d, *result.variance, z, level);
  if (*delta == 1.0) result.interval->high = 1.0;
  if (*delta == -1.0) result.interval->low = -1.0;
  return result;
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
