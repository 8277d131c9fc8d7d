#include "energy/model_probe.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <cmath>
#include <filesystem>
#include <fstream>
#include <string>

#include "energy/accumulator.h"
#include "energy/calibration.h"

namespace wattle::energy {
namespace {

namespace fs = std::filesystem;
using testing::HasSubstr;

class ProcTree : public testing::Test {
 protected:
  void SetUp() override {
    std::string name = (fs::temp_directory_path() / "wattle-model-XXXXXX").string();
    ASSERT_NE(::mkdtemp(name.data()), nullptr);
    root_ = name;
    write("proc/meminfo", "MemTotal:       16777216 kB\nMemFree:        1 kB\n");
    write("proc/cpuinfo",
          "processor\t: 0\nvendor_id\t: GenuineIntel\ncpu family\t: 6\nmodel\t\t: 85\nmodel name\t: X\n"
          "stepping\t: 7\n");
    stat(0, 4);
  }
  void TearDown() override {
    std::error_code ignored;
    fs::remove_all(root_, ignored);
  }
  void write(const std::string& file, const std::string& text) {
    fs::create_directories((root_ / file).parent_path());
    std::ofstream(root_ / file, std::ios::trunc) << text;
  }
  // `busy` ticks of user time; idle, iowait and steal move too and must not count.
  void stat(long busy, int online) {
    std::string text = fmt::format("cpu  {} 0 0 {} {} 0 0 {} {} 0\n", busy, 1000 + busy * 3, busy * 5, busy * 7, busy);
    for (int i = 0; i < online; ++i) text += fmt::format("cpu{} 1 2 3 4 5 6 7 8 9 0\n", i);
    write("proc/stat", text + "intr 12345 0 0\nctxt 1\n");
  }
  [[nodiscard]] Found find() const { return find_model({.sysroot = root_, .wanted = {}}); }
  // As `wattle calibrate` would have left it: 10 W at rest, 17.5 W at half, 40 W at full use.
  [[nodiscard]] static Calibration calibration() {
    Calibration calibration;
    calibration.machine = "this one";
    calibration.fitted_wall = seconds(1'777'900'000);
    calibration.against = "powercap";
    calibration.domains = {"package-0"};
    calibration.source_gain = 0.05;
    calibration.fit = {.curve = {{10}, {0}, {30}},
                       .points = 10,
                       .rms = {1},
                       .largest = {1},
                       .relative_rms = 0.02,
                       .relative_largest = 0.03};
    return calibration;
  }
  [[nodiscard]] Found find_with(const std::string& file, const std::string& machine = "this one") const {
    write_calibration(file);
    ProbeOptions options;
    options.sysroot = root_;
    options.calibration = root_ / "calibration.json";
    options.machine = machine;
    return find_model(options);
  }
  void write_calibration(const std::string& text) const {
    std::ofstream(root_ / "calibration.json", std::ios::trunc) << text;
  }
  static std::vector<Reading> read(const Found& found, Nanoseconds now) {
    std::vector<Reading> readings(2);
    found.probe->read(now, readings);
    return readings;
  }

  fs::path root_;
};

double tick() { return 1.0 / static_cast<double>(::sysconf(_SC_CLK_TCK)); }

TEST_F(ProcTree, energy_is_idle_power_by_time_and_the_rest_by_busy_time) {
  const Found found = find();
  ASSERT_EQ(found.status, Found::Status::found) << found.reason;
  EXPECT_THAT(found.reason, HasSubstr("Cascade Lake"));
  EXPECT_THAT(found.reason, HasSubstr("±40 %"));
  stat(5000, 4);
  EXPECT_EQ(read(found, seconds(100))[0].value, 0U)
      << "joules begin at the first read, whatever the machine did before";
  stat(5700, 4);
  const auto later = read(found, seconds(110));
  const double cpu = 4 * 0.64 * 10 + (3.97 - 0.64) * 700 * tick();
  EXPECT_NEAR(static_cast<double>(later[0].value), cpu * 1e6, 1.0);
  EXPECT_NEAR(static_cast<double>(later[1].value), 0.392 * 16 * 10 * 1e6, 1.0);
  EXPECT_EQ(later[0].kind, Reading::Kind::counter);
}

TEST_F(ProcTree, the_domains_say_that_they_are_a_model) {
  const Found found = find();
  const auto& domains = found.probe->domains();
  ASSERT_EQ(domains.size(), 2U);
  EXPECT_EQ(domains[0].name, "cpu (model)");
  EXPECT_EQ(domains[0].kind, DomainKind::cpu_model);
  EXPECT_EQ(domains[1].kind, DomainKind::ram_model);
  for (const Domain& domain : domains) {
    EXPECT_FALSE(measured(domain.provenance));
    EXPECT_EQ(domain.gain_uncertainty, 0.4);
  }
}

TEST_F(ProcTree, coarse_ticks_do_not_accumulate) {
  const Found found = find();
  Accumulator accumulator(found.probe->domains()[0]);
  std::optional<Sample> last;
  for (int i = 0; i <= 3000; ++i) {  // every 3 ms, a tick every third read
    if (i % 3 == 0) stat(i / 3, 4);
    const Nanoseconds time = seconds(7) + milliseconds(3) * i;
    last = accumulator.add(time, read(found, time)[0], false);
  }
  const double cpu = 4 * 0.64 * 9 + (3.97 - 0.64) * 1000 * tick();
  EXPECT_NEAR(static_cast<double>(last->cumulative.value), cpu * 1e6, 1.0);
}

TEST_F(ProcTree, cpus_that_come_and_go_are_followed) {
  const Found found = find();
  (void)read(found, seconds(0));
  stat(0, 2);
  (void)read(found, seconds(10));  // four CPUs until now
  EXPECT_NEAR(static_cast<double>(read(found, seconds(20))[0].value), (4 + 2) * 10 * 0.64e6, 1.0);
}

TEST_F(ProcTree, ticks_that_run_backwards_take_no_energy_back) {
  const Found found = find();
  stat(1000, 4);
  (void)read(found, seconds(0));
  stat(10, 4);
  const auto reading = read(found, seconds(1));
  EXPECT_NEAR(static_cast<double>(reading[0].value), 4 * 0.64e6, 1.0);
}

TEST_F(ProcTree, a_stat_that_turns_to_garbage_is_absent) {
  const Found found = find();
  (void)read(found, seconds(0));
  write("proc/stat", "");
  EXPECT_EQ(read(found, seconds(1))[0].kind, Reading::Kind::absent);
  EXPECT_EQ(read(found, seconds(1))[1].kind, Reading::Kind::counter) << "memory needs no stat";
}

TEST_F(ProcTree, a_calibration_replaces_the_table) {
  const Found found = find_with(calibration_json(calibration()));
  ASSERT_EQ(found.status, Found::Status::found) << found.reason;
  const Domain& cpu = found.probe->domains()[0];
  EXPECT_EQ(cpu.source, "model, calibrated against powercap (package-0) on 2026-05-04");
  EXPECT_EQ(cpu.provenance, Provenance::model) << "it stays an estimate";
  EXPECT_EQ(cpu.gain_uncertainty, calibration().gain());
  EXPECT_LT(cpu.gain_uncertainty, kModelGain);
  EXPECT_FALSE(cpu.simulated);
  EXPECT_THAT(found.reason, HasSubstr("calibrated against powercap (package-0) on 2026-05-04, ±12 %"));

  (void)read(found, seconds(0));
  const double busy = 5.0 * 4 / tick();  // half of four CPUs for 10 s
  stat(std::lround(busy), 4);
  const auto half = read(found, seconds(10));
  EXPECT_NEAR(static_cast<double>(half[0].value), 175e6, 1.0) << "the bent curve's, not 250 J by its chord";
  EXPECT_NEAR(static_cast<double>(half[1].value), 0.392 * 16 * 10 * 1e6, 1.0) << "memory is not in a package";
}

TEST_F(ProcTree, a_calibrated_use_is_that_of_the_cpus_online) {
  const Found found = find_with(calibration_json(calibration()));
  stat(0, 2);
  (void)read(found, seconds(0));
  stat(std::lround(5.0 * 2 / tick()), 2);
  EXPECT_NEAR(static_cast<double>(read(found, seconds(10))[0].value), 175e6, 1.0);
}

TEST_F(ProcTree, memory_within_the_calibration_is_not_counted_twice) {
  Calibration wall = calibration();
  wall.covers_memory = true;
  const Found found = find_with(calibration_json(wall));
  ASSERT_EQ(found.probe->domains().size(), 1U);
  EXPECT_EQ(found.probe->domains()[0].kind, DomainKind::cpu_model);
  EXPECT_THAT(found.reason, HasSubstr("memory within"));
  std::vector<Reading> readings(1);
  found.probe->read(seconds(0), readings);
  found.probe->read(seconds(10), readings);
  EXPECT_NEAR(static_cast<double>(readings[0].value), 100e6, 1.0);
}

TEST_F(ProcTree, a_calibration_by_a_replay_is_simulated) {
  Calibration replayed = calibration();
  replayed.simulated = true;
  const Found found = find_with(calibration_json(replayed));
  EXPECT_TRUE(found.probe->domains()[0].simulated);
  EXPECT_FALSE(found.probe->domains()[1].simulated) << "the memory's table is not";
  EXPECT_THAT(found.reason, HasSubstr("simulated"));
}

TEST_F(ProcTree, a_foreign_or_damaged_calibration_is_not_used_and_said_so) {
  const std::string whole = calibration_json(calibration());
  const auto expect_table = [](const Found& found, const char* why) {
    ASSERT_EQ(found.status, Found::Status::found);
    EXPECT_EQ(found.probe->domains()[0].gain_uncertainty, kModelGain);
    EXPECT_EQ(found.probe->domains()[0].source, "model: CPU + RAM");
    EXPECT_THAT(found.reason, HasSubstr("±40 %"));
    EXPECT_THAT(found.reason, HasSubstr("calibration is not used"));
    EXPECT_THAT(found.reason, HasSubstr(why));
    EXPECT_EQ(found.fix, "wattle calibrate");
  };
  expect_table(find_with(whole, "another"), "of another machine: this one");
  expect_table(find_with(whole, ""), "of another machine");
  expect_table(find_with(whole.substr(0, 100)), "not an object");
  expect_table(find_with(""), "not an object");
}

TEST_F(ProcTree, without_a_calibration_nothing_is_said_of_one) {
  ProbeOptions options;
  options.sysroot = root_;
  options.calibration = root_ / "none.json";
  EXPECT_THAT(find_model(options).reason, testing::Not(HasSubstr("calibrat")));
}

TEST_F(ProcTree, a_calibrated_energy_sampled_often_is_the_same) {
  const Found found = find_with(calibration_json(calibration()));
  Accumulator accumulator(found.probe->domains()[0]);
  std::optional<Sample> last;
  // One of four CPUs busy, a tick at a time: at 7 ms each read sees 0 or 36 % where 25 % is true.
  for (int i = 0; i <= 600; ++i) {
    stat(std::lround(std::floor(0.007 * i / tick())), 4);
    last = accumulator.add(seconds(7) + milliseconds(7) * i, read(found, seconds(7) + milliseconds(7) * i)[0], false);
  }
  EXPECT_EQ(accumulator.failures(), 0) << accumulator.last_failure();
  const double truth = (10 + 30 * 0.25 * 0.25) * 4.2;
  EXPECT_NEAR(to_joules(last->cumulative).value, truth, 0.01 * truth);
}

TEST_F(ProcTree, without_proc_there_is_no_model) {
  fs::remove(root_ / "proc/meminfo");
  const Found found = find();
  EXPECT_EQ(found.status, Found::Status::absent);
  EXPECT_EQ(found.probe, nullptr);
}

TEST_F(ProcTree, memory_is_the_lowest_limit_above_this_process_v2) {
  write("proc/self/cgroup", "0::/user.slice/job\n");
  EXPECT_EQ(usable_memory_bytes(root_), 16LL << 30);
  write("sys/fs/cgroup/user.slice/job/memory.max", "max\n");
  EXPECT_EQ(usable_memory_bytes(root_), 16LL << 30);
  write("sys/fs/cgroup/user.slice/memory.max", "4294967296\n");
  EXPECT_EQ(usable_memory_bytes(root_), 4LL << 30) << "a parent's limit binds too";
  write("sys/fs/cgroup/memory.max", "2147483648\n");
  EXPECT_EQ(usable_memory_bytes(root_), 2LL << 30) << "what a container sees as its root";
}

TEST_F(ProcTree, memory_is_the_lowest_limit_above_this_process_v1) {
  write("proc/self/cgroup", "9:name=systemd:/\n4:memory:/docker/a:b\n3:cpu,cpuacct:/\n");
  write("sys/fs/cgroup/memory/memory.limit_in_bytes", "9223372036854771712\n");
  EXPECT_EQ(usable_memory_bytes(root_), 16LL << 30) << "v1 says unlimited by a huge number";
  write("sys/fs/cgroup/memory/docker/a:b/memory.limit_in_bytes", "1073741824\n");
  EXPECT_EQ(usable_memory_bytes(root_), 1LL << 30);
}

TEST_F(ProcTree, a_cgroup_outside_of_what_is_seen_ends_the_search) {
  write("proc/self/cgroup", "0::/../../other\n");
  write("sys/fs/cgroup/memory.max", "1073741824\n");
  write("other/memory.max", "1\n");
  EXPECT_EQ(usable_memory_bytes(root_), 16LL << 30);
}

TEST(CpuCoefficients, of_the_families_that_are_known) {
  const auto of = [](std::string_view vendor, int family, int model, int stepping) {
    return cpu_coefficients(
        fmt::format("processor\t: 0\nvendor_id\t: {}\ncpu family\t: {}\nmodel\t\t: {}\n"
                    "model name\t: model : 1\nstepping\t: {}\n\nprocessor\t: 1\nmodel\t\t: 1\n",
                    vendor, family, model, stepping));
  };
  EXPECT_EQ(of("GenuineIntel", 6, 85, 7).busy.value, 3.97) << "Cascade Lake";
  EXPECT_EQ(of("GenuineIntel", 6, 85, 4).busy.value, 4.26) << "Skylake-SP, the same model number";
  EXPECT_EQ(of("GenuineIntel", 6, 79, 1).busy.value, 3.69);
  EXPECT_EQ(of("GenuineIntel", 6, 63, 2).busy.value, 4.74);
  EXPECT_EQ(of("AuthenticAMD", 23, 1, 2).busy.value, 2.55);
  EXPECT_EQ(of("AuthenticAMD", 23, 49, 0).busy.value, 1.69);
  EXPECT_EQ(of("AuthenticAMD", 25, 1, 1).busy.value, 2.02);
  EXPECT_EQ(of("AuthenticAMD", 26, 2, 1).family, "average");
  EXPECT_EQ(of("GenuineIntel", 23, 49, 0).family, "average") << "the vendor counts";
  EXPECT_EQ(cpu_coefficients("").busy.value, 3.5);
  EXPECT_EQ(cpu_coefficients("model : many\n\n:::").idle.value, 0.74);
}

TEST(ProcStat, counts_busy_time_and_cpus) {
  const auto time = parse_proc_stat("cpu  10 20 30 40 50 60 70 80 90 100\ncpu0 1 1 1 1\ncpu3 1 1 1 1\nintr 5\n");
  ASSERT_TRUE(time);
  EXPECT_EQ(time->busy_ticks, 10 + 20 + 30 + 60 + 70);
  EXPECT_EQ(time->online, 2);
}

TEST(ProcStat, refuses_what_is_none) {
  EXPECT_FALSE(parse_proc_stat(""));
  EXPECT_FALSE(parse_proc_stat("cpu  1 2 3\ncpu0 1 2 3\n"));
  EXPECT_FALSE(parse_proc_stat("cpu0 1 2 3 4\n"));
  EXPECT_FALSE(parse_proc_stat("cpu  1 2 3 4\n"));
  EXPECT_FALSE(parse_proc_stat("intr 1 2 3\n"));
  EXPECT_FALSE(parse_proc_stat("cpu  -900 2 3 4\ncpu0 1\n"));
}

TEST(Model, runs_on_this_machine) {
  const Found found = find_model({.sysroot = "/", .wanted = {}});
  ASSERT_EQ(found.status, Found::Status::found) << found.reason;
  std::vector<Reading> readings(2);
  found.probe->read(seconds(1), readings);
  found.probe->read(seconds(2), readings);
  EXPECT_GE(readings[0].value, 450'000U) << "at least one idle CPU for a second";
  EXPECT_GT(readings[1].value, 0U);
}

}  // namespace
}  // namespace wattle::energy
