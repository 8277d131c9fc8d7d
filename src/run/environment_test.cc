// What a run's environment asks of the machine: CPUs, niceness, a power cap.
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <signal.h>

#include <nlohmann/json.hpp>

#include "base/text.h"
#include "run/cpus.h"
#include "run/power_cap.h"
#include "run/run_fixture.h"

namespace wattle::run {
namespace {

namespace fs = std::filesystem;
using record::EndState;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

TEST(CpuList, is_divided_evenly_and_shared_where_it_is_too_short) {
  EXPECT_THAT(divided({0, 1, 2, 3, 4}, 2), ElementsAre(ElementsAre(0, 1, 2), ElementsAre(3, 4)));
  EXPECT_THAT(divided({7}, 2), ElementsAre(ElementsAre(7), ElementsAre(7)));
  EXPECT_THAT(divided({0, 1}, 0), IsEmpty());
}

class EnvironmentTest : public RunTest {};

TEST_F(EnvironmentTest, the_child_gets_its_cpus_and_niceness) {
  const int last = usable_cpus().back();
  auto request = python("import os\nprint(sorted(os.sched_getaffinity(0)), os.nice(0))");
  request.configuration.environment.cpus = std::to_string(last);
  request.configuration.environment.nice = 7;
  EXPECT_EQ(run(request).output, fmt::format("[{}] 7\n", last));
}

TEST_F(EnvironmentTest, cpus_that_are_not_there_make_the_run_infeasible) {
  auto request = shell("exit 0");
  request.configuration.environment.cpus = "0,4095";
  const auto attempt = run(request);
  EXPECT_EQ(attempt.record.end, EndState::infeasible);
  EXPECT_THAT(attempt.record.reason, HasSubstr("cannot run on CPUs 0,4095: this process may use "));
}

TEST_F(EnvironmentTest, memory_that_is_not_there_makes_the_run_infeasible) {
  const auto attempt =
      run(shell("echo 'torch.cuda.OutOfMemoryError: CUDA out of memory. Tried to allocate' >&2; exit 1"));
  EXPECT_EQ(attempt.record.end, EndState::infeasible);
  EXPECT_THAT(attempt.record.reason, HasSubstr("CUDA out of memory"));
}

// Two packages with limits, as Documentation/power/powercap/powercap.rst describes them.
class PowerCapTest : public RunTest {
 protected:
  void SetUp() override {
    for (int package = 0; package < 2; ++package) {
      const fs::path zone = zone_of(package);
      fs::create_directories(zone);
      ASSERT_TRUE(write_text(zone / "name", fmt::format("package-{}\n", package)));
      ASSERT_TRUE(write_text(limit_of(package), fmt::format("{}\n", 100'000'000 + package)));
    }
    const fs::path part = tree_ / "sys/class/powercap/intel-rapl:0:0";
    fs::create_directories(part);
    ASSERT_TRUE(write_text(part / "name", "dram\n"));
    ASSERT_TRUE(write_text(part / "constraint_0_power_limit_uw", "5\n"));
    options_.probes.sysroot = tree_;
    options_.allow_power_cap = true;
  }
  [[nodiscard]] fs::path zone_of(int package) const {
    return tree_ / "sys/class/powercap" / fmt::format("intel-rapl:{}", package);
  }
  [[nodiscard]] fs::path limit_of(int package) const { return zone_of(package) / "constraint_0_power_limit_uw"; }
  [[nodiscard]] std::string limits() const {
    return std::string(trim(*read_text(limit_of(0)))) + " " + std::string(trim(*read_text(limit_of(1))));
  }
  study::RunRequest capped(const std::string& script) const {
    auto request = shell(script);
    request.configuration.environment.power_cap = Watts{60.5};
    return request;
  }

  fs::path tree_ = root_ / "machine";
};

TEST_F(PowerCapTest, holds_for_the_run_and_comes_back) {
  const auto attempt = run(capped(fmt::format("cat {} {}", limit_of(0).string(), limit_of(1).string())));
  EXPECT_EQ(attempt.record.end, EndState::completed) << attempt.record.reason;
  EXPECT_EQ(attempt.output, "6050000060500000") << "of every package";
  EXPECT_EQ(limits(), "100000000 100000001");
  EXPECT_EQ(*read_text(tree_ / "sys/class/powercap/intel-rapl:0:0/constraint_0_power_limit_uw"), "5\n");
  EXPECT_FALSE(fs::exists(attempt_directory() / "power_cap.json"));
}

TEST_F(PowerCapTest, comes_back_when_the_guard_was_killed) {
  const auto attempt = run(capped("kill -KILL $PPID; sleep 60"));
  EXPECT_EQ(attempt.record.end, EndState::failed);
  EXPECT_THAT(attempt.record.reason, HasSubstr("guard of the run was killed"));
  EXPECT_EQ(limits(), "100000000 100000001");
}

TEST_F(PowerCapTest, is_refused_unless_it_is_allowed) {
  options_.allow_power_cap = false;
  const auto attempt = run_once(capped("exit 0"), 1, attempt_directory(), options_, clock_, {});
  ASSERT_FALSE(attempt);
  EXPECT_EQ(attempt.error().kind, ErrorKind::environment);
  EXPECT_FALSE(fs::exists(attempt_directory()));
}

TEST_F(PowerCapTest, that_cannot_be_set_is_infeasible_and_changes_nothing) {
  fs::remove(limit_of(1));
  fs::create_directories(limit_of(1));
  const auto attempt = run(capped("exit 0"));
  EXPECT_EQ(attempt.record.end, EndState::infeasible);
  EXPECT_EQ(trim(*read_text(limit_of(0))), "100000000");
  options_.probes.sysroot = root_ / "empty";
  fs::remove_all(attempt_directory());
  EXPECT_THAT(run(capped("exit 0")).record.reason, HasSubstr("no processor's power can be limited here"));
}

TEST_F(PowerCapTest, a_hostile_journal_writes_nothing_but_limits) {
  const fs::path victim = root_ / "victim";
  ASSERT_TRUE(write_text(victim, "mine"));
  const nlohmann::json journal = {
      {{"file", victim.string()}, {"microwatts", "1"}}, {{"file", limit_of(0).string()}, {"microwatts", "rm -rf"}}, 7};
  ASSERT_TRUE(write_text(root_ / "journal", journal.dump()));
  EXPECT_TRUE(restore_power_cap(root_ / "journal"));
  EXPECT_EQ(*read_text(victim), "mine");
  EXPECT_EQ(limits(), "100000000 100000001");
}

}  // namespace
}  // namespace wattle::run
