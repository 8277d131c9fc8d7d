// A paragraph of methods for a paper: what was run, how it was measured and how it is judged, from the records alone.
#include <fmt/format.h>

#include <algorithm>
#include <iterator>
#include <map>
#include <set>

#include "analysis/cells.h"
#include "analysis/questions.h"
#include "base/text.h"

namespace wattle::analysis {
namespace {

using record::Record;

constexpr std::size_t kMostNames = 12;

std::string listed(const std::set<std::string>& names) {
  if (names.empty()) return "none";
  if (names.size() <= kMostNames) return join(std::vector<std::string>(names.begin(), names.end()), ", ");
  const std::vector<std::string> first(names.begin(), std::next(names.begin(), kMostNames));
  return fmt::format("{} and {} more", join(first, ", "), names.size() - kMostNames);
}

bool all_imported(std::span<const Record> records) {
  return std::all_of(records.begin(), records.end(),
                     [](const Record& record) { return record.fingerprint.contains("imported"); });
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
  const bool imported = all_imported(records);
  std::string text = fmt::format("{} {} ({}) in {} environment{} ({}), {} configuration{} in all, ",
                                 imported ? "We analyse runs that others made of" : "We trained",
                                 workloads.size() == 1 ? "one workload" : fmt::format("{} workloads", workloads.size()),
                                 listed(workloads), environments.size(), environments.size() == 1 ? "" : "s",
                                 listed(environments), configurations.size(), configurations.size() == 1 ? "" : "s");
  text += imported ? fmt::format("with up to {} repetition{} of each", blocks.size(), blocks.size() == 1 ? "" : "s")
                   : fmt::format(
                         "in {} block{}: each block ran every configuration once, in random order, with one "
                         "training seed of its own",
                         blocks.size(), blocks.size() == 1 ? "" : "s");
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
  std::string text = basis == Basis::imported
                         ? fmt::format("Energy is what others measured: {}", join(sources, "; "))
                         : fmt::format("Energy was {} from {}", to_string(basis), join(sources, "; "));
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
  std::vector<std::string> parts;
  const auto say = [&](const std::string& fact, std::string_view words) {
    const auto values = told(records, fact);
    if (!values.empty()) parts.push_back(fmt::format(fmt::runtime(words), listed(values)));
  };
  say("cpu", "{}");
  say("cores", "{} cores");
  say("kernel", "Linux {}");
  say("gpu", "{}");
  say("wattle", "Wattle {}");
  return parts.empty() ? std::string("The machine is not known.") : "Machine: " + join(parts, ", ") + ".";
}

// "accuracy of lenet, mlp (test split, tolerance 0.01)": workloads that are judged alike stand together.
std::string performance(std::span<const WorkloadRuns> workloads) {
  std::map<std::pair<std::string, std::string>, std::set<std::string>> alike;
  for (const WorkloadRuns& workload : workloads) {
    alike[{workload.metric.name,
           fmt::format("({} split, tolerance {})", workload.metric_split.empty() ? "no" : workload.metric_split,
                       shortest(workload.metric.tolerance))}]
        .insert(workload.name);
  }
  std::vector<std::string> metrics;
  for (const auto& [how, names] : alike) {
    metrics.push_back(fmt::format("{} of {} {}", how.first, listed(names), how.second));
  }
  return join(metrics, "; ");
}

bool any_mutant(const WorkloadRuns& workload) {
  return std::any_of(workload.configurations.begin(), workload.configurations.end(),
                     [](const Configured& configured) { return !configured.configuration->original(); });
}

std::string statistics(std::span<const WorkloadRuns> workloads, const Asked& asked) {
  std::string text;
  if (std::any_of(workloads.begin(), workloads.end(), any_mutant)) {
    text += fmt::format(
        " Mutants are compared with their original within blocks: exact Wilcoxon signed-rank tests of log ratios "
        "(energy, time) and differences (performance: {}), Hodges-Lehmann estimates with the intervals that belong to "
        "them, and Holm's correction across mutants at alpha = {}; a mutant is greener where less energy and no loss "
        "of performance beyond the tolerance are both shown (intersection-union), and screened until fresh runs "
        "confirm it.",
        performance(workloads), shortest(asked.alpha));
  }
  if (workloads.size() > 1) {
    text += fmt::format(
        " Workloads are compared within an environment by medians: Kruskal-Wallis tests with eta-squared, Dunn's test "
        "with Holm's correction at alpha = {}, Cliff's delta with its interval{}.",
        shortest(asked.alpha), text.empty() ? fmt::format("; performance is {}", performance(workloads)) : "");
  }
  return text;
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
      design(records) + " " + measurement(records, basis) + " " + machine(records) + statistics(workloads, asked);
  int left_out = 0;
  for (const WorkloadRuns& workload : workloads) left_out += workload.left_out;
  if (left_out > 0)
    answer.sentence += fmt::format(" Outlier rules, declared with the study, leave {} runs out.", left_out);
  return answer;
}

}  // namespace wattle::analysis
