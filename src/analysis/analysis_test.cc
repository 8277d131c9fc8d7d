#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <random>
#include <set>
#include <string>
#include <vector>

#include "analysis/findings.h"
#include "analysis/questions.h"

namespace wattle::analysis {
namespace {

using record::EndState;
using record::Record;
using ::testing::Contains;
using ::testing::HasSubstr;
using ::testing::Not;

constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();

// What a run is to have been.
struct Outcome {
  double energy_j = 1000.0;
  double time_s = 100.0;
  double metric = 0.95;
  EndState end = EndState::completed;
};

study::Metric metric_named(const std::string& name, study::Goal goal, double tolerance) {
  study::Metric metric;
  metric.name = name;
  metric.goal = goal;
  metric.tolerance = tolerance;
  return metric;
}

// Builds the records of one study, as the store would give them.
class Bench {
 public:
  bool measured = true;
  bool simulated = false;
  record::Split split = record::Split::test;
  study::Metric metric = metric_named("accuracy", study::Goal::maximize, 0.01);
  std::string workload = "lenet";
  std::vector<Record> records;

  Record& original(int block, const Outcome& outcome) { return add("", 0.05, block, outcome); }
  Record& mutant(double learning_rate, int block, const Outcome& outcome) {
    return add("learning_rate", learning_rate, block, outcome);
  }

 private:
  Record& add(const std::string& parameter, double value, int block, const Outcome& outcome) {
    Record record;
    study::Configuration& configuration = record.request.configuration;
    configuration.workload = workload;
    configuration.varied = parameter.empty() ? std::vector<std::string>{} : std::vector<std::string>{parameter};
    configuration.label = parameter.empty() ? "original" : parameter + " " + study::to_text(value);
    configuration.hyperparameters = {{"learning_rate", value}, {"optimizer", std::string("sgd")}};
    configuration.id = workload + "/" + configuration.label;
    record.request.study = "glyphs";
    record.request.key = configuration.id + "#" + std::to_string(block);
    record.request.pair_key = workload + "/original#" + std::to_string(block);
    record.request.block = block;
    record.request.order = static_cast<int>(records.size()) + 1;
    record.request.metric = metric;
    record.end = outcome.end;
    record.duration = to_nanoseconds({outcome.time_s});
    record.metrics = {{metric.name, split, std::nullopt, outcome.metric, std::nullopt}};
    record::Total& total = measured ? record.measured : record.estimated;
    total.energy = to_microjoules({outcome.energy_j});
    total.coverage = 1.0;
    record.simulated = simulated;
    record.fingerprint = {{"cpu", "a processor"}};
    records.push_back(std::move(record));
    return records.back();
  }
};

// Small, distinct, repeatable deviations within ±1, others for another salt.
double noise(int block, int salt) {
  std::mt19937 generator(static_cast<unsigned>(1000 * salt + block));
  return std::uniform_real_distribution<double>(-1.0, 1.0)(generator);
}

// Eight blocks: the original, a mutant at 79 % of energy and 80 % of time with the same accuracy, and one that costs
// more and loses four points.
Bench clear_study() {
  Bench bench;
  for (int block = 1; block <= 8; ++block) {
    const double seed_effect = 0.004 * noise(block, 0);
    bench.original(block, {1000.0 + 4.0 * noise(block, 1), 100.0 + 0.4 * noise(block, 2), 0.953 + seed_effect});
    bench.mutant(
        0.021, block,
        {790.0 + 4.0 * noise(block, 3), 80.0 + 0.4 * noise(block, 4), 0.952 + seed_effect + 0.001 * noise(block, 5)});
    bench.mutant(
        0.24, block,
        {1310.0 + 40.0 * noise(block, 6), 129.0 + noise(block, 7), 0.915 + seed_effect + 0.004 * noise(block, 8)});
  }
  return bench;
}

const MutantFinding& mutant(const Findings& findings, const std::string& label) {
  const auto found = std::find_if(findings.mutants.begin(), findings.mutants.end(),
                                  [&](const MutantFinding& one) { return one.label == label; });
  if (found == findings.mutants.end()) throw std::runtime_error("no mutant " + label);
  return *found;
}

TEST(Greener, less_measured_energy_at_no_loss_is_screened) {
  const Findings findings = analyse(clear_study().records);
  EXPECT_EQ(findings.basis, Basis::measured);
  const MutantFinding& better = mutant(findings, "learning_rate 0.021");
  EXPECT_EQ(better.greener, Greener::screened);
  EXPECT_TRUE(better.faster_at_no_loss);
  EXPECT_EQ(better.original_value, "0.05");
  EXPECT_EQ(better.mutant_value, "0.021");
  EXPECT_EQ(better.energy.pairs, 8);
  EXPECT_NEAR(better.energy.estimate.value(), 0.79, 0.01);
  EXPECT_LT(better.energy.low.value(), better.energy.estimate.value());
  EXPECT_GT(better.energy.high.value(), better.energy.estimate.value());
  EXPECT_NEAR(better.energy.interval_level, 1.0 - 8.0 / 256.0 + 2.0 / 256.0, 0.02);
  EXPECT_EQ(better.energy.cliffs_delta, -1.0);
  EXPECT_EQ(better.energy.verdict, Verdict::win);
  EXPECT_EQ(better.metric.verdict, Verdict::tie);
  // All eight pairs on one side: 1/256 one-sided; two mutants: the smaller of the two doubled.
  EXPECT_EQ(better.p_greener, 1.0 / 256.0);
  EXPECT_EQ(better.p_greener_holm, 2.0 / 256.0);
  EXPECT_EQ(better.energy.p_two_sided_holm, 4.0 / 256.0);
  EXPECT_EQ(
      findings.headline.rfind("learning_rate 0.021 reaches the same accuracy (within 0.01) on 21 % less energy [", 0),
      0U)
      << findings.headline;
  EXPECT_THAT(findings.headline, HasSubstr(" and in 20 % less time (screened, n = 8 pairs)."));
}

TEST(Greener, dearer_and_worse_is_a_loss) {
  const Findings findings = analyse(clear_study().records);
  const MutantFinding& worse = mutant(findings, "learning_rate 0.24");
  EXPECT_EQ(worse.greener, Greener::no);
  EXPECT_EQ(worse.energy.verdict, Verdict::loss);
  EXPECT_EQ(worse.metric.verdict, Verdict::loss);
  EXPECT_FALSE(worse.faster_at_no_loss);
  EXPECT_EQ(findings.grid[0][1], 1);
  EXPECT_EQ(findings.grid[2][2], 1);
  EXPECT_EQ(findings.wang.cells[0][1] + findings.wang.cells[0][2], 1);
  EXPECT_EQ(findings.wang.cells[2][2], 1);
  EXPECT_EQ(findings.wang.unattainable, 0);
}

TEST(Greener, estimated_energy_is_untestable_and_only_time_is_told) {
  Bench bench = clear_study();
  for (Record& record : bench.records) std::swap(record.measured, record.estimated);
  const Findings findings = analyse(bench.records);
  EXPECT_EQ(findings.basis, Basis::estimated);
  const MutantFinding& better = mutant(findings, "learning_rate 0.021");
  EXPECT_EQ(better.greener, Greener::untestable);
  EXPECT_EQ(better.p_greener_holm, 2.0 / 256.0);
  EXPECT_TRUE(better.faster_at_no_loss);
  EXPECT_EQ(mutant(findings, "learning_rate 0.24").greener, Greener::no);
  EXPECT_THAT(findings.headline, HasSubstr("in 20 % less time"));
  EXPECT_THAT(findings.headline, HasSubstr("untestable here"));
  EXPECT_THAT(findings.headline, Not(HasSubstr("less energy")));
  EXPECT_THAT(findings.warnings, Contains(HasSubstr("energy here is estimated from time and CPU use")));
}

TEST(Greener, one_estimated_run_takes_the_measured_basis_away) {
  Bench bench = clear_study();
  std::swap(bench.records[0].measured, bench.records[0].estimated);
  const Findings findings = analyse(bench.records);
  EXPECT_EQ(findings.basis, Basis::estimated);
  EXPECT_EQ(mutant(findings, "learning_rate 0.021").greener, Greener::untestable);
  EXPECT_EQ(mutant(findings, "learning_rate 0.021").energy.pairs, 7) << "a measured and an estimated run form no ratio";
  EXPECT_EQ(mutant(findings, "learning_rate 0.021").time.pairs, 8);
  EXPECT_THAT(findings.warnings, Contains(HasSubstr("measured in some runs and estimated in others")));
}

TEST(Greener, a_replay_is_never_a_finding_about_energy) {
  Bench bench = clear_study();
  bench.records[3].simulated = true;
  const Findings findings = analyse(bench.records);
  EXPECT_EQ(findings.basis, Basis::simulated);
  EXPECT_EQ(mutant(findings, "learning_rate 0.021").greener, Greener::untestable);
  EXPECT_THAT(findings.warnings, Contains(HasSubstr("simulated")));
}

TEST(Greener, noise_stays_undecided_and_says_what_would_decide) {
  Bench bench;
  for (int block = 1; block <= 8; ++block) {
    bench.original(block,
                   {1000.0 + 50.0 * noise(block, 1), 100.0 + 5.0 * noise(block, 2), 0.95 + 0.02 * noise(block, 3)});
    bench.mutant(0.1, block,
                 {1000.0 + 50.0 * noise(block, 4), 100.0 + 5.0 * noise(block, 5), 0.95 + 0.02 * noise(block, 6)});
  }
  const Findings findings = analyse(bench.records);
  const MutantFinding& noisy = findings.mutants.at(0);
  EXPECT_EQ(noisy.greener, Greener::undecided);
  EXPECT_EQ(noisy.energy.verdict, Verdict::undecided);
  EXPECT_EQ(noisy.metric.verdict, Verdict::undecided);
  EXPECT_EQ(findings.grid[3][3], 1);
  EXPECT_THAT(findings.headline, HasSubstr("No mutant is shown to reach the same accuracy on less energy"));
  EXPECT_THAT(findings.headline, ::testing::ContainsRegex("takes about [0-9]+ pairs"));
}

TEST(Greener, a_mutant_that_mostly_fails_has_lost) {
  Bench bench = clear_study();
  for (Record& record : bench.records) {
    const bool victim = record.request.configuration.label == "learning_rate 0.021" && record.request.block <= 5;
    if (victim) record.end = record.request.block % 2 == 0 ? EndState::failed : EndState::diverged;
  }
  const Findings findings = analyse(bench.records);
  const MutantFinding& failing = mutant(findings, "learning_rate 0.021");
  EXPECT_EQ(failing.failed_pairs, 5);
  EXPECT_EQ(failing.metric.verdict, Verdict::loss);
  EXPECT_EQ(failing.greener, Greener::no);
  EXPECT_EQ(failing.metric.pairs, 8);
  EXPECT_EQ(failing.energy.pairs, 3);
  EXPECT_FALSE(failing.metric.estimate) << "minus infinity is not an estimate";
  EXPECT_FALSE(failing.metric.low);
  EXPECT_EQ(findings.failed, 5);
  EXPECT_THAT(findings.warnings, Contains(HasSubstr("learning_rate 0.021 failed or diverged in 5 paired blocks")));
}

TEST(Greener, one_failure_is_the_worst_rank_and_spoils_the_screen_of_eight) {
  Bench bench = clear_study();
  for (Record& record : bench.records) {
    if (record.request.configuration.label != "learning_rate 0.021") continue;
    record.metrics[0].value += 0.001;  // no difference on the whole
    if (record.request.block == 1) record.end = EndState::failed;
  }
  const MutantFinding failing = mutant(analyse(bench.records), "learning_rate 0.021");
  EXPECT_EQ(failing.metric.pairs, 8);
  // The lost pair holds the largest of 8 ranks: of 256 choices of signs, 25 have a sum of 8 or less.
  EXPECT_NEAR(failing.p_noninferior.value(), 25.0 / 256.0, 1e-12);
  EXPECT_EQ(failing.greener, Greener::undecided);
  EXPECT_TRUE(failing.metric.estimate) << "the middle of the Walsh averages is still finite";
  EXPECT_FALSE(failing.metric.low);
}

TEST(Greener, a_metric_that_is_not_a_number_is_a_performance_loss) {
  Bench bench = clear_study();
  for (Record& record : bench.records) {
    if (record.request.configuration.label == "learning_rate 0.021") record.metrics[0].value = kNaN;
  }
  const Findings findings = analyse(bench.records);
  const MutantFinding& failing = mutant(findings, "learning_rate 0.021");
  EXPECT_EQ(failing.failed_pairs, 8);
  EXPECT_EQ(failing.greener, Greener::no);
  EXPECT_TRUE(findings.configurations.at(1).metric.empty());
}

TEST(Greener, a_metric_that_never_came_is_missing_and_not_a_loss) {
  Bench bench = clear_study();
  for (Record& record : bench.records) {
    if (record.request.configuration.label == "learning_rate 0.021") record.metrics.clear();
  }
  const Findings findings = analyse(bench.records);
  const MutantFinding& silent = mutant(findings, "learning_rate 0.021");
  EXPECT_EQ(silent.metric.pairs, 0);
  EXPECT_EQ(silent.failed_pairs, 0);
  EXPECT_FALSE(silent.p_greener);
  EXPECT_FALSE(silent.p_greener_holm);
  EXPECT_EQ(silent.greener, Greener::undecided);
  EXPECT_THAT(findings.warnings, Contains(HasSubstr("8 of 24 runs never told accuracy")));
}

TEST(Greener, where_less_is_better_the_sign_is_turned) {
  Bench bench;
  bench.metric = metric_named("perplexity", study::Goal::minimize, 1.0);
  for (int block = 1; block <= 8; ++block) {
    bench.original(block, {1000.0 + 9.0 * noise(block, 1), 100.0, 90.0 + noise(block, 2)});
    bench.mutant(0.1, block, {700.0, 60.0, 80.0 + noise(block, 3)});
    bench.mutant(0.2, block, {700.0, 60.0, 99.0 + noise(block, 4)});
  }
  const Findings findings = analyse(bench.records);
  EXPECT_EQ(mutant(findings, "learning_rate 0.1").metric.verdict, Verdict::win);
  EXPECT_GT(mutant(findings, "learning_rate 0.1").metric.estimate.value(), 8.0);
  EXPECT_EQ(mutant(findings, "learning_rate 0.1").metric.cliffs_delta, 1.0);
  EXPECT_EQ(mutant(findings, "learning_rate 0.1").greener, Greener::screened);
  EXPECT_EQ(mutant(findings, "learning_rate 0.2").metric.verdict, Verdict::loss);
  EXPECT_EQ(mutant(findings, "learning_rate 0.2").greener, Greener::no);
  EXPECT_NEAR(findings.configurations.front().median_metric.value(), 90.0, 1.0) << "shown with its natural sign";
}

TEST(Greener, a_loss_of_exactly_the_tolerance_is_not_accepted_by_the_last_bit_of_a_double) {
  Bench bench;
  bench.metric.tolerance = 0.1;
  for (int block = 1; block <= 8; ++block) {
    bench.original(block, {1000.0, 100.0, 0.3});
    bench.mutant(0.1, block, {500.0, 50.0, 0.2});
  }
  ASSERT_GT(0.2 - 0.3, -0.1);
  const MutantFinding edge = analyse(bench.records).mutants.at(0);
  EXPECT_EQ(edge.p_noninferior, 1.0);
  EXPECT_NE(edge.greener, Greener::screened);
}

TEST(Greener, failing_is_a_loss_even_where_no_metric_is_told) {
  Bench bench = clear_study();
  for (Record& record : bench.records) {
    record.metrics.clear();
    if (record.request.configuration.label == "learning_rate 0.24") record.end = EndState::failed;
  }
  const Findings findings = analyse(bench.records);
  EXPECT_EQ(mutant(findings, "learning_rate 0.24").metric.verdict, Verdict::loss);
  EXPECT_EQ(mutant(findings, "learning_rate 0.021").metric.verdict, Verdict::undecided);
}

TEST(Pairs, blocks_whose_original_failed_form_none) {
  Bench bench = clear_study();
  bench.records[0].end = EndState::failed;
  const Findings findings = analyse(bench.records);
  EXPECT_EQ(mutant(findings, "learning_rate 0.021").metric.pairs, 7);
  EXPECT_EQ(mutant(findings, "learning_rate 0.021").failed_pairs, 0);
  EXPECT_THAT(findings.warnings, Contains(HasSubstr("the original did not succeed in 1 of 8 blocks")));
}

TEST(Pairs, come_from_the_stored_key_and_not_from_the_block) {
  Bench bench = clear_study();
  for (Record& record : bench.records) {
    if (record.request.configuration.label == "learning_rate 0.24") record.request.pair_key = "lenet/nowhere#1";
  }
  const Findings findings = analyse(bench.records);
  EXPECT_EQ(mutant(findings, "learning_rate 0.24").time.pairs, 0);
  EXPECT_EQ(mutant(findings, "learning_rate 0.021").time.pairs, 8);
  // A missing mutant does not make the family smaller.
  EXPECT_EQ(mutant(findings, "learning_rate 0.021").p_greener_holm, 2.0 / 256.0);
}

TEST(Attempts, the_last_finished_one_counts_and_interrupted_ones_are_waste) {
  Bench bench = clear_study();
  const Findings before = analyse(bench.records);
  Record retry = bench.records[1];
  bench.records[1].attempt = 2;
  bench.records[1].end = EndState::failed;
  retry.attempt = 3;
  bench.records.push_back(retry);
  Record interrupted = retry;
  interrupted.attempt = 4;
  interrupted.end = EndState::interrupted;
  interrupted.measured.energy = to_microjoules({55.0});
  bench.records.push_back(interrupted);
  const Findings after = analyse(bench.records);
  EXPECT_EQ(after.mutants.at(0).metric.estimate, before.mutants.at(0).metric.estimate);
  EXPECT_EQ(after.runs, 24);
  EXPECT_EQ(after.failed, 0);
  EXPECT_DOUBLE_EQ(after.wasted_j, 55.0);
  EXPECT_NEAR(after.spent_j, before.spent_j + 55.0 + to_joules(*retry.measured.energy).value, 1e-6);
}

TEST(Attempts, runs_of_another_purpose_are_paid_for_but_not_judged) {
  Bench bench = clear_study();
  Record control = bench.records[0];
  control.request.purpose = study::Purpose::control;
  control.request.key = "control";
  control.end = EndState::failed;
  bench.records.push_back(control);
  const Findings findings = analyse(bench.records);
  EXPECT_EQ(findings.runs, 24);
  EXPECT_EQ(findings.failed, 0);
  EXPECT_GT(findings.spent_j, analyse(clear_study().records).spent_j + 900.0);
}

std::string told(const Findings& findings) {
  std::string text = findings.headline;
  for (const std::string& warning : findings.warnings) text += "\n" + warning;
  for (const MutantFinding& one : findings.mutants) {
    text += "\n" + one.label + " " + std::to_string(one.energy.estimate.value_or(-1)) + " " +
            std::to_string(one.p_greener_holm.value_or(-1)) + " " + std::string(to_string(one.greener));
  }
  for (const Correlation& one : findings.correlations)
    text += "\n" + one.measure + std::to_string(one.rho.value_or(-9));
  for (const ConfigurationSummary& one : findings.configurations) {
    text += "\n" + one.id;
    for (const double energy : one.energy_j) text += " " + std::to_string(energy);
  }
  return text + "\n" + fmt::format("{}", findings.spent_j);  // to the last bit
}

TEST(Findings, do_not_depend_on_the_order_of_the_records) {
  Bench bench = clear_study();
  bench.records[4].flags = {"suspended"};
  bench.records[7].end = EndState::failed;
  const std::string before = told(analyse(bench.records));
  std::mt19937 generator(1);
  for (int i = 0; i < 20; ++i) {
    std::shuffle(bench.records.begin(), bench.records.end(), generator);
    ASSERT_EQ(told(analyse(bench.records)), before);
  }
}

TEST(Findings, of_nothing_say_so) {
  const Findings findings = analyse({});
  EXPECT_EQ(findings.runs, 0);
  EXPECT_EQ(findings.basis, Basis::absent);
  EXPECT_THAT(findings.headline, HasSubstr("No run has finished"));
  EXPECT_TRUE(findings.mutants.empty());
}

TEST(Findings, of_one_record_compare_nothing) {
  Bench lone;
  lone.original(1, {});
  const Findings findings = analyse(lone.records);
  EXPECT_EQ(findings.runs, 1);
  EXPECT_THAT(findings.headline, HasSubstr("Only the original"));
  EXPECT_EQ(findings.configurations.at(0).median_energy_j, 1000.0);

  Bench orphan;
  orphan.mutant(0.1, 1, {});
  const Findings without_original = analyse(orphan.records);
  EXPECT_THAT(without_original.headline, HasSubstr("Nothing can be compared"));
  EXPECT_EQ(without_original.mutants.at(0).original_value, "");
  EXPECT_EQ(without_original.mutants.at(0).greener, Greener::undecided);
}

TEST(Findings, of_failures_only_compare_nothing) {
  Bench bench = clear_study();
  for (Record& record : bench.records) record.end = EndState::failed;
  const Findings findings = analyse(bench.records);
  EXPECT_EQ(findings.failed, 24);
  EXPECT_EQ(findings.basis, Basis::absent);
  EXPECT_GT(findings.spent_j, 20000.0);
  EXPECT_THAT(findings.headline, HasSubstr("Nothing can be compared"));
  for (const MutantFinding& one : findings.mutants) {
    EXPECT_EQ(one.greener, Greener::untestable);
    EXPECT_EQ(one.failed_pairs, 0) << "beside an original that failed too, a failure is no loss against it";
  }
}

TEST(Findings, of_a_record_without_anything_do_not_crash) {
  Record blank;
  blank.end = EndState::completed;
  std::vector<Record> records(3, blank);
  records[1].request.metric.tolerance = kNaN;
  records[2].request.configuration.varied = {"x"};
  records[2].request.key = "another";
  records[2].measured.energy = Microjoules{-5};
  const Findings findings = analyse(records);
  EXPECT_EQ(findings.runs, 2);
  EXPECT_EQ(findings.basis, Basis::absent);
}

TEST(Warnings, tell_when_the_blocks_cannot_decide) {
  Bench bench;
  for (int block = 1; block <= 5; ++block) {
    bench.original(block, {1000.0 + noise(block, 1), 100.0, 0.95});
    for (const double rate : {0.1, 0.2, 0.3, 0.4})
      bench.mutant(rate, block, {500.0 + rate + noise(block, 2), 50.0, 0.95});
  }
  const Findings findings = analyse(bench.records);
  EXPECT_EQ(findings.mutants.at(0).greener, Greener::undecided) << "4 × 1/32 is above alpha";
  EXPECT_EQ(findings.mutants.at(0).energy.p_floor, 0.0625);
  EXPECT_FALSE(findings.mutants.at(0).energy.low);
  EXPECT_TRUE(findings.mutants.at(0).energy.estimate);
  EXPECT_EQ(findings.wang.unattainable, 4);
  EXPECT_EQ(findings.wang.cells[1][1], 4);
  EXPECT_THAT(findings.warnings, Contains(HasSubstr("no p below 0.25 for a win or a loss and 0.125 for greener")));
  EXPECT_THAT(findings.warnings, Contains(HasSubstr("needs 8 blocks, greener 7")));
  EXPECT_THAT(findings.headline, HasSubstr("5 pairs cannot show anything among 4 mutants, 7 can"));
}

TEST(Verdicts, are_of_p_values_corrected_for_the_number_of_mutants) {
  Bench bench;
  for (int block = 1; block <= 6; ++block) {
    bench.original(block, {1000.0 + noise(block, 1), 100.0, 0.95});
    for (const double rate : {0.1, 0.2}) bench.mutant(rate, block, {500.0 + rate + noise(block, 2), 50.0, 0.95});
  }
  for (const MutantFinding& one : analyse(bench.records).mutants) {
    EXPECT_EQ(one.energy.p_two_sided, 2.0 / 64.0);
    EXPECT_EQ(one.energy.p_two_sided_holm, 4.0 / 64.0);
    EXPECT_EQ(one.energy.verdict, Verdict::undecided);
    EXPECT_EQ(one.metric.verdict, Verdict::tie) << "no difference at all: each one-sided p is 1/64";
    EXPECT_EQ(one.greener, Greener::screened) << "one-sided, 2/64 is below alpha";
  }
}

TEST(Warnings, tell_of_flags_other_machines_missing_runs_and_validation) {
  Bench bench;
  bench.split = record::Split::validation;
  for (int block = 1; block <= 8; ++block) {
    bench.original(block, {1000.0 + noise(block, 1), 100.0, 0.95});
    if (block != 3) bench.mutant(0.1, block, {500.0 + noise(block, 2), 50.0, 0.95});
  }
  bench.records[1].flags = {"suspended", "oversubscribed"};
  bench.records[2].flags = {"suspended"};
  bench.records[2].fingerprint["cpu"] = "another";
  bench.records[3].end = EndState::censored;
  bench.records[5].measured.coverage = 0.5;
  const Findings findings = analyse(bench.records);
  EXPECT_EQ(findings.metric_split, "validation");
  EXPECT_THAT(findings.warnings, Contains("2 runs are flagged, and kept: oversubscribed (1), suspended (2)"));
  EXPECT_THAT(findings.warnings, Contains("runs come from different machines or builds, which differ in: cpu"));
  EXPECT_THAT(findings.warnings, Contains(HasSubstr("1 of 16 runs are missing")));
  EXPECT_THAT(findings.warnings, Contains(HasSubstr("of the validation split")));
  EXPECT_THAT(findings.warnings, Contains(HasSubstr("ended by a limit")));
  EXPECT_THAT(findings.warnings, Contains(HasSubstr("less than 95 % of their time")));
}

TEST(Warnings, of_a_clean_study_are_none) { EXPECT_TRUE(analyse(clear_study().records).warnings.empty()); }

TEST(Warnings, tell_which_domains_are_left_out) {
  Bench bench = clear_study();
  for (Record& record : bench.records) {
    record.domains.resize(2);
    record.domains[0].name = "gpu-0";
    record.domains[1].name = "cpu (model)";
    record.domains[1].provenance = energy::Provenance::model;
  }
  EXPECT_THAT(analyse(bench.records).warnings,
              Contains("energy is that of gpu-0 alone; cpu (model) was only estimated and is left out"));
}

TEST(Splits, test_and_validation_values_never_form_a_pair) {
  Bench bench = clear_study();
  bench.records[1].metrics[0].split = record::Split::validation;
  const Findings findings = analyse(bench.records);
  EXPECT_EQ(findings.metric_split, "test");
  EXPECT_EQ(mutant(findings, "learning_rate 0.021").metric.pairs, 7);
  EXPECT_THAT(findings.warnings, Contains(HasSubstr("of another split")));
}

TEST(Workloads, are_analysed_apart) {
  Bench bench = clear_study();
  Bench second = clear_study();
  for (Record& record : second.records) {
    record.request.configuration.workload = "alexnet";
    record.request.configuration.id = "a" + record.request.configuration.id;
    record.request.key = "a" + record.request.key;
    record.request.pair_key = "a" + record.request.pair_key;
    record.request.metric.name = "f1";
    record.metrics[0].name = "f1";
    bench.records.push_back(record);
  }
  const Findings findings = analyse(bench.records);
  EXPECT_EQ(findings.metric, "f1");
  ASSERT_EQ(findings.mutants.size(), 4U);
  for (const MutantFinding& one : findings.mutants) EXPECT_EQ(one.metric.pairs, 8);
  EXPECT_EQ(findings.mutants[0].p_greener_holm, 2.0 / 256.0) << "Holm runs within a workload";
  EXPECT_EQ(findings.correlations.size(), 6U);
  EXPECT_EQ(findings.headline.rfind("alexnet: learning_rate 0.021 reaches the same f1", 0), 0U) << findings.headline;
}

// The clear study on two machines: on the second one everything takes ten times as long and as much.
std::vector<Record> on_two_machines() {
  std::vector<Record> records = clear_study().records;
  const std::size_t n = records.size();
  for (std::size_t i = 0; i < n; ++i) {
    Record there = records[i];
    for (Record* record : {&records[i], &there}) {
      study::RunRequest& request = record->request;
      const std::string name = record == &there ? "fast" : "slow";
      request.configuration.environment.name = name;
      request.configuration.label += " @" + name;
      request.configuration.id += name;
      request.key += name;
      request.pair_key += name;
    }
    records[i].measured.energy = Microjoules{10 * there.measured.energy->value};
    records[i].duration = Nanoseconds{10 * there.duration->value};
    records.push_back(std::move(there));
  }
  return records;
}

TEST(Environments, have_an_original_each_and_compare_nothing_across) {
  const Findings apart = analyse(on_two_machines());
  const Findings one = analyse(clear_study().records);
  ASSERT_EQ(apart.mutants.size(), 2 * one.mutants.size());
  std::set<std::string> originals;
  for (const ConfigurationSummary& summary : apart.configurations) {
    if (summary.original) originals.insert(summary.family);
  }
  EXPECT_THAT(originals, testing::ElementsAre("lenet @fast", "lenet @slow"));
  EXPECT_NEAR(*apart.configurations.front().median_energy_j, *one.configurations.front().median_energy_j, 1e-3);
  // Neither Holm's correction nor a correlation knows of the other machine.
  for (const MutantFinding& finding : apart.mutants) {
    const std::string alone = finding.label.substr(0, finding.label.find(" @"));
    EXPECT_DOUBLE_EQ(*finding.p_greener_holm, *mutant(one, alone).p_greener_holm) << finding.label;
    EXPECT_EQ(finding.workload, "lenet");
    EXPECT_EQ(finding.family, "lenet @" + finding.environment);
  }
  ASSERT_EQ(apart.correlations.size(), 2 * one.correlations.size());
  EXPECT_EQ(apart.correlations.front().n, one.correlations.front().n);
  EXPECT_DOUBLE_EQ(*apart.correlations.front().rho, *one.correlations.front().rho);
  EXPECT_THAT(apart.headline, HasSubstr("lenet @fast: learning_rate 0.021 reaches"));
}

TEST(Environments, an_architecture_is_the_same_in_all_of_them) {
  const std::vector<Record> records = on_two_machines();
  const auto placed = question("placement")->answer(records, {});
  ASSERT_TRUE(placed) << placed.error().message;
  EXPECT_EQ(placed->tables.front().rows.size(), 3U);
}

TEST(Company, is_compared_apart) {
  std::vector<Record> records = clear_study().records;
  for (Record record : clear_study().records) {
    study::RunRequest& request = record.request;
    request.configuration.colocation.partners = {"mlp/original"};
    for (std::string* text : {&request.key, &request.pair_key, &request.configuration.id}) *text += "beside";
    request.configuration.label += " beside mlp";
    records.push_back(std::move(record));
  }
  const Findings findings = analyse(records);
  ASSERT_EQ(findings.mutants.size(), 4U);
  EXPECT_EQ(findings.mutants[0].family, "lenet");
  EXPECT_EQ(findings.mutants[2].family, "lenet beside mlp");
}

TEST(Correlations, bin_what_moves_energy) {
  const Findings findings = analyse(clear_study().records);
  ASSERT_EQ(findings.correlations.size(), 3U);
  EXPECT_EQ(findings.correlations[0].measure, "energy");
  EXPECT_EQ(findings.correlations[0].n, 24);
  EXPECT_EQ(findings.correlations[0].bin, Bin::strong_positive);
  EXPECT_EQ(findings.correlations[1].measure, "time");
  EXPECT_EQ(findings.correlations[2].measure, "accuracy");
  EXPECT_EQ(findings.correlations[2].bin, Bin::strong_negative);
  EXPECT_LT(findings.correlations[0].low.value(), findings.correlations[0].rho.value());
}

TEST(Correlations, take_telemetry_too_where_it_is_asked_for) {
  Bench bench = clear_study();
  for (Record& record : bench.records) {
    const double rate = std::get<double>(record.request.configuration.hyperparameters["learning_rate"]);
    record.measures = {{"run_cpu", "1", 10.0 * rate, 99.0, 7}};
  }
  bench.records.front().measures.clear();
  const std::vector<std::string> telemetry{"run_cpu"};
  const Findings findings = analyse(bench.records, telemetry);
  ASSERT_EQ(findings.correlations.size(), 4U);
  EXPECT_EQ(findings.correlations[3].measure, "run_cpu");
  EXPECT_EQ(findings.correlations[3].n, 23) << "a run that does not tell it is none";
  EXPECT_EQ(findings.correlations[3].rho, 1.0);
}

TEST(Correlations, take_the_runs_of_one_parameter_and_call_the_insignificant_none) {
  Bench bench = clear_study();
  for (Record& record : bench.records) {
    study::Configuration& configuration = record.request.configuration;
    configuration.hyperparameters["epochs"] = std::int64_t{6};
    if (configuration.label != "learning_rate 0.24") continue;
    configuration.varied = {"epochs"};
    configuration.hyperparameters["epochs"] = std::int64_t{9};
    record.duration = to_nanoseconds({100.0 + 0.4 * noise(record.request.block, 9)});
  }
  const Findings findings = analyse(bench.records);
  ASSERT_EQ(findings.correlations.size(), 6U);
  EXPECT_EQ(findings.correlations[0].parameter, "epochs");
  EXPECT_EQ(findings.correlations[0].n, 16) << "the original's runs and those of the one mutant of epochs";
  EXPECT_EQ(findings.correlations[0].bin, Bin::strong_positive);
  EXPECT_EQ(findings.correlations[1].measure, "time");
  EXPECT_GT(findings.correlations[1].p_value.value(), 0.05);
  EXPECT_EQ(findings.correlations[1].bin, Bin::none);
}

TEST(Correlations, say_why_they_are_absent) {
  Bench bench;
  bench.original(1, {});
  bench.mutant(0.1, 1, {});
  bench.mutant(0.2, 1, {});
  EXPECT_EQ(analyse(bench.records).correlations.at(0).why_absent, "3 runs are too few, 4 are needed");

  Bench words = clear_study();
  for (Record& record : words.records) {
    study::Configuration& configuration = record.request.configuration;
    if (!configuration.original()) configuration.varied = {"optimizer"};
  }
  const Findings findings = analyse(words.records);
  EXPECT_EQ(findings.correlations.at(0).why_absent, "optimizer is not a number");
  EXPECT_FALSE(findings.correlations.at(0).rho);
}

// How often anything is screened in studies of 8 blocks and 4 mutants whose truth is given.
struct Truth {
  double energy_ratio = 1.0;
  double metric_loss = 0.0;  // in tolerances
};
struct Rates {
  double any_screened = 0.0;
  double non_inferior = 0.0;  // per mutant, not corrected
};

Rates simulate(const Truth& truth, int studies) {
  std::mt19937_64 generator(2024);
  // Differences of pairs then have a standard deviation of 1.4 points.
  std::normal_distribution<double> points(0.0, 0.014 / std::sqrt(2.0));
  std::normal_distribution<double> log_energy(0.0, 0.05);
  int any_screened = 0;
  int non_inferior = 0;
  for (int study = 0; study < studies; ++study) {
    Bench bench;
    for (int block = 1; block <= 8; ++block) {
      bench.original(block, {1000.0 * std::exp(log_energy(generator)), 100.0, 0.9 + points(generator)});
      for (int rate = 1; rate <= 4; ++rate) {
        bench.mutant(rate, block,
                     {1000.0 * truth.energy_ratio * std::exp(log_energy(generator)), 100.0,
                      0.9 - 0.01 * truth.metric_loss + points(generator)});
      }
    }
    const Findings findings = analyse(bench.records);
    bool any = false;
    for (const MutantFinding& one : findings.mutants) {
      any = any || one.greener == Greener::screened;
      non_inferior += one.p_noninferior.value() < 0.05 ? 1 : 0;
    }
    any_screened += any ? 1 : 0;
  }
  return {any_screened / double(studies), non_inferior / double(4 * studies)};
}

constexpr int kStudies = 2000;
// Three standard errors of a rate of 5 % over 2,000 studies.
constexpr double kNoise = 0.015;

TEST(ErrorRates, no_effect_is_screened_in_at_most_five_percent_of_studies) {
  EXPECT_LE(simulate({}, kStudies).any_screened, 0.05 + kNoise);
}

TEST(ErrorRates, saving_energy_at_a_loss_of_the_whole_tolerance_is_screened_in_at_most_five_percent) {
  const Rates rates = simulate({0.5, 1.0}, kStudies);
  EXPECT_LE(rates.any_screened, 0.05 + kNoise);
  EXPECT_GT(rates.any_screened, 0.005) << "the test would pass if nothing were ever screened";
  // One mutant alone is accepted at the exact level of 8 pairs below 5 %.
  EXPECT_NEAR(rates.non_inferior, 10.0 / 256.0, 0.008);
}

TEST(ErrorRates, half_the_energy_at_a_clear_gain_is_screened_nearly_always) {
  EXPECT_GE(simulate({0.5, -3.0}, 200).any_screened, 0.99);
}

study::OutlierRule rule_on(const std::string& measure) {
  study::OutlierRule rule;
  rule.measure = measure;
  rule.workloads = {"lenet"};
  return rule;
}

void declare(Bench& bench, const study::OutlierRule& rule) {
  for (Record& record : bench.records) record.request.protocol.outliers = {rule};
}

TEST(Outliers, are_left_out_as_declared_and_said_aloud) {
  Bench bench = clear_study();
  study::OutlierRule rule = rule_on("energy");
  rule.drop_highest = 2;
  rule.drop_lowest = 1;
  declare(bench, rule);
  const Findings findings = analyse(bench.records);
  EXPECT_EQ(findings.left_out, 9) << "three of each configuration's eight runs";
  for (const ConfigurationSummary& one : findings.configurations) EXPECT_EQ(one.energy_j.size(), 5U) << one.label;
  EXPECT_FALSE(findings.headline_without_rules.empty());
  EXPECT_THAT(findings.warnings, Contains(HasSubstr("leave 9 of 24 runs out; without them: learning_rate 0.021")));
  EXPECT_EQ(analyse(clear_study().records).left_out, 0) << "no rule, no outlier";
}

TEST(Outliers, beyond_quartiles_and_exact_values_are_found) {
  Bench bench = clear_study();
  bench.records[0].measured.energy = to_microjoules(Joules{5000.0});
  study::OutlierRule rule = rule_on("energy");
  rule.beyond_iqr = 10.0;
  declare(bench, rule);
  EXPECT_EQ(analyse(bench.records).left_out, 1);
  Bench failed = clear_study();
  failed.records[1].metrics.front().value = 0.0;
  study::OutlierRule zero = rule_on("accuracy");
  zero.equals = 0.0;
  declare(failed, zero);
  const Findings findings = analyse(failed.records);
  EXPECT_EQ(findings.left_out, 1);
  EXPECT_EQ(findings.failed, 0) << "a run that is left out has not failed";
  EXPECT_EQ(mutant(findings, "learning_rate 0.021").metric.pairs, 7);
}

}  // namespace
}  // namespace wattle::analysis
