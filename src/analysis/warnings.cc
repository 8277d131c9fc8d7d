#include "analysis/warnings.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <set>

#include "base/text.h"
#include "stats/sample_size.h"
#include "stats/signed_rank.h"

namespace wattle::analysis {
namespace {

constexpr double kFullCoverage = 0.95;

using Sentences = std::vector<std::string>;

void about_basis(const Findings& findings, std::span<const WorkloadRuns> workloads, Sentences& out) {
  if (findings.basis == Basis::simulated) out.push_back("energy here is simulated: it is no finding about any machine");
  if (findings.basis == Basis::imported) out.push_back("energy here is imported: others measured it");
  if (findings.basis == Basis::estimated) {
    out.push_back(
        "energy here is estimated from time and CPU use: compare times, and confirm on a machine with a counter");
  }
  if (findings.basis == Basis::absent && findings.runs > 0)
    out.push_back("no energy was read: only times are compared");
  for (const WorkloadRuns& workload : workloads) {
    if (!workload.provenance_mixed) continue;
    out.push_back(
        fmt::format("{}: energy is measured in some runs and estimated in others; the less frequent kind is left out",
                    workload.name));
  }
}

// A test that is made once after looking many times promises nothing.
void about_repetitions(std::span<const WorkloadRuns> workloads, Sentences& out) {
  for (const WorkloadRuns& workload : workloads) {
    const bool adaptive = std::any_of(workload.runs.begin(), workload.runs.end(), [](const auto& run) {
      return run.second.record->request.protocol.repetitions.adaptive();
    });
    if (!adaptive) continue;
    out.push_back(
        "repetitions were adaptive: p-values and intervals here do not allow for that; the decisions that ended the "
        "blocks do (docs/statistics.md)");
    return;
  }
}

// Domains whose joules make up the findings' energy, and those left out of it.
void about_domains(std::span<const WorkloadRuns> workloads, Sentences& out) {
  std::set<std::string> sets;
  std::set<std::string> only_estimated;
  for (const WorkloadRuns& workload : workloads) {
    if (!testable(workload.basis)) continue;
    for (const auto& [key, run] : workload.runs) {
      if (!run.energy_j) continue;
      std::vector<std::string> measured;
      for (const auto& domain : run.record->domains) {
        if (energy::measured(domain.provenance)) {
          measured.push_back(domain.name);
        } else {
          only_estimated.insert(domain.name);
        }
      }
      std::sort(measured.begin(), measured.end());
      sets.insert(join(measured, ", "));
    }
  }
  if (sets.size() > 1) {
    out.push_back(fmt::format("runs differ in the domains that were measured: {}", fmt::join(sets, " | ")));
  }
  if (!only_estimated.empty() && !sets.empty()) {
    out.push_back(fmt::format("energy is that of {} alone; {} was only estimated and is left out", *sets.begin(),
                              fmt::join(only_estimated, ", ")));
  }
}

void about_sample_size(const Findings& findings, const WorkloadRuns& workload, Sentences& out) {
  int mutants = 0;
  int pairs = 0;
  for (const MutantFinding& mutant : findings.mutants) {
    if (mutant.family != workload.name) continue;
    ++mutants;
    pairs = std::max({pairs, mutant.metric.pairs, mutant.time.pairs});
  }
  if (mutants == 0) return;
  const double one_sided = std::min(1.0, mutants * stats::smallest_p(pairs, stats::Alternative::greater));
  const double two_sided = std::min(1.0, mutants * stats::smallest_p(pairs, stats::Alternative::two_sided));
  if (two_sided < findings.alpha) return;
  const int for_greener = stats::pairs_for_any_significance(findings.alpha / mutants).value_or(0);
  const int for_verdict = stats::pairs_for_any_significance(findings.alpha / (2.0 * mutants)).value_or(0);
  out.push_back(
      fmt::format("{}: {} pairs and {} mutants give, after Holm, no p below {:.3g} for a win or a loss and {:.3g} for "
                  "greener (alpha {}); a win or a loss needs {} blocks, greener {}",
                  workload.name, pairs, mutants, two_sided, one_sided, findings.alpha, for_verdict, for_greener));
}

void about_failures(const Findings& findings, const WorkloadRuns& workload, Sentences& out) {
  for (const Configured& configured : workload.configurations) {
    if (!configured.configuration->original()) continue;
    const auto unusable = std::count_if(configured.runs.begin(), configured.runs.end(),
                                        [](const Run* run) { return !run->succeeded && run->left_out.empty(); });
    if (unusable == 0) continue;
    out.push_back(fmt::format("{}: the original did not succeed in {} of {} blocks; these form no pairs", workload.name,
                              unusable, configured.runs.size()));
  }
  for (const MutantFinding& mutant : findings.mutants) {
    if (mutant.family != workload.name || mutant.failed_pairs == 0) continue;
    out.push_back(
        fmt::format("{}: {} failed or diverged in {} paired blocks; each counts as the worst loss of {} and gives no "
                    "energy or time",
                    workload.name, mutant.label, mutant.failed_pairs, workload.metric.name));
  }
}

void about_completeness(const WorkloadRuns& workload, Sentences& out) {
  const bool adaptive = std::any_of(workload.runs.begin(), workload.runs.end(), [](const auto& run) {
    return run.second.record->request.protocol.repetitions.adaptive();
  });
  const auto planned = workload.configurations.size() * static_cast<std::size_t>(workload.blocks);
  if (workload.runs.size() < planned && !adaptive) {  // where what is decided ends early
    out.push_back(fmt::format("{}: {} of {} runs are missing, so blocks are incomplete and give fewer pairs",
                              workload.name, planned - workload.runs.size(), planned));
  }
  int without_metric = 0;
  int censored = 0;
  int stopped = 0;
  int thin = 0;
  for (const auto& [key, run] : workload.runs) {
    const record::Record& record = *run.record;
    without_metric += run.succeeded && !record::performance(record) ? 1 : 0;
    censored += record.end == record::EndState::censored ? 1 : 0;
    stopped += record.end == record::EndState::stopped ? 1 : 0;
    const record::Total& total = record.measured.energy ? record.measured : record.estimated;
    thin += run.energy_j && total.coverage < kFullCoverage ? 1 : 0;
  }
  const auto say = [&](int count, std::string_view what) {
    if (count > 0) out.push_back(fmt::format("{}: {} of {} runs {}", workload.name, count, workload.runs.size(), what));
  };
  say(without_metric, fmt::format("never told {} and are left out of its comparisons", workload.metric.name));
  say(censored, "were ended by a limit: their energy and time are lower bounds");
  say(stopped, "were stopped by a prediction and are left out");
  say(thin, fmt::format("have energy for less than {:.0f} % of their time", 100.0 * kFullCoverage));
}

void about_metric(const WorkloadRuns& workload, Sentences& out) {
  if (workload.metric_split == "validation") {
    out.push_back(fmt::format("{}: {} is of the validation split, for no test value was reported", workload.name,
                              workload.metric.name));
  }
  if (workload.split_left_out > 0) {
    out.push_back(
        fmt::format("{}: {} runs told {} of another split than the {} one and are left out of its comparisons",
                    workload.name, workload.split_left_out, workload.metric.name, workload.metric_split));
  }
  if (workload.metric_changed) {
    out.push_back(fmt::format(
        "{}: the study's metric, goal or tolerance changed between runs; that of the latest run, {} within {}, "
        "is used",
        workload.name, workload.metric.name, shortest(workload.metric.tolerance)));
  }
}

void about_flags(std::span<const WorkloadRuns> workloads, Sentences& out) {
  std::map<std::string, int> counts;
  int flagged = 0;
  for (const WorkloadRuns& workload : workloads) {
    for (const auto& [key, run] : workload.runs) {
      flagged += run.record->flags.empty() ? 0 : 1;
      for (const std::string& flag : run.record->flags) ++counts[flag];
    }
  }
  if (flagged == 0) return;
  Sentences parts;
  for (const auto& [flag, count] : counts) parts.push_back(fmt::format("{} ({})", flag, count));
  out.push_back(fmt::format("{} runs are flagged, and kept: {}", flagged, fmt::join(parts, ", ")));
}

void about_fingerprints(std::span<const WorkloadRuns> workloads, Sentences& out) {
  std::map<std::string, std::set<std::string>> values;
  std::map<std::string, std::size_t> told;
  std::size_t runs = 0;
  for (const WorkloadRuns& workload : workloads) {
    for (const auto& [key, run] : workload.runs) {
      ++runs;
      for (const auto& [name, value] : run.record->fingerprint) {
        values[name].insert(value);
        ++told[name];
      }
    }
  }
  Sentences differing;
  for (const auto& [name, seen] : values) {
    if (seen.size() > 1 || told[name] < runs) differing.push_back(name);
  }
  if (differing.empty()) return;
  out.push_back(
      fmt::format("runs come from different machines or builds, which differ in: {}", fmt::join(differing, ", ")));
}

}  // namespace

std::vector<std::string> warnings(const Findings& findings, std::span<const WorkloadRuns> workloads) {
  Sentences out;
  about_basis(findings, workloads, out);
  about_repetitions(workloads, out);
  about_domains(workloads, out);
  for (const WorkloadRuns& workload : workloads) about_sample_size(findings, workload, out);
  for (const WorkloadRuns& workload : workloads) about_failures(findings, workload, out);
  for (const WorkloadRuns& workload : workloads) about_completeness(workload, out);
  for (const WorkloadRuns& workload : workloads) about_metric(workload, out);
  about_flags(workloads, out);
  about_fingerprints(workloads, out);
  return out;
}

}  // namespace wattle::analysis
