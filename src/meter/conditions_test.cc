#include "meter/conditions.h"

#include <gtest/gtest.h>

#include <filesystem>

#include "base/text.h"

namespace wattle::meter {
namespace {

namespace fs = std::filesystem;

class ConditionsTest : public testing::Test {
 protected:
  ConditionsTest() {
    fs::remove_all(root_);
    fs::create_directories(root_);
  }
  ~ConditionsTest() override { fs::remove_all(root_); }

  fs::path root_ = fs::path(testing::TempDir()) / "wattle_conditions";
  SystemClock clock_;
  energy::ProbeOptions probes_;
};

TEST_F(ConditionsTest, the_temperature_is_absent_or_what_the_sensor_says) {
  probes_.sysroot = root_;
  EXPECT_FALSE(processor_temperature(probes_));
  const fs::path sensor = root_ / "sys/class/hwmon/hwmon0";
  fs::create_directories(sensor);
  ASSERT_TRUE(write_text(sensor / "name", "coretemp\n"));
  ASSERT_TRUE(write_text(sensor / "temp1_label", "Package id 0\n"));
  ASSERT_TRUE(write_text(sensor / "temp1_input", "61000\n"));
  EXPECT_EQ(processor_temperature(probes_), 61.0);
}

TEST_F(ConditionsTest, mean_power_counts_every_joule_once) {
  const fs::path file = root_ / "power.csv";
  ASSERT_TRUE(write_text(file,
                         "time_s,domain,power_w\n0,package-0,50\n3600,package-0,50\n0,core-0,30\n3600,core-0,30\n"
                         "0,dram-0,8\n3600,dram-0,8\n"));
  probes_.wanted = {"replay:" + file.string()};
  const auto heard = listen(probes_, clock_, milliseconds(300), {});
  ASSERT_TRUE(heard) << heard.error().message;
  EXPECT_NEAR(heard->total.value, 58.0, 1.0) << "cores are in their package";
  EXPECT_NEAR(heard->domains.at("core-0").value, 30.0, 0.5);
  std::stop_source stop;
  stop.request_stop();
  EXPECT_EQ(listen(probes_, clock_, seconds(60), stop.get_token()).error().kind, ErrorKind::interrupted);
  probes_.wanted = {"replay:" + (root_ / "none.csv").string()};
  EXPECT_EQ(listen(probes_, clock_, milliseconds(1), {}).error().kind, ErrorKind::environment);
}

}  // namespace
}  // namespace wattle::meter
