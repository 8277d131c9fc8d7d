#include "meter/calibrate.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <cmath>

#include "energy/scripted_probe.h"

namespace wattle::meter {
namespace {

using energy::Domain;
using energy::DomainKind;
using energy::Found;
using energy::Reading;
using testing::HasSubstr;

// A machine on a scripted clock: it does at once what it is told, and draws power by a curve of its use and by the
// kind of work.
class ScriptedMachine final : public LoadedMachine {
 public:
  explicit ScriptedMachine(ScriptedClock& clock) : clock_(clock), last_(clock.monotonic()) {}

  void load(const LoadLevel& level) override {
    pass();
    level_ = level;
    loads.push_back(level);
  }
  std::optional<energy::CpuTime> cpu_time() override {
    pass();
    const auto ticks = [](double s) {
      return static_cast<std::int64_t>(s * static_cast<double>(::sysconf(_SC_CLK_TCK)));
    };
    energy::CpuTime time;
    time.busy_ticks = ticks(own_ + others_);
    time.online = cpus;
    time.steal_ticks = ticks(stolen_);
    time.idle_ticks = ticks(passed_ * cpus - own_ - others_ - stolen_);
    return time;
  }
  [[nodiscard]] Nanoseconds own_cpu_time() const override { return to_nanoseconds(Seconds{own_}); }

  // W: settles_ a second late, as a machine that warms up.
  [[nodiscard]] double power() const {
    const double use = std::min(1.0, level_.use(cpus) + disturbance);
    return base + slope * use + bend * use * use + (level_.work == Work::memory ? memory_extra * use : 0.0);
  }
  // Everything up to now has gone as the last load said.
  void pass() {
    const double passed = to_seconds(clock_.monotonic() - last_).value;
    last_ = clock_.monotonic();
    passed_ += passed;
    own_ += passed * level_.use(cpus) * cpus;
    others_ += passed * disturbance * cpus;
    stolen_ += passed * steal * cpus;
    energy += passed * power();
  }

  int cpus = 4;
  double base = 20.0;
  double slope = 60.0;
  double bend = -20.0;
  double memory_extra = 0.0;  // W at full use
  double disturbance = 0.0;   // of all CPUs
  double steal = 0.0;
  double energy = 0.0;  // J
  std::vector<LoadLevel> loads;

 private:
  ScriptedClock& clock_;
  Nanoseconds last_;
  LoadLevel level_;
  double passed_ = 0.0;
  double own_ = 0.0;
  double others_ = 0.0;
  double stolen_ = 0.0;
};

Domain domain(std::string name, DomainKind kind, double gain = 0.05) {
  Domain made;
  made.name = std::move(name);
  made.kind = kind;
  made.source = "scripted";
  made.gain_uncertainty = gain;
  return made;
}

class Ladder : public testing::Test {
 protected:
  // Domains that draw the machine's power, each its share.
  [[nodiscard]] std::vector<Found> probes(std::vector<std::pair<Domain, double>> shares) {
    std::vector<Domain> domains;
    std::vector<double> parts;
    for (auto& [one, part] : shares) {
      domains.push_back(one);
      parts.push_back(part);
    }
    return energy::ScriptedProbe::found(domains, [this, parts](Nanoseconds, std::span<Reading> out) {
      machine.pass();
      for (std::size_t i = 0; i < out.size(); ++i) {
        out[i] = {.kind = Reading::Kind::counter,
                  .value = static_cast<std::uint64_t>(machine.energy * parts[i] * 1e6),
                  .modulus = energy::kNeverWraps,
                  .reason = {}};
        if (silent_from && clock.monotonic() > *silent_from && clock.monotonic() < silent_until)
          out[i] = {.kind = Reading::Kind::gap, .reason = "gone"};
      }
    });
  }
  [[nodiscard]] std::vector<Found> package() { return probes({{domain("package-0", DomainKind::package), 1.0}}); }
  [[nodiscard]] Result<Calibrated> run(std::vector<Found> found) {
    return calibrate(std::move(found), options, machine, clock, stop.get_token(), on_level);
  }

  ScriptedClock clock;
  ScriptedMachine machine{clock};
  CalibrateOptions options{.steps = 4, .hold = seconds(10), .others = 0.05, .machine = "this one"};
  std::stop_source stop;
  OnLevel on_level;
  std::optional<Nanoseconds> silent_from;
  Nanoseconds silent_until = seconds(1'000'000);
};

TEST_F(Ladder, finds_the_machines_curve) {
  const auto result = run(package());
  ASSERT_TRUE(result) << result.error().message;
  const energy::PowerCurve& curve = result->calibration.fit.curve;
  EXPECT_NEAR(curve.base.value, 20.0, 0.1);
  EXPECT_NEAR(curve.slope.value, 60.0, 0.5);
  EXPECT_NEAR(curve.bend.value, -20.0, 0.5);
  EXPECT_LT(result->calibration.fit.spread(), 0.01);
  EXPECT_EQ(result->levels.size(), 10U);
  EXPECT_NEAR(result->levels[1].use, 0.25, 0.002);
  EXPECT_NEAR(result->levels[1].power.value, 33.75, 0.1);
  EXPECT_NEAR(result->levels[1].measured.value, 8.0, 0.1) << "a fifth is for settling";
  EXPECT_EQ(result->calibration.machine, "this one");
  EXPECT_EQ(result->calibration.against, "scripted");
  EXPECT_EQ(result->calibration.domains, std::vector<std::string>{"package-0"});
  EXPECT_EQ(result->calibration.source_gain, 0.05);
  EXPECT_TRUE(result->calibration.simulated);
  EXPECT_FALSE(result->calibration.covers_memory);
  EXPECT_EQ(result->calibration.fitted_wall, clock.wall());
  EXPECT_TRUE(energy::parse_calibration(energy::calibration_json(result->calibration))) << "and it can be kept";
}

TEST_F(Ladder, leaves_the_machine_at_rest) {
  ASSERT_TRUE(run(package()));
  EXPECT_EQ(machine.loads.back().threads, 0);
  stop.request_stop();
  const auto stopped = run(package());
  ASSERT_FALSE(stopped);
  EXPECT_EQ(stopped.error().kind, ErrorKind::interrupted);
  EXPECT_EQ(machine.loads.back().threads, 0);
}

TEST_F(Ladder, what_kinds_of_work_differ_by_is_in_the_error_left) {
  machine.bend = 0.0;
  machine.memory_extra = 16.0;  // 96 W against 80 W at full use
  const auto result = run(package());
  ASSERT_TRUE(result) << result.error().message;
  EXPECT_GT(result->calibration.fit.spread(), 0.08) << "half of what they differ by";
  EXPECT_LT(result->calibration.fit.spread(), 0.20);
}

TEST_F(Ladder, tells_each_level_and_what_is_left) {
  std::vector<double> left;
  on_level = [&](const LoadLevel&, int number, int of, Nanoseconds time) {
    EXPECT_EQ(of, 10);
    EXPECT_EQ(number, static_cast<int>(left.size()) + 1);
    left.push_back(to_seconds(time).value);
  };
  ASSERT_TRUE(run(package()));
  ASSERT_EQ(left.size(), 10U);
  EXPECT_EQ(left.front(), 100.0);
  EXPECT_EQ(left.back(), 10.0);
}

TEST_F(Ladder, power_before_a_level_has_settled_does_not_count) {
  // For the first second of each level the machine draws 50 W more.
  Nanoseconds changed = clock.monotonic();
  on_level = [&](const LoadLevel&, int, int, Nanoseconds) { changed = clock.monotonic(); };
  double extra = 0.0;
  Nanoseconds last = clock.monotonic();
  auto found = energy::ScriptedProbe::found(
      {domain("package-0", DomainKind::package)}, [&](Nanoseconds now, std::span<Reading> out) {
        machine.pass();
        if (now - changed <= seconds(1)) extra += 50.0 * to_seconds(now - last).value;
        last = now;
        out[0] = {.kind = Reading::Kind::counter,
                  .value = static_cast<std::uint64_t>((machine.energy + extra) * 1e6),
                  .modulus = energy::kNeverWraps,
                  .reason = {}};
      });
  const auto result = run(std::move(found));
  ASSERT_TRUE(result) << result.error().message;
  EXPECT_NEAR(result->calibration.fit.curve.base.value, 20.0, 0.1);
}

TEST_F(Ladder, memory_is_covered_where_the_domains_hold_it) {
  const auto dram = run(
      probes({{domain("package-0", DomainKind::package, 0.05), 0.8}, {domain("dram-0", DomainKind::dram, 0.10), 0.2}}));
  ASSERT_TRUE(dram) << dram.error().message;
  EXPECT_TRUE(dram->calibration.covers_memory);
  EXPECT_EQ(dram->calibration.domains.size(), 2U);
  EXPECT_EQ(dram->calibration.source_gain, 0.10) << "the worst of them";
  EXPECT_NEAR(dram->calibration.fit.curve.base.value, 20.0, 0.1) << "their sum";
  const auto wall = run(probes({{domain("wall", DomainKind::wall), 1.0}}));
  ASSERT_TRUE(wall);
  EXPECT_TRUE(wall->calibration.covers_memory);
}

TEST_F(Ladder, each_joule_counts_once_and_gpus_not_at_all) {
  const auto result = run(probes({{domain("psys", DomainKind::psys), 1.0},
                                  {domain("package-0", DomainKind::package), 0.7},
                                  {domain("gpu-0", DomainKind::gpu), 2.0},
                                  {domain("fan", DomainKind::board), 0.1}}));
  ASSERT_TRUE(result) << result.error().message;
  EXPECT_EQ(result->calibration.domains, std::vector<std::string>{"psys"});
  EXPECT_NEAR(result->calibration.fit.curve.base.value, 20.0, 0.1);
}

TEST_F(Ladder, needs_something_that_measures_the_processors) {
  std::vector<Found> denied(1);
  denied[0].name = "powercap";
  denied[0].status = Found::Status::denied;
  denied[0].reason = "permission denied";
  denied[0].fix = "sudo chmod …";
  auto refused = run(std::move(denied));
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().kind, ErrorKind::environment);
  EXPECT_THAT(refused.error().message, HasSubstr("powercap: permission denied"));
  EXPECT_EQ(refused.error().hint, "sudo chmod …");
  EXPECT_TRUE(machine.loads.empty()) << "nothing is loaded for nothing";

  Domain model = domain("cpu (model)", DomainKind::cpu_model);
  model.provenance = energy::Provenance::model;
  for (const Domain& useless : {model, domain("gpu-0", DomainKind::gpu), domain("dram-0", DomainKind::dram)}) {
    refused = run(probes({{useless, 1.0}}));
    ASSERT_FALSE(refused) << useless.name;
    EXPECT_EQ(refused.error().kind, ErrorKind::environment);
  }
  EXPECT_EQ(run({}).error().kind, ErrorKind::environment);
}

TEST_F(Ladder, refuses_where_others_disturb) {
  machine.disturbance = 0.12;
  auto refused = run(package());
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().kind, ErrorKind::environment);
  EXPECT_THAT(refused.error().message, HasSubstr("other programs used 12 %"));
  EXPECT_EQ(machine.loads.size(), 2U) << "at once: the first level, and rest";
  options.others = 0.2;
  EXPECT_TRUE(run(package())) << "unless it is let pass";

  machine.disturbance = 0.0;
  machine.steal = 0.3;
  refused = run(package());
  ASSERT_FALSE(refused);
  EXPECT_THAT(refused.error().message, HasSubstr("other virtual machines used 30 %"));
}

TEST_F(Ladder, refuses_levels_that_are_short_for_the_source) {
  Domain plug = domain("wall", DomainKind::wall);
  plug.update_period = seconds(1);
  auto refused = run(probes({{plug, 1.0}}));
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().kind, ErrorKind::bad_input);
  EXPECT_EQ(refused.error().hint, "--hold 25s");
  EXPECT_TRUE(machine.loads.empty());
  options.hold = seconds(25);
  const auto result = run(probes({{plug, 1.0}}));
  EXPECT_TRUE(result) << result.error().message;
}

TEST_F(Ladder, refuses_a_source_that_falls_silent) {
  silent_from = clock.monotonic() + seconds(45);
  const auto refused = run(package());
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().kind, ErrorKind::environment);
  EXPECT_THAT(refused.error().message, HasSubstr("package-0 was not measured while the load was"));
}

TEST_F(Ladder, refuses_a_level_of_which_much_was_not_seen) {
  silent_from = clock.monotonic() + seconds(44);
  silent_until = *silent_from + seconds(3);
  const auto refused = run(package());
  ASSERT_FALSE(refused);
  EXPECT_THAT(refused.error().message, HasSubstr("% of it was seen"));
}

TEST_F(Ladder, refuses_power_that_has_nothing_to_do_with_the_load) {
  machine.slope = machine.bend = 0.0;
  const auto refused = run(package());
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().kind, ErrorKind::failed);
  EXPECT_THAT(refused.error().message, HasSubstr("rise"));
}

TEST(LadderLevels, go_from_rest_to_full_use_and_back) {
  for (const int cpus : {1, 2, 3, 8, 64}) {
    for (const int steps : {2, 4, 7}) {
      const auto levels = ladder(steps, cpus);
      ASSERT_EQ(levels.size(), 2U * static_cast<unsigned>(steps) + 2U);
      EXPECT_EQ(levels.front().use(cpus), 0.0);
      EXPECT_EQ(levels.back().use(cpus), 0.0);
      for (int step = 1; step <= steps; ++step) {
        for (const int kind : {-1, 0}) {
          const LoadLevel& level = levels[static_cast<std::size_t>(2 * step + kind)];
          EXPECT_NEAR(level.use(cpus), static_cast<double>(step) / steps, 1e-9);
          EXPECT_LE(level.threads, cpus);
        }
      }
      EXPECT_EQ(levels[levels.size() - 2].duty, 1.0);
    }
  }
  EXPECT_EQ(describe(ladder(4, 2)[1]), "2 threads 25 % of the time, arithmetic");
  EXPECT_EQ(describe(ladder(4, 2)[4]), "1 thread, memory");
  EXPECT_EQ(describe({}), "at rest");
}

// The real thing, on whatever else this machine does meanwhile: threads work and stop.
TEST(ThisMachineLoad, uses_the_share_of_time_that_it_is_told) {
  SystemClock clock;
  ThisMachine machine("/");
  ASSERT_TRUE(machine.cpu_time());
  const auto used = [&](const LoadLevel& level) {
    machine.load(level);
    const Nanoseconds begin = clock.monotonic();
    const Nanoseconds before = machine.own_cpu_time();
    clock.sleep_until(begin + Load::kPeriod * 4, {});
    return (machine.own_cpu_time() - before) / (clock.monotonic() - begin);
  };
  for (const Work work : {Work::arithmetic, Work::memory}) {
    const double part = used({1, 0.25, work});
    EXPECT_GT(part, 0.01);
    EXPECT_LT(part, 0.45) << "a quarter of the time, and what setting up takes";
    bool more = false;  // others may take the processors away in one of the two
    for (int attempt = 0; attempt < 20 && !more; ++attempt) more = used({1, 1.0, work}) > used({1, 0.25, work});
    EXPECT_TRUE(more);
  }
  EXPECT_LT(used({}), 0.1) << "at rest";
}

TEST(ThisMachineLoad, climbs_a_real_ladder) {
  SystemClock clock;
  ThisMachine machine("/");
  const auto begin = clock.monotonic();
  auto found = energy::ScriptedProbe::found(
      {domain("package-0", DomainKind::package)}, [&](Nanoseconds now, std::span<Reading> out) {
        // 10 W at rest and 20 W for each CPU that this program keeps busy.
        const double joules = 10.0 * to_seconds(now - begin).value + 20.0 * to_seconds(machine.own_cpu_time()).value;
        out[0] = {.kind = Reading::Kind::counter,
                  .value = static_cast<std::uint64_t>(joules * 1e6),
                  .modulus = energy::kNeverWraps,
                  .reason = {}};
      });
  int levels = 0;
  const CalibrateOptions options{.steps = 2, .hold = milliseconds(500), .others = 1.0, .machine = "m"};
  const auto result = calibrate(std::move(found), options, machine, clock, {},
                                [&](const LoadLevel&, int, int, Nanoseconds) { ++levels; });
  EXPECT_EQ(levels, 6);
  // Other programs share this machine: then its power does not follow its use, and the fit may say so.
  if (!result) {
    EXPECT_EQ(result.error().kind, ErrorKind::failed) << result.error().message;
    return;
  }
  EXPECT_NEAR(result->calibration.fit.curve.base.value, 10.0, 5.0);
}

}  // namespace
}  // namespace wattle::meter
