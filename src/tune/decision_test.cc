#include "tune/decision.h"

#include <gtest/gtest.h>

#include <cmath>

#include "tune/simulation.h"

namespace wattle::tune {
namespace {

Evidence told(int pairs, int failed, double log_ratio, double difference) {
  Evidence evidence;
  evidence.pairs = pairs;
  evidence.failed = failed;
  for (int i = 0; i < pairs - failed; ++i) {
    const double noise = i % 2 == 0 ? 0.01 : -0.01;
    evidence.log_ratios.push_back(log_ratio + noise);
    evidence.differences.push_back(difference + noise);
  }
  return evidence;
}

Rules rules(int mutants = 1) {
  Rules rules;
  rules.mutants = mutants;
  rules.tolerance = 0.1;
  return rules;
}

Judgement one(const Evidence& evidence, const Rules& rules) {
  std::vector<Judgement> judgements(1);
  judge(std::vector{evidence}, rules, judgements);
  return judgements[0];
}

TEST(Judge, says_what_the_pairs_show) {
  EXPECT_EQ(one(told(10, 0, -0.1, 0.0), rules()).decision, Decision::greener);
  EXPECT_EQ(one(told(10, 0, 0.1, 0.0), rules()).decision, Decision::lossy);
  EXPECT_EQ(one(told(10, 0, -0.1, -0.2), rules()).decision, Decision::lossy) << "cheaper, but the metric is lost";
  EXPECT_EQ(one(told(30, 0, 0.0, 0.0), rules()).decision, Decision::same);
  EXPECT_EQ(one(told(10, 0, -0.1, -0.1), rules()).decision, Decision::undecided) << "at the tolerance nothing is shown";
  EXPECT_EQ(one({}, rules()).decision, Decision::undecided);
}

TEST(Judge, a_failure_never_helps) {
  EXPECT_EQ(one(told(12, 12, 0.0, 0.0), rules()).decision, Decision::lossy);
  EXPECT_EQ(one(told(8, 1, -0.1, 0.0), rules()).decision, Decision::undecided);
  EXPECT_EQ(one(told(14, 1, -0.1, 0.0), rules()).decision, Decision::greener) << "more pairs make good for it";
  EXPECT_EQ(one(told(30, 15, -0.1, 0.0), rules()).decision, Decision::undecided) << "it trained in every second pair";
}

TEST(Judge, without_a_tolerance_nothing_is_greener) {
  Rules without = rules();
  without.tolerance = 0.0;
  EXPECT_EQ(one(told(30, 0, -0.1, 0.0), without).decision, Decision::undecided);
  EXPECT_EQ(one(told(30, 0, 0.1, 0.0), without).decision, Decision::lossy);
}

TEST(Judge, many_mutants_must_show_more_and_each_that_is_decided_lowers_the_bar) {
  const Evidence six = told(6, 0, -0.1, 0.0);
  EXPECT_EQ(one(six, rules(1)).decision, Decision::greener);
  EXPECT_EQ(one(six, rules(15)).decision, Decision::undecided);
  EXPECT_DOUBLE_EQ(one(six, rules(15)).greener_bar, 600.0);
  std::vector<Evidence> evidence(15, told(12, 0, -0.1, 0.0));
  evidence[0] = six;
  std::vector<Judgement> judgements(15);
  judge(evidence, rules(15), judgements);
  EXPECT_EQ(judgements[0].decision, Decision::greener);
  EXPECT_DOUBLE_EQ(judgements[0].greener_bar, 40.0) << "the last of fifteen";
}

TEST(Judge, what_is_decided_stays) {
  std::vector<Judgement> judgements(1);
  judge(std::vector{told(10, 0, -0.1, 0.0)}, rules(), judgements);
  judge(std::vector{told(10, 0, 0.1, 0.0)}, rules(), judgements);
  EXPECT_EQ(judgements[0].decision, Decision::greener);
}

TEST(Judge, precision_alone_ends_when_the_interval_is_narrow_enough) {
  Rules precise = rules();
  precise.until_decided = false;
  precise.precision = 0.01;
  EXPECT_EQ(one(told(8, 0, -0.1, 0.0), precise).decision, Decision::undecided);
  const Judgement narrow = one(told(30, 0, -0.1, 0.0), precise);
  EXPECT_EQ(narrow.decision, Decision::known);
  EXPECT_LE((*narrow.high - *narrow.low) / 2.0, 0.01);
  EXPECT_EQ(one(told(12, 12, 0.0, 0.0), precise).decision, Decision::lossy) << "or it would run on for ever";
}

// The full figures stand in docs/statistics.md; these are few enough for every build.
double false_decisions_allowed(int studies) { return 0.05 + 3.0 * std::sqrt(0.05 * 0.95 / studies); }

Tally simulated(Noise noise, int mutants, double ratio, double metric_difference, double failure_rate = 0.0) {
  Scenario scenario;
  scenario.noise = noise;
  scenario.mutants = mutants;
  scenario.log_ratio = std::log(ratio);
  scenario.metric_difference = metric_difference;
  scenario.failure_rate = failure_rate;
  return simulate_many(scenario, mutants == 1 ? 1000 : 100, 1);
}

TEST(Simulation, looking_after_every_block_keeps_false_decisions_below_five_percent) {
  for (const Noise noise :
       {Noise::normal, Noise::log_normal, Noise::bimodal, Noise::drift, Noise::ties, Noise::skewed}) {
    for (const int mutants : {1, 15}) {
      SCOPED_TRACE(testing::Message() << "noise " << static_cast<int>(noise) << ", " << mutants << " mutants");
      for (const auto& [ratio, metric] : {std::pair{1.0, 0.0}, std::pair{0.9, -1.001}}) {
        const Tally tally = simulated(noise, mutants, ratio, metric);
        EXPECT_LE(tally.with_false / static_cast<double>(tally.studies), false_decisions_allowed(tally.studies));
      }
    }
  }
}

TEST(Simulation, failures_decide_nothing_falsely) {
  for (const int mutants : {1, 15}) {
    const Tally sometimes = simulated(Noise::normal, mutants, 1.0, 0.0, 0.2);
    EXPECT_LE(sometimes.with_false / static_cast<double>(sometimes.studies),
              false_decisions_allowed(sometimes.studies));
    const Tally mostly = simulated(Noise::normal, mutants, 0.9, 0.0, 0.51);
    EXPECT_LE(mostly.with_false / static_cast<double>(mostly.studies), false_decisions_allowed(mostly.studies));
    EXPECT_EQ(simulated(Noise::normal, mutants, 0.9, 0.0, 1.0).decided_right, 1.0);
  }
}

TEST(Simulation, a_tenth_less_is_found_in_thirty_blocks_and_runs_are_saved) {
  for (const int mutants : {1, 15}) {
    const Tally tally = simulated(Noise::normal, mutants, 0.9, 0.0);
    EXPECT_GE(tally.decided_right, 0.8 - 3.0 * std::sqrt(0.8 * 0.2 / tally.studies));
    EXPECT_LT(tally.runs, 30.0 * (1 + mutants));
  }
}

}  // namespace
}  // namespace wattle::tune
