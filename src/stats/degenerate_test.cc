// What each function says where there is nothing to say: n = 0 and 1, equal values, NaN, infinities. Never a silent
// NaN.
#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <vector>

#include "stats/anova.h"
#include "stats/bootstrap.h"
#include "stats/correlation.h"
#include "stats/descriptive.h"
#include "stats/effect_size.h"
#include "stats/interaction.h"
#include "stats/kruskal_wallis.h"
#include "stats/means.h"
#include "stats/pareto.h"
#include "stats/power.h"
#include "stats/rank_sum.h"
#include "stats/shapiro_wilk.h"
#include "stats/signed_rank.h"
#include "stats/survival.h"

namespace wattle::stats {
namespace {

using Sample = std::vector<double>;
constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();
constexpr double kInfinity = std::numeric_limits<double>::infinity();
constexpr double kHuge = std::numeric_limits<double>::max();

template <class T>
void expect_refused(const Result<T>& result, const std::string& because) {
  ASSERT_FALSE(result);
  EXPECT_EQ(result.error().kind, ErrorKind::bad_input);
  EXPECT_NE(result.error().message.find(because), std::string::npos) << result.error().message;
}

TEST(Degenerate, signed_rank) {
  EXPECT_FALSE(signed_rank(Sample{0.0, 0.0})->z) << "nothing was ranked";
  EXPECT_EQ(signed_rank(Sample{3.0})->p_value, 1.0);
  SignedRankOptions exact;
  exact.method = Method::exact;
  expect_refused(signed_rank(Sample(501, 1.0), exact), "takes too long");
  EXPECT_TRUE(signed_rank(Sample(60, 1.0), exact)->exact);
  EXPECT_EQ(signed_rank(Sample(60, 1.0), exact)->p_value, std::ldexp(1.0, -59));
}

TEST(Degenerate, rank_sum) {
  expect_refused(rank_sum(Sample{}, Sample{1.0}), "empty");
  expect_refused(rank_sum(Sample{kNaN}, Sample{1.0}), "not a number");
  expect_refused(rank_sum(Sample(101, 1.0), Sample(100, 2.0), {0.0, Alternative::two_sided, Method::exact}),
                 "too long");
  EXPECT_EQ(rank_sum(Sample{1.0}, Sample{2.0})->p_value, 1.0);
  const auto equal = rank_sum(Sample{2.0, 2.0}, Sample{2.0, 2.0, 2.0});
  EXPECT_EQ(equal->p_value, 1.0);
  EXPECT_EQ(equal->u, 3.0);
  EXPECT_FALSE(equal->z);
  EXPECT_EQ(rank_sum(Sample(200, 2.0), Sample(200, 2.0))->p_value, 1.0);
  EXPECT_EQ(rank_sum(Sample{kInfinity, 5.0}, Sample{1.0, -kInfinity})->u, 4.0) << "failed runs are the worst";
}

TEST(Degenerate, spearman_of_monotone_and_of_too_many_for_exact) {
  const Sample up = {1, 2, 3, 4};
  EXPECT_EQ(spearman(up, up, {Alternative::less})->p_value, 1.0);
  EXPECT_EQ(spearman(up, up, {Alternative::greater})->p_value, 1.0 / 24.0);
  EXPECT_EQ(spearman(up, up, {Alternative::less, Method::normal})->p_value, 1.0);
  const Sample many(13, 1.0);
  expect_refused(spearman(many, many, {Alternative::two_sided, Method::exact}), "takes too long");
  expect_refused(spearman(up, up, {Alternative::two_sided, Method::automatic, 1.0}), "level");
}

TEST(Degenerate, dominance) {
  expect_refused(dominance(Sample{}, Sample{1.0}), "empty");
  expect_refused(dominance(Sample{1.0}, Sample{1.0}, 0.0), "level");
  const auto single = dominance(Sample{1.0}, Sample{0.0, 2.0});
  EXPECT_EQ(single->delta, 0.0);
  EXPECT_FALSE(single->interval) << "one value has no spread";
  EXPECT_FALSE(vargha_delaney(Sample{}, Sample{1.0}));
  EXPECT_EQ(vargha_delaney(Sample{1.0}, Sample{1.0}), 0.5);
  const auto equal = dominance(Sample{1.0, 1.0}, Sample{1.0, 1.0});
  EXPECT_EQ(equal->delta, 0.0);
  EXPECT_EQ(equal->interval->low, 0.0);
}

TEST(Degenerate, groups) {
  const auto test = [](const std::vector<Sample>& samples, auto function) { return function(groups_of(samples)); };
  for (const auto function : {anova, welch_anova, levene, brown_forsythe}) {
    expect_refused(test({{1, 2}}, function), "2 are needed");
    expect_refused(test({{1, 2}, {}}, function), "group 2 has 0 values");
    expect_refused(test({{1, 2}, {kNaN, 1}}, function), "group 2: a value is not a number");
    expect_refused(test({{1, 2}, {kInfinity, 1}}, function), "infinite");
    EXPECT_FALSE(test({{1, 1}, {1, 1}}, function));
    EXPECT_FALSE(test({{kHuge, -kHuge}, {kHuge, 1}}, function));
  }
  expect_refused(test({{1}, {2}}, anova), "one value only");
  EXPECT_TRUE(std::isinf(test({{1, 1}, {2, 2}}, anova)->f));
  EXPECT_EQ(test({{1, 1}, {2, 2}}, anova)->p_value, 0.0);
  expect_refused(test({{1, 1}, {2, 3}}, welch_anova), "all values of group 1 are equal");
  expect_refused(test({{1, 2}}, kruskal_wallis), "2 are needed");
  const auto equal = test({{3, 3}, {3, 3, 3}}, kruskal_wallis);
  EXPECT_EQ(equal->h, 0.0);
  EXPECT_EQ(equal->p_value, 1.0);
  EXPECT_EQ(test({{3, 3}, {3, 3, 3}}, dunn)->at(0).adjusted, 1.0);
  EXPECT_EQ(test({{1}, {2}}, kruskal_wallis)->eta_squared, 0.0) << "n = k: no degrees of freedom left";
  EXPECT_TRUE(test({{1, kInfinity}, {-kInfinity, 0}}, kruskal_wallis)) << "infinite values have ranks";
}

TEST(Degenerate, t_tests) {
  expect_refused(one_sample_t(Sample{1.0}), "2 are needed");
  expect_refused(one_sample_t(Sample{1.0, 1.0}), "do not vary");
  expect_refused(welch_t(Sample{1.0, 1.0}, Sample{2.0, 2.0}), "do not vary");
  EXPECT_TRUE(welch_t(Sample{1.0, 1.0}, Sample{2.0, 3.0})) << "one of the two may be of equal values";
  expect_refused(one_sample_t(Sample{1.0, kNaN}), "finite");
  expect_refused(one_sample_t(Sample{1.0, kInfinity}), "finite");
  expect_refused(one_sample_t(Sample{1.0, 2.0}, {kNaN}), "hypothesis");
  expect_refused(one_sample_t(Sample{1.0, 2.0}, {0.0, Alternative::greater, 1.5}), "level");
  expect_refused(mean_non_inferiority(Sample{1.0, 2.0}, -1.0), "margin");
  expect_refused(mean_equivalence(Sample{1.0, 2.0}, Sample{1.0, 2.0}, kNaN), "margin");
}

TEST(Degenerate, shapiro_wilk) {
  expect_refused(shapiro_wilk(Sample{1, 2}), "3 to 5,000");
  expect_refused(shapiro_wilk(Sample(5001, 1.0)), "3 to 5,000");
  expect_refused(shapiro_wilk(Sample{4, 4, 4}), "equal");
  expect_refused(shapiro_wilk(Sample{4, 4, kNaN}), "finite");
  expect_refused(shapiro_wilk(Sample{kHuge, -kHuge, 0}), "large");
  EXPECT_NEAR(shapiro_wilk(Sample{1, 2, 3})->w, 1.0, 1e-15);
  EXPECT_GE(shapiro_wilk(Sample{0, 0, 0, 0, 0, 0, 0, 1e9})->p_value, 0.0);
}

TEST(Degenerate, bootstrap) {
  const Sample x = {1.0, 2.0, 4.0};
  expect_refused(bootstrap_mean(Sample{1.0}), "2 are needed");
  expect_refused(bootstrap_mean(Sample{1.0, kNaN}), "finite");
  expect_refused(bootstrap_mean(x, {10}), "resamples");
  expect_refused(bootstrap(x, [](auto) { return kNaN; }), "no finite value");
  expect_refused(bootstrap(x, [](auto s) { return s.size() == 3 ? 1.0 : kNaN; }), "without one of the values");
  const auto flat = bootstrap_mean(Sample{0.1, 0.1, 0.1});
  ASSERT_TRUE(flat);
  EXPECT_EQ(flat->interval.low, flat->interval.high);
  const Statistic largest = [](std::span<const double> s) { return *std::max_element(s.begin(), s.end()); };
  EXPECT_TRUE(bootstrap(x, largest, {1000, 0.95, 1, BootstrapMethod::percentile}));
  const Statistic beyond = [&](std::span<const double> s) { return s.data() == x.data() ? 100.0 : largest(s); };
  expect_refused(bootstrap(x, beyond), "one side");
}

TEST(Degenerate, interaction) {
  const std::vector<int> a = {0, 0, 1, 1, 0, 0, 1, 1};
  const std::vector<int> b = {0, 1, 0, 1, 0, 1, 0, 1};
  const Sample additive = {1, 2, 3, 4, 1, 2, 3, 4};
  expect_refused(interaction(additive, a, b), "explain every value");
  expect_refused(interaction(Sample{}, {}, {}), "no values");
  expect_refused(interaction(Sample{1, 2}, a, b), "differ in number");
  expect_refused(interaction(additive, b, std::vector<int>(8, 0)), "second factor has one level");
  expect_refused(interaction(additive, a, std::vector<int>{0, 2, 0, 2, 0, 2, 0, 2}), "lacks a level");
  expect_refused(interaction(additive, a, a), "too few combinations");
  expect_refused(interaction(Sample{1, 2, 3, 5}, std::vector<int>{0, 0, 1, 1}, std::vector<int>{0, 1, 0, 1}),
                 "one value only");
  const Sample crossed = {1, 2, 2, 1, 1, 2, 2, 1};
  EXPECT_TRUE(std::isinf(interaction(crossed, a, b)->f));
}

TEST(Degenerate, censored_times) {
  expect_refused(kaplan_meier({}), "no times");
  expect_refused(kaplan_meier(std::vector<Lifetime>{{-1.0, true}}), "finite number of 0 or more");
  expect_refused(kaplan_meier(std::vector<Lifetime>{{kInfinity, false}}), "finite");
  const auto never = kaplan_meier(std::vector<Lifetime>{{3.0, false}, {5.0, false}});
  EXPECT_EQ(never->events, 0);
  EXPECT_FALSE(never->median);
  EXPECT_FALSE(never->median_low);
  EXPECT_EQ(restricted_mean(*never)->mean, 5.0);
  expect_refused(restricted_mean(*never, 6.0), "beyond the largest time");
  expect_refused(restricted_mean(*never, 0.0), "horizon");
  const auto one = kaplan_meier(std::vector<Lifetime>{{3.0, true}});
  EXPECT_EQ(one->median, 3.0);
  EXPECT_EQ(one->steps.at(0).survival, 0.0);
  EXPECT_EQ(restricted_mean(*one, 10.0)->mean, 3.0) << "after the last event nothing is left";
}

TEST(Degenerate, comparing_censored_times) {
  const std::vector<Lifetime> events = {{1.0, true}, {2.0, true}};
  const std::vector<Lifetime> censored = {{1.0, false}, {2.0, false}};
  const std::vector<Lifetime> none;
  const auto compare = [](const std::vector<std::span<const Lifetime>>& groups) {
    return compare_survival(groups, SurvivalWeight::log_rank);
  };
  expect_refused(compare({events}), "2 are needed");
  expect_refused(compare({events, none}), "group 2 is empty");
  expect_refused(compare({censored, censored}), "nothing to compare");
  const std::vector<Lifetime> gone_before = {{0.5, false}};
  expect_refused(compare({events, gone_before}), "nothing to compare");
  EXPECT_EQ(compare({events, events, gone_before})->degrees, 1.0) << "a group never at risk has no say";
  EXPECT_NEAR(compare({events, events})->p_value, 1.0, 1e-15);
}

TEST(Degenerate, fronts) {
  const std::vector<Goal> goals = {Goal::minimise, Goal::maximise};
  EXPECT_TRUE(pareto_front({{}, goals})->empty());
  expect_refused(pareto_front({{}, {}}), "0 objectives");
  expect_refused(pareto_front({Sample{1, 2, 3}, goals}), "lacks a value");
  expect_refused(pareto_front({Sample{1, kNaN}, goals}), "not a number");
  EXPECT_EQ(pareto_front({Sample{1, 5, 1, 5, 1, 4}, goals}).value(), (std::vector<std::size_t>{0, 1})) << "equals stay";
  EXPECT_EQ(hypervolume({{}, goals}, Sample{1, 1}).value(), 0.0);
  EXPECT_EQ(hypervolume({Sample{2, 5}, goals}, Sample{1, 1}).value(), 0.0) << "not better than the reference";
  EXPECT_EQ(hypervolume({Sample{0, 5}, goals}, Sample{2, 1}).value(), 8.0);
  expect_refused(hypervolume({Sample{2, kInfinity}, goals}, Sample{1, 1}), "infinite");
  expect_refused(hypervolume({Sample{2, 5}, goals}, Sample{1}), "another number");
}

TEST(Degenerate, power) {
  EXPECT_FALSE(paired_t_power(1, 1.0, 0.05, Alternative::two_sided));
  EXPECT_FALSE(paired_t_power(5, kNaN, 0.05, Alternative::two_sided));
  EXPECT_FALSE(signed_rank_power(5, 1.0, 0.0, Alternative::two_sided));
  EXPECT_EQ(signed_rank_power(5, 3.0, 0.05, Alternative::two_sided), 0.0) << "five pairs never reach 0.05";
  EXPECT_FALSE(paired_t_size(0.0, 0.05, 0.8, Alternative::two_sided));
  EXPECT_FALSE(paired_t_size(0.5, 0.05, 0.8, Alternative::less)) << "the effect is on the other side";
  EXPECT_NEAR(paired_t_power(1000, 5.0, 0.05, Alternative::two_sided).value(), 1.0, 1e-12);
  EXPECT_EQ(smallest_rank_sum_p(0, 3, Alternative::greater), 1.0);
  EXPECT_EQ(smallest_rank_sum_p(1, 1, Alternative::two_sided), 1.0);
  EXPECT_EQ(smallest_rank_sum_p(3, 3, Alternative::two_sided), 0.1);
  EXPECT_EQ(smallest_rank_sum_p(5, 5, Alternative::greater), 1.0 / 252.0);
  EXPECT_EQ(rank_sum_size_for_any_significance(0.05, Alternative::two_sided), 4);
  EXPECT_NEAR(smallest_spearman_p(5, Alternative::two_sided), 2.0 / 120.0, 1e-15);
  EXPECT_EQ(spearman_pairs_for_any_significance(0.05, Alternative::two_sided), 5);
}

}  // namespace
}  // namespace wattle::stats
