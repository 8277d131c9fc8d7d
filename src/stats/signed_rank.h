// Wilcoxon's signed-rank test of paired differences (Wilcoxon, "Individual comparisons by ranking methods", Biometrics
// Bulletin 1, 1945), and the one-sided tests against a margin that are made of it. Pure.
//
// What it assumes: under the hypothesis the differences are independent and symmetric about the shift. Differences of
// exactly 0 (after the shift) are dropped, as Wilcoxon did. Up to kExactLimit remaining differences the automatic
// p-value is exact and conditional on the ties: all 2^n signs of the mid-ranks that were seen, summed by dynamic
// programming (Streitberg & Röhmel, "Exact distributions for permutation and rank tests", Statistical Software
// Newsletter 12, 1986). Above, the normal approximation with tie and continuity corrections (Hollander, Wolfe & Chicken
// 2014, eq. 3.13). Either can be asked for: exact up to kLargestExact.
//
// Infinite differences are allowed and take the largest ranks: a failed run enters as minus infinity.
#pragma once

#include <optional>
#include <span>

#include "base/result.h"
#include "stats/alternative.h"

namespace wattle::stats {

struct SignedRankOptions {
  double shift = 0.0;  // the hypothesis: differences are symmetric about this
  Alternative alternative = Alternative::two_sided;
  // Differences less the shift are rounded to whole multiples of this before ranking (0: as they are), so that the
  // noise of binary fractions (0.3 - 0.2 against 0.2 - 0.1) breaks no tie.
  double resolution = 0.0;
  Method method = Method::automatic;
  bool continuity = true;  // of the normal approximation: the sum is moved by 1/2 towards its mean
};

struct SignedRank {
  static constexpr int kExactLimit = 50;     // counts of signs stay whole numbers in a double
  static constexpr int kLargestExact = 500;  // a quarter of a second

  int n = 0;      // differences ranked
  int zeros = 0;  // dropped
  double w_plus = 0.0;
  double w_minus = 0.0;
  bool exact = true;
  double p_value = 1.0;  // 1 where nothing but zeros was given: no evidence either way
  // (W+ - mean) / deviation, corrected for ties, not for continuity; absent for n = 0.
  std::optional<double> z;
  // (W+ - W-) / (W+ + W-), -1…1: Kerby, "The simple difference formula", Comprehensive Psychology 3, 2014. Absent for
  // n = 0.
  std::optional<double> rank_biserial;
};

// Fails (bad_input) for no differences, a NaN, an infinite shift, a resolution that is not a number >= 0, or where the
// exact p-value of more than kLargestExact differences is asked for.
[[nodiscard]] Result<SignedRank> signed_rank(std::span<const double> differences,
                                             const SignedRankOptions& options = {});

// The smallest p-value that n untied differences can give: 2^-n one-sided, twice that two-sided. n < 1: 1.
[[nodiscard]] double smallest_p(int n, Alternative alternative);

// Is "no worse than the margin" shown? Differences with more meaning better, margin >= 0 in their unit; the hypothesis
// to reject is that they lie at -margin (or below).
[[nodiscard]] Result<SignedRank> non_inferiority(std::span<const double> differences, double margin,
                                                 double resolution = 0.0);

// Is "the same within the margin" shown? Two one-sided tests (Schuirmann, J. Pharmacokinetics and Biopharmaceutics 15,
// 1987): p is the larger, and neither is corrected for the other.
struct Equivalence {
  SignedRank above_lower;
  SignedRank below_upper;
  double p_value = 1.0;
};
[[nodiscard]] Result<Equivalence> equivalence(std::span<const double> differences, double margin,
                                              double resolution = 0.0);

}  // namespace wattle::stats
