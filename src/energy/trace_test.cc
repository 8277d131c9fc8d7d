#include "energy/trace.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <functional>
#include <limits>
#include <numeric>
#include <random>

namespace wattle::energy {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

Window window(Nanoseconds begin, Nanoseconds end, WindowKind kind = WindowKind::phase) {
  return {.kind = kind, .name = "w", .epoch = std::nullopt, .begin = begin, .end = end};
}

Series random_series(std::mt19937_64& random, int samples, bool gaps) {
  Series series;
  series.domain.name = "package-0";
  std::uniform_int_distribution<std::int64_t> step(1'000'000, 40'000'000);
  std::uniform_int_distribution<std::int64_t> energy(0, 20'000'000);
  Sample sample{.time = seconds(5), .cumulative = {}, .gap_before = false};
  series.samples.push_back(sample);
  for (int i = 1; i < samples; ++i) {
    sample.time += Nanoseconds{step(random)};
    sample.gap_before = gaps && random() % 10 == 0;
    if (!sample.gap_before) sample.cumulative += Microjoules{energy(random)};
    series.samples.push_back(sample);
  }
  return series;
}

// A domain whose cumulative energy is a function of seconds, read every `interval` with jitter.
Series sampled(const std::function<double(double)>& joules, double duration, double interval, std::mt19937_64& random) {
  Series series;
  series.domain.name = "package-0";
  std::uniform_real_distribution<double> jitter(-0.3, 0.3);
  for (int i = 0; i * interval <= duration; ++i) {
    const double t = std::max(0.0, (i + (i == 0 ? 0.0 : jitter(random))) * interval);
    series.samples.push_back(
        {.time = to_nanoseconds(Seconds{t}), .cumulative = to_microjoules(Joules{joules(t)}), .gap_before = false});
  }
  return series;
}

TEST(Windows, that_touch_add_up_to_the_last_microjoule) {
  std::mt19937_64 random(1);
  int told = 0;
  for (int round = 0; round < 200; ++round) {
    const Series series = random_series(random, 300, round % 2 == 1);
    const Nanoseconds begin = series.samples.front().time - milliseconds(50);
    const Nanoseconds end = series.samples.back().time + milliseconds(50);
    std::uniform_int_distribution<std::int64_t> anywhere(begin.value, end.value);
    std::vector<Nanoseconds> cuts{begin, end};
    for (int i = 0; i < 12; ++i) cuts.push_back({anywhere(random)});
    std::sort(cuts.begin(), cuts.end());
    Microjoules sum;
    for (std::size_t i = 1; i < cuts.size(); ++i) {
      const WindowEnergy part = energy_in(series, window(cuts[i - 1], cuts[i], WindowKind::run));
      const Microjoules risen = cumulative_at(series, cuts[i]) - cumulative_at(series, cuts[i - 1]);
      // A part may be too short or all gap to be told; what it adds is then seen by E alone.
      EXPECT_EQ(part.energy.value_or(risen), risen);
      EXPECT_NE(part.energy.has_value(), !part.why_absent.empty());
      told += part.energy.has_value() ? 1 : 0;
      sum += risen;
    }
    EXPECT_EQ(sum, series.samples.back().cumulative);
    EXPECT_EQ(*energy_in(series, window(begin, end, WindowKind::run)).energy, sum);
  }
  EXPECT_GT(told, 200 * 12) << "nearly all parts are told";
}

TEST(CumulativeAt, is_linear_between_samples_and_held_outside) {
  Series series;
  series.samples = {{seconds(10), {0}}, {seconds(12), {2001}}, {seconds(13), {2001}, true}};
  EXPECT_EQ(cumulative_at(series, seconds(1)).value, 0);
  EXPECT_EQ(cumulative_at(series, seconds(11)).value, 1001) << "1000.5 rounds up";
  EXPECT_EQ(cumulative_at(series, milliseconds(12'500)).value, 2001);
  EXPECT_EQ(cumulative_at(series, seconds(99)).value, 2001);
  EXPECT_EQ(cumulative_at(Series{}, seconds(1)).value, 0);
}

TEST(CumulativeAt, does_not_overflow_on_a_week_in_one_interval) {
  Series series;
  constexpr std::int64_t kEnergy = 8'000'000'000'000'000'000;
  constexpr std::int64_t kWeek = 604'800;
  series.samples = {{Nanoseconds{0}, {0}}, {seconds(kWeek), {kEnergy}}};
  EXPECT_EQ(cumulative_at(series, seconds(kWeek / 2)).value, kEnergy / 2);
}

TEST(EnergyIn, a_phase_needs_twenty_samples_and_a_run_two) {
  Series series;
  for (int i = 0; i <= 100; ++i) series.samples.push_back({milliseconds(20 * i), {i * 1000}});
  const WindowEnergy shorter = energy_in(series, window(milliseconds(1), milliseconds(150)));
  EXPECT_FALSE(shorter.energy);
  EXPECT_EQ(shorter.why_absent, "too short to measure: 7 samples of the 20 needed");
  EXPECT_TRUE(energy_in(series, window(milliseconds(0), milliseconds(380))).energy) << "20 samples, edges included";
  EXPECT_FALSE(energy_in(series, window(milliseconds(1), milliseconds(380))).energy);
  const WindowEnergy run = energy_in(series, window(milliseconds(3), milliseconds(8), WindowKind::run));
  ASSERT_TRUE(run.energy) << "the samples around a run count";
  EXPECT_EQ(run.energy->value, 250);
}

TEST(EnergyIn, nothing_known_is_absent_with_the_reason) {
  Series series;
  EXPECT_EQ(energy_in(series, window(seconds(1), seconds(2))).why_absent, "never read");
  series.samples = {{seconds(1), {0}}, {seconds(2), {0}, true}};
  EXPECT_THAT(energy_in(series, window(seconds(1), seconds(2), WindowKind::run)).why_absent,
              HasSubstr("without a gap"));
  EXPECT_THAT(energy_in(series, window(seconds(2), seconds(2))).why_absent, HasSubstr("empty"));
  EXPECT_THAT(energy_in(series, window(seconds(2), seconds(1))).why_absent, HasSubstr("empty"));
  series.samples = {{seconds(1), {0}}};
  EXPECT_THAT(energy_in(series, window(seconds(0), seconds(2), WindowKind::run)).why_absent, HasSubstr("too short"));
}

TEST(EnergyIn, coverage_is_the_share_of_the_window_in_valid_intervals) {
  Series series;
  for (int i = 0; i <= 100; ++i) series.samples.push_back({milliseconds(100 * i), {i * 1'000'000}});
  EXPECT_DOUBLE_EQ(energy_in(series, window(seconds(2), seconds(6))).coverage, 1.0);
  EXPECT_DOUBLE_EQ(energy_in(series, window(seconds(5), seconds(15))).coverage, 0.5) << "nothing after the last sample";
  Series holed = series;
  for (std::size_t i = 41; i <= 100; ++i) holed.samples[i].cumulative -= Microjoules{1'000'000};
  holed.samples[41].gap_before = true;
  const WindowEnergy with_gap = energy_in(holed, window(seconds(3), seconds(5)));
  EXPECT_DOUBLE_EQ(with_gap.coverage, 0.95);
  EXPECT_EQ(with_gap.energy->value, 19'000'000);
  EXPECT_GT(with_gap.uncertainty, 0.05) << "what the gap may have held";
  EXPECT_LT(energy_in(series, window(seconds(3), seconds(5))).uncertainty, 0.05);
}

TEST(EnergyIn, edges_on_samples_of_a_fresh_source_are_exact) {
  Series series;
  for (int i = 0; i <= 100; ++i) series.samples.push_back({milliseconds(100 * i), {i * 1'000'000}});
  EXPECT_EQ(energy_in(series, window(seconds(2), seconds(6))).uncertainty, 0.0);
  series.domain.gain_uncertainty = 0.4;
  EXPECT_DOUBLE_EQ(energy_in(series, window(seconds(2), seconds(6))).uncertainty, 0.4);
}

TEST(EnergyIn, a_stale_source_costs_the_published_edge_error) {
  Series series;
  series.domain.update_period = milliseconds(100);
  for (int i = 0; i <= 500; ++i) series.samples.push_back({milliseconds(20 * i), {i * 1'000'000}});
  // P·τ/√6 over P·T: 0.8 % for τ = 0.1 s and T = 5 s; 95 % is 1.96 of it.
  EXPECT_NEAR(energy_in(series, window(seconds(2), seconds(7))).uncertainty, 1.96 * 0.1 / std::sqrt(6.0) / 5.0, 1e-9);
}

TEST(EnergyIn, a_window_of_fewer_than_twenty_updates_is_too_short_to_measure) {
  Series series;
  series.domain.update_period = milliseconds(100);
  for (int i = 0; i <= 500; ++i) series.samples.push_back({milliseconds(10 * i), {i * 1'000'000}});
  for (const WindowKind kind : {WindowKind::run, WindowKind::phase, WindowKind::epoch}) {
    const WindowEnergy shorter = energy_in(series, {kind, "w", {}, seconds(1), seconds(3) - milliseconds(100)});
    EXPECT_FALSE(shorter.energy);
    EXPECT_EQ(shorter.why_absent, "too short to measure: 1.9 s, less than 20 updates of its source (2.0 s)");
    EXPECT_TRUE(energy_in(series, {kind, "w", {}, seconds(1), seconds(3)}).energy);
  }
}

// Power steps up and down at random, so edges fall into intervals of any shape.
struct Steps {
  std::vector<double> times{0.0};
  std::vector<double> watts;
  std::vector<double> joules{0.0};

  explicit Steps(std::mt19937_64& random, double duration, double mean_step) {
    std::exponential_distribution<double> length(1.0 / mean_step);
    std::uniform_real_distribution<double> power(20.0, 300.0);
    while (times.back() < duration) {
      const double dt = length(random);
      watts.push_back(power(random));
      joules.push_back(joules.back() + watts.back() * dt);
      times.push_back(times.back() + dt);
    }
  }
  [[nodiscard]] std::size_t at(double t) const {
    const auto next = std::upper_bound(times.begin(), times.end(), t);
    return static_cast<std::size_t>(std::distance(times.begin(), next)) - 1;
  }
  [[nodiscard]] double energy(double t) const { return joules[at(t)] + watts[at(t)] * (t - times[at(t)]); }
};

TEST(EnergyIn, known_integrals_lie_within_the_stated_uncertainty) {
  std::mt19937_64 random(3);
  int inside = 0;
  double worst = 0.0;
  constexpr int kRounds = 600;
  for (int round = 0; round < kRounds; ++round) {
    const double mean_step = std::array{0.002, 0.02, 0.2}[static_cast<std::size_t>(round % 3)];
    const Steps truth(random, 12.5, mean_step);
    const Series series = sampled([&](double t) { return truth.energy(t); }, 12.0, 0.02, random);
    const double begin = std::uniform_real_distribution<double>(0.5, 3.0)(random);
    const double end = begin + 5.0;
    const WindowEnergy got = energy_in(series, window(to_nanoseconds(Seconds{begin}), to_nanoseconds(Seconds{end})));
    const double exact = truth.energy(end) - truth.energy(begin);
    const double error = std::abs(to_joules(*got.energy).value / exact - 1.0);
    worst = std::max(worst, error);
    inside += error <= got.uncertainty ? 1 : 0;
    EXPECT_LT(got.uncertainty, 0.012) << "a bound that says nothing is none";
  }
  EXPECT_GE(inside, kRounds * 95 / 100);
  EXPECT_LE(worst, 0.005) << "window edges of a 5 s window at 50 Hz";
}

TEST(EnergyIn, integrated_power_states_what_it_missed_between_its_samples) {
  std::mt19937_64 random(5);
  int inside = 0;
  constexpr int kRounds = 300;
  for (int round = 0; round < kRounds; ++round) {
    const double mean_step = std::array{0.005, 0.05, 1.0}[static_cast<std::size_t>(round % 3)];
    const Steps truth(random, 21.0, mean_step);
    Series series;
    series.domain.provenance = Provenance::integrated_power;
    double sum = 0.0;
    for (int i = 0; i <= 400; ++i) {
      const double t = i * 0.05;
      if (i > 0) sum += 0.05 * 0.5 * (truth.watts[truth.at(t)] + truth.watts[truth.at(t - 0.05)]);
      series.samples.push_back({milliseconds(50 * i), to_microjoules(Joules{sum})});
    }
    const WindowEnergy got = energy_in(series, window(milliseconds(1010), milliseconds(19'990)));
    const double exact = truth.energy(19.99) - truth.energy(1.01);
    inside += std::abs(to_joules(*got.energy).value / exact - 1.0) <= got.uncertainty ? 1 : 0;
    EXPECT_LT(got.uncertainty, 0.15);
  }
  EXPECT_GE(inside, kRounds * 95 / 100);
}

TEST(PowerCurve, means_of_the_steps_and_nothing_where_nothing_is_known) {
  Series series;
  series.samples = {
      {seconds(0), {0}}, {seconds(1), {10'000'000}}, {seconds(2), {10'000'000}, true}, {seconds(3), {40'000'000}}};
  const auto curve = power_curve(series, window(seconds(0), seconds(4)), 4);
  ASSERT_EQ(curve.size(), 4U);
  EXPECT_DOUBLE_EQ(curve[0]->value, 10.0);
  EXPECT_FALSE(curve[1]);
  EXPECT_DOUBLE_EQ(curve[2]->value, 30.0);
  EXPECT_FALSE(curve[3]);
  EXPECT_DOUBLE_EQ(power_curve(series, window(seconds(0), seconds(2)), 1)[0]->value, 10.0)
      << "over the sampled part alone";
  EXPECT_THAT(power_curve(series, window(seconds(0), seconds(4)), 0), IsEmpty());
  EXPECT_THAT(power_curve(series, window(seconds(0), seconds(4)), -3), IsEmpty());
  EXPECT_THAT(power_curve(series, window(seconds(4), seconds(0)), 3), IsEmpty());
}

TEST(PeakPower, is_a_mean_over_at_least_a_tenth_of_a_second) {
  Series series;
  Microjoules energy;
  for (int i = 0; i <= 100; ++i) {
    // 50 W, but 1 kW for a single 10 ms.
    if (i > 0) energy += Microjoules{i == 50 ? 10'000'000 : 500'000};
    series.samples.push_back({milliseconds(10 * i), energy});
  }
  const auto peak = peak_power(series, window(seconds(0), seconds(1)));
  ASSERT_TRUE(peak);
  EXPECT_NEAR(peak->value, (10.0 + 9 * 0.5) / 0.1, 1e-9);
  EXPECT_NEAR(peak_power(series, window(milliseconds(500), seconds(1)))->value, 50.0, 1e-9);
  EXPECT_FALSE(peak_power(series, window(milliseconds(0), milliseconds(90))));
  EXPECT_FALSE(peak_power(series, window(seconds(1), seconds(0))));
  EXPECT_FALSE(peak_power(Series{}, window(seconds(0), seconds(1))));
}

TEST(PeakPower, does_not_reach_across_a_gap) {
  Series series;
  series.samples = {{milliseconds(0), {0}},
                    {milliseconds(60), {6'000'000}},
                    {milliseconds(120), {6'000'000}, true},
                    {milliseconds(180), {12'000'000}}};
  EXPECT_FALSE(peak_power(series, window(seconds(0), seconds(1))));
}

Series series_of(std::string name, DomainKind kind, std::string parent = "", Provenance how = Provenance::counter) {
  Series series;
  series.domain.name = std::move(name);
  series.domain.kind = kind;
  series.domain.parent = std::move(parent);
  series.domain.provenance = how;
  series.samples = {{seconds(1), {0}}, {seconds(2), {1}}};
  return series;
}

std::vector<Series> server() {
  return {series_of("package-0", DomainKind::package, "psys"), series_of("core-0", DomainKind::core, "package-0"),
          series_of("dram-0", DomainKind::dram, "psys"),       series_of("package-1", DomainKind::package, "psys"),
          series_of("dram-1", DomainKind::dram, "psys"),       series_of("gpu-0", DomainKind::gpu)};
}

TEST(Cover, packages_dram_and_gpus_without_their_parts) {
  EXPECT_THAT(cover(server()).measured, ElementsAre(0, 2, 3, 4, 5));
  EXPECT_THAT(cover(server()).estimated, IsEmpty());
}

TEST(Cover, psys_is_not_added_to_packages) {
  auto all = server();
  all.push_back(series_of("psys", DomainKind::psys));
  EXPECT_THAT(cover(all).measured, ElementsAre(5, 6));
  all[5].domain.parent = "psys";
  EXPECT_THAT(cover(all).measured, ElementsAre(6));
}

TEST(Cover, psys_holds_the_processors_even_where_nobody_names_it_as_their_parent) {
  auto all = server();
  for (Series& series : all) series.domain.parent.clear();
  all.push_back(series_of("psys", DomainKind::psys));
  EXPECT_THAT(cover(all).measured, ElementsAre(5, 6));
}

TEST(Cover, a_wall_covers_everything) {
  auto all = server();
  all.push_back(series_of("wall", DomainKind::wall));
  EXPECT_THAT(cover(all).measured, ElementsAre(6));
}

TEST(Cover, a_psys_that_was_never_read_covers_nothing) {
  auto all = server();
  all.push_back(series_of("psys", DomainKind::psys));
  all.back().samples.clear();
  EXPECT_THAT(cover(all).measured, ElementsAre(0, 2, 3, 4, 5));
}

TEST(Cover, the_second_series_of_a_name_is_the_same_joules) {
  auto all = server();
  all.push_back(series_of("package-0", DomainKind::package));
  EXPECT_THAT(cover(all).measured, ElementsAre(0, 2, 3, 4, 5));
}

TEST(Cover, a_part_counts_where_its_whole_was_denied) {
  std::vector<Series> all{series_of("core-0", DomainKind::core, "package-0")};
  EXPECT_THAT(cover(all).measured, ElementsAre(0));
}

TEST(Cover, estimates_are_covered_apart) {
  auto all = server();
  all.push_back(series_of("cpu (model)", DomainKind::cpu_model, "", Provenance::model));
  all.push_back(series_of("ram (model)", DomainKind::ram_model, "", Provenance::model));
  const Cover covered = cover(all);
  EXPECT_THAT(covered.measured, ElementsAre(0, 2, 3, 4, 5));
  EXPECT_THAT(covered.estimated, ElementsAre(6, 7));
}

TEST(Cover, parents_in_a_circle_do_not_hang) {
  std::vector<Series> all{series_of("a", DomainKind::core, "b"), series_of("b", DomainKind::core, "a"),
                          series_of("c", DomainKind::gpu, "c")};
  EXPECT_THAT(cover(all).measured, ElementsAre(2));
}

TEST(Names, of_kinds_and_provenances_read_back) {
  for (int i = 0; i <= static_cast<int>(DomainKind::gpu_model); ++i) {
    const auto kind = static_cast<DomainKind>(i);
    EXPECT_EQ(domain_kind(to_string(kind)), kind);
  }
  for (int i = 0; i <= static_cast<int>(Provenance::constant); ++i) {
    const auto how = static_cast<Provenance>(i);
    EXPECT_EQ(provenance(to_string(how)), how);
  }
  EXPECT_FALSE(domain_kind("?"));
  EXPECT_FALSE(provenance(""));
  EXPECT_EQ(to_string(WindowKind::epoch), "epoch");
}

}  // namespace
}  // namespace wattle::energy
