#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>

#include "energy/process_fixture.h"
#include "energy/telemetry.h"

namespace wattle::energy {
namespace {

using testing::IsNan;

class ProcessGauges : public FakeRoot {
 protected:
  using Values = std::map<std::string, double>;
  static Values read(GaugeSource& source, Nanoseconds now, pid_t root) {
    std::vector<double> out(source.gauges().size(), kNotTold);
    source.read(now, root, out);
    Values values;
    for (std::size_t i = 0; i < out.size(); ++i) values[source.gauges()[i].name] = out[i];
    return values;
  }
  void machine(int busy, int idle) const {
    put("proc/stat", fmt::format("cpu  {} 0 0 {} 0 0 0 0 0 0\ncpu0 0 0 0 0\ncpu1 0 0 0 0", busy, idle));
  }
  [[nodiscard]] std::unique_ptr<GaugeSource> source() const { return process_gauges({.sysroot = root_}); }
};

TEST_F(ProcessGauges, tells_what_the_tree_uses_and_what_others_do) {
  machine(0, 0);
  process({.pid = 10, .parent = 1, .ticks = 100});
  process({.pid = 11, .parent = 10, .ticks = 100});
  const auto gauges = source();
  Values values = read(*gauges, seconds(1), 10);
  EXPECT_EQ(values["run_processes"], 2.0);
  EXPECT_EQ(values["run_threads"], 4.0);
  EXPECT_EQ(values["run_resident_memory"], 200.0 * static_cast<double>(::sysconf(_SC_PAGESIZE)));
  EXPECT_THAT(values["run_cpu"], IsNan()) << "one read tells no rate";
  // 2 s on two CPUs: 1.5 s of the tree, 1 s of others, 1.5 s idle.
  machine(250, 150);
  process({.pid = 10, .parent = 1, .ticks = 200});
  process({.pid = 11, .parent = 10, .ticks = 150});
  put("proc/11/io", "read_bytes: 5000\nwrite_bytes: 200");
  values = read(*gauges, seconds(3), 10);
  EXPECT_DOUBLE_EQ(values["run_cpu"], 0.75);
  EXPECT_DOUBLE_EQ(values["others_cpu_utilisation"], 0.25);
  EXPECT_DOUBLE_EQ(values["run_read"], 2000.0);
  EXPECT_DOUBLE_EQ(values["run_write"], 0.0);
}

TEST_F(ProcessGauges, a_rate_over_too_short_a_time_is_not_told_and_not_forgotten) {
  machine(0, 0);
  process({.pid = 10, .parent = 1});
  const auto gauges = source();
  read(*gauges, seconds(1), 10);
  process({.pid = 10, .parent = 1, .ticks = 5});
  Values values = read(*gauges, seconds(1) + milliseconds(10), 10);
  EXPECT_THAT(values["run_cpu"], IsNan());
  EXPECT_EQ(values["run_processes"], 1.0);
  EXPECT_DOUBLE_EQ(read(*gauges, seconds(1) + milliseconds(100), 10)["run_cpu"], 0.5);
}

TEST_F(ProcessGauges, a_tree_that_did_everything_leaves_nothing_to_others) {
  machine(0, 0);
  process({.pid = 10, .parent = 1});
  const auto gauges = source();
  read(*gauges, seconds(1), 10);
  machine(199, 1);
  process({.pid = 10, .parent = 1, .ticks = 203});
  EXPECT_EQ(read(*gauges, seconds(2), 10)["others_cpu_utilisation"], 0.0);
}

TEST_F(ProcessGauges, bytes_that_may_not_be_read_are_not_told_and_the_rest_is) {
  machine(0, 0);
  process({.pid = 10, .parent = 1});
  std::filesystem::remove(root_ / "proc/10/io");
  const auto gauges = source();
  read(*gauges, seconds(1), 10);
  machine(50, 50);
  process({.pid = 10, .parent = 1, .ticks = 50});
  std::filesystem::remove(root_ / "proc/10/io");
  const Values values = read(*gauges, seconds(2), 10);
  EXPECT_THAT(values.at("run_read"), IsNan());
  EXPECT_THAT(values.at("run_write"), IsNan());
  EXPECT_DOUBLE_EQ(values.at("run_cpu"), 0.5);
}

TEST_F(ProcessGauges, before_there_is_a_root_nothing_is_told) {
  machine(0, 0);
  process({.pid = 10, .parent = 1});
  const auto gauges = source();
  for (const pid_t root : {0, 99}) {
    for (const auto& [name, value] : read(*gauges, seconds(1 + root), root)) {
      if (name == "machine_busy_time") continue;
      EXPECT_THAT(value, IsNan()) << name;
    }
  }
  EXPECT_EQ(read(*gauges, seconds(200), 10)["run_processes"], 1.0);
}

TEST_F(ProcessGauges, another_root_is_another_tree_and_no_rate_spans_both) {
  machine(0, 0);
  process({.pid = 10, .parent = 1, .ticks = 1000});
  process({.pid = 20, .parent = 1, .ticks = 5});
  const auto gauges = source();
  read(*gauges, seconds(1), 10);
  const Values values = read(*gauges, seconds(2), 20);
  EXPECT_EQ(values.at("run_processes"), 1.0);
  EXPECT_THAT(values.at("run_cpu"), IsNan());
}

TEST(ProcessGaugesOfThisMachine, a_busy_family_is_seen) {
  const Family family([](const Family& me) {
    me.wait_for_word();
    Family::burn(100);
    me.say(1);
    me.wait_for_end();
  });
  const auto gauges = process_gauges({});
  std::vector<double> out(gauges->gauges().size(), kNotTold);
  gauges->read(seconds(1), family.root(), out);
  family.tell();
  ASSERT_EQ(family.hear(), 1);
  gauges->read(seconds(2), family.root(), out);
  EXPECT_EQ(out[0], 1.0);
  EXPECT_GE(out[2], 0.08);
  EXPECT_LE(out[2], 0.2);
}

}  // namespace
}  // namespace wattle::energy
