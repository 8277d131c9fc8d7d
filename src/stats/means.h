// Means of one sample, of pairs, and of two samples, by Student's t; non-inferiority and equivalence of means. Pure.
// All values must be finite.
#pragma once

#include <optional>
#include <span>

#include "base/result.h"
#include "stats/alternative.h"
#include "stats/interval.h"

namespace wattle::stats {

struct TTestOptions {
  double hypothesis = 0.0;  // the mean, or difference of means, that is tested
  Alternative alternative = Alternative::two_sided;
  double level = 0.95;  // of the interval, two-sided whatever the alternative
};

struct TTest {
  double t = 0.0;
  double degrees = 0.0;
  double p_value = 1.0;
  double estimate = 0.0;  // mean, or mean of x less mean of y
  double standard_error = 0.0;
  Interval interval;  // of the estimate; exact for normal values
  // Estimate in standard deviations: by that of the differences (one sample), or by the root of the mean of both
  // variances (two): Cohen, "Statistical Power Analysis for the Behavioral Sciences", 2nd ed., 1988, 2.3.
  double standardised = 0.0;
};

// Student, "The probable error of a mean", Biometrika 6, 1908. Of pairs: give their differences. Fails (bad_input) for
// fewer than 2 values, values that are not finite or all equal, or a level outside (0, 1).
[[nodiscard]] Result<TTest> one_sample_t(std::span<const double> values, const TTestOptions& options = {});

// Two independent samples whose spreads may differ: Welch, "The generalization of Student's problem when several
// different population variances are involved", Biometrika 34, 1947; degrees of freedom by Satterthwaite. Fails as
// above; one of the two may be of equal values.
[[nodiscard]] Result<TTest> welch_t(std::span<const double> x, std::span<const double> y,
                                    const TTestOptions& options = {});

// "No worse than the margin": the one-sided test of a mean (or difference) of -margin; more is better. margin >= 0.
[[nodiscard]] Result<TTest> mean_non_inferiority(std::span<const double> differences, double margin);
[[nodiscard]] Result<TTest> mean_non_inferiority(std::span<const double> x, std::span<const double> y, double margin);

// "The same within the margin": two one-sided tests (Schuirmann, J. Pharmacokinetics and Biopharmaceutics 15, 1987); p
// is the larger. At 5 % that is to say that the 90 % interval, which both tests bring, lies within the margin.
struct MeanEquivalence {
  TTest above_lower;
  TTest below_upper;
  double p_value = 1.0;
};
[[nodiscard]] Result<MeanEquivalence> mean_equivalence(std::span<const double> differences, double margin);
[[nodiscard]] Result<MeanEquivalence> mean_equivalence(std::span<const double> x, std::span<const double> y,
                                                       double margin);

}  // namespace wattle::stats
