#include <algorithm>
#include <boost/math/distributions/normal.hpp>
#include <cmath>

#include "stats/survival.h"

namespace wattle::stats {
namespace {

// Survival is a product of ratios: this close to 1/2 it is 1/2.
constexpr double kHalfTolerance = 1e-8;

Result<void> check(std::span<const Lifetime> lifetimes, double level) {
  if (lifetimes.empty()) return fail(ErrorKind::bad_input, "there are no times");
  if (lifetimes.size() > 1'000'000) return fail(ErrorKind::bad_input, "more than 1,000,000 times");
  if (!(level > 0.0 && level < 1.0)) return fail(ErrorKind::bad_input, "the level is not between 0 and 1");
  for (const Lifetime& one : lifetimes) {
    if (!std::isfinite(one.time) || one.time < 0.0) {
      return fail(ErrorKind::bad_input, "a time is not a finite number of 0 or more",
                  "give what never came as censored, at the time when one stopped looking");
    }
  }
  return {};
}

void add_band(SurvivalStep& step, double greenwood, double z) {
  if (!(step.survival > 0.0 && step.survival < 1.0)) return;
  const double log_survival = std::log(step.survival);
  const double half = z * std::sqrt(greenwood) / std::abs(log_survival);
  step.low = std::pow(step.survival, std::exp(half));
  step.high = std::pow(step.survival, std::exp(-half));
}

// First time at which the value is at or below 1/2; where it is 1/2 exactly, midway to where it falls below.
template <class Value>
std::optional<double> crossing(const std::vector<SurvivalStep>& steps, Value value) {
  for (std::size_t i = 0; i < steps.size(); ++i) {
    const std::optional<double> here = value(steps[i]);
    if (!here || *here >= 0.5 + kHalfTolerance) continue;
    if (std::abs(*here - 0.5) >= kHalfTolerance) return steps[i].time;
    for (std::size_t j = i + 1; j < steps.size(); ++j) {
      const std::optional<double> later = value(steps[j]);
      if (later && *later < *here) return (steps[i].time + steps[j].time) / 2.0;
    }
    return steps[i].time;
  }
  return std::nullopt;
}

}  // namespace

Result<SurvivalCurve> kaplan_meier(std::span<const Lifetime> lifetimes, double level) {
  if (const auto checked = check(lifetimes, level); !checked) return tl::unexpected(checked.error());
  std::vector<Lifetime> sorted(lifetimes.begin(), lifetimes.end());
  std::sort(sorted.begin(), sorted.end(), [](const Lifetime& a, const Lifetime& b) { return a.time < b.time; });
  const double z = boost::math::quantile(boost::math::complement(boost::math::normal(), (1.0 - level) / 2.0));

  SurvivalCurve curve;
  curve.n = static_cast<int>(sorted.size());
  curve.level = level;
  double survival = 1.0;
  double greenwood = 0.0;
  for (std::size_t first = 0; first < sorted.size();) {
    SurvivalStep step;
    step.time = sorted[first].time;
    step.at_risk = static_cast<int>(sorted.size() - first);
    for (; first < sorted.size() && sorted[first].time == step.time; ++first) {
      ++(sorted[first].event ? step.events : step.censored);
    }
    const auto at_risk = static_cast<double>(step.at_risk);
    const auto events = static_cast<double>(step.events);
    survival *= (at_risk - events) / at_risk;
    if (at_risk > events) greenwood += events / (at_risk * (at_risk - events));
    step.survival = survival;
    step.standard_error = survival * std::sqrt(greenwood);
    add_band(step, greenwood, z);
    curve.events += step.events;
    curve.steps.push_back(step);
  }
  curve.median = crossing(curve.steps, [](const SurvivalStep& step) { return std::optional(step.survival); });
  curve.median_low = crossing(curve.steps, [](const SurvivalStep& step) { return step.low; });
  curve.median_high = crossing(curve.steps, [](const SurvivalStep& step) { return step.high; });
  return curve;
}

Result<RestrictedMean> restricted_mean(const SurvivalCurve& curve, std::optional<double> horizon) {
  if (curve.steps.empty()) return fail(ErrorKind::bad_input, "the curve is empty");
  RestrictedMean result;
  const SurvivalStep& last = curve.steps.back();
  result.horizon = horizon.value_or(last.time);
  if (!(result.horizon > 0.0) || !std::isfinite(result.horizon)) {
    return fail(ErrorKind::bad_input, "the horizon is not a finite number above 0");
  }
  if (result.horizon > last.time && last.survival > 0.0) {
    return fail(ErrorKind::bad_input, "nothing is known beyond the largest time, which is censored",
                "give a horizon that is not beyond it");
  }
  // From the last step back: the area still ahead of each step decides what its events weigh.
  double ahead = 0.0;
  double until = result.horizon;
  double variance = 0.0;
  for (auto step = curve.steps.rbegin(); step != curve.steps.rend(); ++step) {
    if (step->time >= result.horizon) continue;
    ahead += step->survival * (until - step->time);
    until = step->time;
    const auto at_risk = static_cast<double>(step->at_risk);
    const auto events = static_cast<double>(step->events);
    if (at_risk > events) variance += ahead * ahead * events / (at_risk * (at_risk - events));
  }
  result.mean = until + ahead;  // S is 1 before the first step
  result.standard_error = std::sqrt(variance);
  const double half = result.standard_error *
                      boost::math::quantile(boost::math::complement(boost::math::normal(), (1.0 - curve.level) / 2.0));
  result.interval = {result.mean - half, result.mean + half, curve.level, false};
  return result;
}

}  // namespace wattle::stats
