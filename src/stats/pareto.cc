#include "stats/pareto.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

#include "stats/descriptive.h"

namespace wattle::stats {
namespace {

using Rows = std::vector<std::vector<double>>;  // smaller is better in every objective

Result<Rows> rows_of(const Points& points, std::size_t most_objectives) {
  const std::size_t d = points.goals.size();
  if (d == 0 || d > most_objectives) {
    return fail(ErrorKind::bad_input, fmt::format("{} objectives, 1 to {} are possible", d, most_objectives));
  }
  if (points.values.size() % d != 0) return fail(ErrorKind::bad_input, "a point lacks a value");
  if (any_nan(points.values)) return fail(ErrorKind::bad_input, "a value is not a number");
  Rows rows;
  for (std::size_t i = 0; i < points.values.size(); i += d) {
    std::vector<double>& row = rows.emplace_back(points.values.begin() + static_cast<std::ptrdiff_t>(i),
                                                 points.values.begin() + static_cast<std::ptrdiff_t>(i + d));
    for (std::size_t o = 0; o < d; ++o) {
      if (points.goals[o] == Goal::maximise) row[o] = -row[o];
    }
  }
  return rows;
}

bool as_good(const std::vector<double>& a, const std::vector<double>& b) {
  for (std::size_t o = 0; o < a.size(); ++o) {
    if (a[o] > b[o]) return false;
  }
  return true;
}

// Sorted by the first objective, then the next …: what dominates a row stands before it.
std::vector<std::size_t> front_of(const Rows& rows) {
  std::vector<std::size_t> order(rows.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::stable_sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) { return rows[a] < rows[b]; });
  const bool planar = !rows.empty() && rows.front().size() == 2;
  double best = std::numeric_limits<double>::infinity();
  std::vector<std::size_t> front;
  for (const std::size_t candidate : order) {
    const std::vector<double>& row = rows[candidate];
    const bool equals_last = !front.empty() && rows[front.back()] == row;
    bool dominated = false;
    if (equals_last) {
      dominated = false;
    } else if (planar) {
      dominated = !front.empty() && row[1] >= best;
    } else {
      dominated = std::any_of(front.begin(), front.end(), [&](std::size_t f) { return as_good(rows[f], row); });
    }
    if (dominated) continue;
    front.push_back(candidate);
    if (planar) best = row[1];
  }
  std::sort(front.begin(), front.end());
  return front;
}

double planar_volume(Rows rows, const std::vector<double>& reference) {
  std::sort(rows.begin(), rows.end());
  double volume = 0.0;
  double floor = reference[1];
  for (const auto& row : rows) {
    if (row[1] >= floor) continue;
    volume += (reference[0] - row[0]) * (floor - row[1]);
    floor = row[1];
  }
  return volume;
}

Rows only_front(const Rows& rows) {
  Rows front;
  for (const std::size_t i : front_of(rows)) {
    if (std::find(front.begin(), front.end(), rows[i]) == front.end()) front.push_back(rows[i]);
  }
  return front;
}

// Slices along the last objective: between two points' depths the volume is that of what is at least so good there.
double sliced_volume(Rows rows, std::vector<double> reference) {
  if (rows.empty()) return 0.0;
  const std::size_t d = reference.size();
  if (d == 1) return reference[0] - std::min_element(rows.begin(), rows.end())->front();
  if (d == 2) return planar_volume(std::move(rows), reference);
  std::sort(rows.begin(), rows.end(), [](const auto& a, const auto& b) { return a.back() < b.back(); });
  const double end = reference.back();
  reference.pop_back();
  Rows slice;
  double volume = 0.0;
  for (std::size_t i = 0; i < rows.size(); ++i) {
    std::vector<double> flat(rows[i].begin(), rows[i].end() - 1);
    slice.push_back(std::move(flat));
    const double depth = (i + 1 < rows.size() ? rows[i + 1].back() : end) - rows[i].back();
    if (depth <= 0.0) continue;
    slice = only_front(slice);
    volume += depth * sliced_volume(slice, reference);
  }
  return volume;
}

}  // namespace

Result<std::vector<std::size_t>> pareto_front(const Points& points) {
  const auto rows = rows_of(points, 32);
  if (!rows) return tl::unexpected(rows.error());
  return front_of(*rows);
}

Result<double> hypervolume(const Points& points, std::span<const double> reference) {
  auto rows = rows_of(points, 8);
  if (!rows) return tl::unexpected(rows.error());
  if (reference.size() != points.goals.size()) {
    return fail(ErrorKind::bad_input, "the reference has another number of objectives than the points");
  }
  std::vector<double> worst(reference.begin(), reference.end());
  for (std::size_t o = 0; o < worst.size(); ++o) {
    if (points.goals[o] == Goal::maximise) worst[o] = -worst[o];
  }
  const auto finite = [](double value) { return std::isfinite(value); };
  if (!std::all_of(worst.begin(), worst.end(), finite) ||
      !std::all_of(points.values.begin(), points.values.end(), finite)) {
    return fail(ErrorKind::bad_input, "a value or the reference is infinite: so would be the volume");
  }
  std::erase_if(*rows, [&](const std::vector<double>& row) {
    for (std::size_t o = 0; o < row.size(); ++o) {
      if (row[o] >= worst[o]) return true;
    }
    return false;
  });
  if (worst.size() <= 2) return sliced_volume(std::move(*rows), worst);
  Rows front = only_front(*rows);
  if (worst.size() > 3 && front.size() > 200) {
    return fail(ErrorKind::bad_input,
                fmt::format("a front of {} points in {} objectives takes too long, 200 are the most", front.size(),
                            worst.size()));
  }
  return sliced_volume(std::move(front), worst);
}

}  // namespace wattle::stats
