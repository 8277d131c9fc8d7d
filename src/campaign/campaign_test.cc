#include "campaign/campaign.h"

#include <gtest/gtest.h>

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
  Result<record::Attempt> launch(const study::RunRequest& r, int attempt,
                                 const std::function<void(const run::Progress&)>& /*on_progress*/,
                                 std::stop_token /*stop*/) override {
    launched.push_back(r.key + "." + std::to_string(attempt));
    clock_.advance(seconds(10));
    if (on_launch) on_launch(r);
    if (engine_error) return tl::unexpected(*engine_error);
    record::Attempt a;
    a.record.request = r;
    a.record.attempt = attempt;
    a.record.end = ends.contains(r.key) ? ends.at(r.key) : record::EndState::completed;
    a.record.duration = seconds(10);
    a.record.measured.energy = Microjoules{5'000'000};
    return a;
  }
  void retire(const record::Record& r) override { retired.insert(r.request.key); }

  std::vector<std::string> launched;
  std::set<std::string> retired;
  std::map<std::string, record::EndState> ends;
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

  Result<Outcome> run(const Proposer& proposer, Gate gate = {}) {
    Campaign campaign;
    campaign.proposer = &proposer;
    campaign.launcher = &launcher;
    campaign.sink = [this](const record::Attempt& a) -> Result<void> {
      stored.push_back(a);
      return {};
    };
    campaign.gate = std::move(gate);
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
  const auto recovered = recover(root, [&](const record::Attempt& /*attempt*/) -> Result<void> {
    ++stored;
    return {};
  });
  ASSERT_TRUE(recovered);
  EXPECT_EQ(recovered->attempts, 0);
  EXPECT_EQ(recovered->damaged.size(), 1U);
  EXPECT_TRUE(fs::exists(root / "k-3" / "request.json")) << "what cannot be read is not deleted";
  EXPECT_FALSE(fs::exists(root / "k-1"));
  EXPECT_TRUE(fs::exists(root / "k-2" / "files" / "checkpoints"));
  fs::remove_all(root);
}

}  // namespace
}  // namespace wattle::campaign
