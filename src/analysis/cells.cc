#include "analysis/cells.h"

#include <algorithm>
#include <map>
#include <set>
#include <tuple>

#include "stats/descriptive.h"

namespace wattle::analysis {
namespace {

// A study of several environments names each in its labels; an architecture is the same in all of them.
std::string without_environment(const study::Configuration& configuration) {
  const std::string environment = " @" + configuration.environment.name;
  const std::string& label = configuration.label;
  return label.ends_with(environment) ? label.substr(0, label.size() - environment.size()) : label;
}

}  // namespace

std::vector<CellRuns> cells_of(std::span<const WorkloadRuns> workloads) {
  std::map<std::pair<std::string, std::string>, CellRuns> by_name;
  for (const WorkloadRuns& workload : workloads) {
    for (const Configured& configured : workload.configurations) {
      const study::Configuration& configuration = *configured.configuration;
      if (!configuration.colocation.alone()) continue;
      std::string name = workload.name;
      if (!configuration.original()) name += " " + without_environment(configuration);
      CellRuns& cell = by_name[{configuration.environment.name, name}];
      cell.architecture = std::move(name);
      cell.environment = configuration.environment.name;
      cell.runs.insert(cell.runs.end(), configured.runs.begin(), configured.runs.end());
    }
  }
  std::vector<CellRuns> cells;
  for (auto& [key, cell] : by_name) cells.push_back(std::move(cell));
  return cells;
}

std::vector<double> values_of(const CellRuns& cell, std::string_view measure) {
  std::vector<double> values;
  for (const Run* run : cell.runs) {
    if (const auto value = value_of(*run, measure)) values.push_back(*value);
  }
  return values;
}

std::optional<double> median_of(const CellRuns& cell, std::string_view measure) {
  return stats::median(values_of(cell, measure));
}

std::string cost_of(std::span<const CellRuns> cells) {
  const auto told = [&](std::string_view measure) {
    return std::any_of(cells.begin(), cells.end(), [&](const auto& cell) { return !values_of(cell, measure).empty(); });
  };
  for (const char* measure : {"energy_per_image", "energy", "time_per_image"}) {
    if (told(measure)) return measure;
  }
  return "time";
}

std::string words_of(std::string_view measure) {
  if (measure == "energy_per_image") return "energy per image";
  if (measure == "time_per_image") return "time per image";
  return std::string(measure);
}

Unit unit_of(std::string_view measure) {
  if (measure == "energy") return Unit::joules;
  if (measure == "time") return Unit::seconds;
  return measure.ends_with("_per_image") ? Unit::per_item : Unit::none;
}

std::vector<std::string> environments_of(std::span<const CellRuns> cells) {
  std::set<std::string> names;
  for (const CellRuns& cell : cells) names.insert(cell.environment);
  return {names.begin(), names.end()};
}

Basis basis_of(std::span<const WorkloadRuns> workloads) {
  Basis basis = Basis::absent;
  for (const WorkloadRuns& workload : workloads) {
    if (workload.basis == Basis::absent) continue;
    basis = basis == Basis::absent ? workload.basis : std::min(std::max(basis, workload.basis), Basis::simulated);
  }
  return basis;
}

std::string metric_of(std::span<const WorkloadRuns> workloads) {
  return workloads.empty() ? std::string() : workloads.front().metric.name;
}

void warn_of_basis(Basis basis, std::vector<std::string>& warnings) {
  if (basis == Basis::estimated) {
    warnings.emplace_back(
        "energy here is estimated from time and CPU use: what is said of it is untestable, and repeats what is said of "
        "time");
  }
  if (basis == Basis::simulated) warnings.emplace_back("energy here is simulated: it is no finding about any machine");
  if (basis == Basis::imported) warnings.emplace_back("energy here is imported: others measured it");
  if (basis == Basis::absent) warnings.emplace_back("no energy was read: only times are compared");
}

}  // namespace wattle::analysis
