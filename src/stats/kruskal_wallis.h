// Do k independent samples come from one distribution? By ranks. Pure. Infinite values are ordered like any other.
#pragma once

#include <vector>

#include "base/result.h"
#include "stats/groups.h"

namespace wattle::stats {

// Kruskal & Wallis, "Use of ranks in one-criterion variance analysis", Journal of the American Statistical Association
// 47, 1952: H with the correction for ties, its p-value by chi-squared with k - 1 degrees of freedom.
struct KruskalWallis {
  int n = 0;
  int groups = 0;
  double h = 0.0;
  double p_value = 1.0;
  // (H - k + 1)/(n - k), Tomczak & Tomczak, "The need to report effect size estimates revisited", Trends in Sport
  // Sciences 1, 2014; below 0 where H is less than its mean under the hypothesis. 0 where n = k.
  double eta_squared = 0.0;
  double epsilon_squared = 0.0;  // H (n + 1)/(n² - 1), the same source; 0…1
};
// Where all values are equal H is 0 and p is 1. Fails (bad_input): see check_groups, one value a group suffices.
[[nodiscard]] Result<KruskalWallis> kruskal_wallis(Groups groups);

// Which of them differ: Dunn, "Multiple comparisons using rank sums", Technometrics 6, 1964, eq. 3.5, z from the mean
// ranks of all samples together with the correction for ties.
struct DunnPair {
  std::size_t first = 0;  // places in `groups`
  std::size_t second = 0;
  double z = 0.0;         // positive: the first has the higher ranks
  double p_value = 1.0;   // two-sided, of this pair alone
  double adjusted = 1.0;  // by Holm over all pairs
};
// All k(k-1)/2 pairs, in order. Where all values are equal z is 0 and p is 1. Fails as kruskal_wallis, and for more
// than 1,000 groups.
[[nodiscard]] Result<std::vector<DunnPair>> dunn(Groups groups);

}  // namespace wattle::stats
