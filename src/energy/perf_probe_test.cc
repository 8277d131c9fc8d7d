#include "energy/perf_probe.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <linux/perf_event.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cstring>
#include <limits>
#include <string>

#include "base/clock.h"
#include "energy/accumulator.h"
#include "energy/fake_tree.h"
#include "energy/trace.h"

namespace wattle::energy {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

constexpr const char* kKernelScale = "2.3283064365386962890625e-10";  // arch/x86/events/rapl.c
constexpr const char* kPmu = "sys/bus/event_source/devices/power/";
// A PMU that every machine has stands in for `power`: PERF_TYPE_SOFTWARE, whose event 0 counts a CPU's nanoseconds.
constexpr const char* kSoftware = "1";
constexpr const char* kCpuClock = "event=0x00";
constexpr const char* kNanojoules = "1e-9";  // so a CPU "uses" 1 W

class PerfTree : public testing::Test {
 protected:
  void pmu(const std::string& cpumask = "0", const std::string& type = kSoftware) const {
    tree_.write(std::string(kPmu) + "type", type);
    tree_.write(std::string(kPmu) + "cpumask", cpumask);
  }
  void event(const std::string& name, const std::string& scale = kNanojoules, const std::string& text = kCpuClock,
             const std::string& unit = "Joules") const {
    const std::string path = std::string(kPmu) + "events/energy-" + name;
    tree_.write(path, text);
    tree_.write(path + ".scale", scale);
    tree_.write(path + ".unit", unit);
  }
  void cpu(int number, int package, int die = 0) const {
    const std::string topology = "sys/devices/system/cpu/cpu" + std::to_string(number) + "/topology/";
    tree_.write(topology + "physical_package_id", std::to_string(package));
    tree_.write(topology + "die_id", std::to_string(die));
  }
  [[nodiscard]] Found find() const {
    ProbeOptions options;
    options.sysroot = tree_.root();
    return find_perf(options);
  }
  static std::vector<std::string> names(const Found& found) {
    std::vector<std::string> all;
    if (found.probe) {
      for (const Domain& domain : found.probe->domains()) all.push_back(domain.name);
    }
    return all;
  }
  static std::vector<Reading> read(const Found& found) {
    std::vector<Reading> readings(found.probe->domains().size());
    found.probe->read(seconds(1), readings);
    return readings;
  }

  FakeTree tree_;
};

// Why this machine refuses the system call that the tests rest on, or nothing.
std::string refusal(int cpu = 0) {
  perf_event_attr attributes{};
  attributes.size = sizeof attributes;
  attributes.type = PERF_TYPE_SOFTWARE;
  const long fd = ::syscall(SYS_perf_event_open, &attributes, -1, cpu, -1, PERF_FLAG_FD_CLOEXEC);
  if (fd < 0) return std::string("perf_event_open: ") + std::strerror(errno);
  ::close(static_cast<int>(fd));
  return {};
}

#define NEEDS_PERF(cpu) \
  if (const std::string why = refusal(cpu); !why.empty()) GTEST_SKIP() << "the kernel refuses here, " << why

TEST_F(PerfTree, the_real_system_call_counts_what_the_tree_describes) {
  NEEDS_PERF(0);
  pmu();
  event("pkg");
  const Found found = find();
  ASSERT_EQ(found.status, Found::Status::found) << found.reason;
  EXPECT_THAT(names(found), ElementsAre("package-0"));
  const SystemClock clock;
  Accumulator accumulator(found.probe->domains()[0]);
  const Nanoseconds outer_begin = clock.monotonic();
  ASSERT_TRUE(accumulator.add(seconds(1), read(found)[0], false));
  const Nanoseconds inner_begin = clock.monotonic();
  while (clock.monotonic() - inner_begin < milliseconds(5)) continue;
  const Nanoseconds inner_end = clock.monotonic();
  const auto sample = accumulator.add(seconds(2), read(found)[0], false);
  const Nanoseconds outer_end = clock.monotonic();
  ASSERT_TRUE(sample);
  // At 1 W the microjoules are the microseconds; the kernel's clock may run a little apart from ours.
  EXPECT_GE(sample->cumulative.value, (inner_end - inner_begin).value / 1000 * 99 / 100);
  EXPECT_LE(sample->cumulative.value, (outer_end - outer_begin).value / 1000 * 101 / 100 + 1);
  EXPECT_EQ(read(found)[0].modulus, std::numeric_limits<std::uint64_t>::max());
}

TEST_F(PerfTree, the_domains_are_powercaps) {
  NEEDS_PERF(0);
  pmu("0");
  cpu(0, 0);
  for (const char* name : {"pkg", "cores", "gpu", "ram", "psys"}) event(name);
  const Found found = find();
  ASSERT_THAT(names(found), ElementsAre("package-0", "core-0", "uncore-0", "dram-0", "psys")) << found.reason;
  const auto& domains = found.probe->domains();
  EXPECT_EQ(domains[0].kind, DomainKind::package);
  EXPECT_EQ(domains[0].parent, "psys");
  EXPECT_EQ(domains[1].parent, "package-0");
  EXPECT_EQ(domains[2].kind, DomainKind::uncore);
  EXPECT_EQ(domains[2].parent, "package-0");
  EXPECT_EQ(domains[3].kind, DomainKind::dram);
  EXPECT_EQ(domains[3].parent, "psys") << "not the package, which does not count its dram";
  EXPECT_EQ(domains[3].gain_uncertainty, 0.10);
  EXPECT_EQ(domains[4].kind, DomainKind::psys);
  EXPECT_EQ(domains[4].parent, "");
  std::vector<Series> series;
  for (const Domain& d : domains) series.push_back({.domain = d, .samples = {{seconds(1), {0}}, {seconds(2), {1}}}});
  EXPECT_THAT(cover(series).measured, ElementsAre(4));
}

TEST_F(PerfTree, each_package_of_the_cpumask_is_a_domain_of_its_own) {
  NEEDS_PERF(1);
  for (const char* mask : {"0-1", "0,1"}) {
    pmu(mask);
    cpu(0, 0);
    cpu(1, 1);
    event("pkg");
    event("ram");
    EXPECT_THAT(names(find()), ElementsAre("package-0", "dram-0", "package-1", "dram-1")) << mask;
  }
}

TEST_F(PerfTree, the_psys_of_a_second_package_is_shown_and_never_added) {
  NEEDS_PERF(1);
  pmu("0-1");
  cpu(0, 0);
  cpu(1, 1);
  event("psys");
  const Found found = find();
  ASSERT_THAT(names(found), ElementsAre("psys", "psys-1"));
  EXPECT_EQ(found.probe->domains()[1].kind, DomainKind::board);
}

TEST_F(PerfTree, dies_of_a_package_are_domains_of_their_own) {
  NEEDS_PERF(1);
  pmu("0-1");
  cpu(0, 0, 0);
  cpu(1, 0, 1);
  event("pkg");
  event("cores");
  const Found found = find();
  EXPECT_THAT(names(found), ElementsAre("package-0-die-0", "core-0-die-0", "package-0-die-1", "core-0-die-1"));
  EXPECT_EQ(found.probe->domains()[3].parent, "package-0-die-1");
}

TEST_F(PerfTree, an_amd_package_counts_once_though_the_mask_names_each_of_its_dies) {
  NEEDS_PERF(1);
  tree_.write("proc/cpuinfo", "processor\t: 0\nvendor_id\t: AuthenticAMD");
  pmu("0-1");
  cpu(0, 0, 0);
  cpu(1, 0, 1);
  event("pkg");
  EXPECT_THAT(names(find()), ElementsAre("package-0"));
}

TEST_F(PerfTree, two_cpus_of_one_die_never_get_one_name) {
  NEEDS_PERF(1);
  pmu("0-1");
  cpu(0, 0, 0);
  cpu(1, 0, 0);
  event("pkg");
  EXPECT_THAT(names(find()), ElementsAre("package-0-die-0", "package-0-die-0 (cpu1)"));
}

TEST_F(PerfTree, a_refused_event_tells_the_command_that_opens_it) {
  pmu();
  event("pkg");
  tree_.write("proc/sys/kernel/perf_event_paranoid", "2");
  const WithoutRoot nobody;
  if (!nobody.unprivileged()) GTEST_SKIP() << "cannot give up root here";
  if (refusal().empty()) GTEST_SKIP() << "kernel.perf_event_paranoid lets everybody count here";
  const Found found = find();
  EXPECT_EQ(found.status, Found::Status::denied);
  EXPECT_EQ(found.probe, nullptr);
  EXPECT_THAT(found.reason, HasSubstr("perf_event_paranoid is 2"));
  EXPECT_THAT(found.reason, HasSubstr("setcap cap_perfmon"));
  EXPECT_EQ(found.fix, "sudo sysctl kernel.perf_event_paranoid=0");
  EXPECT_THAT(found.fix_lasting, HasSubstr("/etc/sysctl.d/"));
  EXPECT_THAT(found.missing, ElementsAre(HasSubstr("package-0: ")));
}

TEST_F(PerfTree, a_type_that_the_kernel_does_not_know_is_absent_not_denied) {
  NEEDS_PERF(0);
  pmu("0", "4000000000");
  event("pkg");
  const Found found = find();
  EXPECT_EQ(found.status, Found::Status::absent);
  EXPECT_EQ(found.fix, "");
  EXPECT_THAT(found.reason, HasSubstr("No such file or directory"));
}

TEST_F(PerfTree, a_cpu_that_is_not_there_costs_its_own_domains_only) {
  NEEDS_PERF(0);
  pmu("0,60000");
  cpu(0, 0);
  event("pkg");
  const Found found = find();
  EXPECT_THAT(names(found), ElementsAre("package-0"));
  EXPECT_THAT(found.missing, ElementsAre(HasSubstr("package-cpu60000: ")));
}

TEST_F(PerfTree, without_the_pmu_or_its_events_it_is_absent) {
  EXPECT_THAT(find().reason, HasSubstr("no energy counters"));
  pmu();
  const Found found = find();
  EXPECT_EQ(found.status, Found::Status::absent);
  EXPECT_THAT(found.reason, HasSubstr("no energy events"));
}

TEST_F(PerfTree, a_malformed_description_is_missing_with_its_reason) {
  struct Case {
    const char* scale;
    const char* text;
    const char* unit;
    const char* reason;
  };
  for (const Case& bad :
       {Case{"", kCpuClock, "Joules", "scale"}, Case{"0", kCpuClock, "Joules", "scale"},
        Case{"-1e-9", kCpuClock, "Joules", "scale"}, Case{"nan", kCpuClock, "Joules", "scale"},
        Case{"1e-9 J", kCpuClock, "Joules", "scale"}, Case{"1e999", kCpuClock, "Joules", "scale"},
        Case{kNanojoules, "", "Joules", "describes no event"},
        Case{kNanojoules, "event=0x0,umask=1", "Joules", "describes no event"},
        Case{kNanojoules, "event=0x1ff", "Joules", "describes no event"},
        Case{kNanojoules, "event=0xfffffffffffffffffffff", "Joules", "describes no event"},
        Case{kNanojoules, "config=2", "Joules", "describes no event"},
        Case{kNanojoules, kCpuClock, "Watts", "not Joules"}, Case{kNanojoules, kCpuClock, "", "not Joules"}}) {
    pmu();
    event("pkg", bad.scale, bad.text, bad.unit);
    const Found found = find();
    EXPECT_EQ(found.status, Found::Status::absent) << bad.scale << bad.text << bad.unit;
    EXPECT_THAT(found.missing, ElementsAre(HasSubstr(bad.reason)));
  }
  event("pkg");
  tree_.remove(std::string(kPmu) + "events/energy-pkg.scale");
  EXPECT_THAT(find().missing, ElementsAre(HasSubstr("scale")));
}

TEST_F(PerfTree, a_mask_that_names_no_cpu_or_far_too_many_is_absent) {
  event("pkg");
  for (const char* mask : {"", ",", "x", "-1", "3-1", "0-4294967295", "0-65535", "99999999999999999999", "0,,1"}) {
    pmu(mask);
    const Found found = find();
    EXPECT_EQ(found.status, Found::Status::absent) << mask;
    EXPECT_THAT(found.reason, HasSubstr("names no CPU")) << mask;
  }
}

TEST_F(PerfTree, hostile_sizes_are_no_descriptions) {
  pmu("0", std::string(1U << 20U, '1'));
  event("pkg");
  EXPECT_EQ(find().status, Found::Status::absent);
  pmu();
  event("pkg", std::string(1U << 20U, '1'));
  EXPECT_THAT(find().missing, ElementsAre(HasSubstr("scale")));
  pmu(std::string(1U << 20U, ','));
  event("pkg");
  EXPECT_THAT(find().reason, HasSubstr("names no CPU"));
}

TEST(PerfScale, the_kernels_scale_is_exact_over_the_whole_counter) {
  const auto scale = PerfScale::parse(kKernelScale);
  ASSERT_TRUE(scale);
  EXPECT_EQ(scale->microjoules(0), 0U);
  EXPECT_EQ(scale->microjoules(1ULL << 32U), 1'000'000U) << "2^32 counts are a joule";
  // (2^64 − 1) · 10^6 / 2^32 = 4294967296000000 − 0.0002…
  EXPECT_EQ(scale->microjoules(std::numeric_limits<std::uint64_t>::max()), 4'294'967'296'000'000U);
  // 0.6 · (2^64 − 1), where a factor that is cut off instead of rounded falls a microjoule short.
  EXPECT_EQ(PerfScale::parse("6e-7")->microjoules(std::numeric_limits<std::uint64_t>::max()),
            11'068'046'444'225'730'969U);
  // One more count of a joule far out, where a double would be 2^11 counts apart.
  const std::uint64_t far = 0xFFFF'0000'0000'0000ULL;
  EXPECT_EQ(*scale->microjoules(far + (1ULL << 32U)) - *scale->microjoules(far), 1'000'000U);
}

TEST(PerfScale, decimals_are_read_without_a_float_between) {
  EXPECT_EQ(PerfScale::parse("1e-6")->microjoules(123'456'789'012'345'678ULL), 123'456'789'012'345'678ULL);
  EXPECT_EQ(PerfScale::parse("0.000001")->microjoules(7), 7U);
  EXPECT_EQ(PerfScale::parse("1")->microjoules(3), 3'000'000U);
  EXPECT_EQ(PerfScale::parse("1.5E+1")->microjoules(2), 30'000'000U);
  EXPECT_EQ(PerfScale::parse("0.0000000000000000000000000000000000000001e35")->microjoules(2), 20U);
  EXPECT_EQ(PerfScale::parse("1e-7")->microjoules(4), 0U);
  EXPECT_EQ(PerfScale::parse("1e-7")->microjoules(6), 1U);
}

TEST(PerfScale, what_is_no_positive_decimal_or_out_of_range_is_nothing) {
  for (const char* text : {"",        " ",
                           ".",       "e",
                           "e5",      "1e",
                           "+1",      "-1",
                           "0",       "0.0",
                           "0e5",     "1.2.3",
                           "1,5",     "0x1",
                           "inf",     "nan",
                           "1e-9x",   "1e4",
                           "1e1000",  "1e-1001",
                           "1e-1000", "1e99999999999999999999"}) {
    EXPECT_FALSE(PerfScale::parse(text)) << text;
  }
}

TEST(PerfScale, a_count_whose_energy_does_not_fit_is_nothing) {
  EXPECT_FALSE(PerfScale::parse("1")->microjoules(std::numeric_limits<std::uint64_t>::max()));
}

TEST(PerfReading, an_event_that_shared_its_counter_is_absent_with_the_reason) {
  const auto scale = PerfScale::parse(kKernelScale);
  const Reading shared = perf_reading({1ULL << 32U, 2'000'000, 1'000'000}, *scale);
  EXPECT_EQ(shared.kind, Reading::Kind::absent);
  EXPECT_THAT(shared.reason, HasSubstr("counted for 1000000 of 2000000 ns only"));
  EXPECT_EQ(perf_reading({0, 0, 0}, *scale).kind, Reading::Kind::absent) << "never counted is not zero";
  const Reading whole = perf_reading({1ULL << 32U, 2'000'000, 2'000'000}, *scale);
  EXPECT_EQ(whole.kind, Reading::Kind::counter);
  EXPECT_EQ(whole.value, 1'000'000U);
}

}  // namespace
}  // namespace wattle::energy
