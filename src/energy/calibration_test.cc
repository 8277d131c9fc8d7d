#include "energy/calibration.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <cmath>
#include <filesystem>
#include <limits>
#include <nlohmann/json.hpp>
#include <random>

#include "base/text.h"

namespace wattle::energy {
namespace {

using testing::HasSubstr;

// Levels of the curve, each with relative noise.
std::vector<LoadPoint> levels(double base, double slope, double bend, double noise, unsigned seed, int each = 2) {
  std::mt19937_64 random(seed);
  std::normal_distribution<double> normal(0.0, noise);
  std::vector<LoadPoint> points;
  for (const double use : {0.0, 0.25, 0.5, 0.75, 1.0}) {
    for (int i = 0; i < each; ++i) {
      const double power = base + slope * use + bend * use * use;
      points.push_back({use, {power * (1.0 + normal(random))}, 8.0});
    }
  }
  return points;
}

std::string why_not(const std::vector<LoadPoint>& points) {
  const auto fitted = fit(points);
  return fitted ? "it was fitted" : fitted.error().message;
}

TEST(Fit, gives_the_coefficients_of_a_line_back) {
  const auto fitted = fit(levels(12.0, 40.0, 0.0, 0.0, 1));
  ASSERT_TRUE(fitted) << fitted.error().message;
  EXPECT_NEAR(fitted->curve.base.value, 12.0, 1e-9);
  EXPECT_NEAR(fitted->curve.slope.value, 40.0, 1e-9);
  EXPECT_EQ(fitted->curve.bend.value, 0.0) << "a line needs no bend";
  EXPECT_NEAR(fitted->rms.value, 0.0, 1e-9);
  EXPECT_EQ(fitted->points, 10);
  EXPECT_EQ(fitted->curve.least_use, 0.0);
  EXPECT_EQ(fitted->curve.most_use, 1.0);
}

TEST(Fit, gives_the_coefficients_of_a_bent_curve_back) {
  for (const double bend : {-15.0, 25.0}) {
    const auto fitted = fit(levels(12.0, 40.0, bend, 0.0, 1));
    ASSERT_TRUE(fitted) << fitted.error().message;
    EXPECT_NEAR(fitted->curve.base.value, 12.0, 1e-9);
    EXPECT_NEAR(fitted->curve.slope.value, 40.0, 1e-8);
    EXPECT_NEAR(fitted->curve.bend.value, bend, 1e-8);
  }
}

TEST(Fit, of_noisy_levels_is_within_the_error_that_it_states) {
  int inside = 0;
  int all = 0;
  for (unsigned seed = 1; seed <= 300; ++seed) {
    const auto fitted = fit(levels(12.0, 40.0, -15.0, 0.01, seed));
    ASSERT_TRUE(fitted) << fitted.error().message;
    for (double use = 0.0; use <= 1.0; use += 0.125) {
      const double truth = 12.0 + 40.0 * use - 15.0 * use * use;
      inside += std::abs(fitted->curve.at(use).value - truth) <= fitted->spread() * truth ? 1 : 0;
      ++all;
    }
    EXPECT_LT(fitted->spread(), 0.08) << "1 % of noise leaves no more than this";
    EXPECT_GT(fitted->spread(), 0.005) << "and is not explained away";
  }
  EXPECT_GE(inside, 0.95 * all);
}

TEST(Fit, error_is_that_of_levels_it_was_not_shown) {
  // One of five levels on a line is 10 W off: left out, its neighbours know nothing of that.
  std::vector<LoadPoint> points = levels(20.0, 40.0, 0.0, 0.0, 1, 1);
  points[2].power.value += 10.0;
  const auto fitted = fit(points);
  ASSERT_TRUE(fitted) << fitted.error().message;
  EXPECT_NEAR(fitted->largest.value, 10.0, 1e-9) << "what a fit through all five leaves is 8 W";
  EXPECT_GE(fitted->relative_largest, 10.0 / 50.0 - 1e-9);
}

TEST(Fit, heavier_levels_count_more) {
  std::vector<LoadPoint> points = levels(20.0, 40.0, 0.0, 0.0, 1, 2);
  for (std::size_t i = 0; i < points.size(); i += 2) {
    points[i].power.value += 2.0;
    points[i].weight = 8e6;
  }
  const auto fitted = fit(points);
  ASSERT_TRUE(fitted);
  EXPECT_NEAR(fitted->curve.base.value, 22.0, 1e-4);
}

TEST(Fit, takes_no_bend_that_noise_alone_asks_for) {
  int bent = 0;
  for (unsigned seed = 1; seed <= 200; ++seed) {
    const auto fitted = fit(levels(12.0, 40.0, 0.0, 0.02, seed));
    ASSERT_TRUE(fitted);
    bent += fitted->curve.bend.value != 0.0 ? 1 : 0;
  }
  EXPECT_LT(bent, 60);
}

TEST(Fit, never_falls_but_is_level_where_the_best_parabola_would_fall) {
  // A processor that is asleep at rest and at its power limit from half use on.
  std::vector<LoadPoint> points;
  for (const auto& [use, power] : {std::pair{0.0, 20.0}, {0.25, 80.0}, {0.5, 112.0}, {0.75, 128.0}, {1.0, 128.0}}) {
    points.insert(points.end(), 2, {use, {power}});
  }
  const auto fitted = fit(points);
  ASSERT_TRUE(fitted) << fitted.error().message;
  EXPECT_LT(fitted->curve.bend.value, 0.0);
  for (double use = 0.0; use < 1.0; use += 0.01) EXPECT_LE(fitted->curve.at(use), fitted->curve.at(use + 0.01));
  EXPECT_NEAR(fitted->curve.at(0.0).value, 20.0, 2.0);
  EXPECT_NEAR(fitted->curve.at(1.0).value, 128.0, 12.0);
}

TEST(Fit, never_falls_from_rest_either) {
  std::vector<LoadPoint> points;
  for (const auto& [use, power] : {std::pair{0.0, 20.0}, {0.25, 19.0}, {0.5, 24.0}, {0.75, 36.0}, {1.0, 56.0}}) {
    points.insert(points.end(), 2, {use, {power}});
  }
  const auto fitted = fit(points);
  ASSERT_TRUE(fitted) << fitted.error().message;
  EXPECT_GT(fitted->curve.bend.value, 0.0);
  for (double use = 0.0; use < 1.0; use += 0.01) EXPECT_LE(fitted->curve.at(use), fitted->curve.at(use + 0.01));
}

TEST(Fit, refuses_levels_that_are_too_few) {
  EXPECT_THAT(why_not({}), HasSubstr("0 different CPU uses"));
  EXPECT_THAT(why_not({{0.0, {10}}, {1.0, {40}}}), HasSubstr("2 different CPU uses"));
  EXPECT_THAT(why_not({{0.0, {10}}, {0.01, {10}}, {1.0, {40}}, {0.99, {40}}}), HasSubstr("2 different CPU uses"));
  EXPECT_THAT(why_not({{0.5, {10}}, {0.5, {20}}, {0.5, {30}}, {0.5, {40}}}), HasSubstr("1 different CPU use "));
}

TEST(Fit, refuses_a_part_of_the_machine_that_says_nothing_of_the_rest) {
  EXPECT_THAT(why_not({{0.0, {10}}, {0.1, {12}}, {0.2, {14}}}), HasSubstr("0 % to 20 %"));
  EXPECT_THAT(why_not({{0.3, {10}}, {0.7, {12}}, {1.0, {14}}}), HasSubstr("30 % to 100 %"));
}

TEST(Fit, refuses_what_is_no_number) {
  const double nan = std::numeric_limits<double>::quiet_NaN();
  const double infinite = std::numeric_limits<double>::infinity();
  const auto with = [](LoadPoint point) {
    auto points = levels(10, 30, 0, 0, 1, 1);
    points[3] = point;
    return why_not(points);
  };
  EXPECT_THAT(with({nan, {20}, 1}), HasSubstr("level 4 has no CPU use"));
  EXPECT_THAT(with({1.5, {20}, 1}), HasSubstr("level 4 has no CPU use"));
  EXPECT_THAT(with({0.75, {nan}, 1}), HasSubstr("level 4 has no power"));
  EXPECT_THAT(with({0.75, {infinite}, 1}), HasSubstr("level 4 has no power"));
  EXPECT_THAT(with({0.75, {0.0}, 1}), HasSubstr("level 4 has no power")) << "no machine draws nothing";
  EXPECT_THAT(with({0.75, {20}, 0}), HasSubstr("level 4 has no weight"));
  EXPECT_THAT(with({0.75, {20}, nan}), HasSubstr("level 4 has no weight"));
}

TEST(Fit, refuses_power_that_does_not_rise) {
  EXPECT_THAT(why_not(levels(40.0, -20.0, 0.0, 0.0, 1)), HasSubstr("does not rise"));
  EXPECT_THAT(why_not(levels(40.0, 0.0, 0.0, 0.0, 1)), HasSubstr("hardly rises"));
  EXPECT_THAT(why_not(levels(40.0, 0.1, 0.0, 0.05, 3)), HasSubstr("rise"));
}

TEST(Fit, refuses_a_machine_that_gives_power_when_at_rest) {
  EXPECT_THAT(why_not({{0.2, {1}}, {0.5, {16}}, {0.8, {31}}, {1.0, {41}}}), HasSubstr("at rest, which no machine has"));
}

TEST(Fit, refuses_to_be_no_better_than_the_table) {
  EXPECT_THAT(why_not({{0.0, {5}}, {0.25, {40}}, {0.5, {60}}, {0.75, {80}}, {1.0, {100}}}),
              HasSubstr("does not explain the power"));
}

TEST(PowerCurve, goes_on_straight_beyond_what_it_was_fitted_on) {
  const PowerCurve curve{{10}, {20}, {-10}, 0.1, 0.8};
  EXPECT_NEAR(curve.at(0.5).value, 10 + 10 - 2.5, 1e-12);
  EXPECT_NEAR(curve.at(1.0).value, 10 + 16 - 6.4 + 0.2 * (20 - 16), 1e-12);
  EXPECT_NEAR(curve.at(0.0).value, 10 + 2 - 0.1 - 0.1 * (20 - 2), 1e-12);
}

// --- The file ---------------------------------------------------------------------------------------------

Calibration sample() {
  Calibration calibration;
  calibration.machine = "box | CPU, 2 GHz | 8 | 17179869184";
  calibration.fitted_wall = seconds(1'777'900'000);
  calibration.against = "powercap";
  calibration.domains = {"package-0", "dram-0"};
  calibration.covers_memory = true;
  calibration.source_gain = 0.05;
  calibration.fit = {.curve = {{12.5}, {40.25}, {-3.125}, 0.01, 0.99},
                     .points = 10,
                     .rms = {0.5},
                     .largest = {1.25},
                     .relative_rms = 0.02,
                     .relative_largest = 0.03};
  return calibration;
}

TEST(CalibrationFile, comes_back_as_it_was) {
  const Calibration before = sample();
  const auto after = parse_calibration(calibration_json(before));
  ASSERT_TRUE(after) << after.error().message;
  EXPECT_EQ(calibration_json(*after), calibration_json(before));
  EXPECT_EQ(after->fit.curve.at(0.5).value, before.fit.curve.at(0.5).value);
  EXPECT_EQ(after->gain(), before.gain());
  EXPECT_EQ(after->provenance(), "powercap (package-0, dram-0) on 2026-05-04");
}

TEST(CalibrationFile, gain_is_never_below_the_sources_own_nor_the_allowance) {
  Calibration calibration = sample();
  EXPECT_NEAR(calibration.gain(), std::hypot(0.05, 1.96 * 0.02, 0.10), 1e-12);
  calibration.fit.relative_largest = 0.2;
  EXPECT_NEAR(calibration.gain(), std::hypot(0.05, 0.2, 0.10), 1e-12) << "the largest miss, where it is more";
  calibration.fit.relative_rms = calibration.fit.relative_largest = 0.0;
  calibration.source_gain = 0.3;
  EXPECT_GT(calibration.gain(), 0.3);
}

TEST(CalibrationFile, damage_is_named_by_its_field) {
  using nlohmann::json;
  const auto broken = [](const char* pointer, const json& value) {
    json all = json::parse(calibration_json(sample()));
    all[json::json_pointer(pointer)] = value;
    const auto read = parse_calibration(all.dump());
    return read ? "it was read" : read.error().message;
  };
  const std::vector<std::tuple<const char*, json, const char*>> cases{
      {"/calibration", 2, "`calibration`"},
      {"/calibration", "1", "`calibration`"},
      {"/machine", "", "`machine`"},
      {"/machine", std::string(5000, 'a'), "`machine`"},
      {"/machine", "\x1b[2J", "`machine`"},
      {"/fitted_wall_ns", -1, "`fitted_wall_ns`"},
      {"/fitted_wall_ns", ~std::uint64_t{0}, "`fitted_wall_ns`"},
      {"/fitted_wall_ns", 1.5, "`fitted_wall_ns`"},
      {"/against", nullptr, "`against`"},
      {"/domains", json::array(), "`domains`"},
      {"/domains", json::array({1}), "`domains`"},
      {"/domains", "package-0", "`domains`"},
      {"/covers_memory", 1, "`covers_memory`"},
      {"/simulated", "no", "`simulated`"},
      {"/source_gain", -0.1, "`source_gain`"},
      {"/source_gain", 40, "`source_gain`"},
      {"/curve", 7, "`curve`"},
      {"/curve/base_w", "12", "`base_w`"},
      {"/curve/base_w", 1e300, "`base_w`"},
      {"/curve/base_w", nullptr, "`base_w`"},
      {"/curve/base_w", -1, "`curve`"},
      {"/curve/slope_w", -1, "`curve`"},
      {"/curve/bend_w", -30, "`curve`"},
      {"/curve/most_use", 0.3, "`most_use`"},
      {"/curve/least_use", 0.4, "`least_use`"},
      {"/left_out_error/relative_rms", 0.9, "`relative_rms`"},
      {"/left_out_error/relative_largest", -0.9, "`relative_largest`"},
      {"/left_out_error/points", 0, "`points`"},
      {"/left_out_error/rms_w", json::array(), "`rms_w`"},
  };
  for (const auto& [pointer, value, field] : cases) {
    EXPECT_THAT(broken(pointer, value), HasSubstr(field)) << pointer << " = " << value.dump();
  }
}

TEST(CalibrationFile, every_field_is_needed) {
  using nlohmann::json;
  const json whole = json::parse(calibration_json(sample()));
  for (const auto& [field, ignored] : whole.items()) {
    json less = whole;
    less.erase(field);
    const auto read = parse_calibration(less.dump());
    ASSERT_FALSE(read) << field;
    EXPECT_EQ(read.error().kind, ErrorKind::bad_input);
    EXPECT_THAT(read.error().message, HasSubstr("`" + field + "`"));
  }
}

TEST(CalibrationFile, what_is_none_is_refused) {
  const std::string whole = calibration_json(sample());
  for (const std::string& text :
       {std::string(), std::string("null"), std::string("[]"), std::string("{"), std::string("\xff\xfe"),
        std::string(50'000, '['), whole.substr(0, whole.size() / 2), whole + "x"}) {
    EXPECT_FALSE(parse_calibration(text)) << text.substr(0, 40);
  }
}

TEST(CalibrationFile, of_another_machine_is_refused) {
  std::string folder = (std::filesystem::temp_directory_path() / "wattle-calibration-XXXXXX").string();
  ASSERT_NE(::mkdtemp(folder.data()), nullptr);
  const auto file = std::filesystem::path(folder) / "state/calibration.json";
  ASSERT_TRUE(save_calibration(file, sample()));
  EXPECT_TRUE(load_calibration(file, sample().machine));
  const auto foreign = load_calibration(file, "box | CPU, 2 GHz | 4 | 17179869184");
  ASSERT_FALSE(foreign);
  EXPECT_EQ(foreign.error().kind, ErrorKind::bad_input);
  EXPECT_THAT(foreign.error().message, HasSubstr("of another machine: box"));
  std::filesystem::remove_all(folder);
}

// --- Energy by a curve ------------------------------------------------------------------------------------

TEST(CurveIntegral, of_steady_use_is_the_curves_power_by_time) {
  const PowerCurve curve{{10}, {10}, {20}};
  for (const double use : {0.0, 0.5, 1.0}) {
    CurveIntegral integral(curve);
    for (int i = 0; i < 500; ++i) integral.add(milliseconds(20), Seconds{0.02 * use});
    EXPECT_NEAR(integral.energy().value, 10.0 * curve.at(use).value, 1e-9) << use;
  }
}

TEST(CurveIntegral, coarse_ticks_do_not_bend_the_energy) {
  // One CPU, half busy, a tick of 10 ms in every other 10 ms, read every 20 ms at random phases: what each read sees
  // is 0, ½ or 1.
  const PowerCurve curve{{10}, {10}, {20}};
  std::mt19937_64 random(7);
  std::uniform_int_distribution<int> jitter(-8, 8);
  CurveIntegral integral(curve);
  std::int64_t last_ms = 0;
  std::int64_t last_ticks = 0;
  for (int i = 1; i <= 5000; ++i) {
    const std::int64_t now_ms = 20 * i + jitter(random);
    const std::int64_t ticks = (now_ms + 10) / 20;
    integral.add(milliseconds(now_ms - last_ms), Seconds{0.01 * static_cast<double>(ticks - last_ticks)});
    last_ms = now_ms;
    last_ticks = ticks;
  }
  const double truth = curve.at(0.5).value * 1e-3 * static_cast<double>(last_ms);
  EXPECT_NEAR(integral.energy().value / truth, 1.0, 20.0 / 600.0 / curve.at(0.5).value + 1e-3);
}

TEST(CurveIntegral, never_falls_though_the_bend_takes_away) {
  const PowerCurve curve{{0.5}, {0}, {100}};  // at half use 25 W below its chord
  CurveIntegral integral(curve);
  double last = 0.0;
  for (int i = 0; i < 5000; ++i) {
    integral.add(milliseconds(3), Seconds{i / 7 % 2 == 0 ? 0.003 : 0.0});  // bursts of 21 ms
    ASSERT_GE(integral.energy().value, last);
    last = integral.energy().value;
  }
  EXPECT_NEAR(last / 15.0, curve.at(0.5).value, 0.6) << "bursts and stretches are not in step";
}

TEST(CurveIntegral, the_end_owes_no_more_than_a_quarter_of_the_bend_by_a_stretch) {
  const PowerCurve curve{{10}, {10}, {20}};
  CurveIntegral integral(curve);
  for (int i = 1; i <= 300; ++i) {
    integral.add(milliseconds(7), Seconds{0.0035});
    const double truth = curve.at(0.5).value * 0.007 * i;
    EXPECT_NEAR(integral.energy().value, truth, 20.0 / 4 * 0.107 + 1e-9);
  }
}

TEST(CurveIntegral, a_tick_too_many_adds_no_bend) {
  CurveIntegral integral({{10}, {10}, {20}});
  integral.add(milliseconds(100), Seconds{0.11});
  EXPECT_NEAR(integral.energy().value, 1.0 + 30 * 0.11, 1e-9);
}

}  // namespace
}  // namespace wattle::energy
