// Do two factors act together, or each by itself? A permutation test that assumes no distribution. Pure: the same seed
// gives the same p-value everywhere.
#pragma once

#include <cstdint>
#include <span>

#include "base/result.h"
#include "stats/random.h"

namespace wattle::stats {

struct InteractionOptions {
  int permutations = 9'999;
  std::uint64_t seed = kDefaultSeed;
};

struct Interaction {
  int n = 0;
  double f = 0.0;  // infinite where the cells differ and nothing varies within them
  double interaction_degrees = 0.0;
  double residual_degrees = 0.0;
  // (1 + permutations whose F is as large)/(1 + permutations): never below 1/(1 + permutations).
  double p_value = 1.0;
  // Sum of squares of the interaction by itself and the residual's, 0…1: partial eta squared (Cohen 1973).
  double partial_eta_squared = 0.0;
};

// F of the interaction in the two-way analysis of variance (the sum of squares that cell means explain beyond the two
// factors alone, so cells may differ in size or be empty), its distribution by permuting the residuals of the model
// without interaction and adding them to that model's fit: Freedman & Lane, "A nonstochastic interpretation of reported
// significance levels", Journal of Business & Economic Statistics 1, 1983; ter Braak, in Jöckel, Rothe & Sendler
// (eds.), Bootstrapping and Related Techniques, 1992; compared by Anderson & ter Braak, Journal of Statistical
// Computation and Simulation 73, 2003. Exchangeable errors of equal spread are assumed.
//
// `first` and `second` give each value's level of the factors, whole numbers from 0 without gaps. Fails (bad_input) for
// lists of different length, values that are not finite, a factor of one level or more than 100, no degrees of freedom
// for the interaction or within cells, values that the two factors alone explain wholly, or permutations outside
// 99…1,000,000.
[[nodiscard]] Result<Interaction> interaction(std::span<const double> values, std::span<const int> first,
                                              std::span<const int> second, const InteractionOptions& options = {});

}  // namespace wattle::stats
