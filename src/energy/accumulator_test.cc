#include "energy/accumulator.h"

#include <gtest/gtest.h>

#include <cmath>
#include <random>
#include <vector>

namespace wattle::energy {
namespace {

Reading counter(std::uint64_t value, std::uint64_t modulus = 0) {
  return {.kind = Reading::Kind::counter, .value = value, .modulus = modulus, .reason = {}};
}
Reading power(std::uint64_t microwatts) {
  return {.kind = Reading::Kind::power, .value = microwatts, .modulus = 0, .reason = {}};
}
Reading nothing(std::string why = "broken") {
  return {.kind = Reading::Kind::absent, .value = 0, .modulus = 0, .reason = std::move(why)};
}
Domain domain(DomainKind kind = DomainKind::package) {
  Domain d;
  d.name = "d";
  d.kind = kind;
  return d;
}

class Feed {
 public:
  explicit Feed(Domain d = domain()) : accumulator_(std::move(d)) {}
  // Every 20 ms.
  Feed& operator<<(const Reading& reading) { return at(milliseconds(20) * ++steps_, reading); }
  Feed& at(Nanoseconds time, const Reading& reading, bool suspended = false) {
    if (const auto sample = accumulator_.add(time, reading, suspended)) samples.push_back(*sample);
    return *this;
  }
  [[nodiscard]] const Accumulator& accumulator() const { return accumulator_; }
  std::vector<Sample> samples;

 private:
  Accumulator accumulator_;
  std::int64_t steps_ = 0;
};

TEST(Accumulator, a_wrapped_counter_adds_up) {
  constexpr std::uint64_t kModulus = 262'143'328'911;
  Feed feed;
  feed << counter(kModulus - 1'500'000, kModulus) << counter(kModulus - 1, kModulus) << counter(999'999, kModulus);
  ASSERT_EQ(feed.samples.size(), 3U);
  EXPECT_EQ(feed.samples.back().cumulative.value, 2'499'999);
  EXPECT_FALSE(feed.samples.back().gap_before);
}

TEST(Accumulator, many_wraps_give_the_exact_joules) {
  constexpr std::uint64_t kModulus = 65'532'610'987;
  Feed feed;
  std::uint64_t total = 0;
  for (int i = 0; i < 300'000; ++i) {
    feed << counter(total % kModulus, kModulus);
    total += 5'600'000 + static_cast<std::uint64_t>(i % 7);  // 280 W
  }
  const std::uint64_t expected = total - 5'600'000 - (300'000 - 1) % 7;
  EXPECT_EQ(static_cast<std::uint64_t>(feed.samples.back().cumulative.value), expected);
  EXPECT_GT(expected / kModulus, 20U) << "the counter really wrapped";
  EXPECT_EQ(feed.accumulator().failures(), 0);
}

TEST(Accumulator, a_reset_is_a_gap_not_a_wrap) {
  constexpr std::uint64_t kModulus = 262'143'328'911;
  Feed feed;
  feed << counter(100'000'000, kModulus) << counter(101'000'000, kModulus) << counter(5, kModulus)
       << counter(1'000'005, kModulus);
  ASSERT_EQ(feed.samples.size(), 4U);
  EXPECT_TRUE(feed.samples[2].gap_before);
  EXPECT_EQ(feed.samples[2].cumulative, feed.samples[1].cumulative) << "E stands still in a gap";
  EXPECT_FALSE(feed.samples[3].gap_before);
  EXPECT_EQ(feed.samples[3].cumulative.value, 2'000'000);
  EXPECT_EQ(feed.accumulator().last_failure(), "the counter was reset");
}

TEST(Accumulator, without_a_range_a_fall_is_a_gap) {
  Feed feed;
  feed << counter(50) << counter(20) << counter(30);
  EXPECT_TRUE(feed.samples[1].gap_before);
  EXPECT_EQ(feed.samples[2].cumulative.value, 10);
}

TEST(Accumulator, a_counter_may_stand_at_the_end_of_its_range) {
  Feed feed;
  feed << counter(90, 100) << counter(100, 100) << counter(5, 100);
  ASSERT_EQ(feed.samples.size(), 3U);
  EXPECT_EQ(feed.samples[2].cumulative.value, 15);
}

TEST(Accumulator, a_leap_no_hardware_can_make_is_a_gap) {
  Feed feed;  // 2 kW at most: 40 J in 20 ms
  feed << counter(0) << counter(39'000'000) << counter(80'000'000) << counter(~0ULL);
  EXPECT_FALSE(feed.samples[1].gap_before);
  EXPECT_TRUE(feed.samples[2].gap_before);
  EXPECT_TRUE(feed.samples[3].gap_before);
  EXPECT_EQ(feed.samples[3].cumulative.value, 39'000'000);
}

TEST(Accumulator, a_counter_that_stands_still_and_then_leaps_within_its_period_is_whole) {
  Domain slow = domain(DomainKind::gpu);
  slow.update_period = milliseconds(100);
  Feed feed(slow);
  // 1 kW, refreshed every 100 ms, read every 20 ms: 100 J appear in one interval, 5 kW on the face of it.
  for (std::uint64_t i = 0; i < 50; ++i) feed << counter(i / 5 * 100'000'000);
  EXPECT_EQ(feed.accumulator().failures(), 0);
  EXPECT_EQ(feed.samples.back().cumulative.value, 9 * 100'000'000);
}

TEST(Accumulator, a_counter_that_could_not_be_read_has_counted_on) {
  Feed feed;
  feed << counter(1000) << counter(2000) << nothing("gone") << nothing("gone") << counter(9000) << counter(9500);
  ASSERT_EQ(feed.samples.size(), 4U);
  EXPECT_FALSE(feed.samples[2].gap_before) << "nothing is lost but where in the 60 ms it was used";
  EXPECT_EQ(feed.samples[2].cumulative.value, 8000);
  EXPECT_EQ(feed.samples[3].cumulative.value, 8500);
  EXPECT_EQ(feed.accumulator().failures(), 2);
  EXPECT_EQ(feed.accumulator().last_failure(), "gone");
}

TEST(Accumulator, a_source_that_says_gap_is_not_bridged) {
  Feed feed;
  Reading gap = nothing("the recording stood still");
  gap.kind = Reading::Kind::gap;
  feed << counter(1000) << gap << counter(9000) << counter(9500);
  ASSERT_EQ(feed.samples.size(), 3U);
  EXPECT_TRUE(feed.samples[1].gap_before);
  EXPECT_EQ(feed.samples[2].cumulative.value, 500);
}

TEST(Accumulator, power_that_nobody_read_is_a_gap_and_never_a_zero) {
  Feed feed;
  feed << power(100'000'000) << power(100'000'000) << nothing("gone") << power(100'000'000) << power(100'000'000);
  ASSERT_EQ(feed.samples.size(), 4U);
  EXPECT_TRUE(feed.samples[2].gap_before);
  EXPECT_EQ(feed.samples[3].cumulative.value, 4'000'000);
  EXPECT_EQ(feed.accumulator().failures(), 1);
}

TEST(Accumulator, power_after_a_long_silence_is_a_gap) {
  Feed feed(domain(DomainKind::wall));
  feed.at(milliseconds(0), power(100'000'000)).at(milliseconds(900), power(100'000'000));
  feed.at(milliseconds(5900), power(300'000'000)).at(milliseconds(6900), power(300'000'000));
  ASSERT_EQ(feed.samples.size(), 4U);
  EXPECT_FALSE(feed.samples[1].gap_before);
  EXPECT_TRUE(feed.samples[2].gap_before) << "a trapezoid over 5 s of silence is an invention";
  EXPECT_EQ(feed.samples[3].cumulative.value, 90'000'000 + 300'000'000);
  EXPECT_EQ(feed.accumulator().last_failure(), "not read for 5.0 s");
}

TEST(Accumulator, a_counter_unseen_for_so_long_that_it_may_have_wrapped_twice_is_a_gap) {
  constexpr std::uint64_t kModulus = 65'532'610'987;  // 16.4 s at twice 2 kW
  Feed feed;
  feed.at(seconds(0), counter(0, kModulus)).at(seconds(16), counter(3'200'000'000, kModulus));
  feed.at(seconds(33), counter(6'600'000'000, kModulus)).at(seconds(34), counter(6'800'000'000, kModulus));
  EXPECT_FALSE(feed.samples[1].gap_before);
  EXPECT_TRUE(feed.samples[2].gap_before);
  EXPECT_EQ(feed.samples[3].cumulative.value, 3'400'000'000);
  Feed endless;
  endless.at(seconds(0), counter(0, kNeverWraps)).at(seconds(3600), counter(720'000'000'000, kNeverWraps));
  EXPECT_FALSE(endless.samples[1].gap_before) << "64 bits of microjoules do not wrap";
}

TEST(Accumulator, the_series_begins_at_the_first_valid_reading) {
  Feed feed;
  feed << nothing() << counter(700) << counter(900);
  ASSERT_EQ(feed.samples.size(), 2U);
  EXPECT_EQ(feed.samples[0].time, milliseconds(40));
  EXPECT_EQ(feed.samples[0].cumulative.value, 0);
  EXPECT_FALSE(feed.samples[0].gap_before);
  EXPECT_EQ(feed.samples[1].cumulative.value, 200);
}

TEST(Accumulator, a_suspended_interval_is_a_gap) {
  Feed feed;
  feed.at(milliseconds(10), counter(100)).at(milliseconds(30), counter(500), true).at(milliseconds(50), counter(600));
  EXPECT_TRUE(feed.samples[1].gap_before);
  EXPECT_EQ(feed.samples[2].cumulative.value, 100);
}

TEST(Accumulator, a_suspend_during_absence_stays_a_gap) {
  Feed feed;
  feed.at(milliseconds(10), counter(100)).at(milliseconds(30), nothing(), true).at(milliseconds(50), counter(600));
  ASSERT_EQ(feed.samples.size(), 2U);
  EXPECT_TRUE(feed.samples[1].gap_before);
}

TEST(Accumulator, times_that_do_not_rise_are_ignored) {
  Feed feed;
  feed.at(milliseconds(10), counter(100)).at(milliseconds(10), counter(200)).at(milliseconds(5), counter(300));
  EXPECT_EQ(feed.samples.size(), 1U);
  feed.at(milliseconds(20), counter(400));
  EXPECT_EQ(feed.samples.back().cumulative.value, 300);
}

TEST(Accumulator, values_outside_the_sources_own_range_are_garbage) {
  Feed feed;
  feed << counter(10, 100) << counter(101, 100) << counter(20, 100) << counter(30, 100);
  ASSERT_EQ(feed.samples.size(), 3U) << "101 gives no sample";
  EXPECT_EQ(feed.samples[2].cumulative.value, 20);
  EXPECT_EQ(feed.accumulator().failures(), 1);
}

TEST(Accumulator, power_is_integrated_by_trapezoid_without_drift) {
  Feed feed(domain(DomainKind::gpu));
  std::mt19937_64 random(7);
  std::uniform_int_distribution<std::int64_t> step(1'000'003, 30'000'017);  // 1 to 30 ms, odd
  std::uniform_int_distribution<std::uint64_t> watts(0, 700'000'000);
  Nanoseconds time = seconds(100);
  long double exact = 0.0L;
  std::uint64_t before = watts(random);
  feed.at(time, power(before));
  for (int i = 0; i < 100'000; ++i) {
    const std::int64_t dt = step(random);
    const std::uint64_t now = watts(random);
    exact +=
        (static_cast<long double>(before) + static_cast<long double>(now)) / 2 * static_cast<long double>(dt) / 1e9L;
    time += Nanoseconds{dt};
    before = now;
    feed.at(time, power(now));
  }
  EXPECT_NEAR(static_cast<double>(feed.samples.back().cumulative.value), static_cast<double>(exact), 1.0);
}

TEST(Accumulator, hours_between_two_powers_do_not_overflow) {
  Accumulator log(domain(DomainKind::wall), seconds(86'400));  // rows of a log, a day apart
  (void)log.add(Nanoseconds{0}, power(14'000'000'000), false);
  const auto sample = log.add(seconds(86'400), power(14'000'000'000), false);
  ASSERT_TRUE(sample);
  EXPECT_EQ(sample->cumulative.value, 14'000'000'000LL * 86'400);
}

TEST(Accumulator, an_impossible_power_is_a_gap) {
  Feed feed(domain(DomainKind::gpu));
  feed << power(100'000'000) << power(~0ULL) << power(100'000'000);
  ASSERT_EQ(feed.samples.size(), 2U);
  EXPECT_TRUE(feed.samples[1].gap_before);
}

TEST(Accumulator, a_source_that_changes_its_kind_is_a_gap) {
  Feed feed;
  feed << counter(5) << power(5) << power(5);
  EXPECT_TRUE(feed.samples[1].gap_before);
  EXPECT_FALSE(feed.samples[2].gap_before);
}

}  // namespace
}  // namespace wattle::energy
