#include "meter/doctor.h"

#include <gtest/gtest.h>

#include "base/text.h"

namespace wattle::meter {
namespace {

namespace fs = std::filesystem;

class FakeMachine {
 public:
  FakeMachine() { fs::remove_all(root_); }
  ~FakeMachine() { fs::remove_all(root_); }
  void put(const std::string& path, const std::string& text) {
    fs::create_directories((root_ / path).parent_path());
    ASSERT_TRUE(write_text(root_ / path, text));
  }
  [[nodiscard]] Diagnosis look() {
    ScriptedClock clock;
    energy::ProbeOptions options;
    options.sysroot = root_;
    return diagnose(options, clock, seconds(1));
  }
  static const MachineFact& fact(const Diagnosis& diagnosis, const std::string& name) {
    for (const MachineFact& candidate : diagnosis.machine) {
      if (candidate.name == name) return candidate;
    }
    throw std::runtime_error("no fact " + name);
  }

 private:
  fs::path root_ = fs::path(testing::TempDir()) / "wattle_doctor";
};

TEST(Doctor, says_unknown_where_the_machine_tells_nothing) {
  FakeMachine machine;
  const Diagnosis diagnosis = machine.look();
  for (const MachineFact& fact : diagnosis.machine) {
    EXPECT_EQ(fact.verdict, MachineFact::Verdict::unknown) << fact.name << " " << fact.value;
  }
  EXPECT_FALSE(diagnosis.measures);
}

TEST(Doctor, tells_what_disturbs_and_what_to_do) {
  FakeMachine machine;
  machine.put("sys/devices/system/cpu/cpu0/cpufreq/scaling_governor", "powersave\n");
  machine.put("sys/devices/system/cpu/intel_pstate/no_turbo", "0\n");
  machine.put("proc/meminfo", "MemTotal: 100 kB\nSwapTotal:     8388604 kB\nSwapFree:      6291452 kB\n");
  const Diagnosis diagnosis = machine.look();
  EXPECT_EQ(FakeMachine::fact(diagnosis, "governor").verdict, MachineFact::Verdict::disturbs);
  EXPECT_FALSE(FakeMachine::fact(diagnosis, "governor").advice.empty());
  EXPECT_EQ(FakeMachine::fact(diagnosis, "turbo").value, "on");
  EXPECT_EQ(FakeMachine::fact(diagnosis, "swap").value, "2048 MiB in use");
}

TEST(Doctor, tells_heat_and_whether_it_slows_the_processors) {
  FakeMachine machine;
  machine.put("sys/class/hwmon/hwmon0/name", "coretemp\n");
  machine.put("sys/class/hwmon/hwmon0/temp1_label", "Package id 0\n");
  machine.put("sys/class/hwmon/hwmon0/temp1_input", "61000\n");
  const MachineFact unknown = FakeMachine::fact(machine.look(), "thermal");
  EXPECT_EQ(unknown.value, "61 °C, throttling not told");
  EXPECT_EQ(unknown.verdict, MachineFact::Verdict::unknown);
  machine.put("sys/devices/system/cpu/cpu0/topology/physical_package_id", "0\n");
  machine.put("sys/devices/system/cpu/cpu0/thermal_throttle/package_throttle_count", "7\n");
  const MachineFact cool = FakeMachine::fact(machine.look(), "thermal");
  EXPECT_EQ(cool.value, "61 °C, not throttled");
  EXPECT_EQ(cool.verdict, MachineFact::Verdict::good);
}

TEST(Doctor, a_readable_counter_makes_a_measuring_machine) {
  FakeMachine machine;
  machine.put("sys/class/powercap/intel-rapl:0/name", "package-0\n");
  machine.put("sys/class/powercap/intel-rapl:0/energy_uj", "1000\n");
  machine.put("sys/class/powercap/intel-rapl:0/max_energy_range_uj", "262143328850\n");
  EXPECT_TRUE(machine.look().measures);
}

}  // namespace
}  // namespace wattle::meter
