#include "energy/battery_probe.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "energy/fake_tree.h"

namespace wattle::energy {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

// Supplies as Documentation/ABI/testing/sysfs-class-power shows them.
class PowerSupplies : public testing::Test {
 protected:
  void battery(const std::string& name, const std::string& status, const std::string& power) const {
    set(name, "type", "Battery");
    set(name, "status", status);
    if (!power.empty()) set(name, "power_now", power);
  }
  void set(const std::string& supply, const std::string& attribute, const std::string& value) const {
    tree_.write("sys/class/power_supply/" + supply + "/" + attribute, value);
  }
  [[nodiscard]] Found find() const {
    ProbeOptions options;
    options.sysroot = tree_.root();
    return find_battery(options);
  }
  static Reading read(const Found& found) {
    std::vector<Reading> readings(1);
    found.probe->read(seconds(1), readings);
    return readings[0];
  }
  [[nodiscard]] std::string why_not() const {
    const Found found = find();
    EXPECT_EQ(found.status, Found::Status::absent);
    EXPECT_EQ(found.probe, nullptr);
    return found.reason;
  }

  FakeTree tree_;
};

TEST_F(PowerSupplies, a_battery_that_discharges_is_the_whole_machine) {
  battery("BAT0", "Discharging", "8500000");
  const Found found = find();
  ASSERT_EQ(found.status, Found::Status::found) << found.reason;
  const Domain& domain = found.probe->domains()[0];
  EXPECT_EQ(domain.name, "wall-battery");
  EXPECT_EQ(domain.kind, DomainKind::wall);
  EXPECT_EQ(domain.provenance, Provenance::integrated_power);
  EXPECT_EQ(domain.update_period, seconds(1));
  EXPECT_EQ(found.probe->own_period(), seconds(1));
  EXPECT_EQ(read(found).kind, Reading::Kind::power);
  EXPECT_EQ(read(found).value, 8'500'000U);
}

TEST_F(PowerSupplies, on_mains_there_is_nothing_to_read) {
  battery("BAT0", "Charging", "30000000");
  EXPECT_THAT(why_not(), HasSubstr("on mains: unplug to measure"));
  for (const char* status : {"Full", "Not charging", "Unknown"}) {
    battery("BAT0", status, "0");
    EXPECT_THAT(why_not(), HasSubstr("on mains: unplug to measure")) << status;
  }
}

TEST_F(PowerSupplies, a_charger_that_is_online_hides_a_part_even_while_a_battery_discharges) {
  battery("BAT0", "Discharging", "8500000");
  for (const char* type : {"Mains", "USB", "Wireless"}) {
    set("AC", "type", type);
    set("AC", "online", "1");
    EXPECT_THAT(why_not(), HasSubstr("on mains")) << type;
    set("AC", "online", "2");
    EXPECT_THAT(why_not(), HasSubstr("on mains")) << "programmable, says the ABI";
    set("AC", "online", "0");
    EXPECT_EQ(find().status, Found::Status::found) << type;
  }
}

TEST_F(PowerSupplies, plugged_in_midway_its_readings_are_absent_with_the_reason) {
  battery("BAT0", "Discharging", "8500000");
  set("AC", "type", "Mains");
  set("AC", "online", "0");
  const Found found = find();
  ASSERT_EQ(found.status, Found::Status::found);
  set("AC", "online", "1");
  EXPECT_EQ(read(found).kind, Reading::Kind::absent);
  EXPECT_EQ(read(found).reason, "on mains: unplug to measure");
  set("AC", "online", "0");
  EXPECT_EQ(read(found).kind, Reading::Kind::power) << "the files are open still";
}

TEST_F(PowerSupplies, several_batteries_feed_one_machine) {
  battery("BAT0", "Discharging", "8500000");
  battery("BAT1", "Discharging", "1500000");
  const Found found = find();
  ASSERT_EQ(found.probe->domains().size(), 1U);
  EXPECT_EQ(read(found).value, 10'000'000U);
}

TEST_F(PowerSupplies, a_second_battery_may_rest_but_not_flow_unexplained) {
  battery("BAT0", "Discharging", "8500000");
  battery("BAT1", "Unknown", "0");
  EXPECT_EQ(read(find()).value, 8'500'000U);
  battery("BAT1", "Unknown", "3000000");
  EXPECT_THAT(why_not(), HasSubstr("BAT1 gives or takes power"));
  battery("BAT1", "Charging", "3000000");
  EXPECT_THAT(why_not(), HasSubstr("BAT1 charges"));
}

TEST_F(PowerSupplies, the_battery_of_a_mouse_is_not_the_machines) {
  battery("hidpp_battery_0", "Discharging", "5000");
  set("hidpp_battery_0", "scope", "Device");
  EXPECT_THAT(why_not(), HasSubstr("no battery"));
  battery("BAT0", "Discharging", "8500000");
  EXPECT_EQ(read(find()).value, 8'500'000U);
}

TEST_F(PowerSupplies, an_empty_bay_is_no_battery) {
  battery("BAT0", "Discharging", "8500000");
  battery("BAT1", "Unknown", "");
  set("BAT1", "present", "0");
  EXPECT_EQ(find().reason, "wall-battery: the whole machine, 1 battery");
}

TEST_F(PowerSupplies, the_sign_is_a_convention_and_the_status_decides) {
  battery("BAT0", "Discharging", "-8500000");
  EXPECT_EQ(read(find()).value, 8'500'000U);
}

TEST_F(PowerSupplies, zero_watts_while_it_discharges_is_not_a_reading) {
  battery("BAT0", "Discharging", "0");
  EXPECT_THAT(why_not(), HasSubstr("BAT0 says 0 W while it discharges"));
}

TEST_F(PowerSupplies, current_times_voltage_where_the_driver_has_no_power) {
  battery("BAT0", "Discharging", "");
  set("BAT0", "current_now", "-1500000");
  set("BAT0", "voltage_now", "11400000");
  EXPECT_EQ(read(find()).value, 17'100'000U);
  set("BAT0", "voltage_now", "unknown");
  EXPECT_THAT(why_not(), HasSubstr("BAT0: voltage_now: holds no number"));
}

TEST_F(PowerSupplies, garbage_and_sentinels_are_no_power) {
  for (const char* power : {"garbage", "", "4294967295000", "9223372036854775807", "-9223372036854775808", "1.5"}) {
    battery("BAT0", "Discharging", "1");
    set("BAT0", "power_now", power);
    EXPECT_EQ(find().status, Found::Status::absent) << power;
  }
  tree_.remove("sys/class/power_supply/BAT0/power_now");
  set("BAT0", "current_now", "9223372036854775807");
  set("BAT0", "voltage_now", "9223372036854775807");
  EXPECT_THAT(why_not(), HasSubstr("more power than a machine can draw"));
}

TEST_F(PowerSupplies, without_batteries_it_is_absent) {
  EXPECT_THAT(why_not(), HasSubstr("no battery in "));
  set("AC", "type", "Mains");
  EXPECT_THAT(why_not(), HasSubstr("no battery in "));
}

}  // namespace
}  // namespace wattle::energy
