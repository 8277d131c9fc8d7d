#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <random>
#include <vector>

#include "stats/correlation.h"
#include "stats/descriptive.h"
#include "stats/effect_size.h"
#include "stats/hodges_lehmann.h"
#include "stats/multiplicity.h"
#include "stats/rank.h"
#include "stats/sample_size.h"
#include "stats/signed_rank.h"

namespace wattle::stats {
namespace {

using Sample = std::vector<double>;
constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();
constexpr double kInfinity = std::numeric_limits<double>::infinity();
constexpr double kHuge = std::numeric_limits<double>::max();

TEST(Descriptive, what_cannot_be_told_is_absent) {
  EXPECT_FALSE(mean(Sample{}));
  EXPECT_FALSE(mean(Sample{1.0, kNaN}));
  EXPECT_FALSE(mean(Sample{1.0, kInfinity}));
  EXPECT_FALSE(standard_deviation(Sample{1.0}));
  EXPECT_FALSE(standard_deviation(Sample{kHuge, -kHuge}));
  EXPECT_FALSE(median(Sample{}));
  EXPECT_FALSE(median(Sample{kNaN, 1.0, 2.0}));
  EXPECT_FALSE(median(Sample{-kInfinity, kInfinity}));
  EXPECT_FALSE(quantile(Sample{1.0, 2.0}, 1.5));
  EXPECT_FALSE(quantile(Sample{1.0, 2.0}, kNaN));
}

TEST(Descriptive, small_differences_of_large_joules_survive) {
  const Sample joules = {1e12 + 1.0, 1e12 + 2.0, 1e12 + 3.0};
  EXPECT_EQ(mean(joules), 1e12 + 2.0);
  EXPECT_EQ(standard_deviation(joules), 1.0);
  EXPECT_EQ(median(Sample{3.0, 1.0, 2.0, 10.0}), 2.5);
  EXPECT_EQ(median(Sample{-kInfinity, -5.0}), -kInfinity);
}

TEST(SignedRank, a_worked_example_comes_out_as_in_the_book) {
  // Darwin's maize heights in eighths of an inch, as in Fisher's "Design of Experiments", §17: W- = 24, exact p = .041.
  const Sample differences = {49, -67, 8, 16, 6, 23, 28, 41, 14, 29, 56, 24, 75, 60, -48};
  const auto test = signed_rank(differences);
  ASSERT_TRUE(test);
  EXPECT_EQ(test->n, 15);
  EXPECT_EQ(test->w_minus, 24.0);
  EXPECT_EQ(test->w_plus, 96.0);
  EXPECT_NEAR(test->p_value, 0.04126, 5e-6);
}

TEST(SignedRank, five_pairs_cannot_go_below_one_in_sixteen) {
  EXPECT_EQ(signed_rank(Sample{1, 2, 3, 4, 5})->p_value, 0.0625);
  EXPECT_EQ(smallest_p(5, Alternative::two_sided), 0.0625);
  EXPECT_EQ(smallest_p(5, Alternative::greater), 0.03125);
  EXPECT_EQ(smallest_p(0, Alternative::two_sided), 1.0);
  EXPECT_EQ(smallest_p(1, Alternative::two_sided), 1.0);
}

TEST(SignedRank, zeros_are_dropped_and_alone_say_nothing) {
  const auto with_zeros = signed_rank(Sample{0.0, 1.0, 0.0, 2.0, -3.0});
  EXPECT_EQ(with_zeros->zeros, 2);
  EXPECT_EQ(with_zeros->p_value, signed_rank(Sample{1.0, 2.0, -3.0})->p_value);
  const auto nothing = signed_rank(Sample{0.0, 0.0});
  EXPECT_EQ(nothing->n, 0);
  EXPECT_EQ(nothing->p_value, 1.0);
}

TEST(SignedRank, a_failed_run_takes_the_worst_rank) {
  const auto test = signed_rank(Sample{-kInfinity, 1e300, 1.0, 2.0});
  ASSERT_TRUE(test);
  EXPECT_EQ(test->w_minus, 4.0);
  const auto two_failed = signed_rank(Sample{-kInfinity, -kInfinity, 1.0});
  EXPECT_EQ(two_failed->w_minus, 5.0);
}

TEST(SignedRank, the_noise_of_binary_fractions_breaks_no_tie) {
  // All three are one tenth, yet differ in their last bits; so does their distance to the margin.
  const Sample differences = {0.3 - 0.2, 0.2 - 0.1, 0.1 - 0.2};
  EXPECT_NE(differences[0], differences[1]);
  EXPECT_EQ(signed_rank(differences)->w_minus, 2.5);
  EXPECT_EQ(signed_rank(differences, {0.0, Alternative::two_sided, 1e-12})->w_minus, 2.0);
  EXPECT_EQ(signed_rank(differences, {0.1, Alternative::greater, 1e-12})->zeros, 2);
}

TEST(SignedRank, one_sided_tails_mirror_each_other) {
  const Sample up = {0.5, -0.25, 2.0, 2.0, 3.0, -1.0, 4.0};
  Sample down;
  for (const double value : up) down.push_back(-value);
  EXPECT_EQ(signed_rank(up, {0.0, Alternative::greater, 0.0})->p_value,
            signed_rank(down, {0.0, Alternative::less, 0.0})->p_value);
  EXPECT_EQ(signed_rank(up)->p_value, signed_rank(down)->p_value);
}

TEST(SignedRank, exact_and_approximate_meet_at_the_limit) {
  std::mt19937_64 generator(7);
  std::normal_distribution<double> normal(0.3, 1.0);
  Sample differences;
  for (int i = 0; i < SignedRank::kExactLimit; ++i) differences.push_back(normal(generator));
  const double exact = signed_rank(differences)->p_value;
  differences.push_back(1e-9);
  const auto approximate = signed_rank(differences);
  EXPECT_FALSE(approximate->exact);
  EXPECT_NEAR(approximate->p_value, exact, 0.2 * exact + 0.01);
}

TEST(SignedRank, bad_input_is_refused_with_a_reason) {
  EXPECT_FALSE(signed_rank(Sample{}));
  EXPECT_FALSE(signed_rank(Sample{1.0, kNaN}));
  EXPECT_FALSE(signed_rank(Sample{1.0}, {kNaN, Alternative::greater, 0.0}));
  EXPECT_FALSE(signed_rank(Sample{1.0}, {0.0, Alternative::greater, -1.0}));
  EXPECT_FALSE(non_inferiority(Sample{1.0}, -0.01));
  EXPECT_FALSE(equivalence(Sample{1.0}, kNaN));
  EXPECT_EQ(signed_rank(Sample{}).error().kind, ErrorKind::bad_input);
  EXPECT_EQ(signed_rank(Sample{kHuge, -kHuge, kHuge}, {-kHuge, Alternative::two_sided, 1e-300})->zeros, 1);
}

TEST(Equivalence, takes_both_sides) {
  const Sample small = {0.001, -0.002, 0.0005, 0.0015, -0.001, 0.0007};
  EXPECT_EQ(equivalence(small, 0.01)->p_value, std::ldexp(1.0, -6));
  const Sample better = {0.02, 0.03, 0.025, 0.04, 0.05, 0.022};
  EXPECT_EQ(non_inferiority(better, 0.01)->p_value, std::ldexp(1.0, -6));
  EXPECT_EQ(equivalence(better, 0.01)->p_value, 1.0);
}

// Design's figures for 8 pairs whose differences have sd 1.4 points and whose true loss is the whole tolerance of 1.
TEST(Equivalence, a_loss_of_the_whole_tolerance_passes_rarely_though_it_is_mostly_not_significant) {
  std::mt19937_64 generator(11);
  std::normal_distribution<double> normal(-1.0, 1.4);
  constexpr int kStudies = 20000;
  int accepted = 0;
  int not_significant = 0;
  for (int study = 0; study < kStudies; ++study) {
    Sample differences(8);
    std::generate(differences.begin(), differences.end(), [&] { return normal(generator); });
    if (non_inferiority(differences, 1.0)->p_value < 0.05) ++accepted;
    if (signed_rank(differences)->p_value >= 0.05) ++not_significant;
  }
  // The exact level of 8 pairs nearest below 5 % is 10/256 = 3.9 %.
  EXPECT_NEAR(accepted / double{kStudies}, 10.0 / 256.0, 0.006);
  EXPECT_NEAR(not_significant / double{kStudies}, 0.65, 0.015);
}

TEST(HodgesLehmann, six_pairs_are_the_fewest_for_95_percent) {
  EXPECT_FALSE(hodges_lehmann(Sample{1, 2, 3, 4, 5})->interval);
  const auto six = hodges_lehmann(Sample{1, 2, 3, 4, 5, 6});
  ASSERT_TRUE(six->interval);
  EXPECT_EQ(six->interval->low, 1.0);
  EXPECT_EQ(six->interval->high, 6.0);
  EXPECT_EQ(six->interval->level, 1.0 - 2.0 / 64.0);
  EXPECT_EQ(six->estimate, 3.5);
}

TEST(HodgesLehmann, the_interval_covers_as_often_as_it_says) {
  std::mt19937_64 generator(3);
  std::normal_distribution<double> normal(2.0, 1.0);
  constexpr int kStudies = 20000;
  int covered = 0;
  double level = 0.0;
  for (int study = 0; study < kStudies; ++study) {
    Sample differences(8);
    std::generate(differences.begin(), differences.end(), [&] { return normal(generator); });
    const Interval interval = *hodges_lehmann(differences)->interval;
    level = interval.level;
    if (interval.low <= 2.0 && 2.0 <= interval.high) ++covered;
  }
  EXPECT_NEAR(covered / double{kStudies}, level, 0.006);
}

TEST(HodgesLehmann, the_interval_excludes_exactly_what_the_test_rejects) {
  const Sample differences = {0.3, 1.9, -0.4, 2.2, 0.8, 1.1, 3.0, 0.9};
  const Interval interval = *hodges_lehmann(differences)->interval;
  const double alpha = 1.0 - interval.level + 1e-12;
  EXPECT_LE(signed_rank(differences, {interval.low - 1e-9, Alternative::two_sided, 0.0})->p_value, alpha);
  EXPECT_GT(signed_rank(differences, {interval.low + 1e-9, Alternative::two_sided, 0.0})->p_value, alpha);
  EXPECT_LE(signed_rank(differences, {interval.high + 1e-9, Alternative::two_sided, 0.0})->p_value, alpha);
  EXPECT_GT(signed_rank(differences, {interval.high - 1e-9, Alternative::two_sided, 0.0})->p_value, alpha);
}

TEST(HodgesLehmann, large_samples_are_approximate_and_refused_beyond_the_limit) {
  Sample many;
  for (int i = 0; i < 51; ++i) many.push_back(i);
  const auto location = hodges_lehmann(many);
  EXPECT_EQ(location->estimate, 25.0);
  EXPECT_FALSE(location->interval->exact);
  EXPECT_NEAR(location->interval->level, 0.95, 0.002);
  EXPECT_GE(location->interval->level, 0.95);
  EXPECT_FALSE(hodges_lehmann(Sample(4001, 1.0)));
}

TEST(HodgesLehmann, infinities_and_bad_input) {
  EXPECT_EQ(hodges_lehmann(Sample{-kInfinity, -kInfinity, 1.0})->estimate, -kInfinity);
  EXPECT_EQ(hodges_lehmann(Sample{-kInfinity, 1.0, 2.0, 3.0, 4.0})->estimate, 2.0);
  EXPECT_FALSE(hodges_lehmann(Sample{-kInfinity, kInfinity}));
  EXPECT_FALSE(hodges_lehmann(Sample{kNaN}));
  EXPECT_FALSE(hodges_lehmann(Sample{}));
  EXPECT_FALSE(hodges_lehmann(Sample{1.0}, 1.0));
  EXPECT_EQ(hodges_lehmann(Sample{kHuge, kHuge})->estimate, kHuge);
}

TEST(Spearman, monotone_is_one_and_never_certain) {
  const Sample x = {1, 2, 3, 4};
  const auto four = spearman(x, Sample{10, 20, 30, 1e9});
  EXPECT_EQ(four->rho, 1.0);
  EXPECT_EQ(four->p_value, 2.0 / 24.0);
  EXPECT_FALSE(four->low);
  Sample ascending;
  Sample descending;
  for (int i = 0; i < 12; ++i) {
    ascending.push_back(i);
    descending.push_back(-i);
  }
  const auto twelve = spearman(ascending, descending);
  EXPECT_EQ(twelve->rho, -1.0);
  EXPECT_NEAR(twelve->p_value, 2.0 / 479001600.0, 1e-15);
}

TEST(Spearman, nearly_monotone_is_not_told_rarer_than_monotone) {
  const Sample x = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10};
  const Sample neighbours_swapped = {2, 1, 3, 4, 5, 6, 7, 8, 9, 10};
  const auto approximate = spearman(x, neighbours_swapped, {Alternative::two_sided, Method::normal});
  EXPECT_NEAR(approximate->p_value, 2.0 / 3628800.0, 1e-15) << "Student's t would say 9e-8";
  EXPECT_EQ(spearman(x, neighbours_swapped)->p_value, 20.0 / 3628800.0) << "itself, and 9 ways to swap neighbours";
}

TEST(Spearman, ranks_with_ties_and_infinities) {
  const auto tied = spearman(Sample{1, 1, 2, 2, 3}, Sample{-kInfinity, 1, 2, 3, kInfinity});
  ASSERT_TRUE(tied);
  EXPECT_NEAR(tied->rho, 9.0 / std::sqrt(9.0 * 10.0), 1e-12);
}

TEST(Spearman, bad_input_is_refused_with_a_reason) {
  EXPECT_FALSE(spearman(Sample{1, 2, 3}, Sample{1, 2}));
  EXPECT_FALSE(spearman(Sample{1, 2}, Sample{1, 2}));
  EXPECT_FALSE(spearman(Sample{}, Sample{}));
  EXPECT_FALSE(spearman(Sample{1, 2, kNaN}, Sample{1, 2, 3}));
  const auto constant = spearman(Sample{5, 5, 5, 5}, Sample{1, 2, 3, 4});
  ASSERT_FALSE(constant);
  EXPECT_EQ(constant.error().message, "one of the two never varies");
}

TEST(CliffsDelta, reaches_from_minus_one_to_one) {
  EXPECT_EQ(cliffs_delta(Sample{1, 2}, Sample{3, 4, 5}), -1.0);
  EXPECT_EQ(cliffs_delta(Sample{kInfinity}, Sample{1}), 1.0);
  EXPECT_EQ(cliffs_delta(Sample{1, 1}, Sample{1}), 0.0);
  EXPECT_FALSE(cliffs_delta(Sample{}, Sample{1}));
  EXPECT_FALSE(cliffs_delta(Sample{kNaN}, Sample{1}));
  EXPECT_EQ(magnitude(-0.474), Magnitude::large);
  EXPECT_EQ(magnitude(0.33), Magnitude::medium);
  EXPECT_EQ(magnitude(0.147), Magnitude::small);
  EXPECT_EQ(to_string(magnitude(0.1469)), "negligible");
}

TEST(Multiplicity, holm_is_monotone_and_refuses_what_is_no_p_value) {
  EXPECT_EQ(holm(Sample{0.01, 0.04, 0.03}).value(), (Sample{0.03, 0.06, 0.06}));
  EXPECT_TRUE(holm(Sample{}).value().empty());
  EXPECT_FALSE(holm(Sample{0.5, kNaN}));
  EXPECT_FALSE(holm(Sample{1.1}));
  EXPECT_FALSE(benjamini_hochberg(Sample{-0.1}));
}

TEST(SampleSize, the_planned_pairs_have_about_the_promised_power) {
  const int pairs = pairs_needed(1.4, 1.0, 0.05, 0.8).value();
  std::mt19937_64 generator(5);
  std::normal_distribution<double> normal(0.0, 1.4);
  constexpr int kStudies = 4000;
  int found = 0;
  for (int study = 0; study < kStudies; ++study) {
    Sample differences(static_cast<std::size_t>(pairs));
    std::generate(differences.begin(), differences.end(), [&] { return normal(generator); });
    if (non_inferiority(differences, 1.0)->p_value < 0.05) ++found;
  }
  EXPECT_NEAR(found / double{kStudies}, 0.8, 0.05) << pairs << " pairs";
}

TEST(SampleSize, is_never_below_what_the_exact_test_needs_and_absent_for_nonsense) {
  EXPECT_EQ(pairs_needed(1e-6, 1.0, 0.05), 5);
  EXPECT_EQ(pairs_for_any_significance(0.05), 5);
  EXPECT_EQ(pairs_for_any_significance(0.025), 6);
  EXPECT_EQ(pairs_for_any_significance(0.05 / 4), 7);
  EXPECT_FALSE(pairs_needed(0.0, 1.0, 0.05));
  EXPECT_FALSE(pairs_needed(kNaN, 1.0, 0.05));
  EXPECT_FALSE(pairs_needed(1e9, 1e-9, 0.05));
  EXPECT_FALSE(pairs_for_any_significance(0.0));
}

}  // namespace
}  // namespace wattle::stats
