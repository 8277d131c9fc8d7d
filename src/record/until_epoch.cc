#include "record/until_epoch.h"

#include <algorithm>

#include "energy/trace.h"

namespace wattle::record {
namespace {

bool reaches(double value, double target, study::Goal goal) {
  return goal == study::Goal::maximize ? value >= target : value <= target;
}

// The first epoch that reaches it, or none; nothing where no epoch told the metric.
std::optional<std::optional<int>> first_epoch(const Record& record, double target) {
  const study::Metric& metric = record.request.metric;
  std::optional<int> first;
  bool told = false;
  for (const MetricPoint& point : record.metrics) {
    if (point.split != Split::validation || !point.epoch || point.name != metric.name) continue;
    told = true;
    if (reaches(point.value, target, metric.goal) && (!first || *point.epoch < *first)) first = point.epoch;
  }
  if (!told) return std::nullopt;
  return first;
}

const MeasuredWindow* until(const Record& record, int epoch) {
  const auto found = std::find_if(record.windows.begin(), record.windows.end(), [&](const MeasuredWindow& window) {
    return window.window.name == kUntilEpoch && window.window.epoch == epoch;
  });
  return found == record.windows.end() ? nullptr : &*found;
}

void take(const Total& measured, const Total& estimated, ToTarget& answer) {
  const Total& total = measured.energy ? measured : estimated;
  answer.estimated = !measured.energy;
  if (total.energy) {
    answer.joules = to_joules(*total.energy).value;
  } else {
    answer.why_absent = total.why_absent;
  }
}

void take_whole(const Record& record, ToTarget& answer) {
  take(record.measured, record.estimated, answer);
  if (record.duration) answer.seconds = to_seconds(*record.duration).value;
}

}  // namespace

Total total_of(const Record& record, const MeasuredWindow& window) {
  std::vector<energy::Series> series;
  for (std::size_t i = 0; i < record.domains.size() && i < window.energies.size(); ++i) {
    series.push_back({.domain = record.domains[i], .samples = {}});
    // Domains that the run itself has nothing of are in no cover.
    if (record.windows.front().energies[i].energy) series.back().samples.resize(2);
  }
  const energy::Cover cover = energy::cover(series);
  Total total{Microjoules{}, {}, 1.0, 0.0};
  for (const std::size_t i : record.measured.energy ? cover.measured : cover.estimated) {
    const energy::WindowEnergy& one = window.energies[i];
    if (!one.energy) return {{}, one.why_absent, 0.0, 0.0};
    *total.energy += *one.energy;
    total.coverage = std::min(total.coverage, one.coverage);
    total.uncertainty = std::max(total.uncertainty, one.uncertainty);
  }
  if (window.energies.empty()) return {{}, "no energy was read", 0.0, 0.0};
  return total;
}

std::optional<ToTarget> energy_to_target(const Record& record, double target) {
  if (!successful(record.end)) return std::nullopt;
  ToTarget answer;
  if (record.end == EndState::reached || record.end == EndState::censored) {
    answer.reached = record.end == EndState::reached;
    take_whole(record, answer);
    return answer;
  }
  const auto epoch = first_epoch(record, target);
  if (!epoch) return std::nullopt;
  answer.reached = epoch->has_value();
  if (!answer.reached) {
    take_whole(record, answer);
    return answer;
  }
  answer.epoch = **epoch;
  const MeasuredWindow* window = until(record, **epoch);
  if (window == nullptr) {
    answer.why_absent = "its epochs have no windows";
    return answer;
  }
  answer.seconds = to_seconds(window->window.end - window->window.begin).value;
  const Total total = total_of(record, *window);
  take(record.measured.energy ? total : Total{}, record.measured.energy ? Total{} : total, answer);
  if (!answer.joules) answer.why_absent = total.why_absent;
  return answer;
}

}  // namespace wattle::record
