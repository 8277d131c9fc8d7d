#include "energy/attribution.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>
#include <random>

namespace wattle::energy {
namespace {

using testing::HasSubstr;

Domain package() {
  Domain domain;
  domain.name = "package-0";
  return domain;
}

// 10 samples a second at this power, over the seconds.
Series steady(int seconds_long, std::int64_t milliwatts) {
  Series series{.domain = package(), .samples = {}};
  for (int i = 0; i <= seconds_long * 10; ++i) {
    series.samples.push_back(
        {.time = milliseconds(100) * i, .cumulative = {milliwatts * 100 * i}, .gap_before = false});
  }
  return series;
}

Window window(Nanoseconds begin, Nanoseconds end) {
  return {.kind = WindowKind::run, .name = "run", .epoch = {}, .begin = begin, .end = end};
}

Use use(std::int64_t second, const std::vector<std::int64_t>& consumers_ms, std::int64_t all_ms) {
  Use result{.time = seconds(second), .consumers = {}, .all = milliseconds(all_ms)};
  for (const std::int64_t ms : consumers_ms) result.consumers.push_back(milliseconds(ms));
  return result;
}

Microjoules sum(const Attribution& a) {
  Microjoules all = a.idle + a.unknown + a.others.active + a.others.idle;
  for (const Share& share : a.consumers) all += share.active + share.idle;
  return all;
}

constexpr std::int64_t kJoule = 1'000'000;

TEST(Attribution, active_energy_goes_by_use_and_idle_energy_to_nobody) {
  // 10 W for 10 s, 4 W of them idle; 1 : 2 : 3 of 6 CPU seconds, the last for others.
  const Attribution a = attribute(steady(10, 10'000), {use(0, {0, 0}, 0), use(10, {1000, 2000}, 6000)},
                                  window({}, seconds(10)), Watts{4}, IdleRule::kept);
  EXPECT_EQ(a.why_absent, "");
  EXPECT_EQ(a.total.value, 100 * kJoule);
  EXPECT_EQ(a.idle.value, 40 * kJoule);
  EXPECT_EQ(a.consumers[0].active.value, 10 * kJoule);
  EXPECT_EQ(a.consumers[1].active.value, 20 * kJoule);
  EXPECT_EQ(a.others.active.value, 30 * kJoule);
  EXPECT_EQ(a.unknown.value, 0);
  EXPECT_EQ(a.coverage, 1.0);
}

TEST(Attribution, idle_energy_follows_the_rule) {
  const std::vector<Use> uses{use(0, {0, 0}, 0), use(10, {1000, 2000}, 6000)};
  const auto with = [&](IdleRule rule) {
    return attribute(steady(10, 10'000), uses, window({}, seconds(10)), Watts{4}, rule);
  };
  const Attribution equally = with(IdleRule::equally);
  EXPECT_EQ(equally.consumers[0].idle.value, 20 * kJoule);
  EXPECT_EQ(equally.consumers[1].idle.value, 20 * kJoule);
  EXPECT_EQ(equally.idle.value, 0);
  const Attribution by_use = with(IdleRule::by_use);
  EXPECT_EQ(by_use.consumers[0].idle.value, 6'666'667);
  EXPECT_EQ(by_use.consumers[1].idle.value, 13'333'333);
  EXPECT_EQ(by_use.others.idle.value, 20 * kJoule);
  EXPECT_EQ(by_use.idle.value, 0);
}

TEST(Attribution, idle_power_above_what_was_drawn_is_capped_between_two_instants_of_use) {
  const Attribution a = attribute(steady(10, 3'000), {use(0, {0}, 0), use(5, {5000}, 5000), use(10, {9000}, 9000)},
                                  window({}, seconds(10)), Watts{4}, IdleRule::kept);
  EXPECT_EQ(a.idle.value, 30 * kJoule);
  EXPECT_EQ(a.consumers[0].active.value, 0);
}

TEST(Attribution, a_gap_of_the_energy_has_no_idle_energy_either) {
  Series series = steady(10, 10'000);
  // From 2 s to 6 s nothing is known, and E stands still.
  std::erase_if(series.samples, [](const Sample& s) { return s.time > seconds(2) && s.time < seconds(6); });
  for (Sample& s : series.samples) {
    if (s.time < seconds(6)) continue;
    s.cumulative -= Microjoules{40 * kJoule};
    s.gap_before = s.time == seconds(6);
  }
  const Attribution a =
      attribute(series, {use(0, {0}, 0), use(10, {1000}, 1000)}, window({}, seconds(10)), Watts{4}, IdleRule::kept);
  EXPECT_EQ(a.total.value, 60 * kJoule);
  EXPECT_EQ(a.idle.value, 24 * kJoule);
  EXPECT_EQ(a.consumers[0].active.value, 36 * kJoule);
}

TEST(Attribution, who_used_nothing_gets_no_active_energy) {
  const Attribution a = attribute(steady(7, 9'999), {use(0, {0, 5, 0}, 0), use(7, {333, 5, 334}, 1001)},
                                  window({}, seconds(7)), Watts{}, IdleRule::by_use);
  EXPECT_EQ(a.consumers[1].active.value, 0);
  EXPECT_EQ(a.consumers[1].most.value, 0);
  EXPECT_EQ(sum(a), a.total);
}

TEST(Attribution, where_nobody_ran_active_energy_is_the_others) {
  const Attribution a = attribute(steady(10, 10'000), {use(0, {7}, 50), use(10, {7}, 50)}, window({}, seconds(10)),
                                  Watts{4}, IdleRule::kept);
  EXPECT_EQ(a.others.active.value, 60 * kJoule);
  EXPECT_EQ(a.consumers[0].active.value, 0);
}

TEST(Attribution, energy_where_use_is_not_known_is_a_part_of_its_own) {
  const Attribution a = attribute(steady(10, 10'000), {use(2, {0}, 0), use(7, {100}, 100)}, window({}, seconds(10)),
                                  Watts{4}, IdleRule::kept);
  EXPECT_EQ(a.total.value, 100 * kJoule);
  EXPECT_EQ(a.unknown.value, 50 * kJoule) << "idle energy there included";
  EXPECT_EQ(a.consumers[0].active.value, 30 * kJoule);
  EXPECT_EQ(a.others.active.value, 0);
  EXPECT_DOUBLE_EQ(a.coverage, 0.5);
}

TEST(Attribution, a_window_may_cut_an_interval_of_use) {
  const Attribution a = attribute(steady(10, 10'000), {use(0, {0}, 0), use(10, {1000}, 4000)},
                                  window(milliseconds(2150), milliseconds(4150)), Watts{}, IdleRule::kept);
  EXPECT_EQ(a.total.value, 20 * kJoule);
  EXPECT_EQ(a.consumers[0].active.value, 5 * kJoule);
  EXPECT_EQ(a.coverage, 1.0);
}

TEST(Attribution, a_counter_that_falls_makes_its_interval_unknown) {
  const std::vector<Use> uses{use(0, {0, 0}, 0), use(4, {100, 100}, 200), use(6, {50, 200}, 400),
                              use(10, {60, 210}, 420)};
  const Attribution a = attribute(steady(10, 1'000), uses, window({}, seconds(10)), Watts{}, IdleRule::kept);
  EXPECT_EQ(a.unknown.value, 2 * kJoule);
  EXPECT_DOUBLE_EQ(a.coverage, 0.8);
  for (const Share& share : a.consumers) EXPECT_EQ(share.active.value, 4 * kJoule / 2 + 4 * kJoule / 2);
  EXPECT_EQ(sum(a), a.total);
  const Attribution all_fell = attribute(steady(10, 1'000), {use(0, {0}, 500), use(10, {100}, 200)},
                                         window({}, seconds(10)), Watts{}, IdleRule::kept);
  EXPECT_THAT(all_fell.why_absent, HasSubstr("nobody's use is known"));
  EXPECT_EQ(all_fell.unknown, all_fell.total);
}

TEST(Attribution, a_counter_that_jumps_takes_no_more_than_its_interval) {
  const std::vector<Use> uses{use(0, {0, 0}, 0), use(5, {100, 100}, 400), use(6, {1'000'000'000, 200}, 600),
                              use(10, {1'000'000'100, 300}, 1000)};
  const Attribution a = attribute(steady(10, 1'000), uses, window({}, seconds(10)), Watts{}, IdleRule::kept);
  EXPECT_LE(a.consumers[0].active.value, (5 + 4) * kJoule / 4 + 1 * kJoule);
  EXPECT_GE(a.consumers[1].active.value, (5 + 4) * kJoule / 4 - 2);
  EXPECT_EQ(a.others.active.value, (5 + 4) * kJoule / 2);
  EXPECT_EQ(sum(a), a.total);
}

TEST(Attribution, extremes_of_every_number_neither_overflow_nor_lose_a_microjoule) {
  constexpr std::int64_t kBiggest = std::numeric_limits<std::int64_t>::max();
  Series series{.domain = package(), .samples = {{{0}, {0}, false}, {seconds(10), {kBiggest}, false}}};
  for (const std::int64_t jump : {std::int64_t{1}, std::int64_t{1} << 61, kBiggest}) {
    const std::vector<Use> uses{{{0}, {{0}, {0}, {-jump}}, {0}}, {seconds(7), {{1}, {jump}, {jump}}, {jump}}};
    for (const double watts : {0.0, -1.0, 1e300, std::nan("")}) {
      const Attribution a = attribute(series, uses, window({}, seconds(10)), Watts{watts}, IdleRule::by_use);
      EXPECT_EQ(a.total.value, kBiggest);
      EXPECT_EQ(sum(a), a.total);
      for (const Share& share : a.consumers) EXPECT_GE(share.active.value, 0);
    }
  }
}

TEST(Attribution, more_use_than_any_machine_has_is_no_use) {
  constexpr Nanoseconds kBiggest{std::numeric_limits<std::int64_t>::max()};
  const Use before{.time = {}, .consumers = std::vector<Nanoseconds>(40, -kBiggest), .all = {}};
  const Use after{.time = seconds(10), .consumers = std::vector<Nanoseconds>(40, kBiggest), .all = kBiggest};
  const Attribution a = attribute(steady(10, 7), {before, after}, window({}, seconds(10)), Watts{}, IdleRule::kept);
  EXPECT_THAT(a.why_absent, HasSubstr("nobody's use is known"));
  EXPECT_EQ(a.unknown, a.total);
}

TEST(Attribution, an_equal_rest_that_cannot_be_divided_is_the_others) {
  Series series{.domain = package(), .samples = {{{0}, {0}, false}, {seconds(1), {101}, false}}};
  const Attribution a =
      attribute(series, {use(0, {0, 0}, 0), use(1, {70, 70}, 140)}, window({}, seconds(1)), Watts{}, IdleRule::kept);
  EXPECT_EQ(a.consumers[0].active.value, 50);
  EXPECT_EQ(a.consumers[1].active.value, 50);
  EXPECT_EQ(a.others.active.value, 1);
}

TEST(Attribution, a_third_of_three_joules_is_one_joule_however_it_is_cut) {
  // Fractions below a microjoule are carried over the whole window.
  Series series{.domain = package(), .samples = {}};
  std::vector<Use> uses;
  for (int i = 0; i <= 300; ++i) {
    series.samples.push_back({.time = seconds(i), .cumulative = {i}, .gap_before = false});
    uses.push_back(use(i, {i, i}, 3 * i));
  }
  const Attribution a = attribute(series, uses, window({}, seconds(300)), Watts{}, IdleRule::kept);
  EXPECT_EQ(a.consumers[0].active.value, 100);
  EXPECT_EQ(a.consumers[1].active.value, 100);
  EXPECT_EQ(a.others.active.value, 100);
}

TEST(Attribution, the_interval_holds_every_mix_of_costs_up_to_the_allowance) {
  const std::vector<Use> uses{use(0, {0, 0}, 0), use(4, {1000, 3000}, 4000), use(10, {4000, 4000}, 9000)};
  const Attribution a = attribute(steady(10, 10'000), uses, window({}, seconds(10)), Watts{}, IdleRule::kept);
  std::mt19937_64 random(7);
  std::uniform_real_distribution<double> cost(1.0, kMostUnlike);
  for (int i = 0; i < 2000; ++i) {
    double energy = 0.0;
    for (const auto& [joules, mine, second, others] : {std::tuple{40e6, 1.0, 3.0, 0.0}, {60e6, 3.0, 1.0, 1.0}}) {
      const double own = mine * cost(random);
      energy += joules * own / (own + second * cost(random) + others * cost(random));
    }
    EXPECT_GE(energy, static_cast<double>(a.consumers[0].least.value));
    EXPECT_LE(energy, static_cast<double>(a.consumers[0].most.value));
  }
  EXPECT_LT(a.consumers[0].least, a.consumers[0].active);
  EXPECT_GT(a.consumers[0].most, a.consumers[0].active);
}

TEST(Attribution, who_ran_alone_has_an_exact_share) {
  const Attribution a = attribute(steady(10, 10'000), {use(0, {0}, 0), use(10, {900}, 900)}, window({}, seconds(10)),
                                  Watts{3}, IdleRule::kept);
  EXPECT_EQ(a.consumers[0].least, a.consumers[0].active);
  EXPECT_EQ(a.consumers[0].most, a.consumers[0].active);
}

TEST(Attribution, says_why_there_is_none) {
  const Window ten = window({}, seconds(10));
  EXPECT_EQ(attribute({}, {use(0, {0}, 0), use(1, {1}, 1)}, ten, {}, IdleRule::kept).why_absent, "never read");
  EXPECT_THAT(attribute(steady(10, 1), {}, ten, {}, IdleRule::kept).why_absent, HasSubstr("nobody's use is known"));
  EXPECT_THAT(attribute(steady(10, 1), {use(3, {0}, 0), use(3, {1}, 1)}, ten, {}, IdleRule::kept).why_absent,
              HasSubstr("not in order"));
  EXPECT_THAT(attribute(steady(10, 1), {use(3, {0}, 0), use(4, {1, 1}, 2)}, ten, {}, IdleRule::kept).why_absent,
              HasSubstr("different consumers"));
}

// --- Properties over random series, uses, gaps and windows -------------------------------------------------

class Chance {
 public:
  explicit Chance(std::uint64_t seed) : engine_(seed) {}
  std::int64_t up_to(std::int64_t most) { return std::uniform_int_distribution<std::int64_t>(0, most)(engine_); }
  bool one_in(std::int64_t n) { return up_to(n - 1) == 0; }
  std::mt19937_64& engine() { return engine_; }

 private:
  std::mt19937_64 engine_;
};

Series random_series(Chance& chance) {
  Series series{.domain = package(), .samples = {}};
  Nanoseconds time{chance.up_to(1'000'000'000)};
  Microjoules energy;
  for (std::int64_t i = 0; i < 40 + chance.up_to(200); ++i) {
    const bool gap = chance.one_in(12);
    if (!gap) energy += Microjoules{chance.one_in(5) ? 0 : chance.up_to(9'999'999)};
    series.samples.push_back({.time = time, .cumulative = energy, .gap_before = gap});
    time += Nanoseconds{1 + chance.up_to(99'999'999)};
  }
  return series;
}

std::vector<Use> random_uses(Chance& chance, Nanoseconds end) {
  const auto consumers = static_cast<std::size_t>(chance.up_to(5));
  std::vector<Use> uses;
  Use now{.time = {chance.up_to(1'500'000'000)}, .consumers = std::vector<Nanoseconds>(consumers), .all = {}};
  for (; now.time < end; now.time += Nanoseconds{1 + chance.up_to(1'999'999'999)}) {
    for (Nanoseconds& consumer : now.consumers) {
      Nanoseconds used{chance.one_in(3) ? 0 : chance.up_to(3'000'000'000)};
      if (chance.one_in(25)) used = Nanoseconds{-chance.up_to(1'000'000)};
      if (chance.one_in(25)) used = seconds(1'000'000);
      consumer += used;
      now.all += used;
    }
    now.all += Nanoseconds{chance.one_in(3) ? -chance.up_to(10'000'000) : chance.up_to(1'000'000'000)};
    uses.push_back(now);
  }
  return uses;
}

struct Case {
  Series series;
  std::vector<Use> uses;
  Window window;
  Watts idle;
  IdleRule rule = IdleRule::kept;
};

Case random_case(std::uint64_t seed) {
  Chance chance(seed);
  Case c;
  c.series = random_series(chance);
  const Nanoseconds end = c.series.samples.back().time;
  c.uses = random_uses(chance, end);
  Nanoseconds a{chance.up_to(end.value)};
  Nanoseconds b{chance.up_to(end.value)};
  c.window = window(std::min(a, b), std::max(a, b));
  c.idle = Watts{chance.one_in(3) ? 0.0 : static_cast<double>(chance.up_to(100'000)) / 777.0};
  c.rule = static_cast<IdleRule>(chance.up_to(2));
  return c;
}

Attribution attribute(const Case& c) { return attribute(c.series, c.uses, c.window, c.idle, c.rule); }

constexpr std::uint64_t kCases = 3000;

TEST(AttributionProperty, parts_add_up_to_the_total_and_none_is_negative) {
  int told = 0;
  for (std::uint64_t seed = 0; seed < kCases; ++seed) {
    const Case c = random_case(seed);
    const Attribution a = attribute(c);
    if (!energy_in(c.series, c.window).energy) continue;
    ASSERT_EQ(a.total, *energy_in(c.series, c.window).energy) << seed;
    ASSERT_EQ(sum(a), a.total) << seed;
    ASSERT_TRUE(a.coverage >= 0.0 && a.coverage <= 1.0) << seed;
    std::vector<Share> shares = a.consumers;
    shares.push_back(a.others);
    for (const Share& share : shares) {
      ASSERT_GE(share.active.value, 0) << seed;
      ASSERT_GE(share.idle.value, 0) << seed;
      ASSERT_TRUE(share.least <= share.active && share.active <= share.most) << seed;
    }
    ASSERT_TRUE(a.idle.value >= 0 && a.unknown.value >= 0) << seed;
    told += a.why_absent.empty() ? 1 : 0;
  }
  EXPECT_GT(told, static_cast<int>(kCases / 2)) << "the cases must not all be absent";
}

TEST(AttributionProperty, the_order_of_consumers_changes_nothing) {
  for (std::uint64_t seed = 0; seed < kCases; ++seed) {
    Case c = random_case(seed);
    const Attribution before = attribute(c);
    std::vector<std::size_t> order(before.consumers.size());
    std::iota(order.begin(), order.end(), std::size_t{0});
    Chance chance(~seed);
    std::shuffle(order.begin(), order.end(), chance.engine());
    for (Use& at : c.uses) {
      Use moved = at;
      for (std::size_t i = 0; i < order.size(); ++i) moved.consumers[i] = at.consumers[order[i]];
      at = moved;
    }
    const Attribution after = attribute(c);
    for (std::size_t i = 0; i < order.size(); ++i) {
      ASSERT_EQ(after.consumers[i].active, before.consumers[order[i]].active) << seed;
      ASSERT_EQ(after.consumers[i].idle, before.consumers[order[i]].idle) << seed;
    }
    ASSERT_EQ(after.others.active, before.others.active) << seed;
  }
}

TEST(CommonInstants, consumers_told_at_instants_of_their_own_are_laid_over_each_other) {
  const auto common =
      at_common_instants({{use(0, {0}, 0), use(4, {400}, 1000)}, {use(1, {0}, 200), use(3, {600}, 900)}});
  ASSERT_EQ(common.size(), 4U);
  EXPECT_EQ(common[1].time, seconds(1));
  EXPECT_EQ(common[1].consumers, (std::vector<Nanoseconds>{milliseconds(100), {}})) << "evenly between two instants";
  EXPECT_EQ(common[2].consumers, (std::vector<Nanoseconds>{milliseconds(300), milliseconds(600)}));
  EXPECT_EQ(common[3].consumers, (std::vector<Nanoseconds>{milliseconds(400), milliseconds(600)})) << "ended: no more";
  EXPECT_EQ(common[2].all, milliseconds(900));
  EXPECT_TRUE(at_common_instants({}).empty());
  EXPECT_EQ(at_common_instants({{use(0, {0}, 5)}, {}})[0].consumers.size(), 2U)
      << "of one nothing is told: it used nothing";
}

TEST(AttributionProperty, totals_of_windows_that_touch_add_up) {
  for (std::uint64_t seed = 0; seed < kCases; ++seed) {
    Case c = random_case(seed);
    const Nanoseconds begin = c.window.begin;
    const Nanoseconds end = c.window.end;
    const Nanoseconds middle = begin + Nanoseconds{Chance(seed).up_to((end - begin).value)};
    const Attribution whole = attribute(c);
    c.window = window(begin, middle);
    const Attribution first = attribute(c);
    c.window = window(middle, end);
    const Attribution second = attribute(c);
    ASSERT_EQ(first.total + second.total, whole.total) << seed;
    // Of what is not rounded by consumer, the two windows differ by their one cut.
    if (!first.why_absent.empty() || !second.why_absent.empty()) continue;
    ASSERT_EQ(first.unknown + second.unknown, whole.unknown) << seed;
  }
}

TEST(AttributionProperty, who_used_nothing_in_the_window_gets_nothing) {
  for (std::uint64_t seed = 0; seed < kCases; ++seed) {
    Case c = random_case(seed);
    for (Use& at : c.uses) at.consumers.push_back(milliseconds(5));
    const Attribution a = attribute(c);
    if (!a.why_absent.empty()) continue;
    ASSERT_EQ(a.consumers.back().active.value, 0) << seed;
    ASSERT_EQ(a.consumers.back().most.value, 0) << seed;
  }
}

}  // namespace
}  // namespace wattle::energy
