#include "record/record.h"

#include <algorithm>
#include <array>
#include <utility>

namespace wattle::record {
namespace {

constexpr std::array<std::pair<EndState, std::string_view>, 8> kEndStates{{{EndState::completed, "completed"},
                                                                           {EndState::reached, "reached"},
                                                                           {EndState::censored, "censored"},
                                                                           {EndState::stopped, "stopped"},
                                                                           {EndState::failed, "failed"},
                                                                           {EndState::diverged, "diverged"},
                                                                           {EndState::infeasible, "infeasible"},
                                                                           {EndState::interrupted, "interrupted"}}};

constexpr std::array<std::pair<Split, std::string_view>, 3> kSplits{
    {{Split::train, "train"}, {Split::validation, "validation"}, {Split::test, "test"}}};

template <class Names, class Enum>
std::string_view name_of(const Names& names, Enum value) {
  const auto* entry = std::find_if(names.begin(), names.end(), [&](const auto& pair) { return pair.first == value; });
  return entry == names.end() ? std::string_view("unknown") : entry->second;
}

template <class Enum, std::size_t n>
std::optional<Enum> value_of(const std::array<std::pair<Enum, std::string_view>, n>& names, std::string_view name) {
  const auto* entry = std::find_if(names.begin(), names.end(), [&](const auto& pair) { return pair.second == name; });
  return entry == names.end() ? std::nullopt : std::optional<Enum>(entry->first);
}

// The parts' uncertainties are added linearly: the scale errors of two packages read through one interface, or of two
// terms of one model, go the same way, so a root of squares would promise too much.
Total total_of(const std::vector<std::size_t>& parts, const std::vector<energy::Domain>& domains,
               const MeasuredWindow& run, std::string_view nothing) {
  Total total;
  if (parts.empty()) {
    total.why_absent = nothing;
    return total;
  }
  Microjoules sum{};
  double spread_uj = 0.0;
  total.coverage = 1.0;
  for (const std::size_t part : parts) {
    const energy::WindowEnergy& one = run.energies[part];
    total.coverage = std::min(total.coverage, one.coverage);
    if (!one.energy) {
      total.why_absent = domains[part].name + ": " + one.why_absent;
      return total;
    }
    sum += *one.energy;
    spread_uj += one.uncertainty * static_cast<double>(one.energy->value);
    total.uncertainty = std::max(total.uncertainty, one.uncertainty);
  }
  total.energy = sum;
  if (sum.value > 0) total.uncertainty = spread_uj / static_cast<double>(sum.value);
  return total;
}

}  // namespace

std::string_view to_string(EndState state) { return name_of(kEndStates, state); }
std::optional<EndState> end_state(std::string_view name) { return value_of(kEndStates, name); }
std::string_view to_string(Split split) { return name_of(kSplits, split); }
std::optional<Split> split(std::string_view name) { return value_of(kSplits, name); }

std::optional<Performance> performance(const Record& record) {
  for (const Split wanted : {Split::test, Split::validation}) {
    const auto last = std::find_if(record.metrics.rbegin(), record.metrics.rend(), [&](const MetricPoint& point) {
      return point.split == wanted && point.name == record.request.metric.name;
    });
    if (last != record.metrics.rend()) return Performance{last->value, wanted};
  }
  return std::nullopt;
}

std::optional<RunEnergy> run_energy(const Record& record) {
  if (record.measured.energy) return RunEnergy{to_joules(*record.measured.energy), false};
  if (record.estimated.energy) return RunEnergy{to_joules(*record.estimated.energy), true};
  return std::nullopt;
}

Metered meter(const energy::Trace& trace, const std::vector<energy::Window>& windows) {
  Metered result;
  result.missing_domains = trace.missing;
  for (const energy::Series& series : trace.series) {
    result.domains.push_back(series.domain);
    result.simulated = result.simulated || series.domain.simulated;
  }
  for (const energy::Window& window : windows) {
    MeasuredWindow measured{window, {}, {}};
    for (const energy::Series& series : trace.series) measured.energies.push_back(energy::energy_in(series, window));
    result.windows.push_back(std::move(measured));
  }
  if (result.windows.empty()) {
    result.measured.why_absent = result.estimated.why_absent = "no window to measure";
    return result;
  }
  const energy::Cover cover = energy::cover(trace.series);
  const MeasuredWindow& run = result.windows.front();
  result.measured = total_of(cover.measured, result.domains, run, "no energy is measured on this machine");
  result.estimated = total_of(cover.estimated, result.domains, run, "no energy was estimated");
  return result;
}

}  // namespace wattle::record
