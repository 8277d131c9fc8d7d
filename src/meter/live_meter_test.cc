#include "meter/live_meter.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <string>

#include "base/text.h"

namespace wattle::meter {
namespace {

class LiveMeterTest : public testing::Test {
 protected:
  void SetUp() override {
    folder_ = std::filesystem::temp_directory_path() / ("wattle-live-meter-" + std::to_string(::getpid()));
    std::filesystem::create_directories(folder_);
    // A package and its DRAM, read for a quarter of an hour.
    ASSERT_TRUE(write_text(folder_ / "replay.csv",
                           "time_s,domain,power_w\n0,package-0,50\n900,package-0,50\n"
                           "0,dram-0,8\n900,dram-0,8\n"));
    options_.probes.wanted = {"replay:" + (folder_ / "replay.csv").string()};
    options_.interval = milliseconds(2);
  }
  void TearDown() override { std::filesystem::remove_all(folder_); }

  std::unique_ptr<LiveMeter> started() {
    auto meter = LiveMeter::start(options_);
    EXPECT_TRUE(meter) << meter.error().message;
    return meter ? std::move(*meter) : nullptr;
  }

  // An instant at least so much later.
  [[nodiscard]] Nanoseconds after(Nanoseconds time) {
    (void)clock_.sleep_until(clock_.monotonic() + time, {});
    return clock_.monotonic();
  }

  SystemClock clock_;
  std::filesystem::path folder_;
  LiveMeterOptions options_;
};

TEST_F(LiveMeterTest, a_window_has_the_joules_of_every_domain_and_of_their_cover) {
  const auto meter = started();
  const Nanoseconds begin = clock_.monotonic();
  const Nanoseconds end = after(milliseconds(300));
  const LiveWindow window = meter->window(begin, end);
  const double seconds = to_seconds(end - begin).value;
  ASSERT_EQ(meter->domains().size(), 2U);
  const auto& energies = window.metered.windows.front().energies;
  ASSERT_TRUE(energies[0].energy && energies[1].energy) << energies[0].why_absent;
  EXPECT_NEAR(to_joules(*energies[0].energy).value, 50.0 * seconds, 0.5 * seconds);
  EXPECT_NEAR(to_joules(*energies[1].energy).value, 8.0 * seconds, 0.1 * seconds);
  EXPECT_GT(energies[0].coverage, 0.99);
  ASSERT_TRUE(window.metered.measured.energy);
  EXPECT_EQ(*window.metered.measured.energy, *energies[0].energy + *energies[1].energy);
  EXPECT_FALSE(window.metered.estimated.energy) << "absent, not zero";
  EXPECT_TRUE(window.metered.simulated);
}

TEST_F(LiveMeterTest, windows_that_touch_add_up_to_the_microjoule_over_many_chunks) {
  const auto meter = started();
  const Nanoseconds begin = clock_.monotonic();
  Nanoseconds edge = begin;
  Microjoules sum;
  for (int part = 0; part < 6; ++part) {
    const Nanoseconds next = after(milliseconds(120));
    const auto window = meter->window(edge, next);
    ASSERT_TRUE(window.metered.measured.energy) << window.metered.measured.why_absent;
    sum += *window.metered.measured.energy;
    edge = next;
  }
  EXPECT_EQ(meter->window(begin, edge).metered.measured.energy, sum);
}

TEST_F(LiveMeterTest, a_window_that_is_not_over_or_too_short_is_absent) {
  const auto meter = started();
  const Nanoseconds now = after(milliseconds(100));
  const auto future = meter->window(now, now + seconds(60));
  EXPECT_FALSE(future.metered.measured.energy);
  EXPECT_EQ(future.metered.measured.why_absent, "the window is not over");
  EXPECT_FALSE(future.metered.windows.front().energies.front().energy);
  EXPECT_NE(meter->window(now - milliseconds(6), now).metered.measured.why_absent.find("too short"), std::string::npos);
}

TEST_F(LiveMeterTest, a_full_memory_gives_up_old_samples_and_no_energy) {
  options_.memory_bytes = 60'000;  // 1250 samples
  const auto meter = started();
  const Nanoseconds begin = clock_.monotonic();
  const Nanoseconds early = after(milliseconds(200));
  const auto before = meter->window(begin, early).metered.measured.energy;
  ASSERT_TRUE(before);
  std::size_t most = 0;
  while (meter->samples() >= most) {
    most = meter->samples();
    (void)after(milliseconds(20));
  }
  const Nanoseconds late = after(milliseconds(100));
  const auto whole = meter->window(begin, late).metered.measured;
  ASSERT_TRUE(whole.energy) << whole.why_absent;
  const auto now = meter->window(begin, early).metered.measured.energy;
  ASSERT_TRUE(now);
  EXPECT_NEAR(to_joules(*now).value, to_joules(*before).value, 0.05 * to_joules(*before).value);
  const auto rest = meter->window(early, late).metered.measured.energy;
  ASSERT_TRUE(rest);
  EXPECT_EQ(*now + *rest, *whole.energy) << "windows still touch";
}

TEST_F(LiveMeterTest, where_nothing_can_be_read_every_reason_is_told) {
  options_.probes.wanted = {"powercap", "replay:" + (folder_ / "none.csv").string()};
  options_.probes.sysroot = folder_;
  const auto meter = LiveMeter::start(options_);
  ASSERT_FALSE(meter);
  EXPECT_EQ(meter.error().kind, ErrorKind::environment);
  EXPECT_NE(meter.error().message.find("powercap: "), std::string::npos) << meter.error().message;
  EXPECT_NE(meter.error().message.find("none.csv"), std::string::npos) << meter.error().message;
}

TEST_F(LiveMeterTest, a_source_that_was_asked_for_and_is_not_there_is_missing) {
  options_.probes.wanted.emplace_back("powercap");
  options_.probes.sysroot = folder_;
  const auto meter = started();
  ASSERT_EQ(meter->missing().size(), 1U);
  EXPECT_EQ(meter->missing().front().rfind("powercap: ", 0), 0U);
}

TEST_F(LiveMeterTest, a_meter_that_is_stopped_at_once_ends) {
  for (int i = 0; i < 20; ++i) (void)started();
}

}  // namespace
}  // namespace wattle::meter
