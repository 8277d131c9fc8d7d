#include "meter/monitor.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <stdexcept>
#include <string>

#include "energy/scripted_probe.h"
#include "meter/exposition.h"

namespace wattle::meter {
namespace {

using energy::DomainKind;
using energy::Found;
using energy::Provenance;
using energy::Reading;
using energy::ScriptedProbe;
using testing::Each;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::Not;

energy::Domain named(std::string name, DomainKind kind, Provenance provenance = Provenance::counter) {
  energy::Domain domain;
  domain.name = std::move(name);
  domain.kind = kind;
  domain.provenance = provenance;
  domain.source = "script";
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

std::vector<Found> and_another(std::vector<Found> first, std::vector<Found> second) {
  for (Found& found : second) first.push_back(std::move(found));
  return first;
}

TEST(Monitor, energy_grows_since_the_start_and_power_is_of_now) {
  ScriptedClock clock;
  Monitor monitor(clock, one_package(hundred_watts), seconds(1));
  monitor.start(false);
  EXPECT_EQ(monitor.now().domains[0].energy, Microjoules{0});
  EXPECT_FALSE(monitor.now().domains[0].power) << "one sample is no power";
  for (int i = 0; i < 5; ++i) {
    clock.advance(seconds(1));
    monitor.sample();
  }
  const MonitorNow now = monitor.now();
  EXPECT_EQ(now.domains[0].energy, Microjoules{500'000'000});
  EXPECT_DOUBLE_EQ(now.domains[0].power->value, 100.0);
  EXPECT_EQ(now.elapsed, seconds(5));
  EXPECT_EQ(now.reads, 6);
  ASSERT_TRUE(now.measured);
  EXPECT_EQ(now.measured->energy.value, 500'000'000);
  EXPECT_FALSE(now.estimated);
}

TEST(Monitor, memory_is_bounded_and_no_joule_is_forgotten) {
  ScriptedClock clock;
  Monitor monitor(clock, one_package(hundred_watts), milliseconds(100));
  monitor.start(false);
  for (int i = 0; i < 20'000; ++i) {
    clock.advance(milliseconds(100));
    monitor.sample();
    ASSERT_LE(monitor.now().samples, 602U);
  }
  const MonitorNow now = monitor.now();
  EXPECT_EQ(now.domains[0].energy, Microjoules{200'000'000'000});
  ASSERT_EQ(now.domains[0].minute.size(), static_cast<std::size_t>(kMinuteSteps));
  for (const auto& power : now.domains[0].minute) EXPECT_NEAR(power.value().value, 100.0, 1e-6);
}

TEST(Monitor, the_first_interval_of_the_minute_is_known_though_it_began_before) {
  ScriptedClock clock;
  Monitor monitor(clock, one_package(hundred_watts), seconds(40));
  monitor.start(false);
  for (int i = 0; i < 5; ++i) {
    clock.advance(seconds(40));
    monitor.sample();
  }
  const MonitorNow now = monitor.now();
  for (const auto& power : now.domains[0].minute) EXPECT_TRUE(power);
}

TEST(Monitor, the_minute_before_the_start_is_not_known) {
  ScriptedClock clock;
  Monitor monitor(clock, one_package(hundred_watts), seconds(1));
  monitor.start(false);
  for (int i = 0; i < 4; ++i) {
    clock.advance(seconds(1));
    monitor.sample();
  }
  const auto minute = monitor.now().domains[0].minute;
  EXPECT_FALSE(minute.front());
  EXPECT_TRUE(minute.back());
}

TEST(Monitor, measured_and_estimated_are_apart) {
  ScriptedClock clock;
  auto probes = and_another(
      one_package(hundred_watts),
      ScriptedProbe::found({named("cpu (model)", DomainKind::cpu_model, Provenance::model)}, hundred_watts));
  Monitor monitor(clock, std::move(probes), seconds(1));
  monitor.start(false);
  clock.advance(seconds(2));
  monitor.sample();
  const MonitorNow now = monitor.now();
  EXPECT_EQ(now.measured->energy.value, 200'000'000);
  EXPECT_EQ(now.estimated->energy.value, 200'000'000);
}

TEST(Monitor, what_cannot_be_read_now_has_no_power_and_keeps_its_energy) {
  ScriptedClock clock;
  bool broken = false;
  Monitor monitor(clock, one_package([&](Nanoseconds now, std::span<Reading> out) {
                    if (broken) {
                      out[0].reason = "gone";
                    } else {
                      hundred_watts(now, out);
                    }
                  }),
                  seconds(1));
  monitor.start(false);
  clock.advance(seconds(1));
  monitor.sample();
  broken = true;
  clock.advance(seconds(1));
  monitor.sample();
  const MonitorNow now = monitor.now();
  EXPECT_FALSE(now.domains[0].power);
  EXPECT_FALSE(now.measured->power) << "a sum without one of its parts is no sum";
  EXPECT_EQ(now.domains[0].energy, Microjoules{100'000'000});
  EXPECT_EQ(now.domains[0].failures, 1);
  EXPECT_EQ(now.domains[0].last_failure, "gone");
}

TEST(Monitor, the_last_word_of_a_probe_that_hangs_grows_old) {
  ScriptedClock clock;
  Monitor monitor(clock, one_package(hundred_watts), seconds(1));
  monitor.start(false);
  clock.advance(seconds(1));
  monitor.sample();
  EXPECT_TRUE(monitor.now().domains[0].power);
  clock.advance(seconds(10));
  EXPECT_FALSE(monitor.now().domains[0].power);
}

TEST(Monitor, a_probe_that_throws_has_given_nothing) {
  ScriptedClock clock;
  Monitor monitor(clock, one_package([](Nanoseconds, std::span<Reading>) { throw std::runtime_error("broken"); }),
                  seconds(1));
  monitor.start(false);
  EXPECT_EQ(monitor.now().domains[0].last_failure, "the probe failed: broken");
  EXPECT_FALSE(monitor.now().measured);
}

TEST(Monitor, a_suspended_machine_is_a_gap) {
  ScriptedClock clock;
  auto power = [](Nanoseconds, std::span<Reading> out) {
    out[0].kind = Reading::Kind::power;
    out[0].value = 1'000'000;
  };
  Monitor monitor(clock, one_package(power), seconds(1));
  monitor.start(false);
  clock.advance(seconds(1));
  monitor.sample();
  clock.advance(seconds(1));
  clock.suspend(seconds(3600));
  monitor.sample();
  EXPECT_EQ(monitor.now().domains[0].energy, Microjoules{1'000'000}) << "the second with the sleep in it is not known";
}

TEST(Monitor, two_sights_of_one_domain_count_once) {
  ScriptedClock clock;
  Monitor monitor(clock, and_another(one_package(hundred_watts), one_package(hundred_watts)), seconds(1));
  monitor.start(false);
  clock.advance(seconds(1));
  monitor.sample();
  const MonitorNow now = monitor.now();
  EXPECT_EQ(now.domains[1].domain.name, "package-0 (again, script)");
  EXPECT_EQ(now.measured->energy.value, 100'000'000);
}

TEST(Monitor, denied_probes_are_missing_with_their_reason) {
  ScriptedClock clock;
  std::vector<Found> probes(1);
  probes[0].name = "perf";
  probes[0].status = Found::Status::denied;
  probes[0].reason = "permission denied";
  const Monitor monitor(clock, std::move(probes), seconds(1));
  EXPECT_TRUE(monitor.empty());
  EXPECT_THAT(monitor.now().missing, ElementsAre("perf: permission denied"));
}

// A read that waits until it is let go, as a hanging bus does.
TEST(Monitor, a_probe_that_hangs_does_not_hold_up_the_others) {
  SystemClock clock;
  std::atomic<bool> hang{false};
  std::atomic<bool> hung{false};
  std::atomic<int> reads{0};
  auto probes = and_another(
      one_package([&](Nanoseconds, std::span<Reading>) {
        while (hang) hung = true;
      }),
      ScriptedProbe::found({named("gpu-0", DomainKind::gpu)}, [&](Nanoseconds, std::span<Reading>) { ++reads; }));
  Monitor monitor(clock, std::move(probes), milliseconds(100));
  monitor.start();
  hang = true;
  while (!hung) std::this_thread::yield();
  const int before = reads;
  while (reads < before + 3) std::this_thread::yield();
  hang = false;
  EXPECT_GE(monitor.now().reads, 5);
}

TEST(Exposition, every_metric_has_help_and_type_and_every_number_its_labels) {
  ScriptedClock clock;
  Monitor monitor(clock, one_package(hundred_watts), seconds(1));
  monitor.start(false);
  clock.advance(seconds(1) + Nanoseconds{70});
  monitor.sample();
  const std::string text = exposition(monitor.now(), "1.2.3");
  EXPECT_THAT(text, HasSubstr("# HELP wattle_energy_joules_total "));
  EXPECT_THAT(text, HasSubstr("\n# TYPE wattle_energy_joules_total counter\n"
                              "wattle_energy_joules_total{domain=\"package-0\",kind=\"package\","
                              "provenance=\"counter\",source=\"script\"} 100.000007\n"));
  EXPECT_THAT(text, HasSubstr("# TYPE wattle_power_watts gauge\nwattle_power_watts{domain=\"package-0\""));
  EXPECT_THAT(text, HasSubstr("\nwattle_sampler_rounds_total 2\n"));
  EXPECT_THAT(text, HasSubstr("\nwattle_sampler_dropped_total 0\n"));
  EXPECT_THAT(text, HasSubstr("\nwattle_build_info{version=\"1.2.3\"} 1\n"));
  EXPECT_EQ(text.back(), '\n');
}

TEST(Exposition, label_values_are_escaped) {
  MonitorNow now;
  now.domains.push_back({.domain = named("board-a\"b\\c\nd", DomainKind::board), .energy = Microjoules{1}});
  const std::string text = exposition(now, "0");
  EXPECT_THAT(text, HasSubstr(R"(domain="board-a\"b\\c\nd",kind="board")"));
}

TEST(Exposition, what_is_not_known_has_no_sample) {
  MonitorNow now;
  now.domains.push_back({.domain = named("package-0", DomainKind::package)});
  const std::string text = exposition(now, "0");
  EXPECT_THAT(text, Not(HasSubstr("wattle_energy_joules_total{")));
  EXPECT_THAT(text, Not(HasSubstr("wattle_power_watts{")));
}

TEST(Exposition, joules_of_years_keep_their_microjoules) {
  MonitorNow now;
  now.domains.push_back(
      {.domain = named("wall-plug", DomainKind::wall), .energy = Microjoules{9'007'199'254'740'993'001}});
  EXPECT_THAT(exposition(now, "0"), HasSubstr("} 9007199254740.993001\n"));
}

}  // namespace
}  // namespace wattle::meter
