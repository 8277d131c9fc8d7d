#include "record/until_epoch.h"

#include <gtest/gtest.h>

namespace wattle::record {
namespace {

// Three epochs of 10 s at 50 W after 5 s of loading, on one package and a core that is part of it.
Record trained(const std::vector<double>& accuracy) {
  Record record;
  record.request.metric.name = "accuracy";
  record.end = EndState::completed;
  record.duration = seconds(36);
  energy::Domain package;
  package.name = "package-0";
  energy::Domain core;
  core.name = "core-0";
  core.kind = energy::DomainKind::core;
  core.parent = "package-0";
  record.domains = {package, core};
  const auto window = [](energy::WindowKind kind, const char* name, std::optional<int> epoch, long end) {
    const energy::WindowEnergy whole{to_microjoules(Joules{50.0 * static_cast<double>(end)}), {}, 1.0, 0.01};
    const energy::WindowEnergy part{to_microjoules(Joules{20.0 * static_cast<double>(end)}), {}, 1.0, 0.01};
    return MeasuredWindow{{kind, name, epoch, seconds(0), seconds(end)}, {}, {whole, part}};
  };
  record.windows.push_back(window(energy::WindowKind::run, "run", {}, 36));
  record.measured = {to_microjoules(Joules{1800.0}), {}, 1.0, 0.01};
  int epoch = 0;
  for (const double value : accuracy) {
    ++epoch;
    record.metrics.push_back({"accuracy", Split::validation, epoch, value, {}});
    record.windows.push_back(window(energy::WindowKind::phase, kUntilEpoch, epoch, 5 + 10 * epoch));
  }
  return record;
}

TEST(EnergyToTarget, is_all_that_was_used_until_the_first_epoch_that_reaches_it) {
  const auto told = energy_to_target(trained({0.7, 0.91, 0.95}), 0.9);
  ASSERT_TRUE(told);
  EXPECT_TRUE(told->reached);
  EXPECT_EQ(told->epoch, 2);
  EXPECT_EQ(told->joules, 1250.0) << "25 s at 50 W: loading counts, the core is in its package";
  EXPECT_EQ(told->seconds, 25.0);
  EXPECT_FALSE(told->estimated);
}

TEST(EnergyToTarget, a_run_that_never_reaches_it_is_censored_at_its_whole_energy) {
  const auto told = energy_to_target(trained({0.7, 0.8, 0.85}), 0.9);
  ASSERT_TRUE(told);
  EXPECT_FALSE(told->reached);
  EXPECT_EQ(told->joules, 1800.0);
}

TEST(EnergyToTarget, less_is_better_where_the_goal_says_so) {
  Record record = trained({0.7, 0.5, 0.2});
  record.request.metric.goal = study::Goal::minimize;
  EXPECT_EQ(energy_to_target(record, 0.5)->epoch, 2);
}

TEST(EnergyToTarget, says_nothing_of_failed_runs_and_of_metrics_without_epochs) {
  Record record = trained({0.95});
  record.end = EndState::diverged;
  EXPECT_FALSE(energy_to_target(record, 0.9));
  record = trained({});
  record.metrics.push_back({"accuracy", Split::test, {}, 0.95, {}});
  EXPECT_FALSE(energy_to_target(record, 0.9));
}

TEST(EnergyToTarget, an_epoch_without_energy_has_a_reason_and_no_number) {
  Record record = trained({0.95});
  record.windows.back().energies[0] = {{}, "too short to measure", 0.0, 0.0};
  const auto told = energy_to_target(record, 0.9);
  ASSERT_TRUE(told);
  EXPECT_TRUE(told->reached);
  EXPECT_FALSE(told->joules);
  EXPECT_EQ(told->why_absent, "too short to measure");
}

}  // namespace
}  // namespace wattle::record
