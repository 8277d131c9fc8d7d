// Times of which some are only known to be longer: runs that never reached their target are right-censored, reported
// and never dropped. Pure.
#pragma once

#include <optional>
#include <span>
#include <vector>

#include "base/result.h"
#include "stats/interval.h"

namespace wattle::stats {

struct Lifetime {
  double time = 0.0;  // or joules: what was spent until the event, or until one stopped looking
  bool event = true;  // false: right-censored, the event had not come by then
};

struct SurvivalStep {
  double time = 0.0;
  int at_risk = 0;  // just before
  int events = 0;
  int censored = 0;  // at this time, taken to be later than its events
  double survival = 1.0;
  double standard_error = 0.0;  // of survival: Greenwood
  // Pointwise, on the scale of log(-log S); both absent where S is 0 or 1, which the scale does not hold.
  std::optional<double> low;
  std::optional<double> high;
};

struct SurvivalCurve {
  int n = 0;
  int events = 0;
  std::vector<SurvivalStep> steps;  // one a distinct time, events or not
  // First time at which S is at or below 1/2; midway to the next step where S is 1/2 exactly. Absent where S stays
  // above: more than half are censored.
  std::optional<double> median;
  // Of the median: the times whose pointwise interval holds 1/2. A bound is absent where the curve's band never gets
  // there.
  std::optional<double> median_low;
  std::optional<double> median_high;
  double level = 0.95;
};

// Kaplan & Meier, "Nonparametric estimation from incomplete observations", Journal of the American Statistical
// Association 53, 1958; variance by Greenwood, "The Natural Duration of Cancer", 1926; interval on the log(-log) scale:
// Kalbfleisch & Prentice, "The Statistical Analysis of Failure Time Data", 1980, 1.3; of the median by inverting it:
// Brookmeyer & Crowley, "A confidence interval for the median survival time", Biometrics 38, 1982. Fails (bad_input)
// for no lifetimes, more than 1,000,000, a time that is not a finite number of 0 or more, or a level outside (0, 1).
[[nodiscard]] Result<SurvivalCurve> kaplan_meier(std::span<const Lifetime> lifetimes, double level = 0.95);

struct RestrictedMean {
  double mean = 0.0;
  double standard_error = 0.0;
  Interval interval;  // normal
  double horizon = 0.0;
};

// Mean of min(time, horizon): the area below the curve up to the horizon, variance as in Klein & Moeschberger,
// "Survival Analysis", 2nd ed., 2003, eq. 4.5.2. Without a horizon: the largest time of the curve. Fails (bad_input)
// for a horizon that is not above 0 or beyond the largest time, unless the last of the curve is an event (after it S is
// 0).
[[nodiscard]] Result<RestrictedMean> restricted_mean(const SurvivalCurve& curve, std::optional<double> horizon = {});

enum class SurvivalWeight {
  log_rank,  // every time alike: Mantel, Cancer Chemotherapy Reports 50, 1966
  gehan,     // by the number at risk: Gehan, Biometrika 52, 1965; Breslow, Biometrika 57, 1970 (Gehan-Wilcoxon)
};

struct SurvivalTest {
  double chi_squared = 0.0;
  double degrees = 0.0;
  double p_value = 1.0;
  std::vector<double> observed;  // events of each group
  std::vector<double> expected;  // were the curves one; not weighted
};

// Do k groups share one curve? Weighted sum of observed less expected events over the times of events, with its
// hypergeometric variance; ties are counted as such (Klein & Moeschberger 2003, eq. 7.3.2 to 7.3.4). Fails (bad_input)
// for fewer than two groups, an empty one, times as above, no event, or times at which events never meet two groups at
// risk.
[[nodiscard]] Result<SurvivalTest> compare_survival(std::span<const std::span<const Lifetime>> groups,
                                                    SurvivalWeight weight);

}  // namespace wattle::stats
