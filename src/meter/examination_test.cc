#include "meter/examination.h"

#include <gtest/gtest.h>

#include "energy/scripted_probe.h"

namespace wattle::meter {
namespace {

energy::Domain named(std::string name) {
  energy::Domain domain;
  domain.name = std::move(name);
  return domain;
}

TEST(TimeSource, finds_the_period_of_updates_and_the_cost_of_a_read) {
  ScriptedClock clock;
  energy::ScriptedProbe probe({named("fast"), named("slow"), named("still"), named("broken")},
                              [&](Nanoseconds now, std::span<energy::Reading> out) {
                                clock.advance(Nanoseconds{40'000});
                                out[0] = {.kind = energy::Reading::Kind::counter,
                                          .value = static_cast<std::uint64_t>(now.value / 1'000'000),
                                          .modulus = 0,
                                          .reason = {}};
                                out[1] = out[0];
                                out[1].value /= 100;
                                out[2] = out[0];
                                out[2].value = 7;
                                out[3].reason = "garbage";
                              });
  const auto timings = time_source(probe, clock, seconds(2), {});
  ASSERT_EQ(timings.size(), 4U);
  EXPECT_NEAR(to_seconds(*timings[0].update_period).value, 0.001, 0.00015);
  EXPECT_NEAR(to_seconds(*timings[1].update_period).value, 0.1, 0.001);
  EXPECT_EQ(timings[0].read_cost, Nanoseconds{40'000});
  EXPECT_FALSE(timings[2].update_period) << "what never changes has no period";
  EXPECT_FALSE(timings[3].update_period);
  EXPECT_EQ(timings[3].why_absent, "garbage");
}

TEST(Resolutions, need_more_pairs_for_smaller_differences) {
  // sd 1 %: √2 % between two runs; z = 1.960 + 0.842; (2.802 · 1.414/0.995)² · π/3 = 16.6 for 1 %.
  const auto all = resolutions(0.01);
  ASSERT_EQ(all.size(), 3U);
  EXPECT_EQ(all[0].pairs, 17);
  EXPECT_EQ(all[1].pairs, 6) << "the fewest that a signed-rank test can decide at 2.5 % each side";
  EXPECT_EQ(all[2].pairs, 6);
  EXPECT_FALSE(resolutions(0.0)[0].pairs) << "an unknown spread resolves nothing";
}

TEST(ControlWorkload, does_the_same_work_in_every_run) {
  SystemClock clock;
  energy::ProbeOptions probes;
  probes.wanted = {"model"};
  const auto result = control_workload(probes, {.runs = 2, .length = milliseconds(60), .threads = 1}, clock, {});
  ASSERT_TRUE(result) << result.error().message;
  EXPECT_EQ(result->runs, 2);
  EXPECT_TRUE(result->estimated);
  EXPECT_FALSE(result->energy_sd) << "60 ms are too short to measure";
  EXPECT_NE(result->why_absent.find("too short"), std::string::npos);
  EXPECT_GT(result->length.value, 0.0);
}

TEST(ControlWorkload, that_is_stopped_says_so) {
  SystemClock clock;
  std::stop_source stop;
  stop.request_stop();
  energy::ProbeOptions probes;
  probes.wanted = {"model"};
  const auto result = control_workload(probes, {}, clock, stop.get_token());
  ASSERT_FALSE(result);
  EXPECT_EQ(result.error().kind, ErrorKind::interrupted);
}

}  // namespace
}  // namespace wattle::meter
