#include "analysis/headline.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "base/text.h"
#include "stats/descriptive.h"
#include "stats/sample_size.h"

namespace wattle::analysis {
namespace {

const WorkloadRuns& workload_of(const MutantFinding& mutant, std::span<const WorkloadRuns> workloads) {
  return *std::find_if(workloads.begin(), workloads.end(),
                       [&](const WorkloadRuns& workload) { return workload.name == mutant.family; });
}

std::string percent(double ratio) { return significant(100.0 * std::abs(1.0 - ratio), 2); }

// "21 % less energy [15, 27]"
std::string change(const Comparison& comparison, std::string_view what) {
  if (!comparison.estimate) return fmt::format("less {}", what);
  const bool less = *comparison.estimate < 1.0;
  std::string text = fmt::format("{} % {} {}", percent(*comparison.estimate), less ? "less" : "more", what);
  if (comparison.low && comparison.high) {
    const double sign = less ? 1.0 : -1.0;
    const double one = 100.0 * sign * (1.0 - *comparison.low);
    const double other = 100.0 * sign * (1.0 - *comparison.high);
    text += fmt::format(" [{}, {}]", significant(std::min(one, other), 2), significant(std::max(one, other), 2));
  }
  return text;
}

std::string time_clause(const Comparison& time) {
  Comparison plain = time;
  plain.low.reset();
  if (time.verdict == Verdict::win) return " and in " + change(plain, "time");
  if (time.verdict == Verdict::loss) return " but in " + change(plain, "time");
  return ", time undecided";
}

const MutantFinding* best(const Findings& findings, bool of_energy) {
  const MutantFinding* chosen = nullptr;
  const auto cost = [&](const MutantFinding& mutant) {
    return (of_energy ? mutant.energy : mutant.time).estimate.value_or(1.0);
  };
  for (const MutantFinding& mutant : findings.mutants) {
    if (!(of_energy ? mutant.greener == Greener::screened : mutant.faster_at_no_loss)) continue;
    if (chosen == nullptr || cost(mutant) < cost(*chosen)) chosen = &mutant;
  }
  return chosen;
}

std::string energy_caveat(Basis basis) {
  switch (basis) {
    case Basis::estimated:
      return "whether it saves energy is untestable here, where energy is only estimated";
    case Basis::simulated:
      return "of energy nothing can be said, for it is simulated";
    case Basis::absent:
      return "of energy nothing can be said, for none was read";
    case Basis::measured:
    case Basis::imported:
      break;
  }
  return "that it saves energy is not shown";
}

std::string found(const MutantFinding& mutant, const Findings& findings, std::span<const WorkloadRuns> workloads,
                  bool of_energy) {
  const WorkloadRuns& workload = workload_of(mutant, workloads);
  const std::string where = workloads.size() > 1 ? workload.name + ": " : "";
  const std::string same = fmt::format("{}{} reaches the same {} (within {})", where, label_in_family(mutant),
                                       workload.metric.name, shortest(workload.metric.tolerance));
  const int pairs = std::min(mutant.metric.pairs, of_energy ? mutant.energy.pairs : mutant.time.pairs);
  const std::string screened = fmt::format("(screened, n = {} pairs)", pairs);
  if (of_energy) {
    return fmt::format("{} on {}{} {}.", same, change(mutant.energy, "energy"), time_clause(mutant.time), screened);
  }
  return fmt::format("{} in {} {}; {}.", same, change(mutant.time, "time"), screened, energy_caveat(findings.basis));
}

// What more blocks could decide, or nothing where their number is not what is wanting.
std::string what_would_decide(const Findings& findings, const WorkloadRuns& workload) {
  std::vector<double> spreads;
  int mutants = 0;
  int pairs = 0;
  for (const MutantFinding& mutant : findings.mutants) {
    if (mutant.family != workload.name) continue;
    ++mutants;
    pairs = std::max(pairs, mutant.metric.pairs);
    if (mutant.metric.verdict != Verdict::loss && mutant.metric.spread) spreads.push_back(*mutant.metric.spread);
  }
  if (mutants == 0) return {};
  const double strictest = findings.alpha / mutants;
  const int fewest = stats::pairs_for_any_significance(strictest).value_or(0);
  if (pairs < fewest) {
    return fmt::format("{} pairs cannot show anything among {} mutants, {} can", pairs, mutants, fewest);
  }
  const auto typical = stats::median(spreads);
  if (!typical) return {};
  const auto needed = stats::pairs_needed(*typical, workload.metric.tolerance, strictest);
  if (!needed || *needed <= pairs) return {};
  return fmt::format("at the spread seen, showing no loss of {} beyond {} takes about {} pairs", workload.metric.name,
                     shortest(workload.metric.tolerance), *needed);
}

std::string nothing_found(const Findings& findings, std::span<const WorkloadRuns> workloads) {
  const bool of_energy = testable(findings.basis);
  std::size_t lost = 0;
  int pairs = 0;
  for (const MutantFinding& mutant : findings.mutants) {
    const bool cost_lost = (of_energy ? mutant.energy : mutant.time).verdict == Verdict::loss;
    lost += cost_lost || mutant.metric.verdict == Verdict::loss ? 1U : 0U;
    pairs = std::max({pairs, mutant.metric.pairs, mutant.time.pairs});
  }
  const bool one_metric = std::all_of(workloads.begin(), workloads.end(), [&](const WorkloadRuns& workload) {
    return workload.metric.name == workloads.front().metric.name;
  });
  std::string sentence = fmt::format(
      "No mutant is shown to reach the same {} {}: of {}, {} lost and {} undecided, with {} pairs",
      one_metric ? workloads.front().metric.name : "performance", of_energy ? "on less energy" : "in less time",
      findings.mutants.size(), lost, findings.mutants.size() - lost, pairs);
  for (const WorkloadRuns& workload : workloads) {
    const std::string more = what_would_decide(findings, workload);
    if (more.empty()) continue;
    sentence += fmt::format("; {}{}", workloads.size() > 1 ? workload.name + ": " : "", more);
  }
  if (!of_energy) sentence += "; energy is untestable here";
  return sentence + ".";
}

}  // namespace

std::string headline(const Findings& findings, std::span<const WorkloadRuns> workloads) {
  if (findings.runs == 0) return "No run has finished yet, so there is nothing to say.";
  if (findings.mutants.empty()) return "Only the original has been run, so there is nothing to compare it with.";
  const bool paired = std::any_of(findings.mutants.begin(), findings.mutants.end(), [](const MutantFinding& mutant) {
    return mutant.metric.pairs > 0 || mutant.time.pairs > 0;
  });
  if (!paired) return "Nothing can be compared: no block has a successful run of the original and one of a mutant.";
  if (testable(findings.basis)) {
    if (const MutantFinding* mutant = best(findings, true)) return found(*mutant, findings, workloads, true);
  } else if (const MutantFinding* mutant = best(findings, false)) {
    return found(*mutant, findings, workloads, false);
  }
  return nothing_found(findings, workloads);
}

}  // namespace wattle::analysis
