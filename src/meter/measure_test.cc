#include "meter/measure.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>

#include "base/text.h"
#include "energy/replay_probe.h"
#include "meter/compare.h"
#include "meter/idle.h"

namespace wattle::meter {
namespace {

using testing::HasSubstr;
using testing::IsEmpty;

energy::Series constant_power(std::string name, double watts, int seconds_long, Nanoseconds period = milliseconds(1)) {
  energy::Series series;
  series.domain.name = std::move(name);
  series.domain.update_period = period;
  series.domain.gain_uncertainty = 0.05;
  for (int i = 0; i <= seconds_long * 100; ++i) {
    series.samples.push_back({milliseconds(10 * i), {static_cast<std::int64_t>(watts * 1e4) * i}});
  }
  return series;
}

TEST(Idle, is_a_mean_of_whole_seconds_and_not_the_least_that_was_seen) {
  energy::Trace trace;
  energy::Series series = constant_power("package-0", 10.0, 30);
  // Every third second 16 W: the mean is 12 W, the least 10 W.
  std::int64_t extra = 0;
  for (std::size_t i = 1; i < series.samples.size(); ++i) {
    if ((i - 1) / 100 % 3 == 2) extra += 60'000;
    series.samples[i].cumulative.value += extra;
  }
  trace.series.push_back(series);
  const Idle idle = idle_in(trace);
  const IdlePower* power = idle.of("package-0");
  ASSERT_NE(power, nullptr);
  EXPECT_NEAR(power->mean.value, 12.0, 1e-9);
  EXPECT_NEAR(power->sigma.value, 2.8768, 1e-3) << "of 30 windows";
  EXPECT_EQ(power->windows, 30);
  EXPECT_EQ(idle.listened, seconds(30));
  EXPECT_EQ(idle.of("package-1"), nullptr);
}

TEST(Idle, leaves_out_windows_with_a_gap) {
  energy::Trace trace;
  energy::Series series = constant_power("package-0", 10.0, 5);
  series.samples[150].gap_before = true;
  trace.series.push_back(series);
  EXPECT_EQ(idle_in(trace).of("package-0")->windows, 4);
}

TEST(Idle, of_a_slow_source_is_heard_in_longer_windows) {
  energy::Trace trace;
  trace.series.push_back(constant_power("gpu-0", 60.0, 30, milliseconds(100)));
  EXPECT_EQ(idle_in(trace).of("gpu-0")->windows, 15) << "20 updates of 100 ms each";
}

TEST(Idle, is_kept_for_its_machine_only) {
  const std::filesystem::path file = std::filesystem::path(testing::TempDir()) / "wattle_idle_test" / "idle.json";
  Idle idle;
  idle.domains.push_back({"package-0", {12.5}, {0.25}, 30});
  idle.listened = seconds(30);
  idle.measured_wall = {1'700'000'000'000'000'000};
  const std::map<std::string, std::string> here{{"hostname", "a"}, {"cpu", "x"}};
  ASSERT_TRUE(save_idle(file, idle, here));
  const auto back = load_idle(file, here);
  ASSERT_TRUE(back);
  EXPECT_DOUBLE_EQ(back->of("package-0")->mean.value, 12.5);
  EXPECT_EQ(back->measured_wall, idle.measured_wall);
  EXPECT_FALSE(load_idle(file, {{"hostname", "b"}, {"cpu", "x"}})) << "another machine's idle power";
  Idle busy = idle;
  busy.busy = 0.5;
  EXPECT_FALSE(save_idle(file, busy, here)) << "what was heard of a busy machine";
  ASSERT_TRUE(write_text(file, "{\"idle\": 1, \"machine\": 7"));
  EXPECT_FALSE(load_idle(file, here)) << "a damaged file is no idle power";
  std::filesystem::remove_all(file.parent_path());
}

record::Attempt ten_seconds_of(const energy::Trace& trace) {
  record::Attempt attempt;
  const std::vector<energy::Window> windows{{energy::WindowKind::run, "run", {}, seconds(0), seconds(10)}};
  record::Metered metered = record::meter(trace, windows);
  attempt.record.windows = metered.windows;
  attempt.record.domains = metered.domains;
  attempt.record.measured = metered.measured;
  attempt.record.estimated = metered.estimated;
  energy::Flushed flushed;
  attempt.trace = energy::encode_chunk(trace, flushed);
  return attempt;
}

TEST(MeasurementOf, net_is_gross_less_idle_and_says_how_far_it_can_be_trusted) {
  energy::Trace trace;
  trace.series.push_back(constant_power("package-0", 50.0, 10));
  Idle idle;
  idle.domains.push_back({"package-0", {20.0}, {1.0}, 25});
  const auto measurement = measurement_of(ten_seconds_of(trace), idle);
  ASSERT_TRUE(measurement);
  const DomainEnergy& domain = measurement->domains.at(0);
  EXPECT_DOUBLE_EQ(to_joules(*domain.gross.energy).value, 500.0);
  EXPECT_DOUBLE_EQ(domain.idle->value, 200.0);
  EXPECT_DOUBLE_EQ(domain.net->value, 300.0);
  // Gain ±5 % of 300 J = 15 J; idle 1.96 · 1 W/√25 · 10 s = 3.92 J; edges are samples.
  EXPECT_NEAR(domain.net_uncertainty.value, std::hypot(15.0, 3.92), 0.05);
  EXPECT_DOUBLE_EQ(measurement->measured.net->value, 300.0);
  EXPECT_FALSE(measurement->estimated.net);
}

TEST(MeasurementOf, a_domain_of_unknown_idle_power_has_no_net) {
  energy::Trace trace;
  trace.series.push_back(constant_power("package-0", 50.0, 10));
  trace.series.push_back(constant_power("dram-0", 5.0, 10));
  trace.series[1].domain.kind = energy::DomainKind::dram;
  Idle idle;
  idle.domains.push_back({"package-0", {20.0}, {1.0}, 25});
  const auto measurement = measurement_of(ten_seconds_of(trace), idle);
  ASSERT_TRUE(measurement);
  EXPECT_FALSE(measurement->domains[1].net);
  EXPECT_FALSE(measurement->measured.net) << "a total whose idle part is partly unknown";
  EXPECT_DOUBLE_EQ(to_joules(*measurement->measured.gross.energy).value, 550.0);
}

TEST(DaemonClient, says_what_is_lost_of_a_container) {
  EXPECT_THAT(daemon_client({"docker", "run", "x"}), HasSubstr("the Docker daemon"));
  EXPECT_THAT(daemon_client({"/usr/bin/sudo", "/usr/bin/docker", "run", "x"}), HasSubstr("the Docker daemon"));
  EXPECT_THAT(daemon_client({"srun", "-n2", "x"}), HasSubstr("Slurm"));
  EXPECT_THAT(daemon_client({"python3", "docker"}), IsEmpty());
  EXPECT_THAT(daemon_client({"podman", "run", "x"}), IsEmpty()) << "its processes are its own children";
}

TEST(TraceCsv, is_what_a_replay_reads) {
  energy::Trace trace;
  trace.series.push_back(constant_power("package-0", 50.0, 1));
  trace.series.push_back(constant_power("gpu-0 (power)", 5.0, 1));
  trace.series.push_back(constant_power("cpu (model)", 5.0, 1));
  trace.series[0].samples[60].gap_before = true;
  const auto back = energy::trace_from_csv(trace_csv(trace));
  ASSERT_TRUE(back) << back.error().message;
  ASSERT_EQ(back->series.size(), 3U);
  EXPECT_TRUE(back->series[0].samples[60].gap_before);
  EXPECT_EQ(back->series[1].domain.parent, "gpu-0");
  EXPECT_EQ(back->series[2].domain.kind, energy::DomainKind::cpu_model);
  EXPECT_EQ(back->series[2].samples.back().cumulative, trace.series[2].samples.back().cumulative);
}

TEST(PairedRatio, is_the_same_question_both_ways) {
  const std::vector<std::optional<double>> a{100.0, 110.0, 90.0, 105.0, 95.0, 100.0, 102.0, 98.0};
  std::vector<std::optional<double>> b;
  for (const auto& value : a) b.push_back(*value * 0.8);
  b[2].reset();  // one round without energy
  const auto forth = paired_ratio(a, b);
  const auto back = paired_ratio(b, a);
  ASSERT_TRUE(forth && back);
  EXPECT_EQ(forth->pairs, 7);
  EXPECT_NEAR(forth->ratio, 0.8, 1e-12);
  EXPECT_NEAR(forth->ratio * back->ratio, 1.0, 1e-12);
  EXPECT_NEAR(forth->p_value, 2.0 / 128.0, 1e-12) << "all 7 signs alike, two-sided";
  EXPECT_DOUBLE_EQ(forth->cliffs_delta, -1.0);
  EXPECT_DOUBLE_EQ(forth->probability_less, 1.0);
}

TEST(PairedRatio, of_nothing_is_nothing) {
  EXPECT_FALSE(paired_ratio({}, {}));
  EXPECT_FALSE(paired_ratio({std::nullopt, 0.0}, {1.0, 1.0}));
  const auto few = paired_ratio({1.0, 1.0}, {2.0, 2.0});
  ASSERT_TRUE(few);
  EXPECT_FALSE(few->low) << "two pairs give no interval";
}

}  // namespace
}  // namespace wattle::meter
