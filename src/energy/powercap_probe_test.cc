#include "energy/powercap_probe.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <optional>
#include <string>

#include "energy/accumulator.h"

namespace wattle::energy {
namespace {

namespace fs = std::filesystem;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::UnorderedElementsAre;

constexpr const char* kRange = "262143328850";

// A sysfs tree as Documentation/power/powercap/powercap.rst shows it: the zones' real directories under
// devices/virtual, links to them in the class folder.
class PowercapTree : public testing::Test {
 protected:
  void SetUp() override {
    umask_ = ::umask(022);
    std::string name = (fs::temp_directory_path() / "wattle-powercap-XXXXXX").string();
    ASSERT_NE(::mkdtemp(name.data()), nullptr);
    root_ = name;
    fs::permissions(root_, fs::perms::all);  // for the tests that give up root
  }
  void TearDown() override {
    std::error_code ignored;
    fs::remove_all(root_, ignored);
    ::umask(umask_);
  }

  fs::path zone(const std::string& zone, const std::string& name, const std::string& energy = "1000000",
                const std::string& range = kRange) {
    const fs::path real = root_ / "sys/devices/virtual/powercap/intel-rapl" / zone;
    const fs::path link = root_ / "sys/class/powercap" / zone;
    fs::create_directories(real);
    fs::create_directories(link.parent_path());
    fs::create_directory_symlink(fs::relative(real, link.parent_path()), link);
    write(real / "name", name);
    if (!energy.empty()) write(real / "energy_uj", energy);
    if (!range.empty()) write(real / "max_energy_range_uj", range);
    return real;
  }
  static void write(const fs::path& file, const std::string& text) { std::ofstream(file) << text << '\n'; }

  [[nodiscard]] Found find() const { return find_powercap({.sysroot = root_, .wanted = {}}); }
  [[nodiscard]] static std::vector<std::string> names(const Found& found) {
    std::vector<std::string> all;
    for (const Domain& domain : found.probe->domains()) all.push_back(domain.name);
    return all;
  }
  static std::vector<Reading> read(const Found& found) {
    std::vector<Reading> readings(found.probe->domains().size());
    found.probe->read(seconds(1), readings);
    return readings;
  }
  static const Domain* domain(const Found& found, std::string_view name) {
    for (const Domain& d : found.probe->domains()) {
      if (d.name == name) return &d;
    }
    return nullptr;
  }

  fs::path root_;
  mode_t umask_ = 0;
};

TEST_F(PowercapTree, two_sockets_with_their_parts) {
  zone("intel-rapl:0", "package-0", "111");
  zone("intel-rapl:0:0", "core");
  zone("intel-rapl:0:1", "uncore");
  zone("intel-rapl:0:2", "dram", "222");
  zone("intel-rapl:1", "package-1");
  zone("intel-rapl:1:0", "dram", "333");
  const Found found = find();
  ASSERT_EQ(found.status, Found::Status::found) << found.reason;
  EXPECT_THAT(names(found), ElementsAre("package-0", "core-0", "uncore-0", "dram-0", "package-1", "dram-1"));
  EXPECT_EQ(domain(found, "core-0")->parent, "package-0");
  EXPECT_EQ(domain(found, "uncore-0")->parent, "package-0");
  EXPECT_EQ(domain(found, "dram-0")->parent, "") << "a package does not count its dram";
  EXPECT_EQ(domain(found, "dram-1")->kind, DomainKind::dram);
  EXPECT_EQ(domain(found, "package-1")->provenance, Provenance::counter);
  const auto readings = read(found);
  EXPECT_EQ(readings[0].kind, Reading::Kind::counter);
  EXPECT_EQ(readings[0].value, 111U);
  EXPECT_EQ(readings[3].value, 222U);
  EXPECT_EQ(readings[5].value, 333U);
  EXPECT_THAT(found.missing, IsEmpty());
}

TEST_F(PowercapTree, a_wrap_of_the_kernels_counter_is_right_to_one_unit_of_its_register) {
  // 32-bit register in units of 61.035 µJ, as the kernel converts it: intel_rapl_common.c.
  const auto energy_uj = [](std::uint64_t units) { return std::to_string((units & 0xFFFFFFFFU) * 61'035 / 1000); };
  const fs::path real = zone("intel-rapl:0", "package-0", energy_uj(0xFFFFFFFFU - 16'000));
  const Found found = find();
  Accumulator accumulator(found.probe->domains()[0]);
  std::optional<Sample> sample = accumulator.add(seconds(1), read(found)[0], false);
  write(real / "energy_uj", energy_uj(0xFFFFFFFFULL + 16'001));
  sample = accumulator.add(seconds(2), read(found)[0], false);
  ASSERT_TRUE(sample);
  EXPECT_FALSE(sample->gap_before);
  EXPECT_NEAR(static_cast<double>(sample->cumulative.value), 32'001 * 61.035, 62.0);
}

TEST_F(PowercapTree, a_wrap_by_the_documented_range_gives_the_exact_joules) {
  const fs::path real = zone("intel-rapl:0", "package-0", "262143000000");
  const Found found = find();
  Accumulator accumulator(found.probe->domains()[0]);
  ASSERT_TRUE(accumulator.add(seconds(1), read(found)[0], false));
  write(real / "energy_uj", "671150");
  const auto sample = accumulator.add(seconds(2), read(found)[0], false);
  ASSERT_TRUE(sample);
  EXPECT_EQ(sample->cumulative.value, 262143328850 - 262143000000 + 671150);
}

TEST_F(PowercapTree, dies_of_a_package_are_domains_of_their_own) {
  zone("intel-rapl:0", "package-0-die-0");
  zone("intel-rapl:0:0", "dram");
  zone("intel-rapl:1", "package-0-die-1");
  zone("intel-rapl:1:0", "dram");
  zone("intel-rapl:1:1", "core");
  const Found found = find();
  EXPECT_THAT(names(found),
              ElementsAre("package-0-die-0", "dram-0-die-0", "package-0-die-1", "dram-0-die-1", "core-0-die-1"));
  EXPECT_EQ(domain(found, "core-0-die-1")->parent, "package-0-die-1");
}

TEST_F(PowercapTree, ten_sockets_stand_in_the_order_of_their_numbers) {
  for (int i = 0; i < 11; ++i) zone("intel-rapl:" + std::to_string(i), "package-" + std::to_string(i));
  EXPECT_EQ(names(find())[2], "package-2");
  EXPECT_EQ(names(find())[10], "package-10");
}

TEST_F(PowercapTree, psys_contains_the_packages) {
  zone("intel-rapl:0", "package-0");
  zone("intel-rapl:0:0", "dram");
  zone("intel-rapl:1", "psys");
  const Found found = find();
  EXPECT_THAT(names(found), ElementsAre("package-0", "dram-0", "psys"));
  EXPECT_EQ(domain(found, "psys")->kind, DomainKind::psys);
  std::vector<Series> series;
  for (const Domain& d : found.probe->domains()) {
    series.push_back({.domain = d, .samples = {{seconds(1), {0}}, {seconds(2), {1}}}});
  }
  EXPECT_THAT(cover(series).measured, ElementsAre(2)) << "psys is not added to packages";
}

TEST_F(PowercapTree, msr_and_mmio_show_one_package_which_counts_once) {
  zone("intel-rapl-mmio:0", "package-0", "7");
  zone("intel-rapl:0", "package-0", "9");
  const Found found = find();
  EXPECT_THAT(names(found), ElementsAre("package-0"));
  EXPECT_EQ(read(found)[0].value, 9U);
  EXPECT_EQ(domain(found, "package-0")->source, "powercap");
  EXPECT_THAT(found.reason, HasSubstr("intel-rapl-mmio:0 too and counted once"));
}

TEST_F(PowercapTree, mmio_steps_in_where_msr_cannot_be_read) {
  zone("intel-rapl-mmio:0", "package-0", "7");
  zone("intel-rapl:0", "package-0", "");
  const Found found = find();
  EXPECT_THAT(names(found), ElementsAre("package-0"));
  EXPECT_EQ(read(found)[0].value, 7U);
  EXPECT_EQ(domain(found, "package-0")->source, "powercap (MMIO)");
  EXPECT_THAT(found.missing, IsEmpty());
}

TEST_F(PowercapTree, two_zones_of_one_interface_are_two_sources_even_under_one_name) {
  zone("intel-rapl:0", "package-0", "1");
  zone("intel-rapl:1", "package-0", "2");
  EXPECT_THAT(names(find()), ElementsAre("package-0", "package-0 (intel-rapl:1)"));
}

TEST_F(PowercapTree, without_a_range_there_is_no_modulus) {
  const fs::path real = zone("intel-rapl:0", "package-0", "500", "");
  Found found = find();
  EXPECT_THAT(found.reason, HasSubstr("package-0 tells no range"));
  EXPECT_EQ(read(found)[0].modulus, 0U);
  for (const char* range : {"0", "-5", "many", "99999999999999999999999", ""}) {
    write(real / "max_energy_range_uj", range);
    EXPECT_EQ(read(find())[0].modulus, 0U) << range;
  }
}

TEST_F(PowercapTree, garbage_in_mid_run_is_absent_with_a_reason) {
  const fs::path real = zone("intel-rapl:0", "package-0", "500");
  const Found found = find();
  for (const char* text : {"", "garbage", "-1", "12 34", "184467440737095516160", "1.5", "0x10"}) {
    write(real / "energy_uj", text);
    const Reading reading = read(found)[0];
    EXPECT_EQ(reading.kind, Reading::Kind::absent) << text;
    EXPECT_EQ(reading.reason, "energy_uj holds no number");
  }
  std::ofstream(real / "energy_uj", std::ios::trunc).close();
  EXPECT_EQ(read(found)[0].kind, Reading::Kind::absent) << "an empty file is not zero";
  write(real / "energy_uj", "600");
  EXPECT_EQ(read(found)[0].value, 600U) << "the file is open still";
}

TEST_F(PowercapTree, a_file_that_vanishes_in_mid_run_is_absent_with_the_systems_reason) {
  // /proc/PID/oom_score_adj holds a number that reads ESRCH once the process is gone, as sysfs reads ENODEV.
  const pid_t child = ::fork();
  ASSERT_GE(child, 0);
  if (child == 0) {
    while (true) ::pause();
  }
  const fs::path real = zone("intel-rapl:0", "package-0", "");
  fs::create_symlink("/proc/" + std::to_string(child) + "/oom_score_adj", real / "energy_uj");
  const Found found = find();
  const auto before = found.status == Found::Status::found ? read(found) : std::vector<Reading>(1);
  ::kill(child, SIGKILL);
  ::waitpid(child, nullptr, 0);
  ASSERT_EQ(found.status, Found::Status::found) << found.reason;
  EXPECT_EQ(before[0].kind, Reading::Kind::counter);
  const Reading after = read(found)[0];
  EXPECT_EQ(after.kind, Reading::Kind::absent);
  EXPECT_THAT(after.reason, HasSubstr("No such process"));
}

// Permission bits do not bind root, so these look for the probe as nobody.
class AsNobody {
 public:
  AsNobody() : root_(::geteuid() == 0) {
    if (root_) dropped_ = ::seteuid(65534) == 0;
  }
  AsNobody(const AsNobody&) = delete;
  AsNobody& operator=(const AsNobody&) = delete;
  ~AsNobody() {
    if (dropped_ && ::seteuid(0) != 0) std::abort();
  }
  [[nodiscard]] bool unprivileged() const { return !root_ || dropped_; }

 private:
  bool root_;
  bool dropped_ = false;
};

TEST_F(PowercapTree, a_denied_counter_tells_the_command_that_opens_it) {
  const fs::path real = zone("intel-rapl:0", "package-0");
  fs::permissions(real / "energy_uj", fs::perms::none);
  const AsNobody nobody;
  if (!nobody.unprivileged()) GTEST_SKIP() << "cannot give up root here";
  const Found found = find();
  EXPECT_EQ(found.status, Found::Status::denied);
  EXPECT_EQ(found.probe, nullptr);
  EXPECT_THAT(found.reason, HasSubstr("permission denied"));
  EXPECT_EQ(found.fix, "sudo chmod a+r /sys/class/powercap/intel-rapl*/energy_uj");
  EXPECT_THAT(found.fix_lasting, HasSubstr("/etc/udev/rules.d/"));
  EXPECT_THAT(found.missing, ElementsAre(HasSubstr("package-0: energy_uj: Permission denied")));
}

TEST_F(PowercapTree, what_can_be_read_is_found_and_the_rest_is_missing) {
  zone("intel-rapl:0", "package-0");
  const fs::path real = zone("intel-rapl:0:0", "dram");
  zone("intel-rapl:1", "package-1", "nonsense");
  fs::permissions(real / "energy_uj", fs::perms::none);
  const AsNobody nobody;
  if (!nobody.unprivileged()) GTEST_SKIP() << "cannot give up root here";
  const Found found = find();
  EXPECT_EQ(found.status, Found::Status::found);
  EXPECT_THAT(names(found), ElementsAre("package-0"));
  EXPECT_THAT(found.missing,
              UnorderedElementsAre("dram-0: energy_uj: Permission denied", "package-1: energy_uj holds no number"));
  EXPECT_THAT(found.fix, HasSubstr("chmod"));
}

TEST_F(PowercapTree, a_folder_in_place_of_the_counter_is_missing_not_denied) {
  const fs::path real = zone("intel-rapl:0", "package-0", "");
  fs::create_directory(real / "energy_uj");
  const Found found = find();
  EXPECT_EQ(found.status, Found::Status::absent);
  EXPECT_THAT(found.reason, HasSubstr("Is a directory"));
  EXPECT_EQ(found.fix, "");
}

TEST_F(PowercapTree, zones_hidden_by_a_container_are_told_apart_from_none) {
  const fs::path real = zone("intel-rapl:0", "package-0");
  fs::remove_all(real);
  const Found found = find();
  EXPECT_EQ(found.status, Found::Status::denied);
  EXPECT_THAT(found.reason, HasSubstr("container"));
  EXPECT_THAT(found.fix, HasSubstr("systempaths=unconfined"));
}

TEST_F(PowercapTree, without_zones_it_is_absent) {
  EXPECT_EQ(find().status, Found::Status::absent);
  fs::create_directories(root_ / "sys/class/powercap/intel-rapl");
  fs::create_directories(root_ / "sys/class/powercap/intel-rapl:x");
  fs::create_directories(root_ / "sys/class/powercap/dtpm:0");
  const Found found = find();
  EXPECT_EQ(found.status, Found::Status::absent);
  EXPECT_THAT(found.reason, HasSubstr("no RAPL zone"));
}

TEST_F(PowercapTree, every_claim_about_hardware_says_where_it_was_proven) {
  EXPECT_EQ(find().proven, "verified on a fake only");
}

}  // namespace
}  // namespace wattle::energy
