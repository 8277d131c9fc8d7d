#include "energy/counter_check.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <utility>
#include <vector>

namespace wattle::energy {
namespace {

using testing::HasSubstr;
using testing::IsEmpty;

Series steady(std::string name, std::string parent, Provenance provenance, std::int64_t watts) {
  Series series;
  series.domain.name = std::move(name);
  series.domain.parent = std::move(parent);
  series.domain.kind = DomainKind::gpu;
  series.domain.provenance = provenance;
  for (std::int64_t i = 0; i <= 200; ++i) {
    series.samples.push_back({.time = milliseconds(i * 50), .cumulative = {i * 50'000 * watts}, .gap_before = false});
  }
  return series;
}
std::vector<Series> pair(std::int64_t counter_watts, std::int64_t power_watts) {
  return {steady("gpu-0", "", Provenance::counter, counter_watts),
          steady("gpu-0 (power)", "gpu-0", Provenance::integrated_power, power_watts)};
}
Window until(Nanoseconds end) {
  return {.kind = WindowKind::phase, .name = "train", .epoch = {}, .begin = {}, .end = end};
}

TEST(CounterCheck, a_difference_above_a_tenth_is_suspicious_either_way) {
  for (const auto& [watts, suspicious] : {std::pair{109, false}, {111, true}, {91, false}, {89, true}}) {
    const auto checks = check_counters(pair(100, watts), until(seconds(10)));
    ASSERT_EQ(checks.size(), 1U);
    EXPECT_EQ(checks[0].suspicious, suspicious) << watts;
    EXPECT_DOUBLE_EQ(*checks[0].ratio, watts / 100.0);
    EXPECT_EQ(checks[0].counter, (Microjoules{1'000'000'000}));
    EXPECT_EQ(checks[0].why_absent, "");
  }
}

TEST(CounterCheck, a_window_shorter_than_5_s_tells_nothing) {
  const auto checks = check_counters(pair(100, 200), until(milliseconds(4'999)));
  ASSERT_EQ(checks.size(), 1U);
  EXPECT_EQ(checks[0].why_absent, "the window is shorter than 5 s");
  EXPECT_FALSE(checks[0].suspicious);
  EXPECT_FALSE(checks[0].ratio || checks[0].counter || checks[0].integral);
  EXPECT_TRUE(check_counters(pair(100, 200), until(seconds(5)))[0].suspicious);
}

TEST(CounterCheck, a_gap_in_one_is_not_taken_for_a_difference) {
  auto series = pair(100, 100);
  for (std::size_t i = 100; i <= 140; ++i) series[1].samples[i].gap_before = true;
  const auto checks = check_counters(series, until(seconds(10)));
  EXPECT_THAT(checks[0].why_absent, HasSubstr("gpu-0 (power): only 80 % of the window was seen"));
  EXPECT_FALSE(checks[0].suspicious);
}

TEST(CounterCheck, a_counter_that_stands_still_is_suspicious_and_has_no_ratio) {
  const auto checks = check_counters(pair(0, 100), until(seconds(10)));
  EXPECT_TRUE(checks[0].suspicious);
  EXPECT_FALSE(checks[0].ratio);
}

TEST(CounterCheck, never_read_is_told_with_the_reason) {
  auto series = pair(100, 100);
  series[0].samples.clear();
  EXPECT_EQ(check_counters(series, until(seconds(10)))[0].why_absent, "gpu-0: never read");
}

TEST(CounterCheck, what_has_no_partner_is_not_compared) {
  EXPECT_THAT(check_counters({steady("gpu-0", "", Provenance::integrated_power, 100)}, until(seconds(10))), IsEmpty());
  EXPECT_THAT(check_counters({steady("gpu-0", "", Provenance::counter, 100)}, until(seconds(10))), IsEmpty());
  EXPECT_THAT(check_counters({}, until(seconds(10))), IsEmpty());
}

}  // namespace
}  // namespace wattle::energy
