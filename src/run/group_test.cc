// Runs side by side, with real processes under a replayed package of 50 W.
#include <fmt/format.h>
#include <gmock/gmock.h>

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>

#include "base/text.h"
#include "run/cpus.h"
#include "run/group_share.h"
#include "run/run_fixture.h"

namespace wattle::run {
namespace {

using record::EndState;
using testing::Contains;
using testing::HasSubstr;

class GroupTest : public RunTest {
 protected:
  void SetUp() override {
    ASSERT_TRUE(write_text(root_ / "power.csv", "time_s,domain,power_w\n0,package-0,50\n3600,package-0,50\n"));
    options_.probes.wanted = {"replay:" + (root_ / "power.csv").string()};
    options_.telemetry_interval = milliseconds(50);
  }

  static std::string busy(double seconds) {
    return fmt::format("import time\nt=time.monotonic()\nwhile time.monotonic()-t<{}: pass", seconds);
  }

  // In the order of the group, which `mode` is for.
  static std::vector<GroupMember> group(std::vector<study::RunRequest> requests, study::GroupMode mode) {
    std::vector<GroupMember> members;
    for (study::RunRequest& request : requests) {
      study::Colocation& colocation = request.configuration.colocation;
      colocation.mode = mode;
      colocation.member = static_cast<int>(members.size());
      colocation.partners.assign(requests.size() - 1, "another");
      request.configuration.workload = fmt::format("w{}", members.size());
      request.configuration.label = "original";
      request.group = "g";
      members.push_back({std::move(request), 1});
    }
    return members;
  }

  std::vector<record::Attempt> run_all(const std::vector<GroupMember>& members, const std::stop_token& stop = {}) {
    auto attempts = run_group(
        members,
        [&](const study::RunRequest& request, int attempt) {
          return root_ / fmt::format("{}-{}", request.configuration.workload, attempt);
        },
        options_, clock_, stop);
    EXPECT_TRUE(attempts) << attempts.error().message;
    return attempts ? std::move(*attempts) : std::vector<record::Attempt>{};
  }
};

Microjoules parts(const std::vector<record::Attempt>& attempts) {
  const record::GroupShare& group = *attempts.front().record.group;
  Microjoules sum = group.idle + group.others + group.unknown;
  for (const record::Attempt& attempt : attempts) sum += *attempt.record.group->own;
  return sum;
}

energy::Window run_of(const record::Attempt& attempt) { return attempt.record.windows.front().window; }

TEST_F(GroupTest, all_begin_at_once_and_their_parts_are_the_whole_to_the_microjoule) {
  options_.idle_power["package-0"] = Watts{20.0};
  const auto attempts = run_all(group({python(busy(0.6)), python(busy(0.9))}, study::GroupMode::together));
  ASSERT_EQ(attempts.size(), 2U);
  for (const record::Attempt& attempt : attempts) {
    ASSERT_EQ(attempt.record.end, EndState::completed) << attempt.record.reason;
    ASSERT_TRUE(attempt.record.group);
    EXPECT_EQ(attempt.record.group->invalid, "");
    EXPECT_FALSE(attempt.record.measured.energy) << "nothing of its own is measured";
    ASSERT_TRUE(attempt.record.estimated.energy);
    EXPECT_EQ(*attempt.record.estimated.energy, *attempt.record.group->own);
    EXPECT_LE(attempt.record.group->least, *attempt.record.group->own);
    EXPECT_GE(attempt.record.group->most, *attempt.record.group->own);
    EXPECT_GT(attempt.record.group->own->value, 0);
  }
  const record::GroupShare& whole = *attempts[0].record.group;
  ASSERT_TRUE(whole.measured.energy) << whole.measured.why_absent;
  EXPECT_EQ(parts(attempts), *whole.measured.energy);
  EXPECT_GT(whole.idle.value, 0);
  const double seconds = to_seconds(run_of(attempts[1]).end - run_of(attempts[0]).begin).value;
  EXPECT_NEAR(to_joules(*whole.measured.energy).value, 50.0 * seconds, 0.05 * 50.0 * seconds) << "from first to last";
  EXPECT_GT(attempts[0].record.group->overlap, 0.9) << "the shorter one was never alone, but for the start";
  EXPECT_LT(attempts[1].record.group->overlap, attempts[0].record.group->overlap);
}

TEST_F(GroupTest, each_directory_tells_the_same_by_itself) {
  const auto attempts = run_all(group({python(busy(0.4)), python(busy(0.4))}, study::GroupMode::together));
  ASSERT_EQ(attempts.size(), 2U);
  for (const record::Attempt& attempt : attempts) {
    const auto loaded = load_attempt(root_ / (attempt.record.request.configuration.workload + "-1"));
    ASSERT_TRUE(loaded) << loaded.error().message;
    EXPECT_EQ(record::to_json(loaded->record), record::to_json(attempt.record));
    EXPECT_EQ(loaded->trace, attempts[0].trace);
  }
}

TEST_F(GroupTest, cores_are_divided_where_there_are_enough) {
  const std::string told = "import os\nprint(sorted(os.sched_getaffinity(0)))\n";
  auto members = group({python(told + busy(0.1)), python(told + busy(0.1))}, study::GroupMode::together);
  const auto slices = divided(usable_cpus(), 2);
  const auto list_of = [](const std::vector<int>& cpus) {
    std::vector<std::string> words;
    std::transform(cpus.begin(), cpus.end(), std::back_inserter(words), [](int cpu) { return std::to_string(cpu); });
    return "[" + join(words, ", ") + "]\n";
  };
  auto attempts = run_all(members);
  ASSERT_EQ(attempts.size(), 2U);
  EXPECT_EQ(attempts[0].output, list_of(slices[0]));
  EXPECT_EQ(attempts[1].output, list_of(slices[1]));
  for (GroupMember& member : members) {
    member.request.configuration.colocation.divided_cores = false;
    member.attempt = 2;
  }
  attempts = run_all(members);
  ASSERT_EQ(attempts.size(), 2U);
  EXPECT_EQ(attempts[0].output, list_of(usable_cpus()));
}

TEST_F(GroupTest, partners_in_the_background_run_again_until_the_scored_run_has_ended) {
  const auto attempts = run_all(group({python(busy(1.2)), python(busy(0.25))}, study::GroupMode::background));
  ASSERT_GE(attempts.size(), 4U);
  EXPECT_EQ(attempts[0].record.end, EndState::completed);
  EXPECT_EQ(attempts[0].record.group->invalid, "");
  EXPECT_GT(attempts[0].record.group->overlap, 0.7);
  int cut = 0;
  for (std::size_t i = 1; i < attempts.size(); ++i) {
    const record::Record& record = attempts[i].record;
    EXPECT_EQ(record.attempt, static_cast<int>(i));
    EXPECT_TRUE(record.end == EndState::completed || record.end == EndState::censored) << record.reason;
    cut += record.end == EndState::censored ? 1 : 0;
  }
  EXPECT_LE(cut, 1) << "only the last was cut off";
  EXPECT_EQ(parts(attempts), *attempts[0].record.group->measured.energy);
}

TEST_F(GroupTest, a_partner_that_dies_invalidates_the_group) {
  const auto attempts = run_all(group({python(busy(0.5)), shell("exit 7")}, study::GroupMode::background));
  ASSERT_EQ(attempts.size(), 2U) << "it is not started again and again";
  EXPECT_EQ(attempts[0].record.end, EndState::completed) << "the scored run goes on to its end";
  EXPECT_THAT(attempts[0].record.group->invalid, HasSubstr("w1/original failed: exit code 7"));
  EXPECT_THAT(attempts[0].record.flags, Contains("group invalid"));
}

TEST_F(GroupTest, a_partner_that_only_pretends_to_work_invalidates_the_group) {
  const auto attempts = run_all(group({python(busy(0.8)), shell("sleep 0.8")}, study::GroupMode::together));
  ASSERT_EQ(attempts.size(), 2U);
  EXPECT_THAT(attempts[0].record.group->invalid, HasSubstr("w1/original hardly worked"));
}

TEST_F(GroupTest, a_member_that_destroys_its_attempt_fails_the_group_and_no_more) {
  const auto destroys = shell("rm -r \"$(dirname \"$WATTLE_EVENTS\")\"");
  for (const bool first : {true, false}) {
    SCOPED_TRACE(first);
    std::filesystem::remove_all(root_ / "w0-1");
    std::filesystem::remove_all(root_ / "w1-1");
    const auto requests = first ? std::vector{destroys, python(busy(0.1))} : std::vector{python(busy(0.1)), destroys};
    const auto attempts = run_all(group(requests, study::GroupMode::together));
    ASSERT_EQ(attempts.size(), 2U);
    for (const record::Attempt& attempt : attempts) {
      EXPECT_EQ(attempt.record.end, EndState::failed);
      EXPECT_THAT(attempt.record.reason, HasSubstr("attempt directory was removed"));
      EXPECT_FALSE(attempt.record.group) << "nobody's part is known";
    }
  }
}

TEST_F(GroupTest, a_stop_ends_all_and_none_is_a_result) {
  std::stop_source stop;
  options_.on_progress = [&](const Progress&) { stop.request_stop(); };
  const auto attempts =
      run_all(group({python(busy(60)), python(busy(60))}, study::GroupMode::background), stop.get_token());
  ASSERT_EQ(attempts.size(), 2U);
  for (const record::Attempt& attempt : attempts) EXPECT_EQ(attempt.record.end, EndState::interrupted);
}

TEST_F(GroupTest, what_cannot_begin_leaves_nothing) {
  auto members = group({python(busy(0.1)), python(busy(0.1))}, study::GroupMode::together);
  options_.program = root_ / "nowhere";
  const auto attempts = run_group(
      members, [&](const study::RunRequest& request, int) { return root_ / "both" / request.configuration.workload; },
      options_, clock_, {});
  ASSERT_FALSE(attempts);
  EXPECT_EQ(attempts.error().kind, ErrorKind::environment);
  EXPECT_TRUE(std::filesystem::is_empty(root_ / "both"));
}

}  // namespace
}  // namespace wattle::run
