#include "campaign/campaign.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <set>

#include "base/text.h"
#include "campaign/local.h"

namespace wattle::campaign {
namespace {

study::RunRequest request(const std::string& key, int block = 1) {
  study::RunRequest r;
  r.key = key;
  r.study = "s";
  r.block = block;
  r.configuration.id = "conf-" + key.substr(0, 1);
  r.configuration.workload = "w";
  return r;
}

// Ends every run as its script says, taking 10 s of the scripted clock and 5 J each; notes what it was asked.
class ScriptedLauncher final : public Launcher {
 public:
  explicit ScriptedLauncher(ScriptedClock& clock) : clock_(clock) {}
  Result<std::vector<record::Attempt>> launch(const Start& start,
                                              const std::function<void(const run::Progress&)>& /*on_progress*/,
                                              const std::stop_token& /*stop*/) override {
    std::vector<record::Attempt> attempts;
    clock_.advance(seconds(10));
    std::string together;
    for (const run::GroupMember& member : start.members) {
      const study::RunRequest& r = member.request;
      together += (together.empty() ? "" : "+") + r.key + "." + std::to_string(member.attempt);
      if (on_launch) on_launch(r);
      record::Attempt a;
      a.record.request = r;
      a.record.attempt = member.attempt;
      a.record.end = ends.contains(r.key) ? ends.at(r.key) : record::EndState::completed;
      a.record.duration = seconds(10);
      a.record.measured.energy = Microjoules{5'000'000};
      a.record.flags = start.flags;
      if (flags.contains(r.key)) a.record.flags.push_back(flags.at(r.key));
      attempts.push_back(std::move(a));
    }
    launched.push_back(together);
    if (engine_error) return tl::unexpected(*engine_error);
    return attempts;
  }
  void retire(const record::Record& r) override { retired.insert(r.request.key); }

  std::vector<std::string> launched;
  std::set<std::string> retired;
  std::map<std::string, record::EndState> ends;
  std::map<std::string, std::string> flags;
  std::optional<Error> engine_error;
  std::function<void(const study::RunRequest&)> on_launch;

 private:
  ScriptedClock& clock_;
};

struct Bench {
  ScriptedClock clock;
  ScriptedLauncher launcher{clock};
  std::vector<record::Attempt> stored;
  History history;
  std::stop_source after_run;
  std::stop_source now;
  Conditions conditions;
  std::vector<std::string> waits;

  Result<Outcome> run(const Proposer& proposer, Gate gate = {}) {
    Campaign campaign;
    campaign.proposer = &proposer;
    campaign.launcher = &launcher;
    campaign.sink = [this](const record::Attempt& a) -> Result<void> {
      stored.push_back(a);
      return {};
    };
    campaign.gate = std::move(gate);
    campaign.conditions = conditions;
    campaign.observer.on_wait = [this](const std::string& what) { waits.push_back(what); };
    return run_campaign(campaign, history, clock, after_run.get_token(), now.get_token());
  }
};

TEST(Campaign, every_planned_run_is_done_once_in_order_and_then_never_again) {
  Bench bench;
  const FixedPlan plan({request("a1"), request("b1"), request("a2", 2)});
  const auto outcome = bench.run(plan);
  ASSERT_TRUE(outcome);
  EXPECT_EQ(outcome->finished, 3);
  EXPECT_EQ(bench.launcher.launched, (std::vector<std::string>{"a1.1", "b1.1", "a2.1"}));
  EXPECT_EQ(bench.launcher.retired.size(), 3U);
  EXPECT_EQ(bench.run(plan)->finished, 0);
  EXPECT_EQ(bench.launcher.launched.size(), 3U);
}

TEST(Campaign, a_failed_run_is_a_result_and_the_campaign_goes_on) {
  Bench bench;
  bench.launcher.ends = {{"b1", record::EndState::failed}};
  const FixedPlan plan({request("a1"), request("b1"), request("c1")});
  const auto outcome = bench.run(plan);
  ASSERT_TRUE(outcome);
  EXPECT_EQ(outcome->finished, 3);
  EXPECT_EQ(outcome->failed, 1);
  EXPECT_EQ(bench.run(plan)->finished, 0) << "a failed run is not repeated by itself";
}

TEST(Campaign, an_interrupted_attempt_is_stored_and_the_run_done_again_under_a_new_number) {
  Bench bench;
  bench.launcher.ends = {{"b1", record::EndState::interrupted}};
  bench.launcher.on_launch = [&](const study::RunRequest& r) {
    if (r.key == "b1") bench.now.request_stop();
  };
  const FixedPlan plan({request("a1"), request("b1"), request("c1")});
  const auto outcome = bench.run(plan);
  ASSERT_TRUE(outcome);
  EXPECT_TRUE(outcome->interrupted);
  EXPECT_EQ(bench.stored.size(), 2U) << "the joules of the attempt are kept";
  bench.now = std::stop_source();
  bench.launcher.ends.clear();
  bench.launcher.on_launch = nullptr;
  ASSERT_TRUE(bench.run(plan));
  EXPECT_EQ(bench.launcher.launched, (std::vector<std::string>{"a1.1", "b1.1", "b1.2", "c1.1"}));
}

TEST(Campaign, a_gentle_stop_lets_the_run_in_flight_end) {
  Bench bench;
  bench.launcher.on_launch = [&](const study::RunRequest& /*r*/) { bench.after_run.request_stop(); };
  const FixedPlan plan({request("a1"), request("b1")});
  const auto outcome = bench.run(plan);
  ASSERT_TRUE(outcome);
  EXPECT_EQ(outcome->finished, 1);
  EXPECT_TRUE(outcome->interrupted);
}

TEST(Campaign, the_engines_error_ends_it_with_what_is_done_kept) {
  Bench bench;
  bench.launcher.on_launch = [&](const study::RunRequest& r) {
    if (r.key == "b1") bench.launcher.engine_error = Error{ErrorKind::environment, "no space left", {}};
  };
  const auto outcome = bench.run(FixedPlan({request("a1"), request("b1"), request("c1")}));
  ASSERT_FALSE(outcome);
  EXPECT_EQ(outcome.error().kind, ErrorKind::environment);
  EXPECT_EQ(bench.history.size(), 1U);
}

study::RunRequest member(const std::string& key, const std::string& group) {
  study::RunRequest r = request(key);
  r.group = group;
  return r;
}

TEST(Campaign, members_of_a_group_are_launched_together) {
  Bench bench;
  const FixedPlan plan({request("a1"), member("b1", "g"), member("c1", "g"), member("d1", "h"), member("e1", "h")});
  const auto outcome = bench.run(plan);
  ASSERT_TRUE(outcome);
  EXPECT_EQ(outcome->finished, 5);
  EXPECT_EQ(bench.launcher.launched, (std::vector<std::string>{"a1.1", "b1.1+c1.1", "d1.1+e1.1"}));
}

TEST(Campaign, a_group_of_which_one_was_cut_off_is_made_again_whole) {
  Bench bench;
  bench.launcher.ends = {{"c1", record::EndState::interrupted}};
  bench.launcher.on_launch = [&](const study::RunRequest& /*r*/) { bench.after_run.request_stop(); };
  const FixedPlan plan({member("b1", "g"), member("c1", "g")});
  ASSERT_TRUE(bench.run(plan));
  EXPECT_EQ(plan.propose(bench.history).size(), 2U);
}

TEST(Campaign, what_a_machine_cannot_run_is_recorded_once_and_its_other_blocks_are_left_out) {
  Bench bench;
  bench.launcher.ends = {{"b1", record::EndState::infeasible}};
  const FixedPlan plan({request("a1"), request("b1"), request("a2", 2), request("b2", 2)});
  const auto outcome = bench.run(plan);
  ASSERT_TRUE(outcome);
  EXPECT_EQ(outcome->failed, 1);
  EXPECT_TRUE(plan.propose(bench.history).empty());
  EXPECT_EQ(bench.launcher.launched, (std::vector<std::string>{"a1.1", "b1.1", "a2.1", "b2.1"}))
      << "what was proposed already is done";
  EXPECT_EQ(FixedPlan({request("b3", 3)}).propose(bench.history).size(), 0U);
}

TEST(Campaign, a_run_disturbed_by_others_is_made_again_as_often_as_its_protocol_says) {
  Bench bench;
  bench.launcher.flags = {{"b1", record::kForeignLoad}};
  study::RunRequest disturbed = request("b1");
  disturbed.protocol.repeat_flagged = 2;
  ASSERT_TRUE(bench.run(FixedPlan({request("a1"), disturbed})));
  EXPECT_EQ(bench.launcher.launched, (std::vector<std::string>{"a1.1", "b1.1", "b1.2", "b1.3"}));
}

TEST(Rerun, makes_again_what_failed_or_was_flagged_or_everything) {
  Bench bench;
  bench.launcher.ends = {{"b1", record::EndState::failed}};
  bench.launcher.flags = {{"c1", "not cool"}};
  const std::vector<study::RunRequest> runs{request("a1"), request("b1"), request("c1")};
  ASSERT_TRUE(bench.run(FixedPlan(runs)));
  const auto keys = [&](Rerun what) {
    std::string all;
    const FixedPlan plan(runs);
    for (const auto& open : Afresh(plan, bench.history, what).propose(bench.history)) all += open.key;
    return all;
  };
  EXPECT_EQ(keys(Rerun::none), "");
  EXPECT_EQ(keys(Rerun::failed), "b1");
  EXPECT_EQ(keys(Rerun::flagged), "c1");
  EXPECT_EQ(keys(Rerun::all), "a1b1c1");
  bench.launcher.ends.clear();
  const FixedPlan plan(runs);
  ASSERT_TRUE(bench.run(Afresh(plan, bench.history, Rerun::failed)));
  EXPECT_EQ(bench.launcher.launched.back(), "b1.2") << "once, and not again and again";
  EXPECT_EQ(keys(Rerun::failed), "");
}

TEST(Protocol, the_machine_is_warmed_up_once_by_runs_that_are_no_results) {
  Bench bench;
  study::RunRequest first = request("a1");
  first.protocol.warm_up = seconds(25);
  const auto outcome = bench.run(FixedPlan({first, request("b1")}));
  ASSERT_TRUE(outcome);
  EXPECT_EQ(outcome->finished, 2);
  ASSERT_EQ(bench.stored.size(), 5U) << "three of 10 s fill 25 s";
  for (int i = 0; i < 3; ++i) EXPECT_EQ(bench.stored[i].record.request.purpose, study::Purpose::warm_up);
  EXPECT_EQ(bench.launcher.launched[3], "a1.1");
}

TEST(Protocol, cooling_waits_for_the_temperature_and_flags_what_stays_warm) {
  Bench bench;
  double temperature = 70.0;
  bench.conditions.temperature = [&] { return temperature -= 5.0; };
  study::RunRequest cool = request("b1");
  cool.protocol.cool_down = seconds(2);
  cool.protocol.cool_to_temperature = 50.0;
  const Nanoseconds begin = bench.clock.monotonic();
  ASSERT_TRUE(bench.run(FixedPlan({request("a1"), cool})));
  EXPECT_EQ(temperature, 50.0);
  EXPECT_EQ(bench.clock.monotonic() - begin, seconds(20 + 2 + 3)) << "two runs, the rest, and three looks in vain";
  EXPECT_EQ(bench.history.back().flags, "");
  temperature = 1e9;
  cool.key = "c1";
  cool.protocol.cool_down_limit = seconds(5);
  ASSERT_TRUE(bench.run(FixedPlan({request("d1"), cool})));
  EXPECT_EQ(bench.history.back().flags, "not cool");
  bench.conditions.temperature = nullptr;
  cool.key = "e1";
  ASSERT_TRUE(bench.run(FixedPlan({request("f1"), cool})));
  EXPECT_EQ(bench.history.back().flags, "temperature not told") << "absent is not cool";
}

TEST(Protocol, idle_power_is_heard_before_each_block_and_is_what_power_cools_to) {
  Bench bench;
  int heard = 0;
  double watts = 30.0;
  bench.conditions.baseline = [&](Nanoseconds time, const std::stop_token&) -> Result<Watts> {
    EXPECT_EQ(time, seconds(30));
    ++heard;
    return Watts{20.0};
  };
  bench.conditions.power = [&](Nanoseconds, const std::stop_token&) -> Result<Watts> { return Watts{watts -= 3.0}; };
  std::vector<study::RunRequest> runs{request("a1"), request("b1"), request("a2", 2)};
  for (study::RunRequest& one : runs) {
    one.protocol.idle_baseline = seconds(30);
    one.protocol.cool_to_power = 0.05;
  }
  ASSERT_TRUE(bench.run(FixedPlan(runs)));
  EXPECT_EQ(heard, 2);
  EXPECT_LE(watts, 21.0);
  EXPECT_EQ(bench.history.back().flags, "");
}

TEST(Protocol, a_stop_ends_every_wait) {
  Bench bench;
  bench.conditions.temperature = [&] {
    bench.after_run.request_stop();
    return 99.0;
  };
  study::RunRequest cool = request("b1");
  cool.protocol.cool_to_temperature = 50.0;
  const auto outcome = bench.run(FixedPlan({request("a1"), cool}));
  ASSERT_TRUE(outcome);
  EXPECT_TRUE(outcome->interrupted);
  EXPECT_EQ(outcome->finished, 1);
}

TEST(Budget, each_kind_stops_new_runs) {
  const FixedPlan plan({request("a1"), request("b1"), request("c1"), request("d1")});
  for (const study::Budget& budget :
       {study::Budget{15.0 / 3600.0, {}, {}}, study::Budget{{}, 7.5 / 3.6e6, {}}, study::Budget{{}, {}, 2}}) {
    Bench bench;
    const auto outcome = bench.run(plan, budget_gate(budget));
    ASSERT_TRUE(outcome);
    EXPECT_EQ(outcome->finished, 2);
    EXPECT_FALSE(outcome->stopped.empty());
    EXPECT_FALSE(outcome->interrupted);
  }
}

TEST(Costs, a_run_to_come_costs_the_median_of_its_configuration_else_of_its_workload) {
  Bench bench;
  ASSERT_TRUE(bench.run(FixedPlan({request("a1"), request("a2"), request("b1")})));
  bench.history[0].duration = Seconds{30.0};
  bench.history[1].duration = Seconds{30.0};
  const Costs costs(bench.history);
  const std::vector<study::RunRequest> own{request("a3")};
  const std::vector<study::RunRequest> mixed{request("a3"), request("z1")};
  EXPECT_DOUBLE_EQ(costs.of(own).time->value, 30.0);
  EXPECT_DOUBLE_EQ(costs.of(mixed).time->value, 60.0) << "the workload's median is 30 s too";
  EXPECT_DOUBLE_EQ(costs.of(mixed).energy->value, 10.0);
  EXPECT_FALSE(Costs().of(own).time.has_value()) << "nothing known is absent, not zero";
}

TEST(Recover, directories_without_a_request_are_cleared_and_program_files_kept) {
  namespace fs = std::filesystem;
  const fs::path root = fs::path(testing::TempDir()) / "wattle_recover";
  fs::remove_all(root);
  fs::create_directories(root / "k-1" / "files");
  fs::create_directories(root / "k-2" / "files" / "checkpoints");
  fs::create_directories(root / "k-3");
  ASSERT_TRUE(write_text(root / "k-3" / "request.json", "not JSON"));
  int stored = 0;
  for (const char* time : {"first", "second"}) {
    const auto recovered = recover(root, [&](const record::Attempt& /*attempt*/) -> Result<void> {
      ++stored;
      return {};
    });
    ASSERT_TRUE(recovered);
    EXPECT_EQ(recovered->attempts, 0);
    ASSERT_EQ(recovered->damaged.size(), 1U) << time;
    EXPECT_NE(recovered->damaged.front().find("k-3.damaged"), std::string::npos) << recovered->damaged.front();
  }
  EXPECT_EQ(stored, 0);
  EXPECT_TRUE(fs::exists(root / "k-3.damaged" / "request.json")) << "what cannot be read is not deleted";
  EXPECT_FALSE(fs::exists(root / "k-3")) << "it does not stand in the way of the run's next attempt";
  EXPECT_FALSE(fs::exists(root / "k-1"));
  EXPECT_TRUE(fs::exists(root / "k-2" / "files" / "checkpoints"));
  fs::remove_all(root);
}

TEST(Recover, weights_of_a_whole_run_get_the_ledger_that_was_still_to_be_written) {
  namespace fs = std::filesystem;
  const fs::path root = fs::path(testing::TempDir()) / "wattle_recover_weights";
  const std::string key(16, 'a');
  const fs::path attempt = root / (key + "-1");
  fs::remove_all(root);
  fs::create_directories(attempt / "files");
  record::Record record;
  record.request = request(key);
  record.request.arguments = {"/bin/true"};
  record.attempt = 1;
  record.end = record::EndState::completed;
  record.duration = seconds(3);
  record.measured.energy = to_microjoules(Joules{7.0});
  const nlohmann::json preamble{{"format", 1},
                                {"attempt", 1},
                                {"started_wall_ns", 1},
                                {"boot_offset_ns", 0},
                                {"boot_id", "earlier"},
                                {"fingerprint", nlohmann::json::object()},
                                {"variables", nlohmann::json::object()},
                                {"request", study::to_json(record.request)}};
  ASSERT_TRUE(write_text(attempt / "request.json", preamble.dump()));
  ASSERT_TRUE(write_text(attempt / "result.json", record::to_json(record).dump()));
  ASSERT_TRUE(write_text(attempt / "files" / "model.pt", "weights"));
  const auto recovered = recover(root, [](const record::Attempt& one) -> Result<void> {
    EXPECT_EQ(one.record.end, record::EndState::completed);
    return {};
  });
  ASSERT_TRUE(recovered);
  EXPECT_EQ(recovered->attempts, 1) << (recovered->damaged.empty() ? "" : recovered->damaged.front());
  const auto ledger = read_text(attempt / "files" / "model.pt.ledger.json");
  ASSERT_TRUE(ledger) << ledger.error().message;
  EXPECT_NE(ledger->find("\"energy_j\": 7"), std::string::npos) << *ledger;
  fs::remove_all(root);
}

}  // namespace
}  // namespace wattle::campaign
