#include "analysis/correlations.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <functional>
#include <set>

#include "stats/correlation.h"

namespace wattle::analysis {
namespace {

constexpr int kFewestRuns = 4;
constexpr double kAlpha = 0.05;
constexpr double kStrong = 0.6;

Bin bin_of(double rho, double p_value) {
  if (p_value >= kAlpha) return Bin::none;
  if (rho < 0.0) return rho <= -kStrong ? Bin::strong_negative : Bin::weak_negative;
  return rho >= kStrong ? Bin::strong_positive : Bin::weak_positive;
}

struct Points {
  std::vector<double> parameter;
  std::vector<double> measure;
  bool text = false;  // a value of the parameter is no number
};

using MeasureOf = std::function<std::optional<double>(const Run&)>;

std::optional<double> told(const Run& run, const std::string& gauge) {
  const auto& measures = run.record->measures;
  const auto found = std::find_if(measures.begin(), measures.end(), [&](const auto& one) { return one.name == gauge; });
  if (!run.succeeded || found == measures.end()) return std::nullopt;
  return found->mean;
}

Points points_of(const WorkloadRuns& workload, const std::string& parameter, const MeasureOf& measure) {
  Points points;
  for (const Configured& configured : workload.configurations) {
    const study::Configuration& configuration = *configured.configuration;
    const auto& varied = configuration.varied;
    if (!configuration.original() && std::find(varied.begin(), varied.end(), parameter) == varied.end()) continue;
    const auto value = configuration.hyperparameters.find(parameter);
    if (value == configuration.hyperparameters.end()) continue;
    const auto number = study::to_number(value->second);
    points.text = points.text || !number;
    for (const Run* run : configured.runs) {
      const auto measured = measure(*run);
      if (!number || !measured) continue;
      points.parameter.push_back(*number);
      points.measure.push_back(*measured);
    }
  }
  return points;
}

Correlation correlation_of(const WorkloadRuns& workload, const std::string& parameter, const std::string& name,
                           const MeasureOf& measure) {
  const Points points = points_of(workload, parameter, measure);
  Correlation correlation;
  correlation.workload = workload.workload;
  correlation.environment = workload.environment;
  correlation.family = workload.name;
  correlation.parameter = parameter;
  correlation.measure = name;
  correlation.n = static_cast<int>(points.parameter.size());
  if (points.text) {
    correlation.why_absent = fmt::format("{} is not a number", parameter);
    return correlation;
  }
  if (correlation.n < kFewestRuns) {
    correlation.why_absent = fmt::format("{} runs are too few, {} are needed", correlation.n, kFewestRuns);
    return correlation;
  }
  const auto found = stats::spearman(points.parameter, points.measure);
  if (!found) {
    correlation.why_absent = found.error().message;
    return correlation;
  }
  correlation.rho = found->rho;
  correlation.low = found->low;
  correlation.high = found->high;
  correlation.p_value = found->p_value;
  correlation.bin = bin_of(found->rho, found->p_value);
  return correlation;
}

}  // namespace

std::vector<Correlation> correlate(const WorkloadRuns& workload, std::span<const std::string> telemetry) {
  std::set<std::string> parameters;
  for (const Configured& configured : workload.configurations) {
    parameters.insert(configured.configuration->varied.begin(), configured.configuration->varied.end());
  }
  std::vector<Correlation> correlations;
  for (const std::string& parameter : parameters) {
    correlations.push_back(correlation_of(workload, parameter, "energy", &Run::energy_j));
    correlations.push_back(correlation_of(workload, parameter, "time", &Run::time_s));
    correlations.push_back(correlation_of(workload, parameter, workload.metric.name, &Run::metric));
    for (const std::string& gauge : telemetry) {
      correlations.push_back(
          correlation_of(workload, parameter, gauge, [&](const Run& run) { return told(run, gauge); }));
    }
  }
  return correlations;
}

}  // namespace wattle::analysis
