// What a test is asked, and how its p-value is found. Shared by all tests of this module.
#pragma once

#include <algorithm>

namespace wattle::stats {

// greater: the first sample, or the differences, lie above the hypothesis.
enum class Alternative { two_sided, greater, less };

enum class Method {
  automatic,  // exact where it is quick, else the approximation; each test's header names its limit
  exact,      // fails (bad_input) where it would take too long
  normal,     // the approximation, whatever the size of the sample
};

// P(statistic at most, or at least, the one seen) under the hypothesis.
struct Tails {
  double lower = 1.0;
  double upper = 1.0;

  // Two-sided: twice the smaller tail, at most 1.
  [[nodiscard]] double p_value(Alternative alternative) const {
    if (alternative == Alternative::greater) return std::min(1.0, upper);
    if (alternative == Alternative::less) return std::min(1.0, lower);
    return std::min(1.0, 2.0 * std::min(lower, upper));
  }
};

}  // namespace wattle::stats
