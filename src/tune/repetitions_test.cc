#include "tune/repetitions.h"

#include <gtest/gtest.h>

#include <cmath>
#include <functional>
#include <limits>
#include <set>

namespace wattle::tune {
namespace {

using study::Purpose;
using study::RunRequest;

struct Member {
  std::string id;
  std::string original;  // id; the same for an original
  std::string group = {};
  Purpose purpose = Purpose::score;
};

study::Plan plan(const std::vector<Member>& members, int blocks) {
  study::Plan plan;
  for (int block = 1; block <= blocks; ++block) {
    for (const Member& member : members) {
      RunRequest run;
      run.configuration.id = member.id;
      run.configuration.label = member.id;
      run.configuration.workload = "w";
      if (member.id != member.original) run.configuration.varied = {"learning_rate"};
      run.block = block;
      run.order = static_cast<int>(plan.runs.size()) + 1;
      run.key = member.id + std::to_string(block);
      run.pair_key = member.original + std::to_string(block);
      run.purpose = member.purpose;
      if (!member.group.empty()) run.group = member.group + std::to_string(block);
      run.metric.name = "accuracy";
      run.metric.tolerance = 0.01;
      plan.runs.push_back(run);
    }
  }
  return plan;
}

study::Repetitions repetitions(int min, int max) {
  study::Repetitions repetitions;
  repetitions.min = min;
  repetitions.max = max;
  repetitions.until_decided = true;
  return repetitions;
}

// One finished run: 100 J and 100 s times the factor, with a little noise of the block's that pairs do not share.
record::Summary finished(const RunRequest& run, double factor, double accuracy = 0.9) {
  record::Summary summary;
  summary.key = run.key;
  summary.block = run.block;
  const double noise = (run.block % 2 == 0 ? 1.01 : 0.99);
  const double cost = 100.0 * factor * (run.configuration.original() ? 1.0 : noise);
  summary.end = record::EndState::completed;
  summary.duration = Seconds{cost};
  summary.measured_energy = Joules{cost};
  summary.performance = accuracy + (run.block % 2 == 0 && !run.configuration.original() ? 0.001 : 0.0);
  summary.performance_split = "test";
  return summary;
}

using Doer = std::function<record::Summary(const RunRequest&)>;

// Does what is proposed until nothing is; returns how many runs that took of each configuration.
std::map<std::string, int> campaign(const AdaptiveRepetitions& proposer, campaign::History& history, const Doer& doer) {
  std::map<std::string, int> runs;
  for (int turn = 0; turn < 1000; ++turn) {
    const auto open = proposer.propose(history);
    if (open.empty()) return runs;
    for (const RunRequest& run : open) {
      ++runs[run.configuration.id];
      history.push_back(doer(run));
    }
  }
  ADD_FAILURE() << "never over";
  return runs;
}

const std::vector<Member> kThree = {{"a", "a"}, {"cheap", "a"}, {"noisy", "a"}};

// `cheap` costs a fifth less; `noisy` swings by a half either way and is never decided.
record::Summary cheap_and_noisy(const RunRequest& run) {
  if (run.configuration.id == "cheap") return finished(run, 0.8);
  if (run.configuration.id == "noisy") return finished(run, run.block % 2 == 0 ? 1.5 : 0.67);
  return finished(run, 1.0);
}

TEST(AdaptiveRepetitions, a_decided_mutant_is_left_out_and_the_others_go_on_with_their_original) {
  const AdaptiveRepetitions proposer(plan(kThree, 20), repetitions(8, 20));
  campaign::History history;
  EXPECT_EQ(proposer.propose(history).size(), 3U) << "the first block";
  const auto runs = campaign(proposer, history, cheap_and_noisy);
  EXPECT_EQ(runs.at("cheap"), 8);
  EXPECT_EQ(runs.at("noisy"), 20);
  EXPECT_EQ(runs.at("a"), 20);
  const auto states = proposer.explain(history);
  ASSERT_EQ(states.size(), 2U);
  EXPECT_EQ(states[0].label, "cheap");
  EXPECT_EQ(states[0].judgement.decision, Decision::greener);
  EXPECT_EQ(states[0].decided_at, 8);
  EXPECT_EQ(states[0].pairs, 8);
  EXPECT_FALSE(states[0].by_time);
  EXPECT_EQ(states[1].judgement.decision, Decision::undecided);
  EXPECT_EQ(states[1].decided_at, 0);
}

TEST(AdaptiveRepetitions, is_over_early_when_all_are_decided) {
  const AdaptiveRepetitions proposer(plan({{"a", "a"}, {"cheap", "a"}}, 20), repetitions(8, 20));
  campaign::History history;
  EXPECT_EQ(campaign(proposer, history, cheap_and_noisy).at("a"), 8);
}

TEST(AdaptiveRepetitions, resuming_after_any_run_goes_on_as_if_uninterrupted) {
  const AdaptiveRepetitions proposer(plan(kThree, 12), repetitions(8, 12));
  campaign::History whole;
  campaign(proposer, whole, cheap_and_noisy);
  for (std::size_t done = 0; done <= whole.size(); ++done) {
    campaign::History history(whole.begin(), whole.begin() + static_cast<std::ptrdiff_t>(done));
    campaign(proposer, history, cheap_and_noisy);
    std::set<std::string> keys;
    for (const record::Summary& past : history) keys.insert(past.key);
    EXPECT_EQ(history.size(), whole.size()) << done;
    EXPECT_EQ(keys.size(), whole.size()) << "nothing twice";
  }
}

TEST(AdaptiveRepetitions, an_interrupted_run_is_proposed_again_and_a_failed_one_is_not) {
  const AdaptiveRepetitions proposer(plan(kThree, 12), repetitions(8, 12));
  const auto first = proposer.propose({});
  campaign::History history = {finished(first[0], 1.0), finished(first[1], 1.0), finished(first[2], 1.0)};
  history[1].end = record::EndState::interrupted;
  history[2].end = record::EndState::failed;
  const auto open = proposer.propose(history);
  ASSERT_EQ(open.size(), 1U);
  EXPECT_EQ(open[0].key, first[1].key);
}

TEST(AdaptiveRepetitions, failing_mutants_lose_and_a_block_whose_original_failed_forms_no_pair) {
  const AdaptiveRepetitions proposer(plan(kThree, 20), repetitions(8, 20));
  campaign::History history;
  campaign(proposer, history, [](const RunRequest& run) {
    record::Summary summary = cheap_and_noisy(run);
    if (run.configuration.id == "noisy") summary.performance = std::numeric_limits<double>::quiet_NaN();
    if (run.configuration.original() && run.block <= 2) summary.end = record::EndState::failed;
    return summary;
  });
  const auto states = proposer.explain(history);
  EXPECT_EQ(states[0].judgement.decision, Decision::greener);
  EXPECT_EQ(states[0].pairs, states[0].decided_at - 2);
  EXPECT_EQ(states[1].judgement.decision, Decision::lossy);
  EXPECT_EQ(states[1].failed, states[1].pairs);
}

TEST(AdaptiveRepetitions, decides_by_time_where_a_run_has_no_measured_energy_and_says_so) {
  const AdaptiveRepetitions proposer(plan(kThree, 12), repetitions(8, 12));
  campaign::History history;
  campaign(proposer, history, [](const RunRequest& run) {
    record::Summary summary = cheap_and_noisy(run);
    summary.estimated_energy = Joules{1.0};
    if (run.configuration.id == "noisy" && run.block == 3) summary.measured_energy.reset();
    if (run.configuration.id == "cheap") summary.duration = Seconds{150.0 + run.block};
    return summary;
  });
  const auto states = proposer.explain(history);
  EXPECT_TRUE(states[0].by_time);
  EXPECT_EQ(states[0].judgement.decision, Decision::lossy) << "it takes longer";
}

TEST(AdaptiveRepetitions, a_metric_to_minimise_is_turned_round) {
  study::Plan losses = plan({{"a", "a"}, {"cheap", "a"}}, 12);
  for (RunRequest& run : losses.runs) run.metric.goal = study::Goal::minimize;
  const AdaptiveRepetitions proposer(losses, repetitions(8, 12));
  campaign::History history;
  campaign(proposer, history,
           [](const RunRequest& run) { return finished(run, 0.8, run.configuration.original() ? 0.9 : 1.5); });
  EXPECT_EQ(proposer.explain(history)[0].judgement.decision, Decision::lossy);
}

TEST(AdaptiveRepetitions, every_original_has_its_own_mutants) {
  const AdaptiveRepetitions proposer(plan({{"a", "a"}, {"cheap", "a"}, {"b", "b"}, {"noisy", "b"}}, 12),
                                     repetitions(8, 12));
  campaign::History history;
  const auto runs = campaign(proposer, history, cheap_and_noisy);
  EXPECT_EQ(runs.at("a"), 8);
  EXPECT_EQ(runs.at("b"), 12);
  EXPECT_DOUBLE_EQ(proposer.explain(history)[0].judgement.greener_bar, 40.0);
}

TEST(AdaptiveRepetitions, a_group_comes_whole_or_not_at_all) {
  const std::vector<Member> members = {{"a", "a", "g"},     {"b", "b", "g"},
                                       {"noisy", "a", "h"}, {"p", "p", "h", Purpose::partner},
                                       {"cheap", "a", "i"}, {"q", "q", "i", Purpose::partner}};
  const AdaptiveRepetitions proposer(plan(members, 12), repetitions(8, 12));
  campaign::History history;
  const auto runs = campaign(proposer, history, cheap_and_noisy);
  EXPECT_EQ(runs.at("b"), 12) << "the group of an original that is needed";
  EXPECT_EQ(runs.at("p"), 12);
  EXPECT_EQ(runs.at("q"), 8) << "its mutant is decided";
  history.resize(5);
  std::vector<std::string> open;
  for (const RunRequest& run : proposer.propose(history)) open.push_back(run.configuration.id);
  EXPECT_EQ(open, (std::vector<std::string>{"cheap", "q"})) << "the finished member once more";
}

TEST(AdaptiveRepetitions, control_runs_come_with_their_block_only) {
  const AdaptiveRepetitions proposer(plan({{"c", "c", "", Purpose::control}, {"a", "a"}, {"cheap", "a"}}, 12),
                                     repetitions(8, 12));
  campaign::History history;
  EXPECT_EQ(campaign(proposer, history, cheap_and_noisy).at("c"), 8);
}

TEST(AdaptiveRepetitions, without_mutants_the_fewest_blocks_are_enough) {
  const AdaptiveRepetitions proposer(plan({{"a", "a"}}, 12), repetitions(3, 12));
  campaign::History history;
  EXPECT_EQ(campaign(proposer, history, cheap_and_noisy).at("a"), 3);
}

TEST(AdaptiveRepetitions, precision_ends_a_mutant_whose_ratio_is_known) {
  study::Repetitions precise = repetitions(8, 20);
  precise.until_decided = false;
  precise.precision = 0.02;
  const AdaptiveRepetitions proposer(plan(kThree, 20), precise);
  campaign::History history;
  const auto runs = campaign(proposer, history, cheap_and_noisy);
  EXPECT_LT(runs.at("cheap"), 20);
  EXPECT_EQ(runs.at("noisy"), 20);
  EXPECT_EQ(proposer.explain(history)[0].judgement.decision, Decision::known);
}

}  // namespace
}  // namespace wattle::tune
