#include "report/wording.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <limits>

#include "report/sample_findings.h"

namespace wattle::report {
namespace {

using analysis::Basis;
using ::testing::HasSubstr;

TEST(Number, has_a_real_minus_and_no_negative_zero) {
  EXPECT_EQ(number(-2.14, 1), "−2.1");
  EXPECT_EQ(number(-0.04, 1), "0.0");
  EXPECT_EQ(number(0.04, 1, true), "0.0");
  EXPECT_EQ(number(3.0, 0, true), "+3");
  EXPECT_EQ(number(-1234567.0, 0), "−1.2e+06");
  EXPECT_EQ(number(std::numeric_limits<double>::quiet_NaN(), 1), "not a number");
  EXPECT_EQ(number(-std::numeric_limits<double>::infinity(), 1), "−infinite");
}

TEST(Number, small_p_values_are_not_zero) {
  EXPECT_EQ(p_words(0.0000004), "p < 0.001");
  EXPECT_EQ(p_words(0.0156), "p = 0.016");
  EXPECT_EQ(p_words(1.0), "p = 1.0");
  EXPECT_EQ(p_words({}), "no p-value");
}

TEST(Number, an_instant_is_told_in_utc) {
  EXPECT_EQ(utc({1'770'000'000'999'999'999}), "2026-02-02T02:40:00Z");
  EXPECT_EQ(utc({951'782'400'000'000'000}), "2000-02-29T00:00:00Z");
  EXPECT_EQ(utc({0}), "");
}

TEST(Sparkline, shows_where_the_values_lie) {
  EXPECT_EQ(sparkline(std::vector<double>{1, 1, 1, 1, 5}), "█▁▁▁▂");
  EXPECT_EQ(sparkline(std::vector<double>{2, 2, 2}), "▁▁█▁▁");
  EXPECT_EQ(sparkline(std::vector<double>{1, 2}), "");
  EXPECT_EQ(sparkline(std::vector<double>{1, 2, std::numeric_limits<double>::infinity()}), "");
}

TEST(Measures, a_ratio_is_shown_as_a_change_and_a_share_in_points) {
  const auto findings = sample_findings();
  const Measures all = measures(findings);
  EXPECT_EQ(in_words(all.energy, findings.mutants[0].energy), "energy −21 % [−27, −15]");
  EXPECT_EQ(in_words(all.metric, findings.mutants[0].metric), "accuracy −0.2 pp [−0.5, +0.1]");
  EXPECT_EQ(absolute(all.energy, 412.0), "412 J");
  EXPECT_EQ(absolute(all.energy, {}), "–");
}

TEST(Measures, a_loss_between_0_and_1_is_no_share) {
  auto findings = sample_findings();
  findings.metric = "validation_loss";
  EXPECT_EQ(measures(findings).metric.unit, "");
  findings.metric = "val_accuracy";
  EXPECT_EQ(measures(findings).metric.unit, "pp");
}

TEST(Measures, an_accuracy_in_percent_keeps_its_own_unit) {
  auto findings = sample_findings();
  for (auto& configuration : findings.configurations) {
    for (double& value : configuration.metric) value *= 100.0;
  }
  EXPECT_EQ(measures(findings).metric.unit, "");
}

TEST(Ruling, an_interval_that_is_absent_is_left_out) {
  auto findings = sample_findings();
  findings.mutants[0].energy.low = findings.mutants[0].energy.high = std::nullopt;
  EXPECT_EQ(figure(measures(findings).energy, findings.mutants[0].energy).interval, "");
}

TEST(Ruling, estimated_joules_decide_nothing) {
  auto findings = sample_findings(Basis::estimated);
  EXPECT_EQ(status(findings), "untestable here");
  auto& mutant = findings.mutants[2];
  mutant.metric.verdict = analysis::Verdict::tie;
  mutant.time.verdict = analysis::Verdict::undecided;
  mutant.greener = analysis::Greener::untestable;
  const Ruling rule = ruling(findings, mutant);
  EXPECT_EQ(rule.word, "undecided");
  EXPECT_THAT(rule.because, HasSubstr("energy untestable here"));
}

TEST(Ruling, measured_energy_that_grew_is_a_loss) {
  const auto findings = sample_findings();
  const Ruling rule = ruling(findings, findings.mutants[2]);
  EXPECT_EQ(rule.word, "loss");
  EXPECT_THAT(rule.because, HasSubstr("more energy"));
}

TEST(Best, is_the_screened_mutant_with_the_least_energy) {
  auto findings = sample_findings();
  findings.mutants.push_back(findings.mutants[0]);
  findings.mutants.back().energy.estimate = 0.6;
  EXPECT_EQ(best(findings), &findings.mutants.back());
  findings.mutants.clear();
  EXPECT_EQ(best(findings), nullptr);
}

}  // namespace
}  // namespace wattle::report
