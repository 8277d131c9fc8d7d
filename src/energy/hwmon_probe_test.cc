#include "energy/hwmon_probe.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "energy/accumulator.h"
#include "energy/fake_tree.h"
#include "energy/trace.h"

namespace wattle::energy {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

// Devices as Documentation/hwmon/sysfs-interface.rst shows them: hwmonN with a link to the device it watches.
class HwmonTree : public testing::Test {
 protected:
  // A device of the PCI bus; its hwmon folder is returned.
  std::string pci(int number, const std::string& name, const std::string& address) const {
    const std::string folder = chip(number, name);
    tree_.link(folder + "/device", "sys/devices/pci0000:00/" + address);
    return folder;
  }
  std::string chip(int number, const std::string& name) const {
    const std::string folder = "sys/class/hwmon/hwmon" + std::to_string(number);
    tree_.write(folder + "/name", name);
    return folder;
  }
  std::string radeon(const std::string& power = "36000000") const {
    const std::string folder = pci(3, "amdgpu", "0000:03:00.0");
    tree_.write(folder + "/power1_average", power);
    tree_.write(folder + "/power1_label", "PPT");
    tree_.write(folder + "/in0_label", "vddgfx");
    tree_.write(folder + "/device/device", "0x744c");
    tree_.write(folder + "/device/power/runtime_status", "active");
    return folder;
  }
  [[nodiscard]] Found find() const {
    ProbeOptions options;
    options.sysroot = tree_.root();
    return find_hwmon(options);
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
  static std::vector<std::size_t> added(const Found& found) {
    std::vector<Series> series;
    for (const Domain& d : found.probe->domains()) {
      series.push_back({.domain = d, .samples = {{seconds(1), {0}}, {seconds(2), {1}}}});
    }
    return cover(series).measured;
  }

  FakeTree tree_;
};

TEST_F(HwmonTree, a_discrete_amd_gpu_is_a_gpu) {
  radeon();
  const Found found = find();
  ASSERT_THAT(names(found), ElementsAre("gpu-0000:03:00.0")) << found.reason;
  const Domain& domain = found.probe->domains()[0];
  EXPECT_EQ(domain.kind, DomainKind::gpu);
  EXPECT_EQ(domain.provenance, Provenance::integrated_power);
  EXPECT_EQ(read(found)[0].kind, Reading::Kind::power);
  EXPECT_EQ(read(found)[0].value, 36'000'000U);
  EXPECT_EQ(found.probe->own_period(), milliseconds(100));
  EXPECT_THAT(added(found), ElementsAre(0));
}

TEST_F(HwmonTree, an_amd_gpu_within_a_processor_is_never_added) {
  const std::string folder = radeon("15000000");
  tree_.write(folder + "/in1_label", "vddnb");
  Found found = find();
  ASSERT_THAT(names(found), ElementsAre("board-amdgpu-PPT"));
  EXPECT_EQ(read(found)[0].value, 15'000'000U) << "shown";
  EXPECT_THAT(added(found), IsEmpty()) << "its package has the same joules";
  tree_.remove(folder + "/in1_label");
  tree_.write(folder + "/device/device", "0x74a0");
  found = find();
  ASSERT_THAT(names(found), ElementsAre("board-amdgpu-PPT")) << "MI300A, whose driver shows no vddnb";
  EXPECT_THAT(added(found), IsEmpty());
}

TEST_F(HwmonTree, two_gpus_of_one_kind_are_two_domains) {
  radeon();
  tree_.write(pci(10, "amdgpu", "0000:83:00.0") + "/power1_average", "20000000");
  const Found found = find();
  EXPECT_THAT(names(found), ElementsAre("gpu-0000:03:00.0", "gpu-0000:83:00.0"));
  EXPECT_THAT(added(found), ElementsAre(0, 1));
}

TEST_F(HwmonTree, the_average_is_read_and_the_momentary_power_where_there_is_none) {
  const std::string folder = radeon();
  tree_.write(folder + "/power1_input", "99000000");
  EXPECT_EQ(read(find())[0].value, 36'000'000U);
  tree_.remove(folder + "/power1_average");
  EXPECT_EQ(read(find())[0].value, 99'000'000U);
  std::filesystem::create_directory(tree_.root() / (folder + "/power1_average"));
  EXPECT_EQ(read(find())[0].value, 99'000'000U) << "an average that cannot be read is passed over";
}

TEST_F(HwmonTree, a_gpu_that_sleeps_is_not_woken_and_not_zero) {
  const std::string folder = radeon();
  const Found found = find();
  tree_.write(folder + "/device/power/runtime_status", "suspended");
  EXPECT_EQ(read(found)[0].kind, Reading::Kind::absent);
  EXPECT_THAT(read(found)[0].reason, HasSubstr("sleeps"));
  EXPECT_THAT(names(find()), ElementsAre("gpu-0000:03:00.0")) << "it may wake while it is measured";
  tree_.write(folder + "/device/power/runtime_status", "active");
  EXPECT_EQ(read(found)[0].kind, Reading::Kind::power);
}

TEST_F(HwmonTree, a_driver_that_refuses_midway_is_absent_with_its_reason) {
  // /proc/self/mem at offset 0 answers EIO, as a sensor behind a bus that is gone does.
  const std::string folder = chip(0, "ina238");
  std::filesystem::create_symlink("/proc/self/mem", tree_.root() / (folder + "/power1_input"));
  tree_.write(folder + "/power2_input", "1000000");
  const Found found = find();
  EXPECT_THAT(names(found), ElementsAre("board-ina238-power2"));
  EXPECT_THAT(found.reason, HasSubstr("power1_input: Input/output error"));
  EXPECT_THAT(found.missing, IsEmpty()) << "a board is in no total, so nothing is missing there";
}

TEST_F(HwmonTree, sentinels_zero_and_nonsense_are_no_power_of_a_gpu) {
  const std::string folder = radeon();
  const Found found = find();
  for (const char* power : {"0", "4294967295", "4294967295000", "-36000000", "9223372036854775807", "", "garbage",
                            "36000000 36000000", "99999999999999999999"}) {
    tree_.write(folder + "/power1_average", power);
    EXPECT_EQ(read(found)[0].kind, Reading::Kind::absent) << power;
    EXPECT_THAT(read(found)[0].reason, testing::Not("")) << power;
    EXPECT_THAT(find().missing, ElementsAre(HasSubstr("gpu-0000:03:00.0: "))) << power;
  }
  tree_.write(folder + "/power1_average", "36000000");
  EXPECT_EQ(read(found)[0].value, 36'000'000U) << "the file is open still";
}

TEST_F(HwmonTree, intels_cards_count_energy_and_what_is_inside_counts_once) {
  const std::string xe = pci(4, "xe", "0000:04:00.0");
  tree_.write(xe + "/energy1_input", "1000");
  tree_.write(xe + "/energy1_label", "card");
  tree_.write(xe + "/energy2_input", "700");
  tree_.write(xe + "/energy2_label", "pkg");
  tree_.write(xe + "/power1_max", "150000000");
  const std::string i915 = pci(5, "i915", "0000:05:00.0");
  tree_.write(i915 + "/energy1_input", "500");
  const std::string tile = pci(6, "i915_gt0", "0000:05:00.0");
  tree_.write(tile + "/energy1_input", "400");
  const Found found = find();
  ASSERT_THAT(names(found),
              ElementsAre("gpu-0000:04:00.0", "gpu-0000:04:00.0-pkg", "gpu-0000:05:00.0", "gpu-0000:05:00.0-gt0"));
  EXPECT_EQ(found.probe->domains()[0].provenance, Provenance::counter);
  EXPECT_EQ(found.probe->domains()[1].parent, "gpu-0000:04:00.0");
  EXPECT_THAT(added(found), ElementsAre(0, 2));
  EXPECT_EQ(read(found)[0].kind, Reading::Kind::counter);
  EXPECT_EQ(read(found)[0].value, 1000U);
}

TEST_F(HwmonTree, a_sentinel_is_no_count_either) {
  const std::string xe = pci(4, "xe", "0000:04:00.0");
  tree_.write(xe + "/energy1_input", "1000");
  const Found found = find();
  for (const char* energy : {"4294967295", "4294967295000", "-1"}) {
    tree_.write(xe + "/energy1_input", energy);
    EXPECT_EQ(read(found)[0].kind, Reading::Kind::absent) << energy;
  }
}

TEST_F(HwmonTree, tiles_without_their_card_are_added) {
  for (int tile = 0; tile < 2; ++tile) {
    tree_.write(pci(tile, "i915_gt" + std::to_string(tile), "0000:05:00.0") + "/energy1_input", "400");
  }
  const Found found = find();
  ASSERT_THAT(names(found), ElementsAre("gpu-0000:05:00.0-gt0", "gpu-0000:05:00.0-gt1"));
  EXPECT_THAT(added(found), ElementsAre(0, 1));
}

TEST_F(HwmonTree, a_counter_that_falls_is_a_gap_for_no_range_is_told) {
  const std::string i915 = pci(5, "i915", "0000:05:00.0");
  tree_.write(i915 + "/energy1_input", "5000000");
  const Found found = find();
  Accumulator accumulator(found.probe->domains()[0]);
  ASSERT_TRUE(accumulator.add(seconds(1), read(found)[0], false));
  tree_.write(i915 + "/energy1_input", "1000000");
  const auto fallen = accumulator.add(seconds(2), read(found)[0], false);
  ASSERT_TRUE(fallen);
  EXPECT_TRUE(fallen->gap_before);
}

TEST_F(HwmonTree, board_sensors_are_shown_and_never_added) {
  const std::string meter = chip(0, "power_meter");
  tree_.write(meter + "/power1_average", "250000000");
  const std::string rails = chip(1, "ina3221");
  tree_.write(rails + "/power1_input", "0");
  tree_.write(rails + "/power1_label", "VDD IN");
  tree_.write(rails + "/update_interval", "500");
  const Found found = find();
  ASSERT_THAT(names(found), ElementsAre("board-power_meter-power1", "board-ina3221-VDD IN"));
  EXPECT_EQ(read(found)[1].kind, Reading::Kind::power) << "a rail may carry nothing";
  EXPECT_EQ(found.probe->domains()[1].update_period, milliseconds(500));
  EXPECT_THAT(added(found), IsEmpty());
}

TEST_F(HwmonTree, two_chips_of_one_name_keep_apart) {
  tree_.write(chip(0, "ina238") + "/power1_input", "1");
  tree_.write(chip(1, "ina238") + "/power1_input", "2");
  EXPECT_THAT(names(find()), ElementsAre("board-ina238-power1", "board-ina238-power1 (hwmon1)"));
}

TEST_F(HwmonTree, voltage_times_current_where_the_chip_tells_no_power) {
  const std::string rails = chip(0, "ina3221");
  tree_.write(rails + "/in1_input", "12000");   // mV
  tree_.write(rails + "/curr1_input", "2500");  // mA
  tree_.write(rails + "/in2_input", "5000");
  tree_.write(rails + "/curr3_input", "100");
  const Found found = find();
  ASSERT_THAT(names(found), ElementsAre("board-ina3221-curr1"));
  EXPECT_EQ(read(found)[0].value, 30'000'000U);
  tree_.write(rails + "/curr1_input", "-1");
  EXPECT_THAT(read(found)[0].reason, HasSubstr("curr1_input is negative"));
  tree_.write(rails + "/curr1_input", "9223372036854775807");
  EXPECT_EQ(read(found)[0].kind, Reading::Kind::absent);
  tree_.write(rails + "/power4_input", "1");
  EXPECT_THAT(names(find()), ElementsAre("board-ina3221-power4")) << "pairs only where nothing better is";
}

TEST_F(HwmonTree, voltages_and_currents_pair_by_label_not_by_number_alone) {
  const std::string supply = chip(0, "pmbus");
  const auto pair = [&](int number, const std::string& voltage, const std::string& current) {
    tree_.write(supply + "/in" + std::to_string(number) + "_input", "1000");
    tree_.write(supply + "/in" + std::to_string(number) + "_label", voltage);
    tree_.write(supply + "/curr" + std::to_string(number) + "_input", "1000");
    tree_.write(supply + "/curr" + std::to_string(number) + "_label", current);
  };
  pair(1, "vin", "iin");
  pair(2, "vcap", "iout1");
  pair(3, "vout2", "iout2");
  pair(4, "rail", "rail");
  EXPECT_THAT(names(find()), ElementsAre("board-pmbus-iin", "board-pmbus-iout2", "board-pmbus-rail"));
}

TEST_F(HwmonTree, chips_that_repeat_another_probe_or_have_no_power_are_left_out) {
  tree_.write(chip(0, "coretemp") + "/temp1_input", "45000");
  tree_.write(chip(1, "nvme") + "/temp1_input", "35000");
  const std::string battery = chip(2, "BAT0");
  tree_.write(battery + "/power1_input", "8000000");
  tree_.link(battery + "/device", "sys/devices/LNXSYSTM:00/PNP0C0A:00/power_supply/BAT0");
  const Found found = find();
  EXPECT_EQ(found.status, Found::Status::absent);
  EXPECT_THAT(found.reason, HasSubstr("no sensor of power or energy"));
}

TEST_F(HwmonTree, a_denied_counter_tells_the_command_that_opens_it) {
  const std::string folder = chip(0, "amd_energy");
  tree_.write(folder + "/energy1_input", "1");
  std::filesystem::permissions(tree_.root() / (folder + "/energy1_input"), std::filesystem::perms::none);
  const WithoutRoot nobody;
  if (!nobody.unprivileged()) GTEST_SKIP() << "cannot give up root here";
  const Found found = find();
  EXPECT_EQ(found.status, Found::Status::denied);
  EXPECT_THAT(found.reason, HasSubstr("energy1_input: Permission denied"));
  EXPECT_THAT(found.fix, HasSubstr("sudo chmod a+r "));
}

TEST_F(HwmonTree, hostile_trees_are_survived) {
  EXPECT_EQ(find().status, Found::Status::absent);
  const std::string folder = chip(0, std::string(1U << 20U, 'x'));
  tree_.write(folder + "/power1_input", "1");
  tree_.write("sys/class/hwmon/hwmonX/name", "odd");
  tree_.write("sys/class/hwmon/hwmon99999999999999999999/name", "odd");
  const std::string fifo = chip(1, "fifo");
  tree_.write(fifo + "/power_input", "1");
  tree_.write(fifo + "/power99999999999_input", "1");
  tree_.write(fifo + "/power-1_input", "1");
  ASSERT_EQ(::mkfifo((tree_.root() / (fifo + "/power1_input")).c_str(), 0600), 0);
  const Found found = find();
  EXPECT_EQ(found.status, Found::Status::absent) << found.reason;
}

}  // namespace
}  // namespace wattle::energy
