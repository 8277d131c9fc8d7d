#include "energy/sampler.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <cmath>
#include <random>
#include <stdexcept>
#include <string>

#include "energy/scripted_probe.h"

namespace wattle::energy {
namespace {

using testing::HasSubstr;
using testing::IsEmpty;

Domain named(std::string name, DomainKind kind, Provenance how = Provenance::counter) {
  Domain domain;
  domain.name = std::move(name);
  domain.kind = kind;
  domain.provenance = how;
  return domain;
}

// 100 W since time 0, as a counter.
void hundred_watts(Nanoseconds now, std::span<Reading> out) {
  for (Reading& reading : out) {
    reading.kind = Reading::Kind::counter;
    reading.value = static_cast<std::uint64_t>(now.value / 10);
  }
}

std::vector<Found> one_package(ScriptedProbe::Script script) {
  return ScriptedProbe::found({named("package-0", DomainKind::package)}, std::move(script));
}

SamplerOptions every(Nanoseconds interval) {
  SamplerOptions options;
  options.interval = interval;
  return options;
}

TEST(Sampler, reads_at_both_ends_so_no_interval_is_lost) {
  ScriptedClock clock;
  Sampler sampler(clock, one_package(hundred_watts), every(milliseconds(20)));
  sampler.start(false);
  clock.advance(milliseconds(20));
  sampler.sample();
  clock.advance(milliseconds(13));
  const Trace trace = sampler.stop();
  ASSERT_EQ(trace.series.size(), 1U);
  ASSERT_EQ(trace.series[0].samples.size(), 3U);
  EXPECT_EQ(trace.series[0].samples.back().cumulative.value, 3'300'000);
  EXPECT_EQ(trace.reads, 3);
  EXPECT_EQ(trace.dropped, 0);
  EXPECT_THAT(trace.missing, IsEmpty());
  EXPECT_THAT(sampler.stop().series, IsEmpty()) << "the trace was given away";
}

TEST(Sampler, stamps_the_middle_of_the_read) {
  ScriptedClock clock(seconds(10));
  Sampler sampler(clock, one_package([&](Nanoseconds now, std::span<Reading> out) {
                    hundred_watts(now, out);
                    clock.advance(milliseconds(4));
                  }),
                  every(milliseconds(20)));
  sampler.start(false);
  const Trace trace = sampler.stop();
  EXPECT_EQ(trace.series[0].samples[0].time, seconds(10) + milliseconds(2));
}

TEST(Sampler, counts_the_rounds_that_came_too_late) {
  ScriptedClock clock;
  Sampler sampler(clock, one_package(hundred_watts), every(milliseconds(20)));
  sampler.start(false);
  const auto after = [&](int ms) {
    clock.advance(milliseconds(ms));
    sampler.sample();
  };
  after(20);  // on time
  after(30);  // 10 ms late
  after(10);  // the schedule did not shift
  after(79);  // due at 80, 100, 120: two left out at 139
  after(1);
  const Trace trace = sampler.stop();
  EXPECT_EQ(trace.dropped, 2);
  EXPECT_EQ(trace.reads, 7);
}

TEST(Sampler, a_suspended_machine_leaves_a_gap) {
  ScriptedClock clock;
  Sampler sampler(clock, one_package(hundred_watts), every(milliseconds(20)));
  sampler.start(false);
  for (int i = 0; i < 5; ++i) {
    clock.advance(milliseconds(20));
    if (i == 1) clock.suspend(milliseconds(9));
    if (i == 3) clock.suspend(seconds(3600));
    sampler.sample();
  }
  const Trace trace = sampler.stop();
  const auto& samples = trace.series[0].samples;
  EXPECT_FALSE(samples[2].gap_before) << "clocks may differ by a little";
  EXPECT_TRUE(samples[4].gap_before);
  EXPECT_FALSE(samples[5].gap_before) << "one gap, not gaps ever after";
  EXPECT_EQ(samples[5].cumulative.value, 4 * 2'000'000);
}

TEST(Sampler, a_probe_that_throws_has_read_nothing) {
  ScriptedClock clock;
  int reads = 0;
  Sampler sampler(clock, one_package([&](Nanoseconds now, std::span<Reading> out) {
                    hundred_watts(now, out);
                    if (++reads == 3) throw std::runtime_error("lost");
                    if (reads == 4) throw 5;
                  }),
                  every(milliseconds(20)));
  sampler.start(false);
  for (int i = 0; i < 5; ++i) {
    clock.advance(milliseconds(20));
    sampler.sample();
  }
  clock.advance(milliseconds(20));
  const Trace trace = sampler.stop();
  ASSERT_EQ(trace.series[0].samples.size(), 5U);
  EXPECT_EQ(trace.series[0].samples[2].cumulative.value, 8'000'000) << "the counter went on";
  ASSERT_EQ(trace.missing.size(), 1U);
  EXPECT_EQ(trace.missing[0], "package-0: 2 of 7 readings failed, last: the probe failed: unknown exception");
}

TEST(Sampler, a_domain_that_a_probe_forgets_is_absent_not_stale) {
  ScriptedClock clock;
  int reads = 0;
  Sampler sampler(clock, one_package([&](Nanoseconds now, std::span<Reading> out) {
                    if (++reads != 2) hundred_watts(now, out);
                  }),
                  every(milliseconds(20)));
  sampler.start(false);
  clock.advance(milliseconds(20));
  sampler.sample();
  clock.advance(milliseconds(20));
  const Trace trace = sampler.stop();
  ASSERT_EQ(trace.series[0].samples.size(), 2U);
  EXPECT_EQ(trace.missing.size(), 1U);
}

TEST(Sampler, what_was_denied_is_in_the_trace) {
  ScriptedClock clock;
  std::vector<Found> probes = one_package(hundred_watts);
  probes[0].missing = {"dram-0: permission denied"};
  Found denied;
  denied.name = "perf";
  denied.status = Found::Status::denied;
  denied.reason = "perf_event_paranoid is 4";
  probes.push_back(std::move(denied));
  Sampler sampler(clock, std::move(probes), {});
  sampler.start(false);
  EXPECT_THAT(sampler.stop().missing,
              testing::ElementsAre("dram-0: permission denied", "perf: perf_event_paranoid is 4"));
}

TEST(Sampler, two_probes_with_one_domain_keep_both_apart_and_count_one) {
  ScriptedClock clock;
  std::vector<Found> probes = one_package(hundred_watts);
  probes.push_back(std::move(one_package(hundred_watts)[0]));
  Sampler sampler(clock, std::move(probes), {});
  sampler.start(false);
  clock.advance(milliseconds(20));
  const Trace trace = sampler.stop();
  ASSERT_EQ(trace.series.size(), 2U);
  EXPECT_NE(trace.series[0].domain.name, trace.series[1].domain.name);
  EXPECT_THAT(cover(trace.series).measured, testing::ElementsAre(0));
}

TEST(Sampler, now_is_the_power_of_the_last_second) {
  ScriptedClock clock;
  Nanoseconds step = clock.monotonic() + seconds(2);
  Sampler sampler(clock,
                  ScriptedProbe::found({named("package-0", DomainKind::package), named("core-0", DomainKind::core),
                                        named("cpu (model)", DomainKind::cpu_model, Provenance::model)},
                                       [&](Nanoseconds now, std::span<Reading> out) {
                                         hundred_watts(now, out);
                                         out[0].value +=
                                             now > step ? static_cast<std::uint64_t>((now - step).value / 20) : 0;
                                       }),
                  every(milliseconds(20)));
  EXPECT_FALSE(sampler.now().power);
  sampler.start(false);
  EXPECT_FALSE(sampler.now().power);
  for (int i = 0; i < 200; ++i) {
    clock.advance(milliseconds(20));
    sampler.sample();
  }
  ASSERT_TRUE(sampler.now().power);
  EXPECT_NEAR(sampler.now().power->value, 100.0 + 100.0 + 50.0, 1e-6) << "core-0 has no parent here, so it counts";
  EXPECT_FALSE(sampler.now().estimated);
  EXPECT_EQ(sampler.now().energy.value, 400'000'000 + 400'000'000 + 100'000'000);
}

TEST(Sampler, now_tells_an_estimate_as_one) {
  ScriptedClock clock;
  Sampler sampler(clock,
                  ScriptedProbe::found({named("cpu (model)", DomainKind::cpu_model, Provenance::model)}, hundred_watts),
                  every(milliseconds(20)));
  sampler.start(false);
  EXPECT_TRUE(sampler.now().estimated);
}

TEST(Sampler, chunks_hold_the_whole_trace_and_the_first_comes_at_once) {
  ScriptedClock clock;
  std::string bytes;
  int chunks = 0;
  SamplerOptions options = every(milliseconds(20));
  options.on_chunk = [&](std::string_view chunk) {
    bytes += chunk;
    ++chunks;
  };
  Sampler sampler(clock, one_package(hundred_watts), options);
  sampler.start(false);
  EXPECT_EQ(chunks, 1);
  ASSERT_EQ(decode_trace(bytes)->trace.series.size(), 1U) << "a run that is killed at once still names its domains";
  for (int i = 0; i < 500; ++i) {
    clock.advance(milliseconds(20));
    sampler.sample();
  }
  // At 0, 40, 80, 160, 320, 640 and 1280 ms, then one a second up to 9.28 s.
  EXPECT_EQ(chunks, 15);
  clock.advance(milliseconds(5));
  const Trace trace = sampler.stop();
  const auto read = decode_trace(bytes);
  ASSERT_TRUE(read);
  EXPECT_FALSE(read->damaged);
  ASSERT_EQ(read->trace.series[0].samples.size(), trace.series[0].samples.size());
  EXPECT_EQ(read->trace.series[0].samples.back().cumulative, trace.series[0].samples.back().cumulative);
  EXPECT_EQ(read->trace.reads, trace.reads);
}

TEST(Sampler, a_day_at_ten_hertz_drops_nothing_and_stays_small) {
  ScriptedClock clock;
  std::mt19937_64 random(23);
  std::uniform_int_distribution<std::uint64_t> microjoules(2'000'000, 28'000'000);
  std::uniform_int_distribution<std::int64_t> late(0, 150'000);
  std::vector<std::uint64_t> counters(6, 77);
  constexpr std::uint64_t kModulus = 65'532'610'987;
  const std::vector<Domain> domains{named("package-0", DomainKind::package), named("dram-0", DomainKind::dram),
                                    named("package-1", DomainKind::package), named("dram-1", DomainKind::dram),
                                    named("psys", DomainKind::psys),         named("gpu-0", DomainKind::gpu)};
  std::uint64_t added = 0;
  bool first = true;
  SamplerOptions options = every(milliseconds(100));
  std::string file;
  options.on_chunk = [&](std::string_view chunk) { file += chunk; };
  options.forget_flushed = true;
  Sampler sampler(clock,
                  ScriptedProbe::found(domains,
                                       [&](Nanoseconds, std::span<Reading> out) {
                                         for (std::size_t i = 0; i < out.size(); ++i) {
                                           const std::uint64_t more = first ? 0 : microjoules(random);
                                           counters[i] = (counters[i] + more) % kModulus;
                                           if (i == 0) added += more;
                                           out[i].kind = Reading::Kind::counter;
                                           out[i].value = counters[i];
                                           out[i].modulus = kModulus;
                                         }
                                         first = false;
                                       }),
                  options);
  const Nanoseconds begin = clock.monotonic();
  sampler.start(false);
  constexpr int kRounds = 864'000;
  for (int i = 1; i < kRounds; ++i) {
    // As a real clock wakes: on schedule, a little late.
    clock.advance(begin + milliseconds(100) * i + Nanoseconds{late(random)} - clock.monotonic());
    sampler.sample();
  }
  clock.advance(milliseconds(100));
  const std::size_t kept = sampler.stop().series[0].samples.size();
  EXPECT_LT(kept, 100U) << "of a day, the last seconds are in memory";
  const auto decoded = decode_trace(file);
  ASSERT_TRUE(decoded);
  EXPECT_FALSE(decoded->damaged);
  const Trace& trace = decoded->trace;
  const std::size_t bytes = file.size();
  EXPECT_EQ(trace.dropped, 0);
  EXPECT_EQ(trace.reads, kRounds + 1);
  EXPECT_EQ(static_cast<std::uint64_t>(trace.series[0].samples.back().cumulative.value), added);
  EXPECT_GT(added / kModulus, 15U) << "the counter wrapped, and often";
  const double per_sample = static_cast<double>(bytes) / (kRounds * 6.0);
  RecordProperty("bytes", std::to_string(bytes));
  RecordProperty("bytes_per_sample", std::to_string(per_sample));
  EXPECT_LT(per_sample, 8.0) << bytes << " bytes a day for six domains";
}

TEST(Sampler, on_its_own_thread_reads_until_it_is_stopped) {
  SystemClock clock;
  std::atomic<int> reads = 0;
  Sampler sampler(clock, one_package([&](Nanoseconds now, std::span<Reading> out) {
                    hundred_watts(now, out);
                    ++reads;
                    reads.notify_all();
                  }),
                  every(milliseconds(1)));
  sampler.start();
  for (int seen = reads; seen < 10; seen = reads) {
    reads.wait(seen);
    (void)sampler.now();
  }
  const Trace trace = sampler.stop();
  EXPECT_EQ(trace.reads, reads);
  EXPECT_GE(trace.series[0].samples.size(), 11U);
  EXPECT_GT(trace.series[0].samples.back().cumulative.value, 0);
}

TEST(Sampler, that_is_thrown_away_ends_its_thread) {
  SystemClock clock;
  Sampler sampler(clock, one_package(hundred_watts), every(seconds(3600)));
  sampler.start();
}

TEST(Sampler, without_probes_gives_an_empty_trace) {
  ScriptedClock clock;
  Sampler sampler(clock, {}, {});
  sampler.start(false);
  sampler.sample();
  EXPECT_FALSE(sampler.now().power);
  EXPECT_FALSE(sampler.now().estimated);
  EXPECT_THAT(sampler.stop().series, IsEmpty());
}

}  // namespace
}  // namespace wattle::energy
