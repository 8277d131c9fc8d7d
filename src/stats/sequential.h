// Evidence that may be looked at after every value: an e-value for the mean of normal values of unknown spread, and the
// confidence sequence that belongs to it. Pure.
//
// The e-value is the Bayes factor of the t test of Gönen, Johnson, Lu & Westfall ("The Bayesian two-sample t test",
// The American Statistician 59, 2005), here for one sample: under the hypothesis the mean is `null_mean`, under the
// alternative the effect delta = (mean - null_mean) / sd is drawn from N(0, g), and sd has the right-Haar prior 1/sd in
// both. With d the sample's mean less null_mean, SS the sum of squares about its mean, u = n d^2 / (SS + n d^2) and
// b = n g / (1 + n g):
//
//   two_sided:  E = (1 + n g)^(-1/2) (1 - b u)^(-n/2)
//   greater:    E+ = 2 E T_n(+c),  c = sign(d) n sqrt(g / (1 + n g)) sqrt(u / (1 - b u))
//   less:       E- = 2 E T_n(-c),  so that E = (E+ + E-) / 2
//
// T_n is Student's distribution function with n degrees of freedom. E+ has the half-normal prior on delta > 0: under
// the whole normal prior (SS + n d^2)(1 - b u) / sd^2 is chi-squared with n degrees of freedom a posteriori, so that
// T_n(c) is the posterior probability of delta > 0.
//
// Why one may look after every value: with the right-Haar prior E depends on the values only through their ratios,
// whose distribution under the hypothesis knows no sd, so E is a test martingale from 1 (Hendriksen, de Heide &
// Grünwald, "Optional stopping with Bayes factors", Bayesian Analysis 16, 2021; Grünwald, de Heide & Koolen, "Safe
// testing", JRSS B 86, 2024). By Ville's inequality it ever reaches 1/alpha with probability alpha at most. `greater`
// rejects every mean at or below null_mean: adding a constant to all values raises t at every n, and E+ grows with t.
//
// It is exact for independent normal values. What others do to it is measured in docs/statistics.md.
#pragma once

#include <span>

#include "base/result.h"
#include "stats/signed_rank.h"

namespace wattle::stats {

// Variance g of the prior on delta. 1 puts the weight where a study can decide something: within 30 values an effect
// below 0.5 sd is out of reach of any test at 1/1000, and one above 2 sd is found with every prior. 10 % at a spread of
// 10 % is an effect of 1. The price of a wrong g is small: log E changes by half the logarithm of it.
inline constexpr double kEffectVariance = 1.0;

struct SequentialOptions {
  double null_mean = 0.0;
  Alternative alternative = Alternative::two_sided;  // greater: the mean lies above null_mean
  double effect_variance = kEffectVariance;
};

// Natural logarithm of the e-value, for E itself leaves the range of a double; good for n of 10,000 and any t. Fewer
// than 2 values: 0 (E = 1). All values equal: the limit for SS -> 0, where the evidence is as strong as n allows, (1 +
// n g) to the power (n - 1)/2 if two-sided; all equal to null_mean: d = 0, no evidence. Fails (bad_input) for a value
// or null_mean that is not finite, and for g that is not finite and above 0.
[[nodiscard]] Result<double> log_e_value(std::span<const double> values, const SequentialOptions& options = {});

// All null_mean whose two-sided e-value is below 1 / (1 - level): covers the mean at all n at once with probability
// `level` at least. Symmetric about the sample's mean, half-width s / sqrt(n) * t*, where with
// R = (sqrt(1 + n g) / (1 - level))^(2/n): t*^2 = (n - 1)(R - 1) / (1 - R / (1 + n g)). Infinite for n < 2 and while
// R >= 1 + n g: too few values to exclude anything. All values equal: of width 0 once it is finite.
struct ConfidenceSequence {
  double low = 0.0;
  double high = 0.0;
};
// Fails (bad_input) as log_e_value, and for a level outside (0, 1).
[[nodiscard]] Result<ConfidenceSequence> confidence_sequence(std::span<const double> values, double level,
                                                             double effect_variance = kEffectVariance);

// Evidence that something happens in more than half of the cases, after each of which one may look: logarithm of the
// Bayes factor of `hits` in `trials` against p = 1/2 with p drawn half from the point 1 and half uniformly from (1/2,
// 1): E = 2^n ([hits = n] / 2 + I_1/2(n - hits + 1, hits + 1) B(hits + 1, n - hits + 1)). A test martingale at p = 1/2,
// and it grows with hits, so it rejects every p <= 1/2. For "in less than half" count the misses. Fails (bad_input)
// unless 0 <= hits <= trials <= 1,000.
[[nodiscard]] Result<double> log_e_majority(int hits, int trials);

}  // namespace wattle::stats
