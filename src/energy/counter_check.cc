#include "energy/counter_check.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

namespace wattle::energy {
namespace {

const Series* integral_of(const std::vector<Series>& series, const Domain& counter) {
  const auto found = std::find_if(series.begin(), series.end(), [&](const Series& one) {
    return one.domain.kind == DomainKind::gpu && one.domain.provenance == Provenance::integrated_power &&
           one.domain.parent == counter.name;
  });
  return found == series.end() ? nullptr : &*found;
}

// Why an energy cannot be compared, or nothing.
std::string unfit(const Series& series, const WindowEnergy& energy) {
  if (!energy.energy) return fmt::format("{}: {}", series.domain.name, energy.why_absent);
  if (energy.coverage >= kCheckedCoverage) return {};
  return fmt::format("{}: only {:.0f} % of the window was seen", series.domain.name, energy.coverage * 100.0);
}

CounterCheck check(const Series& counter, const Series& integral, const Window& window) {
  CounterCheck result;
  result.domain = counter.domain.name;
  if (window.end - window.begin < kShortestCheck) {
    result.why_absent = fmt::format("the window is shorter than {:.0f} s", to_seconds(kShortestCheck).value);
    return result;
  }
  const WindowEnergy counted = energy_in(counter, window);
  const WindowEnergy integrated = energy_in(integral, window);
  result.why_absent = unfit(counter, counted);
  if (result.why_absent.empty()) result.why_absent = unfit(integral, integrated);
  if (!result.why_absent.empty()) return result;
  result.counter = counted.energy;
  result.integral = integrated.energy;
  if (counted.energy->value > 0) result.ratio = *integrated.energy / *counted.energy;
  result.suspicious =
      result.ratio ? std::abs(*result.ratio - 1.0) > kSuspicious : integrated.energy->value > counted.energy->value;
  return result;
}

}  // namespace

std::vector<CounterCheck> check_counters(const std::vector<Series>& series, const Window& window) {
  std::vector<CounterCheck> all;
  for (const Series& counter : series) {
    if (counter.domain.kind != DomainKind::gpu || counter.domain.provenance != Provenance::counter) continue;
    if (const Series* integral = integral_of(series, counter.domain)) all.push_back(check(counter, *integral, window));
  }
  return all;
}

}  // namespace wattle::energy
