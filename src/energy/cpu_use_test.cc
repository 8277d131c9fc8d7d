#include "energy/cpu_use.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "energy/process_fixture.h"

namespace wattle::energy {
namespace {

namespace fs = std::filesystem;

constexpr const char* kUsage = "usage_usec {}\nuser_usec 1\nsystem_usec 2";

class CpuUseOf : public FakeRoot {
 protected:
  void SetUp() override {
    FakeRoot::SetUp();
    process({.pid = 1});
    process({.pid = 10, .parent = 1, .ticks = 3});
    process({.pid = 11, .parent = 10, .ticks = 4});
  }
  void in_group(int pid, const std::string& lines) const { put(fmt::format("proc/{}/cgroup", pid), lines); }
  void v2(const std::string& group, const std::string& pids, std::int64_t usage,
          const std::string& mount = "sys/fs/cgroup") const {
    put(mount + group + "/cgroup.procs", pids);
    put(mount + group + "/cpu.stat", fmt::format(fmt::runtime(kUsage), usage));
  }
  [[nodiscard]] CpuUse use() const { return {root_, 10, seconds(1)}; }
};

TEST_F(CpuUseOf, a_cgroup_of_its_own_tells_to_the_microsecond) {
  in_group(10, "0::/wattle/run");
  in_group(11, "0::/wattle/run/below");
  v2("/wattle/run", "10", 123'456);
  v2("/wattle/run/below", "11", 456);
  CpuUse run = use();
  EXPECT_EQ(run.source(), CpuUseSource::cgroup_v2);
  EXPECT_EQ(run.read(seconds(1)), Nanoseconds{123'456'000});
  v2("/wattle/run", "10", 200'000);
  EXPECT_EQ(run.read(seconds(2)), Nanoseconds{200'000'000});
  EXPECT_EQ(to_string(run.source()), "cgroup v2 cpu.stat");
}

TEST_F(CpuUseOf, usage_never_falls_and_garbage_is_absent) {
  in_group(10, "0::/run");
  in_group(11, "0::/run");
  v2("/run", "10\n11", 500);
  CpuUse run = use();
  EXPECT_EQ(run.read(seconds(1)), Nanoseconds{500'000});
  v2("/run", "10\n11", 400);
  EXPECT_EQ(run.read(seconds(2)), Nanoseconds{500'000});
  for (const char* text : {"", "usage_usec", "usage_usec -5", "usage_usec 9223372036854775807", "user_usec 3"}) {
    put("sys/fs/cgroup/run/cpu.stat", text);
    EXPECT_EQ(run.read(seconds(3)), std::nullopt) << text;
  }
}

TEST_F(CpuUseOf, a_group_shared_with_others_is_not_its_own) {
  in_group(10, "0::/user");
  in_group(11, "0::/user");
  v2("/user", "10\n11\n1", 123'456);
  CpuUse run = use();
  EXPECT_EQ(run.source(), CpuUseSource::processes);
  EXPECT_EQ(run.read(seconds(1)), milliseconds(70));
}

TEST_F(CpuUseOf, others_in_a_group_below_make_it_not_its_own_either) {
  in_group(10, "0::/user");
  in_group(11, "0::/user");
  v2("/user", "10\n11", 123'456);
  v2("/user/below/further", "1", 5);
  put("sys/fs/cgroup/user/below/cgroup.procs", "");
  EXPECT_EQ(use().source(), CpuUseSource::processes);
}

TEST_F(CpuUseOf, a_member_in_another_group_would_be_missed) {
  in_group(10, "0::/run");
  in_group(11, "0::/run-of-another");
  v2("/run", "10", 123'456);
  EXPECT_EQ(use().source(), CpuUseSource::processes);
}

TEST_F(CpuUseOf, the_top_of_the_hierarchy_and_what_lies_outside_are_nobodys_own) {
  for (const char* path : {"0::/", "0::/../../other"}) {
    in_group(10, path);
    in_group(11, path);
    v2("", "10\n11", 5);
    v2("/../../other", "10\n11", 5);
    EXPECT_EQ(use().source(), CpuUseSource::processes) << path;
  }
}

TEST_F(CpuUseOf, version_one_tells_where_version_two_does_not) {
  for (const int pid : {10, 11}) in_group(pid, "3:cpuset:/x\n2:cpu,cpuacct:/run:with:colons\n0::/");
  for (const char* mount : {"cpuacct", "cpu,cpuacct"}) {
    fs::remove_all(root_ / "sys");
    put(fmt::format("sys/fs/cgroup/{}/run:with:colons/cgroup.procs", mount), "10\n11");
    put(fmt::format("sys/fs/cgroup/{}/run:with:colons/cpuacct.usage", mount), "123456789");
    CpuUse run = use();
    EXPECT_EQ(run.source(), CpuUseSource::cgroup_v1) << mount;
    EXPECT_EQ(run.read(seconds(1)), Nanoseconds{123'456'789});
  }
}

TEST_F(CpuUseOf, version_two_beside_version_one_is_found_where_it_is_mounted) {
  for (const int pid : {10, 11}) in_group(pid, "2:cpuacct:/\n0::/run");
  v2("/run", "10\n11", 77, "sys/fs/cgroup/unified");
  CpuUse run = use();
  EXPECT_EQ(run.source(), CpuUseSource::cgroup_v2);
  EXPECT_EQ(run.read(seconds(1)), Nanoseconds{77'000});
}

TEST_F(CpuUseOf, a_root_that_is_not_there_uses_nothing_that_is_known) {
  CpuUse gone(root_, 99, seconds(1));
  EXPECT_EQ(gone.source(), CpuUseSource::processes);
  EXPECT_EQ(gone.read(seconds(1)), std::nullopt);
}

TEST(CpuUseOfThisMachine, a_busy_family_is_seen) {
  const Family family([](const Family& me) {
    me.wait_for_word();
    ::waitpid(Family::child([] { Family::burn(100); }), nullptr, 0);
    me.say(1);
    me.wait_for_end();
  });
  CpuUse use("/", family.root(), seconds(1));
  MachineCpu machine("/");
  const auto before = use.read(seconds(1));
  const auto all_before = machine.read();
  family.tell();
  ASSERT_EQ(family.hear(), 1);
  const auto after = use.read(seconds(2));
  const auto all_after = machine.read();
  ASSERT_TRUE(before && after && all_before && all_after);
  EXPECT_GE(*after - *before, milliseconds(80));
  EXPECT_LE(*after - *before, milliseconds(200));
  EXPECT_GE(busy_time(*all_after), busy_time(*all_before));
}

TEST(CpuUseOfThisMachine, a_real_cgroup_of_its_own_is_found_and_read) {
  const fs::path group = "/sys/fs/cgroup/cpuacct/wattle-test";
  std::error_code error;
  if (!fs::exists("/sys/fs/cgroup/cpuacct/cpuacct.usage", error)) GTEST_SKIP() << "no cgroup v1 cpuacct here";
  if (!fs::create_directory(group, error)) GTEST_SKIP() << "no group may be made: " << error.message();
  {
    const Family family([&](const Family& me) {
      std::ofstream(group / "cgroup.procs") << ::getpid();
      me.say(1);
      me.wait_for_word();
      ::waitpid(Family::child([] { Family::burn(50); }), nullptr, 0);
      me.say(2);
      me.wait_for_end();
    });
    EXPECT_EQ(family.hear(), 1);
    CpuUse use("/", family.root(), seconds(1));
    EXPECT_EQ(use.source(), CpuUseSource::cgroup_v1);
    const auto before = use.read(seconds(1));
    family.tell();
    EXPECT_EQ(family.hear(), 2);
    const auto after = use.read(seconds(2));
    EXPECT_TRUE(before && after && *after - *before >= milliseconds(50));
  }
  EXPECT_EQ(::rmdir(group.c_str()), 0);
}

TEST(CpuShares, are_of_what_there_was_to_be_had) {
  const auto shares = cpu_shares({.busy_ticks = 10, .online = 2, .idle_ticks = 20, .steal_ticks = 5},
                                 {.busy_ticks = 40, .online = 2, .idle_ticks = 80, .steal_ticks = 15});
  ASSERT_TRUE(shares);
  EXPECT_DOUBLE_EQ(shares->busy, 0.3);
  EXPECT_DOUBLE_EQ(shares->steal, 0.1);
  EXPECT_EQ(shares->time, seconds(1));
  EXPECT_FALSE(cpu_shares({}, {}));
  EXPECT_EQ(busy_time({.busy_ticks = 250}), milliseconds(2500));
}

}  // namespace
}  // namespace wattle::energy
