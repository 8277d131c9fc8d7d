#include "analysis/mutants.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "analysis/comparison.h"
#include "base/text.h"
#include "stats/effect_size.h"

namespace wattle::analysis {
namespace {

constexpr double kWangAlpha = 0.05;
constexpr int kWangFewestPairs = 6;  // exact two-sided: 2 / 2^5 is above 0.05

struct Candidate {
  MutantFinding finding;
  bool mostly_failed = false;
  Compared energy;
  Compared time;
  Compared metric;
};

std::string value_text(const study::Configuration* configuration, const std::string& parameter) {
  if (configuration == nullptr) return {};
  const auto value = configuration->hyperparameters.find(parameter);
  return value == configuration->hyperparameters.end() ? std::string() : study::to_text(value->second);
}

std::optional<double> larger(std::optional<double> a, std::optional<double> b) {
  if (!a || !b) return std::nullopt;
  return std::max(*a, *b);
}

Candidate compare_mutant(const WorkloadRuns& workload, const Configured& mutant) {
  Candidate candidate;
  MutantFinding& finding = candidate.finding;
  const study::Configuration& configuration = *mutant.configuration;
  finding.configuration = configuration.id;
  finding.label = configuration.label;
  finding.workload = workload.workload;
  finding.environment = workload.environment;
  finding.family = workload.name;
  finding.parameter = join(configuration.varied, ", ");
  finding.original_value = value_text(original_of(workload, mutant), finding.parameter);
  finding.mutant_value = value_text(&configuration, finding.parameter);

  const std::vector<Pair> pairs = pairs_of(workload, mutant);
  candidate.energy = compare_ratio(pairs, Measure::energy);
  candidate.time = compare_ratio(pairs, Measure::time);
  candidate.metric = compare_metric(pairs, workload.metric);
  finding.failed_pairs =
      static_cast<int>(std::count_if(pairs.begin(), pairs.end(), [](const Pair& pair) { return pair.mutant->lost; }));
  candidate.mostly_failed = 2 * static_cast<std::size_t>(finding.failed_pairs) > pairs.size();
  finding.p_less_energy = candidate.energy.p_less;
  finding.p_less_time = candidate.time.p_less;
  finding.p_noninferior = candidate.metric.p_noninferior;
  finding.p_greener = larger(finding.p_less_energy, finding.p_noninferior);
  finding.p_faster = larger(finding.p_less_time, finding.p_noninferior);
  return candidate;
}

// Adjusts one p-value of every candidate across all of them.
template <class From, class To>
void adjust(std::vector<Candidate>& candidates, From from, To to) {
  std::vector<std::optional<double>> family;
  family.reserve(candidates.size());
  for (Candidate& candidate : candidates) family.push_back(from(candidate));
  const auto adjusted = holm_across(family);
  for (std::size_t i = 0; i < candidates.size(); ++i) to(candidates[i]) = adjusted[i];
}

void adjust_all(std::vector<Candidate>& candidates) {
  for (Compared Candidate::*measure : {&Candidate::energy, &Candidate::time, &Candidate::metric}) {
    adjust(
        candidates, [=](Candidate& c) { return (c.*measure).comparison.p_two_sided; },
        [=](Candidate & c) -> auto& { return (c.*measure).comparison.p_two_sided_holm; });
  }
  adjust(
      candidates, [](Candidate& c) { return c.finding.p_greener; },
      [](Candidate & c) -> auto& { return c.finding.p_greener_holm; });
  adjust(
      candidates, [](Candidate& c) { return c.finding.p_faster; },
      [](Candidate & c) -> auto& { return c.finding.p_faster_holm; });
}

bool below(std::optional<double> p, double alpha) { return p && *p < alpha; }

Verdict cost_verdict(const Compared& cost, double alpha) {
  if (!below(cost.comparison.p_two_sided_holm, alpha)) return Verdict::undecided;
  return cost.upwards ? Verdict::loss : Verdict::win;
}

Verdict metric_verdict(const Compared& metric, bool mostly_failed, double alpha) {
  if (mostly_failed) return Verdict::loss;
  if (below(metric.p_equivalent, alpha)) return Verdict::tie;
  if (!below(metric.comparison.p_two_sided_holm, alpha)) return Verdict::undecided;
  return metric.upwards ? Verdict::win : Verdict::loss;
}

Greener judge(const MutantFinding& finding, Basis basis, double alpha) {
  if (finding.metric.verdict == Verdict::loss) return Greener::no;
  if (!testable(basis)) return Greener::untestable;
  if (below(finding.p_greener_holm, alpha)) return Greener::screened;
  return finding.energy.verdict == Verdict::loss ? Greener::no : Greener::undecided;
}

MutantFinding concluded(Candidate candidate, Basis basis, double alpha) {
  MutantFinding finding = std::move(candidate.finding);
  candidate.energy.comparison.verdict = cost_verdict(candidate.energy, alpha);
  candidate.time.comparison.verdict = cost_verdict(candidate.time, alpha);
  candidate.metric.comparison.verdict = metric_verdict(candidate.metric, candidate.mostly_failed, alpha);
  finding.energy = candidate.energy.comparison;
  finding.time = candidate.time.comparison;
  finding.metric = candidate.metric.comparison;
  finding.greener = judge(finding, basis, alpha);
  finding.faster_at_no_loss = finding.metric.verdict != Verdict::loss && below(finding.p_faster_holm, alpha);
  return finding;
}

// Place in Wang's grid: 0 win, 1 tie, 2 loss.
int wang_place(const Comparison& comparison, bool less_is_better) {
  const double delta = comparison.cliffs_delta.value_or(0.0);
  const bool significant = below(comparison.p_two_sided, kWangAlpha) && std::abs(delta) >= stats::kSmallDelta;
  if (!significant) return 1;
  return (delta < 0.0) == less_is_better ? 0 : 2;
}

}  // namespace

std::vector<MutantFinding> find_mutants(const WorkloadRuns& workload, Basis basis, double alpha) {
  std::vector<Candidate> candidates;
  for (const Configured& configured : workload.configurations) {
    if (!configured.configuration->original()) candidates.push_back(compare_mutant(workload, configured));
  }
  adjust_all(candidates);
  std::vector<MutantFinding> findings;
  findings.reserve(candidates.size());
  for (Candidate& candidate : candidates) findings.push_back(concluded(std::move(candidate), basis, alpha));
  return findings;
}

void count_verdicts(std::span<const MutantFinding> mutants, Findings& findings) {
  for (const MutantFinding& mutant : mutants) {
    ++findings.grid[static_cast<int>(mutant.energy.verdict)][static_cast<int>(mutant.metric.verdict)];
    const int fewest = std::min(mutant.energy.pairs, mutant.metric.pairs);
    if (fewest < kWangFewestPairs) ++findings.wang.unattainable;
    if (fewest > 0) ++findings.wang.cells[wang_place(mutant.energy, true)][wang_place(mutant.metric, false)];
  }
}

}  // namespace wattle::analysis
