// When a mutant is decided while its study still runs. Pure, over what its pairs told so far; looking after every block
// costs no validity. docs/statistics.md has the argument and what simulation says of it.
//
// One original has m mutants. With alpha split over the three things that can be said of one, each kept family-wise:
//   greener  (alpha / 2) when E_less, E_noninferior and E_lasting all reach 2 r / alpha, r = m less those greener
//   already
//            (Holm): it costs less, its metric is worse by the tolerance at most, it fails in at most half of its
//            pairs;
//   lossy    (2 alpha / 5) when E_more, E_worse or E_failing reaches 7.5 r / alpha, r = m less those lossy already: it
//   costs
//            more, or its metric is worse by more than the tolerance, or it fails in more than half of its pairs;
//   same     (alpha / 10) when the confidence sequence of the cost ratio at level 1 - alpha / (10 m) lies within 1 ±
//   margin.
//            Of the cost alone.
// Every E is an e-value of stats/sequential.h, which under its hypothesis ever reaches c with probability 1/c at most.
// Before the first false "greener" all who are greener are so rightly, hence r is at least the number of those who are
// not, and the chance of any false one is alpha / 2 at most; likewise the others. So the chance that anything false is
// ever said of any mutant of the original is alpha at most, whatever the mutants share.
//
// A failed run never leaves the decision: it has neither cost nor metric to compare, but counts in E_failing and
// E_lasting. So the only mutant cannot be greener before 6 pairs, the first of 15 not before 10; a failure puts that
// off.
#pragma once

#include <optional>
#include <span>
#include <string_view>
#include <vector>

namespace wattle::tune {

struct Rules {
  int mutants = 1;       // m: compared with one original
  double alpha = 0.05;   // of any false statement about any of them
  double margin = 0.02;  // "same": the ratio is within 1 ± margin; below 1
  // The metric's tolerance, in its own unit; 0 or less: there is no metric to judge, and nothing can be greener.
  double tolerance = 0.0;
  bool until_decided = true;
  std::optional<double> precision;  // half-width of the ratio's interval that is enough where until_decided is not set
};

// What the pairs of one mutant told: mutant against original within one block. A pair whose original failed is none.
struct Evidence {
  std::vector<double> log_ratios;   // of cost, where both have it
  std::vector<double> differences;  // of the metric, more is better, where both have it
  int pairs = 0;                    // with those that failed
  int failed = 0;                   // the mutant failed, diverged, or its metric is not a finite number
};

enum class Decision {
  undecided,
  greener,
  lossy,
  same,
  known,  // the ratio, to the precision asked for
};
[[nodiscard]] std::string_view to_string(Decision decision);

// As of one look. e-values are kept below 1e300, so that they stay numbers.
struct Judgement {
  Decision decision = Decision::undecided;
  double less = 1.0;  // e-values: cost is less, more
  double more = 1.0;
  double noninferior = 1.0;  // metric is better than -tolerance, worse than it
  double worse = 1.0;
  double lasting = 1.0;  // fails in less than half of the pairs, in more than half
  double failing = 1.0;
  double greener_bar = 0.0;  // what the e-values had to reach
  double lossy_bar = 0.0;
  std::optional<double> low;  // confidence sequence of the cost ratio, see above; absent while it is unbounded
  std::optional<double> high;
};

// One look at all mutants of one original: `evidence` and `judgements` in the same order, as many of each as
// rules.mutants. What is decided already stays as it is. Where until_decided is not set, the interval has level
// 1 - alpha / (2 m), and all that is decided is `known` and, when E_failing reaches 2 m / alpha, `lossy`.
void judge(std::span<const Evidence> evidence, const Rules& rules, std::span<Judgement> judgements);

}  // namespace wattle::tune
