#include "energy/trace.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <iterator>

#include "base/text.h"
#include "energy/exact.h"

namespace wattle::energy {
namespace {

constexpr double kNormal95 = 1.96;
constexpr Nanoseconds kShortestPeak = milliseconds(100);
constexpr std::int64_t kRunSamples = 2;

using Samples = std::vector<Sample>;

// First sample at or after the instant.
Samples::const_iterator at_or_after(const Samples& samples, Nanoseconds instant) {
  return std::lower_bound(samples.begin(), samples.end(), instant,
                          [](const Sample& sample, Nanoseconds t) { return sample.time < t; });
}

// First sample after the instant.
Samples::const_iterator after(const Samples& samples, Nanoseconds instant) {
  return std::upper_bound(samples.begin(), samples.end(), instant,
                          [](Nanoseconds t, const Sample& sample) { return t < sample.time; });
}

// The parts of [begin, end] that lie in valid sample intervals, summed.
Nanoseconds covered_time(const Samples& samples, Nanoseconds begin, Nanoseconds end) {
  Nanoseconds covered;
  if (samples.size() < 2) return covered;
  auto sample = after(samples, begin);
  if (sample == samples.begin()) ++sample;
  for (; sample != samples.end(); ++sample) {
    const Sample& previous = *std::prev(sample);
    if (previous.time >= end) break;
    if (sample->gap_before) continue;
    covered += std::min(sample->time, end) - std::max(previous.time, begin);
  }
  return covered;
}

// Variance (J²) of linear interpolation at an edge: E there lies between its neighbours' values and has, for an edge at
// a random place, the interpolated mean; the variance of such a quantity is at most a(1 − a)·ΔE² (Bhatia and Davis
// 2000).
double edge_variance(const Samples& samples, Nanoseconds edge) {
  const auto next = after(samples, edge);
  if (next == samples.begin() || next == samples.end()) return 0.0;
  const Sample& previous = *std::prev(next);
  const double a = (edge - previous.time) / (next->time - previous.time);
  const double energy = to_joules(next->cumulative - previous.cumulative).value;
  return a * (1.0 - a) * energy * energy;
}

// Variance (J²) of a trapezoid over samples of power that may have done anything between them: each interval may be
// wrong by as much as its mean power differs from its neighbour's; the factor 2 undoes the smoothing by that mean.
double shape_variance(const Samples& samples, Nanoseconds begin, Nanoseconds end) {
  double variance = 0.0;
  const auto last = at_or_after(samples, end);
  auto sample = after(samples, begin);
  std::optional<Watts> power_before;
  for (; sample != samples.end(); ++sample) {
    if (sample == samples.begin()) continue;
    const Sample& previous = *std::prev(sample);
    const Seconds length = to_seconds(sample->time - previous.time);
    const Watts power = to_joules(sample->cumulative - previous.cumulative) / length;
    if (sample->gap_before) {
      power_before.reset();
    } else {
      if (power_before) variance += 2.0 * std::pow((power - *power_before).value * length.value, 2);
      power_before = power;
    }
    if (sample == last) break;
  }
  return variance;
}

double relative_uncertainty(const Series& series, const Window& window, Joules energy, Nanoseconds covered,
                            double coverage) {
  const double gap = (1.0 - coverage) / coverage;
  double variance = edge_variance(series.samples, window.begin) + edge_variance(series.samples, window.end);
  // A source refreshed every τ is stale at each edge by a uniform share of τ: P·τ/√12 each, P·τ/√6 for both.
  const Watts power = energy / to_seconds(covered);
  variance += std::pow(power.value * to_seconds(series.domain.update_period).value, 2) / 6.0;
  if (series.domain.provenance == Provenance::integrated_power) {
    variance += shape_variance(series.samples, window.begin, window.end);
  }
  const double edges = energy.value > 0.0 ? kNormal95 * std::sqrt(variance) / energy.value : 0.0;
  return std::hypot(edges, series.domain.gain_uncertainty, gap);
}

WindowEnergy absent(std::string why) {
  return {.energy = std::nullopt, .why_absent = std::move(why), .coverage = 0.0, .uncertainty = 0.0};
}

// The sample times that a window's energy rests on. A run counts the samples around it, a part of one those inside it.
std::int64_t supporting_samples(const Samples& samples, const Window& window) {
  if (window.kind != WindowKind::run) {
    return std::distance(at_or_after(samples, window.begin), after(samples, window.end));
  }
  auto first = after(samples, window.begin);
  if (first != samples.begin()) --first;
  auto last = at_or_after(samples, window.end);
  if (last != samples.end()) ++last;
  return std::distance(first, last);
}

}  // namespace

std::string_view to_string(WindowKind kind) {
  switch (kind) {
    case WindowKind::phase:
      return "phase";
    case WindowKind::epoch:
      return "epoch";
    case WindowKind::run:
      break;
  }
  return "run";
}

Microjoules cumulative_at(const Series& series, Nanoseconds instant) {
  const Samples& samples = series.samples;
  if (samples.empty()) return {};
  const auto next = after(samples, instant);
  if (next == samples.begin()) return samples.front().cumulative;
  const Sample& previous = *std::prev(next);
  if (next == samples.end()) return previous.cumulative;
  const std::int64_t rise = (next->cumulative - previous.cumulative).value;
  return previous.cumulative +
         Microjoules{scaled(rise, (instant - previous.time).value, (next->time - previous.time).value)};
}

WindowEnergy energy_in(const Series& series, const Window& window) {
  if (window.end <= window.begin) return absent("the window is empty");
  const Samples& samples = series.samples;
  if (samples.empty()) return absent("never read");
  const Nanoseconds shortest = series.domain.update_period * std::int64_t{kMinimumSamples};
  if (window.end - window.begin < shortest) {
    return absent(fmt::format("too short to measure: {}, less than {} updates of its source ({})",
                              human(to_seconds(window.end - window.begin)), kMinimumSamples,
                              human(to_seconds(shortest))));
  }
  const std::int64_t needed = window.kind == WindowKind::run ? kRunSamples : kMinimumSamples;
  const std::int64_t had = supporting_samples(samples, window);
  if (had < needed) return absent(fmt::format("too short to measure: {} samples of the {} needed", had, needed));
  const Nanoseconds covered = covered_time(samples, window.begin, window.end);
  if (covered.value <= 0) return absent("nothing in the window was sampled without a gap");

  WindowEnergy result;
  result.energy = cumulative_at(series, window.end) - cumulative_at(series, window.begin);
  result.coverage = covered / (window.end - window.begin);
  result.uncertainty = relative_uncertainty(series, window, to_joules(*result.energy), covered, result.coverage);
  return result;
}

std::vector<std::optional<Watts>> power_curve(const Series& series, const Window& window, int steps) {
  std::vector<std::optional<Watts>> curve;
  const std::int64_t length = (window.end - window.begin).value;
  if (steps <= 0 || length <= 0) return curve;
  curve.reserve(static_cast<std::size_t>(steps));
  const auto edge = [&](int step) { return window.begin + Nanoseconds{scaled(length, step, steps)}; };
  for (int step = 0; step < steps; ++step) {
    const Nanoseconds begin = edge(step);
    const Nanoseconds end = edge(step + 1);
    const Nanoseconds covered = covered_time(series.samples, begin, end);
    if (covered.value <= 0) {
      curve.emplace_back();
      continue;
    }
    const Microjoules energy = cumulative_at(series, end) - cumulative_at(series, begin);
    curve.emplace_back(to_joules(energy) / to_seconds(covered));
  }
  return curve;
}

std::optional<Watts> peak_power(const Series& series, const Window& window) {
  if (window.end <= window.begin) return std::nullopt;
  const auto end = after(series.samples, window.end);
  auto first = at_or_after(series.samples, window.begin);
  std::optional<Watts> peak;
  for (auto last = first; last != end; ++last) {
    if (last->gap_before) first = last;
    // `first` is the latest start that still leaves 100 ms, so each interval is the shortest that ends here.
    while (std::next(first) < last && last->time - std::next(first)->time >= kShortestPeak) ++first;
    if (last->time - first->time < kShortestPeak) continue;
    const Watts power = to_joules(last->cumulative - first->cumulative) / to_seconds(last->time - first->time);
    if (!peak || power > *peak) peak = power;
  }
  return peak;
}

}  // namespace wattle::energy
