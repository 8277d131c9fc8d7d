// The questions asked of a fixed study's records, and their answers as values. Reports only lay these out.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "record/record.h"

namespace wattle::analysis {

// What the energy numbers rest on. Findings about energy are made of measured ones only, here or by whoever they were
// imported from.
enum class Basis { measured, imported, estimated, simulated, absent };
[[nodiscard]] constexpr bool testable(Basis basis) { return basis == Basis::measured || basis == Basis::imported; }
[[nodiscard]] std::string_view to_string(Basis basis);

enum class Verdict { win, tie, loss, undecided };
[[nodiscard]] std::string_view to_string(Verdict verdict);

// One measure of one mutant against the original, over the block pairs where both have it.
// energy and time: ratio mutant / original (win = below 1). metric: difference mutant − original in the metric's own
// unit, with the sign turned so that more is better (win = above 0).
struct Comparison {
  int pairs = 0;
  std::optional<double> estimate;  // Hodges-Lehmann (of log ratios, shown as a ratio)
  std::optional<double> low;       // 95 % interval from the signed-rank distribution; absent where n cannot give it
  std::optional<double> high;
  double interval_level = 0.0;             // the level it really has
  std::optional<double> p_two_sided;       // exact Wilcoxon signed-rank
  std::optional<double> p_two_sided_holm;  // across the mutants
  double p_floor = 1.0;                    // the smallest p that this n can give
  std::optional<double> cliffs_delta;  // of the pairs' values, mutant against original; of the metric, more is better
  std::optional<double> spread;        // standard deviation of the pairs' differences (log ratios for energy and time)
  Verdict verdict = Verdict::undecided;
};

enum class Greener {
  screened,    // energy superior and metric non-inferior after Holm; fresh runs have not confirmed it
  no,          // performance loss (whatever energy rests on) or, where it is measured, energy loss
  undecided,   // neither shown
  untestable,  // energy is not measured here, and no performance loss is shown
};
[[nodiscard]] std::string_view to_string(Greener greener);

// What a verdict rests on (alpha = Findings::alpha):
//   win, loss   two-sided exact signed-rank p, Holm-adjusted across the family's mutants, below alpha; by its
//   direction tie         of the metric only: two one-sided tests at ± tolerance, each at alpha, tried first. Energy
//   and time have
//               no declared margin, so they have no tie
//   undecided   neither
// A pair whose mutant failed, diverged, or ended with a metric that is not a finite number is a performance loss: it
// enters the metric's tests as minus infinity (the worst rank), and where more than half the pairs are such, the
// metric's verdict is loss. Its energy and time are not used. Blocks whose original failed form no pairs. Energies are
// compared only among runs of one provenance: where measured and estimated runs stand in one workload, the less
// frequent kind is left out and the basis is estimated.
struct MutantFinding {
  std::string configuration;  // id
  std::string label;
  std::string workload;
  std::string environment;
  std::string family;  // what shares its original: the workload, with environment and company where there are several
  std::string parameter;
  std::string original_value;
  std::string mutant_value;
  Comparison energy;
  Comparison time;
  Comparison metric;
  int failed_pairs = 0;                 // mutant failed or diverged: each a performance loss
  std::optional<double> p_noninferior;  // one-sided signed-rank at the tolerance
  std::optional<double> p_less_energy;  // one-sided
  std::optional<double> p_less_time;    // one-sided
  std::optional<double> p_greener;      // intersection-union: the larger of less energy and non-inferior
  std::optional<double> p_greener_holm;
  std::optional<double> p_faster;  // the larger of less time and non-inferior
  std::optional<double> p_faster_holm;
  Greener greener = Greener::undecided;
  bool faster_at_no_loss = false;  // p_faster_holm below alpha: what may be said where energy is estimated
};

// "lr 0.1" of "lr 0.1 @fast" where the family, "lenet @fast", says the environment already.
[[nodiscard]] std::string label_in_family(const MutantFinding& mutant);

enum class Bin { strong_negative, weak_negative, none, weak_positive, strong_positive };
[[nodiscard]] std::string_view to_string(Bin bin);

struct Correlation {  // over the original's and this parameter's mutants' runs in one family
  std::string workload;
  std::string environment;
  std::string family;
  std::string parameter;
  std::string measure;  // "energy", "time", the metric's name, or a gauge of telemetry
  int n = 0;
  std::optional<double> rho;
  std::optional<double> low;  // 95 %
  std::optional<double> high;
  std::optional<double> p_value;
  std::optional<Bin> bin;  // |rho| at 0.05: not significant = none; strong from 0.6
  std::string why_absent;
};

struct ConfigurationSummary {
  std::string id;
  std::string label;
  std::string workload;
  std::string environment;
  std::string family;
  bool original = false;
  int runs = 0;
  int failed = 0;
  std::vector<double> energy_j;  // per successful run that has it, block order
  std::vector<double> time_s;
  std::vector<double> metric;
  std::optional<double> median_energy_j;
  std::optional<double> median_time_s;
  std::optional<double> median_metric;
};

// Wang et al.'s own counting, significance-based: win/loss where two-sided p < 0.05 (not corrected) and |Cliff's delta|
// >= 0.147 (direction: delta's), else tie. All mutants with at least one pair are counted. Rows energy win, tie, loss;
// columns metric win, tie, loss.
struct WangGrid {
  int cells[3][3] = {};
  int unattainable = 0;  // mutants with fewer than 6 pairs, which cannot reach significance
};

struct Findings {
  std::string study;
  std::string metric;
  std::string metric_split;  // "test", or "validation" where no test value was reported
  double tolerance = 0.0;
  double alpha = 0.05;
  Basis basis = Basis::absent;
  int blocks = 0;
  int runs = 0;
  int failed = 0;
  int left_out = 0;                    // by declared outlier rules
  std::string headline_without_rules;  // where rules leave runs out
  double wasted_j = 0.0;               // of interrupted attempts: the campaign's own footprint
  double spent_j = 0.0;                // of all attempts
  std::vector<ConfigurationSummary> configurations;
  std::vector<MutantFinding> mutants;
  std::vector<Correlation> correlations;
  // [energy verdict][metric verdict], in the order win, tie, loss, undecided.
  int grid[4][4] = {};
  WangGrid wang;
  std::string headline;               // the answer in one sentence
  std::vector<std::string> warnings;  // what limits it: estimates, n too small, failures, other builds
};

// Pure. Records of one study, any order (it changes nothing), interrupted attempts included; pairs by
// RunRequest::pair_key. Only runs of purpose score are judged, each by its last finished attempt. Families
// (of one workload, in one environment, alone or beside the same others) are analysed apart, in order of their names;
// `metric` and `tolerance` are those of the first. `telemetry`: gauges whose
// means are correlated with the parameters too.
// Outlier rules are applied as they were declared; `headline_without_rules` and the question "outliers" say what is
// different without them.
[[nodiscard]] Findings analyse(std::span<const record::Record> records, std::span<const std::string> telemetry = {});

}  // namespace wattle::analysis
