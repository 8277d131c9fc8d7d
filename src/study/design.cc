#include "study/design.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <map>
#include <set>

#include "base/text.h"
#include "study/random.h"

namespace wattle::study {
namespace {

constexpr int kRestarts = 5;  // of a whole sample
constexpr int kTries = 200;   // to place one point
// Beyond the first a double no longer holds every whole number; beyond the second a range overflows.
constexpr double kLargestWhole = 9e15;
constexpr double kLargestReal = 1e150;

using Point = std::vector<Value>;  // one value a factor, in the rule's order

double rounded(double value, int digits) {
  return parse_real(fmt::format("{:.{}e}", value, digits - 1)).value_or(value);
}

// One factor of one workload: where in [0, 1) a value stands.
class Axis {
 public:
  Axis(const Factor& factor, const Parameter& parameter)
      : factor_(factor), whole_(parameter.type == ParameterType::integer) {
    for (const Value& value : factor.values) values_.push_back(coerced(parameter, value));
    low_ = whole_ ? std::ceil(factor.low) : factor.low;
    high_ = whole_ ? std::floor(factor.high) : factor.high;
  }

  [[nodiscard]] const std::vector<Value>& values() const { return values_; }
  // How many there are; reals count as without end.
  [[nodiscard]] double size() const {
    if (!values_.empty()) return static_cast<double>(values_.size());
    if (whole_) return high_ - low_ + 1.0;
    return low_ < high_ ? std::numeric_limits<double>::infinity() : 1.0;
  }
  [[nodiscard]] Value at(double place) const {
    if (!values_.empty()) {
      const auto index = static_cast<std::size_t>(place * static_cast<double>(values_.size()));
      return values_[std::min(index, values_.size() - 1)];
    }
    if (whole_)
      return static_cast<std::int64_t>(std::clamp(std::floor(between(place, low_, high_ + 1.0)), low_, high_));
    return std::clamp(rounded(between(place, low_, high_), 3), low_, high_);
  }

 private:
  [[nodiscard]] double between(double place, double low, double high) const {
    if (!factor_.logarithmic) return low + place * (high - low);
    return std::exp(std::log(low) + place * (std::log(high) - std::log(low)));
  }

  const Factor& factor_;
  bool whole_;
  double low_ = 0.0;
  double high_ = 0.0;
  std::vector<Value> values_;
};

Point point_at(const std::vector<Axis>& axes, const std::vector<double>& places) {
  Point point;
  for (std::size_t i = 0; i < axes.size(); ++i) point.push_back(axes[i].at(places[i]));
  return point;
}

std::vector<Point> every_combination(const std::vector<Axis>& axes) {
  std::vector<Point> points{{}};
  for (const Axis& axis : axes) {
    std::vector<Point> longer;
    for (const Point& point : points) {
      for (const Value& value : axis.values()) {
        longer.push_back(point);
        longer.back().push_back(value);
      }
    }
    points = std::move(longer);
  }
  return points;
}

// Nothing where too few differ.
std::optional<std::vector<Point>> at_random(const std::vector<Axis>& axes, int count, Random& random) {
  std::vector<Point> points;
  std::set<Point> taken;
  std::vector<double> places(axes.size());
  while (points.size() < static_cast<std::size_t>(count)) {
    int tries = 50 * kTries;
    Point point;
    do {
      for (double& place : places) place = random.unit();
      point = point_at(axes, places);
    } while (taken.contains(point) && --tries > 0);
    if (tries == 0) return std::nullopt;
    taken.insert(point);
    points.push_back(std::move(point));
  }
  return points;
}

// One Latin hypercube. Points that coincide exchange one coordinate, and so its stratum, with another point: the strata
// stay as full as they were.
class Hypercube {
 public:
  Hypercube(const std::vector<Axis>& axes, int count, Random& random)
      : axes_(axes), random_(random), points_(static_cast<std::size_t>(count)) {
    std::vector<std::size_t> strata(points_.size());
    for (const Axis& axis : axes) {
      for (std::size_t i = 0; i < strata.size(); ++i) strata[i] = i;
      shuffle(strata, random_);
      for (std::size_t i = 0; i < strata.size(); ++i) {
        const double place = static_cast<double>(strata[i]) + random_.unit();
        points_[i].push_back(axis.at(place / static_cast<double>(strata.size())));
      }
    }
    for (const Point& point : points_) ++count_[point];
  }

  // True once all points differ.
  bool part() {
    std::size_t left = kTries * (points_.size() / 10 + 20);
    std::size_t parted = 0;  // in a row
    for (std::size_t i = 0; parted < points_.size(); i = (i + 1) % points_.size()) {
      parted = count_.at(points_[i]) == 1 ? parted + 1 : 0;
      for (int tries = kTries; count_.at(points_[i]) > 1 && tries > 0; --tries) {
        if (left-- == 0) return false;
        exchange(i, random_.below(points_.size()));
      }
    }
    return true;
  }

  [[nodiscard]] std::vector<Point> points() && { return std::move(points_); }

 private:
  // Undone where fewer points differ then.
  void exchange(std::size_t a, std::size_t b) {
    if (a == b) return;
    const std::size_t axis = random_.below(axes_.size());
    const std::size_t before = count_.size();
    for (int turn = 0; turn < 2; ++turn) {
      forget(a);
      forget(b);
      std::swap(points_[a][axis], points_[b][axis]);
      ++count_[points_[a]];
      ++count_[points_[b]];
      if (count_.size() >= before) return;
    }
  }
  void forget(std::size_t index) {
    const auto found = count_.find(points_[index]);
    if (--found->second == 0) count_.erase(found);
  }

  const std::vector<Axis>& axes_;
  Random& random_;
  std::vector<Point> points_;
  std::map<Point, int> count_;
};

std::optional<std::vector<Point>> latin_hypercube(const std::vector<Axis>& axes, int count, Random& random) {
  for (int restart = 0; restart < kRestarts; ++restart) {
    Hypercube cube(axes, count, random);
    if (cube.part()) return std::move(cube).points();
  }
  return std::nullopt;
}

// Why the parameter cannot take the factor, or nothing.
std::optional<DesignFailure> why_not_factor(const Factor& factor, const Parameter& parameter) {
  const auto refuse = [&](std::string message, std::string suggestion = {}) {
    return DesignFailure{0, std::nullopt, std::nullopt, std::move(message), std::move(suggestion)};
  };
  std::set<Value> seen;
  for (std::size_t i = 0; i < factor.values.size(); ++i) {
    const Value value = coerced(parameter, factor.values[i]);
    auto why = why_not(parameter, value);
    std::string suggestion;
    const auto* word = std::get_if<std::string>(&value);
    const auto meant = word == nullptr ? std::nullopt : nearest(*word, parameter.choices);
    if (!why.empty()) {
      why = fmt::format("`{}`: {}", parameter.name, why);
      if (meant) suggestion = fmt::format("did you mean `{}`?", *meant);
    } else if (!seen.insert(value).second) {
      why = fmt::format("{} stands twice among the values of `{}`", printable(to_text(value)), parameter.name);
      suggestion = "leave it out, or take fewer points";
    }
    if (why.empty()) continue;
    DesignFailure failure = refuse(std::move(why), std::move(suggestion));
    failure.element = i;
    return failure;
  }
  if (!factor.values.empty()) return std::nullopt;
  const bool whole = parameter.type == ParameterType::integer;
  if (!whole && parameter.type != ParameterType::real) {
    return refuse(fmt::format("a range needs numbers, and `{}` is {}", parameter.name, to_string(parameter.type)),
                  "list its values: [ … ]");
  }
  const double largest = whole ? kLargestWhole : kLargestReal;
  if (std::abs(factor.low) > largest || std::abs(factor.high) > largest) {
    return refuse(fmt::format("the range of `{}` goes beyond {}", parameter.name, shortest(largest)));
  }
  if (whole && std::ceil(factor.low) > std::floor(factor.high)) {
    return refuse(fmt::format("between {} and {} is no whole number, and `{}` takes only those", shortest(factor.low),
                              shortest(factor.high), parameter.name));
  }
  for (const double bound : {factor.low, factor.high}) {
    const double nearest_inside = bound == factor.low ? std::ceil(bound) : std::floor(bound);
    const Value value = whole ? Value(static_cast<std::int64_t>(nearest_inside)) : Value(bound);
    if (const auto why = why_not(parameter, value); !why.empty()) {
      return refuse(fmt::format("`{}`: {}", parameter.name, why));
    }
  }
  return std::nullopt;
}

// Draws for one rule of one workload.
class Drawing {
 public:
  Drawing(const DesignRule& rule, const Workload& workload) : rule_(rule), workload_(workload) {}

  std::optional<DesignFailure> failure;

  std::vector<Point> run(Random random) {
    for (std::size_t i = 0; i < rule_.factors.size() && !failure; ++i) add(i);
    if (failure) return {};
    double size = 1.0;
    for (const Axis& axis : axes_) size *= axis.size();
    if (rule_.kind != DesignRule::Kind::sample) {
      if (size > static_cast<double>(kMostPoints)) return too_many(size);
      return every_combination(axes_);
    }
    if (size < rule_.count) return too_small(fmt::format("holds only {}", shortest(size)));
    auto points = rule_.method == SampleMethod::random ? at_random(axes_, rule_.count, random)
                                                       : latin_hypercube(axes_, rule_.count, random);
    if (!points) return too_small("is too small");
    return std::move(*points);
  }

 private:
  void add(std::size_t index) {
    const Factor& factor = rule_.factors[index];
    const auto found = std::find_if(workload_.parameters.begin(), workload_.parameters.end(),
                                    [&](const Parameter& p) { return p.name == factor.parameter; });
    if (found == workload_.parameters.end()) {
      failure = {0,
                 index,
                 std::nullopt,
                 fmt::format("workload `{}` has no parameter `{}`", workload_.name, factor.parameter),
                 {}};
      return;
    }
    failure = why_not_factor(factor, *found);
    if (failure) failure->factor = index;
    axes_.emplace_back(factor, *found);
  }

  std::vector<Point> too_many(double size) {
    failure = {0, std::nullopt, std::nullopt,
               fmt::format("{} combinations; a sweep may have {}", shortest(size), kMostPoints),
               "sweep fewer values, or take a [[sample]]"};
    return {};
  }
  std::vector<Point> too_small(const std::string& what) {
    failure = {0, std::nullopt, std::nullopt, fmt::format("the space {} for {} points that differ", what, rule_.count),
               "widen a range or ask for fewer points"};
    return {};
  }

  const DesignRule& rule_;
  const Workload& workload_;
  std::vector<Axis> axes_;
};

std::string_view word_of(const DesignRule& rule) {
  return rule.method == SampleMethod::random ? "random" : "latin_hypercube";
}

}  // namespace

std::vector<Value> grid(const Factor& range, int points, bool whole) {
  const double low = whole ? std::clamp(std::ceil(range.low), -kLargestWhole, kLargestWhole) : range.low;
  const double high = whole ? std::clamp(std::floor(range.high), low, std::max(low, kLargestWhole)) : range.high;
  std::vector<Value> values;
  for (int i = 0; i < points; ++i) {
    const double place = points == 1 ? 0.0 : static_cast<double>(i) / (points - 1);
    double value = range.logarithmic ? std::exp(std::log(low) + place * (std::log(high) - std::log(low)))
                                     : low + place * (high - low);
    if (!whole) value = rounded(value, range.logarithmic ? 3 : 6);
    if (i == 0) value = low;
    if (i == points - 1 && i > 0) value = high;
    value = std::clamp(value, low, high);
    values.push_back(whole ? Value(static_cast<std::int64_t>(std::llround(value))) : Value(value));
  }
  return values;
}

Design draw_design(std::uint64_t study_seed, const Workload& workload, const std::vector<DesignRule>& rules) {
  Design design;
  std::map<std::string_view, int> occurrences;  // samples seen, by method
  for (std::size_t i = 0; i < rules.size(); ++i) {
    const DesignRule& rule = rules[i];
    if (std::count(rule.workloads.begin(), rule.workloads.end(), workload.name) == 0) continue;
    const bool sample = rule.kind == DesignRule::Kind::sample;
    const int occurrence = sample ? ++occurrences[word_of(rule)] : 0;
    Drawing drawing(rule, workload);
    const auto points = drawing.run(Random(derived_seed(
        {"sample", std::to_string(study_seed), workload.name, word_of(rule), std::to_string(occurrence)})));
    if (drawing.failure) {
      drawing.failure->rule = i;
      design.failures.push_back(std::move(*drawing.failure));
    }
    if (static_cast<std::int64_t>(design.points.size() + points.size()) > kMostPoints) {
      design.failures.push_back(
          {i, std::nullopt, std::nullopt,
           fmt::format("workload `{}` has more than {} points with this", workload.name, kMostPoints),
           "ask for fewer"});
      break;
    }
    for (const Point& point : points) {
      DesignPoint drawn{i, {}};
      for (std::size_t f = 0; f < rule.factors.size(); ++f) drawn.values[rule.factors[f].parameter] = point[f];
      design.points.push_back(std::move(drawn));
    }
  }
  return design;
}

}  // namespace wattle::study
