#include <fmt/format.h>

#include "base/text.h"
#include "report/formats.h"
#include "report/wording.h"

namespace wattle::report {
namespace {

std::string energy_words(analysis::Basis basis) {
  switch (basis) {
    case analysis::Basis::measured:
      return "joules of the whole run, from load to the last validation, summed over the domains that cover the "
             "machine "
             "without overlap (wall, else psys, else packages and dram, plus GPUs). The energy of a window is the "
             "difference of a cumulative series at its two edges.";
    case analysis::Basis::imported:
      return "joules as whoever measured them told them; Wattle did not see the readings.";
    case analysis::Basis::estimated:
      return "no domain of this machine is measured. The joules come from a model of time, CPU use and memory, so a "
             "finding about energy would be one about time: energy is shown, and decides nothing.";
    case analysis::Basis::simulated:
      return "the joules come from a replayed trace. They exercise the method and are no finding.";
    case analysis::Basis::absent:
      break;
  }
  return "no energy is known of these runs; time and the metric are compared without it.";
}

}  // namespace

std::vector<Explanation> explanations(const analysis::Findings& findings) {
  const Measures all = measures(findings);
  const std::string tolerance =
      shortest(findings.tolerance * all.metric.scale) + (all.metric.unit.empty() ? "" : " " + all.metric.unit);
  return {
      {"energy" + all.energy.qualifier, energy_words(findings.basis)},
      {"pair",
       "the mutant's and the original's run of the same block: same training seed, same hour, random order. A "
       "mutant's run that failed or diverged has no energy or time to compare and the worst rank of all for "
       "performance."},
      {"change",
       "median of all means of two pair differences (Hodges & Lehmann 1963); for energy and time of the "
       "logarithms of the ratios, shown as a change in %. Its interval is the one that belongs to the signed-rank "
       "test, at the level that the number of pairs can give; it covers repetition only, no error of the meter."},
      {"p",
       fmt::format("exact signed-rank test of the pairs (Wilcoxon 1945), corrected across the mutants by Holm's method "
                   "(Holm 1979). A result counts below {}.",
                   shortest(findings.alpha))},
      {"win, tie, loss, undecided",
       fmt::format(
           "win and loss are significant differences. A tie is equivalence shown within {} of {} (two one-sided "
           "tests); energy and time declare no such margin and have none. Everything else is undecided, for \"not "
           "significant\" is no evidence of no difference.",
           tolerance, all.metric.name)},
      {"greener",
       fmt::format("less energy, and {} not worse by {} or more: both one-sided tests pass, p is the larger one "
                   "(intersection-union, Berger 1982). The best of many mutants is only screened until fresh "
                   "runs confirm it.",
                   all.metric.name, tolerance)},
      {"faster, no loss", "the same with time in place of energy."},
      {"wang-grid",
       "the counting of Wang et al. (arXiv 2603.06195): win or loss where the two-sided p, not corrected, is "
       "below 0.05 and Cliff's delta (Cliff 1993) at least 0.147, else tie."},
      {"rho",
       "Spearman's rank correlation of a hyperparameter's value with the measure over the runs of the original and "
       "of this hyperparameter's mutants; interval by Bonett & Wright (2000). Strong from 0.6, none where not "
       "significant."},
      {"small bars", "histogram of the runs' energy, from the least to the greatest of that mutant."},
  };
}

}  // namespace wattle::report
