#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <map>

#include "energy/process_fixture.h"
#include "energy/telemetry.h"

namespace wattle::energy {
namespace {

using testing::IsNan;

class MachineGauges : public FakeRoot {
 protected:
  void SetUp() override {
    FakeRoot::SetUp();
    stat(0, 0, 0);
    put("proc/meminfo", "MemTotal: 1000 kB\nMemAvailable:  600 kB\nSwapTotal: 300 kB\nSwapFree: 50 kB");
  }
  void stat(int busy, int idle, int steal) const {
    put("proc/stat", fmt::format("cpu  {} 0 0 {} 0 0 0 {} 0 0\ncpu0 0 0 0 0\ncpu1 0 0 0 0\nintr 1", busy, idle, steal));
  }
  void cpu(int number, int package, const std::string& kilohertz, const std::string& throttled) const {
    const std::string folder = fmt::format("sys/devices/system/cpu/cpu{}/", number);
    put(folder + "topology/physical_package_id", fmt::format("{}", package));
    if (!kilohertz.empty()) put(folder + "cpufreq/scaling_cur_freq", kilohertz);
    if (!throttled.empty()) put(folder + "thermal_throttle/package_throttle_count", throttled);
  }
  void sensor(int number, const std::string& name, const std::string& temp, const std::string& label,
              const std::string& value) const {
    const std::string folder = fmt::format("sys/class/hwmon/hwmon{}/", number);
    put(folder + "name", name);
    put(folder + temp + "_input", value);
    if (!label.empty()) put(folder + temp + "_label", label);
  }

  using Values = std::map<std::string, double>;
  static Values read(GaugeSource& source, Nanoseconds now) {
    std::vector<double> out(source.gauges().size(), kNotTold);
    source.read(now, 0, out);
    Values values;
    for (std::size_t i = 0; i < out.size(); ++i) values[source.gauges()[i].name] = out[i];
    return values;
  }
  [[nodiscard]] std::unique_ptr<GaugeSource> source() const { return machine_gauges({.sysroot = root_}); }
  [[nodiscard]] Values once() const { return read(*source(), seconds(1)); }
};

TEST_F(MachineGauges, load_is_the_share_of_the_time_between_two_reads) {
  const auto gauges = source();
  EXPECT_THAT(read(*gauges, seconds(1))["cpu_utilisation"], IsNan()) << "one read tells no rate";
  stat(30, 60, 10);
  Values values = read(*gauges, seconds(2));
  EXPECT_DOUBLE_EQ(values["cpu_utilisation"], 0.3);
  EXPECT_DOUBLE_EQ(values["cpu_steal"], 0.1);
  stat(130, 60, 10);
  values = read(*gauges, seconds(3));
  EXPECT_DOUBLE_EQ(values["cpu_utilisation"], 1.0);
  EXPECT_DOUBLE_EQ(values["cpu_steal"], 0.0);
}

TEST_F(MachineGauges, a_load_over_too_short_a_time_is_not_told_and_not_forgotten) {
  const auto gauges = source();
  read(*gauges, seconds(1));
  stat(1, 0, 0);
  EXPECT_THAT(read(*gauges, seconds(1) + milliseconds(10))["cpu_utilisation"], IsNan());
  stat(1, 9, 0);
  EXPECT_DOUBLE_EQ(read(*gauges, seconds(1) + milliseconds(60))["cpu_utilisation"], 0.1);
}

TEST_F(MachineGauges, busy_time_that_falls_is_not_told) {
  stat(500, 500, 0);
  const auto gauges = source();
  read(*gauges, seconds(1));
  stat(400, 700, 0);
  EXPECT_THAT(read(*gauges, seconds(2))["cpu_utilisation"], IsNan());
  stat(450, 750, 0);
  EXPECT_DOUBLE_EQ(read(*gauges, seconds(3))["cpu_utilisation"], 0.5);
}

TEST_F(MachineGauges, idle_time_that_steps_back_is_none) {
  stat(100, 500, 0);
  const auto gauges = source();
  read(*gauges, seconds(1));
  stat(200, 499, 0);
  EXPECT_DOUBLE_EQ(read(*gauges, seconds(2))["cpu_utilisation"], 1.0);
}

TEST_F(MachineGauges, memory_is_in_bytes) {
  const Values values = once();
  EXPECT_EQ(values.at("memory_available"), 600.0 * 1024);
  EXPECT_EQ(values.at("swap_used"), 250.0 * 1024);
}

TEST_F(MachineGauges, what_the_machine_does_not_tell_is_not_zero) {
  for (const auto& [name, value] : read(*machine_gauges({.sysroot = root_ / "nothing"}), seconds(1))) {
    EXPECT_THAT(value, IsNan()) << name;
  }
  put("proc/meminfo", "MemAvailable: many kB\nSwapTotal: 3 kB\nSwapFree: 4 kB");
  const Values values = once();
  EXPECT_THAT(values.at("memory_available"), IsNan());
  EXPECT_THAT(values.at("swap_used"), IsNan());
}

TEST_F(MachineGauges, the_clock_is_the_mean_of_the_cpus_that_have_one) {
  cpu(0, 0, "1000000", "");
  cpu(1, 0, "3000000", "");
  cpu(2, 0, "", "");
  cpu(3, 0, "<unknown>", "");
  EXPECT_DOUBLE_EQ(once().at("cpu_frequency"), 2e9);
}

TEST_F(MachineGauges, cpus_that_come_and_go_are_followed) {
  cpu(0, 0, "1000000", "");
  const auto gauges = source();
  EXPECT_DOUBLE_EQ(read(*gauges, seconds(1))["cpu_frequency"], 1e9);
  cpu(1, 0, "3000000", "");
  put("proc/stat", "cpu  0 0 0 0 0 0 0 0 0 0\ncpu0 0 0 0 0\ncpu1 0 0 0 0\ncpu2 0 0 0 0\n");
  EXPECT_DOUBLE_EQ(read(*gauges, seconds(2))["cpu_frequency"], 2e9);
}

TEST_F(MachineGauges, of_many_cpus_64_spread_evenly_are_asked) {
  for (int i = 0; i < 256; ++i) cpu(i, 0, i < 128 ? "1000000" : "2000000", "");
  EXPECT_DOUBLE_EQ(once().at("cpu_frequency"), 1.5e9);
}

TEST_F(MachineGauges, without_cpufreq_the_clock_is_that_of_cpuinfo) {
  put("proc/cpuinfo", "processor : 0\ncpu MHz\t\t: 2793.438\n\nprocessor : 1\ncpu MHz\t\t: 2000\n\ncpu MHz : none");
  EXPECT_DOUBLE_EQ(once().at("cpu_frequency"), (2793.438e6 + 2000e6) / 2);
}

TEST_F(MachineGauges, the_temperature_is_that_of_the_hottest_package_and_not_of_a_core) {
  sensor(0, "coretemp", "temp1", "Package id 0", "61000");
  sensor(0, "coretemp", "temp2", "Core 0", "80000");
  sensor(1, "coretemp", "temp1", "Package id 1", "67500");
  sensor(2, "nvme", "temp1", "Composite", "99000");
  EXPECT_DOUBLE_EQ(once().at("cpu_temperature"), 67.5);
}

TEST_F(MachineGauges, of_an_amd_processor_the_die_counts_before_the_offset_control_value) {
  sensor(0, "k10temp", "temp1", "Tctl", "80000");
  EXPECT_DOUBLE_EQ(once().at("cpu_temperature"), 80.0);
  sensor(0, "k10temp", "temp2", "Tdie", "53000");
  sensor(0, "k10temp", "temp3", "Tccd1", "90000");
  EXPECT_DOUBLE_EQ(once().at("cpu_temperature"), 53.0);
}

TEST_F(MachineGauges, a_thermal_zone_tells_where_no_sensor_does) {
  put("sys/class/thermal/thermal_zone0/type", "acpitz");
  put("sys/class/thermal/thermal_zone0/temp", "20000");
  put("sys/class/thermal/thermal_zone1/type", "x86_pkg_temp");
  put("sys/class/thermal/thermal_zone1/temp", "45000");
  EXPECT_DOUBLE_EQ(once().at("cpu_temperature"), 45.0);
}

TEST_F(MachineGauges, a_broken_sensor_tells_no_temperature) {
  for (const char* value : {"", "hot", "-128000", "4294967295000", "255000"}) {
    sensor(0, "coretemp", "temp1", "Package id 0", value);
    EXPECT_THAT(once().at("cpu_temperature"), IsNan()) << value;
  }
}

TEST_F(MachineGauges, throttling_counts_once_a_package) {
  for (int i = 0; i < 4; ++i) cpu(i, i / 2, "", "100");
  const auto gauges = source();
  EXPECT_THAT(read(*gauges, seconds(1))["cpu_throttled"], IsNan());
  for (int i = 0; i < 4; ++i) cpu(i, i / 2, "", "106");
  EXPECT_DOUBLE_EQ(read(*gauges, seconds(3))["cpu_throttled"], 6.0);
  for (int i = 0; i < 4; ++i) cpu(i, i / 2, "", "0");
  EXPECT_THAT(read(*gauges, seconds(4))["cpu_throttled"], IsNan()) << "a counter that fell";
}

TEST_F(MachineGauges, this_machine_tells_its_memory_and_load) {
  const auto gauges = machine_gauges({});
  read(*gauges, seconds(1));
  // The instants are made up; the shares are of the ticks that really passed.
  for (int i = 0; i < 30; ++i) ::usleep(1000);
  const Values values = read(*gauges, seconds(2));
  EXPECT_GT(values.at("memory_available"), 1e6);
  EXPECT_GE(values.at("cpu_utilisation"), 0.0);
  EXPECT_LE(values.at("cpu_utilisation"), 1.0);
}

}  // namespace
}  // namespace wattle::energy
