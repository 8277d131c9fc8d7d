// How numbers and verdicts are put into words, the same in every format: real minus signs, units beside or above every
// number, intervals in brackets, decimals that follow from the width of the interval.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "analysis/findings.h"
#include "base/units.h"
#include "report/table.h"

namespace wattle::report {

inline constexpr std::string_view kAbsent = "–";

// "−2.1", "0.0" (never "−0.0"); `sign` puts "+" before what is above zero. Values from 100,000 on are scientific;
// "not a number" and "infinite" stay visible.
[[nodiscard]] std::string number(double value, int decimals, bool sign = false);
// "1 pair", "8 pairs".
[[nodiscard]] std::string counted(int count, std::string_view one, std::string_view many);
// "0.016", "< 0.001", "–"; in running text "p = 0.016", "p < 0.001", "no p-value".
[[nodiscard]] std::string p_number(std::optional<double> p);
[[nodiscard]] std::string p_words(std::optional<double> p);
// "2026-01-31T12:34:56Z" of nanoseconds since 1970; empty for 0.
[[nodiscard]] std::string utc(Nanoseconds wall);
// Shape of a distribution: a histogram of five bins from the least to the greatest value. Empty below three values.
[[nodiscard]] std::string sparkline(std::span<const double> values);

// One measure as the columns of a report show it. energy and time are shown as the change of the ratio in %, the metric
// as a difference in percentage points (pp) where it is a share in 0…1 (accuracy, F1…), else in its own unit.
struct Measure {
  std::string name;       // "energy", "time", "accuracy"
  std::string qualifier;  // " est.", " simulated" or empty
  std::string unit;       // "%", "pp" or empty: the metric's own
  bool ratio = false;
  double scale = 100.0;  // what a difference is multiplied with to be shown
  int decimals = 0;      // the same for a whole column
  analysis::Comparison analysis::MutantFinding::*comparison = nullptr;
  std::optional<double> analysis::ConfigurationSummary::*median = nullptr;
  std::vector<double> analysis::ConfigurationSummary::*values = nullptr;

  [[nodiscard]] std::string head() const;  // "energy est., %"
  [[nodiscard]] std::optional<double> shown(
      std::optional<double> value) const;  // ratio or difference -> %, pp, own unit
};
struct Measures {
  Measure energy;
  Measure time;
  Measure metric;
};
[[nodiscard]] Measures measures(const analysis::Findings& findings);

// What a column holds of one comparison, without the unit that stands in its head.
struct Figure {
  std::string estimate;  // "−21", or "–"
  std::string interval;  // "[−27, −15]", or empty
};
[[nodiscard]] Figure figure(const Measure& measure, const analysis::Comparison& comparison);
// The same for running text: "energy est. −21 % [−27, −15]".
[[nodiscard]] std::string in_words(const Measure& measure, const analysis::Comparison& comparison);
// An absolute value of the measure: "412 J", "6.1 s", "0.953", or "–".
[[nodiscard]] std::string absolute(const Measure& measure, std::optional<double> value);

struct Ruling {
  std::string word;     // "greener", "faster, no loss", "loss", "undecided"
  std::string because;  // "screened, p = 0.016 Holm, n = 8 pairs"
  Tone tone = Tone::plain;
};
[[nodiscard]] Ruling ruling(const analysis::Findings& findings, const analysis::MutantFinding& mutant);

// What may be said of the headline: "screened", "untestable here", "undecided", "not greener", or empty where nothing
// was asked.
[[nodiscard]] std::string status(const analysis::Findings& findings);
// The mutant that the headline is about, if any: screened with the least energy or, where energy is not measured,
// faster at no loss with the least time.
[[nodiscard]] const analysis::MutantFinding* best(const analysis::Findings& findings);
// "learning_rate 0.05 → 0.021: energy … time … accuracy … (non-inferior at 1 pp, n = 8 pairs)", or empty.
[[nodiscard]] std::string best_in_words(const analysis::Findings& findings);
// "8 blocks, 40 runs, 1 failed".
[[nodiscard]] std::string extent(const analysis::Findings& findings);
// "spent 6.84 kJ est., of it 210 J wasted in interrupted attempts".
[[nodiscard]] std::string footprint(const analysis::Findings& findings);
// "change against the original … [signed-rank intervals, 94.5–96.1 %]; + is better for accuracy".
[[nodiscard]] std::string legend(const analysis::Findings& findings);

// What is compared apart, in order of appearance: workloads, or "lenet @fast" where one has several environments.
[[nodiscard]] std::vector<std::string> families(const analysis::Findings& findings);
[[nodiscard]] const analysis::ConfigurationSummary* summary(const analysis::Findings& findings, std::string_view id);
[[nodiscard]] const analysis::ConfigurationSummary* original(const analysis::Findings& findings,
                                                             std::string_view family);
// "strong negative", "none", or empty.
[[nodiscard]] std::string bin_words(const analysis::Correlation& correlation);
// "[+0.80, +0.97]", or empty.
[[nodiscard]] std::string rho_interval(const analysis::Correlation& correlation);

}  // namespace wattle::report
