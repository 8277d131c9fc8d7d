#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <string>

#include "energy/fake_tree.h"
#include "energy/probe.h"
#include "energy/sampler.h"

namespace wattle::energy {
namespace {

using testing::Contains;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::IsSupersetOf;
using testing::Not;

// A machine as find_probes meets it; each test gives it what it needs.
class Machine : public testing::Test {
 protected:
  void model() const {
    tree_.write("proc/stat", "cpu  10 0 10 10 0 0 0 0 0 0\ncpu0 10 0 10 10 0 0 0 0 0 0");
    tree_.write("proc/meminfo", "MemTotal:        1048576 kB");
  }
  void zone(const std::string& place, const std::string& name) const {
    const std::string folder = "sys/class/powercap/" + place;
    tree_.write(folder + "/name", name);
    tree_.write(folder + "/energy_uj", "1000");
    tree_.write(folder + "/max_energy_range_uj", "262143328850");
  }
  void perf_package() const {
    const std::string pmu = "sys/bus/event_source/devices/power/";
    tree_.write(pmu + "type", "1");
    tree_.write(pmu + "cpumask", "0");
    tree_.write(pmu + "events/energy-pkg", "event=0x00");
    tree_.write(pmu + "events/energy-pkg.scale", "1e-9");
    tree_.write(pmu + "events/energy-pkg.unit", "Joules");
  }
  void battery(const std::string& status) const {
    tree_.write("sys/class/power_supply/BAT0/type", "Battery");
    tree_.write("sys/class/power_supply/BAT0/status", status);
    tree_.write("sys/class/power_supply/BAT0/power_now", "8000000");
  }
  std::vector<Found> find(std::vector<std::string> wanted = {}) const {
    ProbeOptions options;
    options.sysroot = tree_.root();
    options.wanted = std::move(wanted);
    return find_probes(options);
  }
  static const Found& named(const std::vector<Found>& all, std::string_view name) {
    const auto found = std::find_if(all.begin(), all.end(), [&](const Found& one) { return one.name == name; });
    static const Found kNone;
    return found == all.end() ? kNone : *found;
  }
  static std::vector<std::string> domains(const std::vector<Found>& all) {
    std::vector<std::string> names;
    for (const Found& found : all) {
      if (!found.probe) continue;
      for (const Domain& domain : found.probe->domains()) names.push_back(domain.name);
    }
    return names;
  }

  FakeTree tree_;
};

TEST_F(Machine, probes_stand_in_order_of_trust) {
  EXPECT_THAT(probe_names(), IsSupersetOf({"perf", "powercap", "hwmon", "battery", "model"}));
  EXPECT_EQ(probe_names().front(), "perf");
  EXPECT_EQ(probe_names().back(), "model");
}

TEST_F(Machine, where_nothing_measures_the_model_estimates) {
  model();
  EXPECT_THAT(domains(find()), ElementsAre("cpu (model)", "ram (model)"));
}

TEST_F(Machine, what_perf_reads_powercap_does_not_read_again) {
  perf_package();
  if (!named(find(), "perf").probe) GTEST_SKIP() << "perf cannot count here: " << named(find(), "perf").reason;
  zone("intel-rapl:0", "package-0");
  zone("intel-rapl:1", "package-0-die-1");
  zone("intel-rapl:0:0", "dram");
  const auto all = find();
  EXPECT_THAT(domains(all), ElementsAre("package-0", "dram-0"));
  EXPECT_EQ(named(all, "perf").probe->domains()[0].source, "perf");
  EXPECT_THAT(named(all, "powercap").reason, HasSubstr("read already by a better probe: package-0, package-0-die-1"));
  tree_.remove("sys/class/powercap/intel-rapl:0:0");
  EXPECT_EQ(named(find(), "powercap").status, Found::Status::absent);
  EXPECT_THAT(domains(find({"perf", "powercap"})), ElementsAre("package-0", "package-0", "package-0-die-1"))
      << "who names both gets both";
}

TEST_F(Machine, perf_that_is_locked_is_not_missed_where_powercap_is_open) {
  perf_package();
  zone("intel-rapl:0", "package-0");
  const WithoutRoot nobody;
  if (!nobody.unprivileged()) GTEST_SKIP() << "cannot give up root here";
  const auto all = find();
  if (named(all, "perf").probe) GTEST_SKIP() << "everybody may count here";
  EXPECT_EQ(named(all, "perf").status, Found::Status::absent);
  EXPECT_THAT(named(all, "perf").reason, HasSubstr("not needed, powercap reads the same counters"));
  EXPECT_THAT(named(all, "perf").missing, IsEmpty());
  EXPECT_EQ(named(find({"perf"}), "perf").status, Found::Status::denied) << "who asks for it is told";
}

TEST_F(Machine, a_battery_on_mains_leaves_the_model_on) {
  model();
  battery("Charging");
  const auto all = find();
  EXPECT_THAT(domains(all), ElementsAre("cpu (model)", "ram (model)"));
  EXPECT_THAT(named(all, "battery").reason, HasSubstr("on mains"));
  battery("Discharging");
  EXPECT_THAT(domains(find()), ElementsAre("wall-battery"));
}

TEST_F(Machine, a_gpu_or_a_board_alone_leaves_the_model_on) {
  model();
  tree_.write("sys/class/hwmon/hwmon0/name", "power_meter");
  tree_.write("sys/class/hwmon/hwmon0/power1_average", "250000000");
  tree_.write("sys/class/hwmon/hwmon1/name", "amdgpu");
  tree_.write("sys/class/hwmon/hwmon1/power1_average", "36000000");
  EXPECT_THAT(domains(find()), ElementsAre("board-power_meter-power1", "gpu-hwmon1", "cpu (model)", "ram (model)"));
  zone("intel-rapl:0", "package-0");
  EXPECT_THAT(domains(find()), Not(Contains("cpu (model)")));
  EXPECT_THAT(domains(find({"model"})), ElementsAre("cpu (model)", "ram (model)")) << "when asked for";
}

TEST_F(Machine, probes_with_words_are_only_asked_for_by_name) {
  const auto all = find({"constant:5:fans", "plug:nowhere", "replay:/nowhere"});
  ASSERT_EQ(all.size(), 3U);
  EXPECT_EQ(all[0].status, Found::Status::found);
  EXPECT_THAT(all[1].reason, HasSubstr("network"));
  EXPECT_EQ(all[2].status, Found::Status::absent);
}

TEST_F(Machine, an_unknown_name_is_told_what_there_is) {
  EXPECT_THAT(find({"pref"})[0].reason, HasSubstr("did you mean `perf`?"));
  EXPECT_THAT(find({"wattmeter"})[0].reason, HasSubstr("replay:FILE, plug:HOST[:PORT], constant:WATTS[:NAME]"));
}

}  // namespace
}  // namespace wattle::energy
