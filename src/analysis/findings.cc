#include "analysis/findings.h"

#include <fmt/format.h>

#include <algorithm>
#include <iterator>
#include <numeric>

#include "analysis/correlations.h"
#include "analysis/headline.h"
#include "analysis/mutants.h"
#include "analysis/runs.h"
#include "analysis/warnings.h"
#include "stats/descriptive.h"

namespace wattle::analysis {
namespace {

// Sorted before it is added: the order of records must not change the last digit.
double total(std::vector<double> joules) {
  std::sort(joules.begin(), joules.end());
  return std::accumulate(joules.begin(), joules.end(), 0.0);
}

void add_footprint(std::span<const record::Record> records, Findings& findings) {
  std::vector<double> spent;
  std::vector<double> wasted;
  for (const record::Record& record : records) {
    const auto energy = record::run_energy(record);
    if (!energy) continue;
    spent.push_back(energy->energy.value);
    if (record.end == record::EndState::interrupted) wasted.push_back(energy->energy.value);
  }
  findings.spent_j = total(std::move(spent));
  findings.wasted_j = total(std::move(wasted));
}

Basis weakest(Basis a, Basis b) {
  if (a == Basis::absent) return b;
  if (b == Basis::absent) return a;
  if (a == Basis::simulated || b == Basis::simulated) return Basis::simulated;
  if (a == Basis::estimated || b == Basis::estimated) return Basis::estimated;
  return a == Basis::imported || b == Basis::imported ? Basis::imported : Basis::measured;
}

ConfigurationSummary summarise(const WorkloadRuns& workload, const Configured& configured) {
  ConfigurationSummary summary;
  summary.id = configured.configuration->id;
  summary.label = configured.configuration->label;
  summary.workload = workload.workload;
  summary.environment = workload.environment;
  summary.family = workload.name;
  summary.original = configured.configuration->original();
  summary.runs = static_cast<int>(configured.runs.size());
  for (const Run* run : configured.runs) {
    summary.failed += run->lost ? 1 : 0;
    if (run->energy_j) summary.energy_j.push_back(*run->energy_j);
    if (run->time_s) summary.time_s.push_back(*run->time_s);
    if (run->metric) summary.metric.push_back(*run->metric);
  }
  summary.median_energy_j = stats::median(summary.energy_j);
  summary.median_time_s = stats::median(summary.time_s);
  summary.median_metric = stats::median(summary.metric);
  return summary;
}

void add_workload(const WorkloadRuns& workload, std::span<const std::string> telemetry, Findings& findings) {
  findings.blocks = std::max(findings.blocks, workload.blocks);
  findings.runs += static_cast<int>(workload.runs.size());
  findings.left_out += workload.left_out;
  for (const Configured& configured : workload.configurations) {
    findings.configurations.push_back(summarise(workload, configured));
    findings.failed += findings.configurations.back().failed;
  }
  std::vector<MutantFinding> mutants = find_mutants(workload, findings.basis, findings.alpha);
  std::move(mutants.begin(), mutants.end(), std::back_inserter(findings.mutants));
  std::vector<Correlation> correlations = correlate(workload, telemetry);
  std::move(correlations.begin(), correlations.end(), std::back_inserter(findings.correlations));
}

Findings analyse_with(std::span<const record::Record> records, std::span<const std::string> telemetry,
                      Outliers outliers) {
  Findings findings;
  add_footprint(records, findings);
  const std::vector<WorkloadRuns> workloads = families(records, outliers);
  if (!records.empty()) findings.study = records.front().request.study;
  if (!workloads.empty()) {
    findings.metric = workloads.front().metric.name;
    findings.metric_split = workloads.front().metric_split;
    findings.tolerance = workloads.front().metric.tolerance;
  }
  for (const WorkloadRuns& workload : workloads) findings.basis = weakest(findings.basis, workload.basis);
  for (const WorkloadRuns& workload : workloads) add_workload(workload, telemetry, findings);
  count_verdicts(findings.mutants, findings);
  findings.warnings = warnings(findings, workloads);
  findings.headline = headline(findings, workloads);
  return findings;
}

}  // namespace

Findings analyse(std::span<const record::Record> records, std::span<const std::string> telemetry) {
  Findings findings = analyse_with(records, telemetry, Outliers::apply);
  if (findings.left_out == 0) return findings;
  findings.headline_without_rules = analyse_with(records, telemetry, Outliers::ignore).headline;
  findings.warnings.push_back(
      fmt::format("outlier rules, declared in the study, leave {} of {} runs out; without them: {}", findings.left_out,
                  findings.runs, findings.headline_without_rules));
  return findings;
}

std::string label_in_family(const MutantFinding& mutant) {
  const std::string environment = " @" + mutant.environment;
  const bool twice = mutant.label.ends_with(environment) && mutant.family.ends_with(environment);
  return twice ? mutant.label.substr(0, mutant.label.size() - environment.size()) : mutant.label;
}

std::string_view to_string(Basis basis) {
  switch (basis) {
    case Basis::measured:
      return "measured";
    case Basis::imported:
      return "imported";
    case Basis::estimated:
      return "estimated";
    case Basis::simulated:
      return "simulated";
    case Basis::absent:
      break;
  }
  return "absent";
}

std::string_view to_string(Verdict verdict) {
  switch (verdict) {
    case Verdict::win:
      return "win";
    case Verdict::tie:
      return "tie";
    case Verdict::loss:
      return "loss";
    case Verdict::undecided:
      break;
  }
  return "undecided";
}

std::string_view to_string(Greener greener) {
  switch (greener) {
    case Greener::screened:
      return "screened";
    case Greener::no:
      return "no";
    case Greener::untestable:
      return "untestable";
    case Greener::undecided:
      break;
  }
  return "undecided";
}

std::string_view to_string(Bin bin) {
  switch (bin) {
    case Bin::strong_negative:
      return "strong negative";
    case Bin::weak_negative:
      return "weak negative";
    case Bin::weak_positive:
      return "weak positive";
    case Bin::strong_positive:
      return "strong positive";
    case Bin::none:
      break;
  }
  return "none";
}

}  // namespace wattle::analysis
