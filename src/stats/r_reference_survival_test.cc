// Against R, statsmodels, SciPy and definitions: censored times, resampling and fronts of r_reference.json.
#include <gtest/gtest.h>

#include <memory>

#include "stats/bootstrap.h"
#include "stats/descriptive.h"
#include "stats/pareto.h"
#include "stats/reference_cases.h"
#include "stats/survival.h"

namespace wattle::stats {
namespace {

using namespace reference;

template <class Check>
void for_each_case(const std::string& kind, std::size_t at_least, Check check) {
  for_each(WATTLE_R_REFERENCE, kind, at_least, check);
}

std::vector<Lifetime> lifetimes_of(const Json& one) {
  std::vector<Lifetime> lifetimes;
  for (std::size_t i = 0; i < one.at("time").size(); ++i) {
    lifetimes.push_back({one.at("time").at(i), one.at("event").at(i) == 1});
  }
  return lifetimes;
}

void expect_same_or_absent(const std::optional<double>& ours, const Json& theirs) {
  ASSERT_EQ(ours.has_value(), !theirs.is_null());
  if (ours) expect_same(*ours, theirs);
}

TEST(RReference, kaplan_meier_agrees_with_survfit) {
  for_each_case("kaplan_meier", 16, [](const Json& one, const Json& answer) {
    const auto curve = kaplan_meier(lifetimes_of(one), one.at("level"));
    ASSERT_TRUE(curve);
    ASSERT_EQ(curve->steps.size(), answer.at("time").size());
    for (std::size_t i = 0; i < curve->steps.size(); ++i) {
      const SurvivalStep& step = curve->steps[i];
      expect_same(step.time, answer.at("time").at(i));
      EXPECT_EQ(step.at_risk, answer.at("at_risk").at(i).get<int>());
      expect_same(step.survival, answer.at("survival").at(i));
      if (step.survival == 0.0 || step.survival == 1.0) continue;  // R has no band there, or one of no width
      expect_same(step.standard_error, answer.at("error").at(i));
      expect_same_or_absent(step.low, answer.at("low").at(i));
      expect_same_or_absent(step.high, answer.at("high").at(i));
    }
    expect_same_or_absent(curve->median, answer.at("median").at(0));
    expect_same_or_absent(curve->median_low, answer.at("median").at(1));
    expect_same_or_absent(curve->median_high, answer.at("median").at(2));
    const auto area = restricted_mean(*curve, one.at("horizon").get<double>());
    ASSERT_TRUE(area);
    expect_same(area->mean, answer.at("mean"));
    expect_same(area->standard_error, answer.at("mean_error"));
  });
}

Result<SurvivalTest> compared(const Json& one, SurvivalWeight weight) {
  const std::vector<Lifetime> all = lifetimes_of(one);
  std::vector<std::vector<Lifetime>> groups;
  for (std::size_t i = 0; i < all.size(); ++i) {
    const auto group = one.at("group").at(i).get<std::size_t>();
    if (group >= groups.size()) groups.resize(group + 1);
    groups[group].push_back(all[i]);
  }
  const std::vector<std::span<const Lifetime>> views(groups.begin(), groups.end());
  return compare_survival(views, weight);
}

TEST(RReference, the_log_rank_test_agrees_with_survdiff) {
  for_each_case("log_rank", 10, [](const Json& one, const Json& answer) {
    const auto ours = compared(one, SurvivalWeight::log_rank);
    ASSERT_TRUE(ours);
    expect_same(ours->chi_squared, answer.at("chi_squared"));
    expect_same(ours->p_value, answer.at("p"));
    for (std::size_t g = 0; g < ours->observed.size(); ++g) {
      expect_same(ours->observed[g], answer.at("observed").at(g));
      expect_same(ours->expected[g], answer.at("expected").at(g));
    }
  });
}

TEST(RReference, the_gehan_wilcoxon_test_agrees_with_statsmodels) {
  for_each_case("gehan", 10, [](const Json& one, const Json& answer) {
    const auto ours = compared(one, SurvivalWeight::gehan);
    ASSERT_TRUE(ours);
    expect_same(ours->chi_squared, answer.at("chi_squared"));
    expect_same(ours->p_value, answer.at("p"));
  });
}

TEST(RReference, bootstrap_intervals_agree_with_scipy_of_the_same_resamples) {
  const std::map<std::string, Statistic> statistics = {
      {"mean", [](std::span<const double> x) { return mean(x).value(); }},
      {"median", [](std::span<const double> x) { return median(x).value(); }},
      {"standard deviation", [](std::span<const double> x) { return standard_deviation(x).value(); }}};
  for_each_case("bootstrap", 12, [&](const Json& one, const Json& answer) {
    const Sample x = one.at("x");
    BootstrapOptions options{one.at("resamples"), one.at("level"), one.at("seed"), BootstrapMethod::bca};
    const std::string name = one.at("statistic");
    for (const bool fused : {false, true}) {
      if (fused && name != "mean") continue;
      const auto run = [&](BootstrapMethod method) {
        options.method = method;
        return fused ? bootstrap_mean(x, options) : bootstrap(x, statistics.at(name), options);
      };
      const auto corrected = run(BootstrapMethod::bca);
      ASSERT_TRUE(corrected) << corrected.error().message;
      expect_same(corrected->estimate, answer.at("estimate"));
      expect_same(corrected->standard_error, answer.at("standard_error"));
      expect_same(corrected->acceleration, answer.at("acceleration"));
      expect_same(corrected->interval.low, answer.at("bca").at(0));
      expect_same(corrected->interval.high, answer.at("bca").at(1));
      const auto plain = run(BootstrapMethod::percentile);
      expect_same(plain->interval.low, answer.at("percentile").at(0));
      expect_same(plain->interval.high, answer.at("percentile").at(1));
    }
  });
}

TEST(RReference, fronts_and_volumes_agree_with_their_definitions) {
  for_each_case("pareto", 30, [](const Json& one, const Json& answer) {
    const Sample values = one.at("values");
    std::vector<Goal> goals;
    for (const bool maximise : one.at("maximise")) goals.push_back(maximise ? Goal::maximise : Goal::minimise);
    EXPECT_EQ(pareto_front({values, goals}).value(), answer.at("front").get<std::vector<std::size_t>>());
    expect_same(hypervolume({values, goals}, one.at("reference").get<Sample>()).value(), answer.at("volume"));
  });
}

}  // namespace
}  // namespace wattle::stats
