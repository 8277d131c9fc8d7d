// A paragraph of methods for a paper: what was run, how it was measured and how it is judged, from the records alone.
#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <set>

#include "analysis/cells.h"
#include "analysis/questions.h"
#include "base/text.h"

namespace wattle::analysis {
namespace {

using record::Record;

std::string listed(const std::set<std::string>& names) {
  return names.empty() ? std::string("none") : join(std::vector<std::string>(names.begin(), names.end()), ", ");
}

std::set<std::string> told(std::span<const Record> records, const std::string& fact) {
  std::set<std::string> values;
  for (const Record& record : records) {
    const auto value = record.fingerprint.find(fact);
    if (value != record.fingerprint.end() && !value->second.empty()) values.insert(value->second);
  }
  return values;
}

std::string design(std::span<const Record> records) {
  std::set<std::string> workloads;
  std::set<std::string> environments;
  std::set<std::string> configurations;
  std::set<int> blocks;
  int failed = 0;
  for (const Record& record : records) {
    const study::RunRequest& request = record.request;
    if (request.purpose != study::Purpose::score || !record::finished(record.end)) continue;
    workloads.insert(request.configuration.workload);
    environments.insert(request.configuration.environment.name);
    configurations.insert(request.configuration.id);
    blocks.insert(request.block);
    failed += record::lost(record.end) ? 1 : 0;
  }
  const study::Protocol& protocol = records.back().request.protocol;
  std::string text = fmt::format(
      "We trained {} ({}) in {} environment{} ({}), {} configurations in all, in {} blocks: each block ran every "
      "configuration once, in random order, with one training seed of its own",
      workloads.size() == 1 ? "one workload" : fmt::format("{} workloads", workloads.size()), listed(workloads),
      environments.size(), environments.size() == 1 ? "" : "s", listed(environments), configurations.size(),
      blocks.size());
  if (protocol.repetitions.adaptive()) {
    text += fmt::format(
        "; blocks went on, from {} up to {}, until every comparison was decided by tests that are valid "
        "at every look",
        protocol.repetitions.min, protocol.repetitions.max);
  }
  if (protocol.cool_down.value > 0)
    text += fmt::format("; before each run the machine rested for {}", human(to_seconds(protocol.cool_down)));
  if (protocol.control) text += "; each block began with a control run";
  text += ".";
  if (failed > 0)
    text += fmt::format(" {} run{} failed and count as losses of performance.", failed, failed == 1 ? "" : "s");
  return text;
}

std::string measurement(std::span<const Record> records, Basis basis) {
  std::map<std::string, std::set<std::string>> domains;  // by source
  double least = 1.0;
  for (const Record& record : records) {
    for (const energy::Domain& domain : record.domains) domains[domain.source].insert(domain.name);
    const record::Total& total = record.measured.energy ? record.measured : record.estimated;
    if (total.energy) least = std::min(least, total.coverage);
  }
  std::vector<std::string> sources;
  for (const auto& [source, names] : domains) sources.push_back(fmt::format("{} ({})", source, listed(names)));
  if (basis == Basis::absent) return "No energy was read.";
  std::string text = fmt::format("Energy was {} from {}", to_string(basis), join(sources, "; "));
  if (basis != Basis::imported) {
    text += fmt::format(
        ", sampled every {}, of each run's whole process tree from its start to its end; samples cover at "
        "least {:.1f} % of every run",
        human(to_seconds(records.back().request.protocol.sample_interval)), 100.0 * least);
  }
  text += ".";
  if (basis == Basis::estimated) {
    text +=
        " No energy counter could be read: joules are estimated from time and CPU use, and no claim about energy is "
        "made from them.";
  }
  return text;
}

std::string machine(std::span<const Record> records) {
  std::string text = fmt::format("Machine: {}, {} cores, Linux {}", listed(told(records, "cpu")),
                                 listed(told(records, "cores")), listed(told(records, "kernel")));
  const auto gpus = told(records, "gpu");
  if (!gpus.empty()) text += ", " + listed(gpus);
  const auto version = told(records, "wattle");
  if (!version.empty()) text += fmt::format("; Wattle {}", listed(version));
  return text + ".";
}

std::string statistics(std::span<const WorkloadRuns> workloads, const Asked& asked) {
  std::vector<std::string> metrics;
  for (const WorkloadRuns& workload : workloads) {
    metrics.push_back(fmt::format("{} of {} ({} split, tolerance {})", workload.metric.name, workload.name,
                                  workload.metric_split.empty() ? "no" : workload.metric_split,
                                  shortest(workload.metric.tolerance)));
  }
  return fmt::format(
      "Mutants are compared with their original within blocks: exact Wilcoxon signed-rank tests of log ratios (energy, "
      "time) and differences (performance: {}), Hodges-Lehmann estimates with the intervals that belong to them, and "
      "Holm's correction across mutants at alpha = {}; a mutant is greener where less energy and no loss of "
      "performance "
      "beyond the tolerance are both shown (intersection-union), and screened until fresh runs confirm it.",
      join(metrics, ", "), shortest(asked.alpha));
}

}  // namespace

Result<Answer> methods(std::span<const Record> records, const Asked& asked) {
  Answer answer;
  answer.question = "methods";
  if (records.empty()) {
    answer.sentence = "Nothing has been run yet.";
    return answer;
  }
  const std::vector<WorkloadRuns> workloads = collect(records);
  const Basis basis = basis_of(workloads);
  answer.basis = to_string(basis);
  answer.sentence =
      design(records) + " " + measurement(records, basis) + " " + machine(records) + " " + statistics(workloads, asked);
  int left_out = 0;
  for (const WorkloadRuns& workload : workloads) left_out += workload.left_out;
  if (left_out > 0)
    answer.sentence += fmt::format(" Outlier rules, declared with the study, leave {} runs out.", left_out);
  return answer;
}

}  // namespace wattle::analysis
