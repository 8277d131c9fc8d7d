#include "stats/sequential.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <random>
#include <vector>

namespace wattle::stats {
namespace {

using Sample = std::vector<double>;

const Sample kA = {0.11, -0.03, 0.2, 0.07, 0.16, 0.02, 0.09, 0.12};
const Sample kB = {-0.01, 0.02, 0.03, -0.02};
const Sample kC = {1.5, -0.4};
const Sample kD = {-0.10, -0.12, -0.09, -0.11, -0.10, -0.13, -0.08, -0.105, -0.11, -0.095, -0.12, -0.1};

Sample normal_sample(std::mt19937_64& random, int n, double mean, double deviation) {
  std::normal_distribution<double> normal(mean, deviation);
  Sample sample;
  for (int i = 0; i < n; ++i) sample.push_back(normal(random));
  return sample;
}

TEST(LogEValue, agrees_with_numeric_integration_over_spread_and_effect) {
  // The likelihood times both priors, integrated over sd and delta by quadrature: none of the header's formulas in it.
  struct Case {
    const Sample& values;
    double null_mean;
    double g;
    double two_sided, greater, less;
  };
  const Case cases[] = {
      {kA, 0.0, 1.0, 2.294479689514, 2.9819221002, -2.181676792961},
      {kA, 0.05, 0.5, 0.1922594359051, 0.7961446239366, -1.575071911484},
      {kB, 0.0, 1.0, -0.7137942080635, -0.4425899698417, -1.087096495037},
      {kB, 0.01, 2.0, -0.9973248230306, -1.394593163935, -0.7137664677627},
      {kC, 0.0, 1.0, -0.3661543674841, -0.02320713765074, -0.8922533741674},
      {kD, -0.1, 1.0, -0.5628111321764, -1.990393175702, 0.002566162967901},
      {kD, -0.05, 1.0, 11.0266832991, -2.713045430442, 11.71982994029},
  };
  for (const Case& one : cases) {
    const auto e = [&](Alternative alternative) {
      return log_e_value(one.values, {one.null_mean, alternative, one.g}).value();
    };
    EXPECT_NEAR(e(Alternative::two_sided), one.two_sided, 1e-9);
    EXPECT_NEAR(e(Alternative::greater), one.greater, 1e-9);
    EXPECT_NEAR(e(Alternative::less), one.less, 1e-9);
  }
}

TEST(LogEValue, nothing_is_known_of_fewer_than_two_values) {
  EXPECT_EQ(log_e_value(Sample{}).value(), 0.0);
  EXPECT_EQ(log_e_value(Sample{5.0}).value(), 0.0);
  EXPECT_TRUE(std::isinf(confidence_sequence(Sample{5.0}, 0.95)->high));
}

TEST(LogEValue, equal_values_are_the_limit_of_no_spread) {
  EXPECT_NEAR(log_e_value(Sample(8, 0.3)).value(), 3.5 * std::log(9.0), 1e-12);
  EXPECT_NEAR(log_e_value(Sample(8, 0.3), {0.3}).value(), -0.5 * std::log(9.0), 1e-12) << "equal to the hypothesis";
  EXPECT_NEAR(log_e_value(Sample(8, 0.3), {0.0, Alternative::greater}).value(), 3.5 * std::log(9.0) + std::log(2.0),
              1e-3);
  const auto sequence = confidence_sequence(Sample(8, 0.3), 0.95);
  EXPECT_NEAR(sequence->low, 0.3, 1e-12);
  EXPECT_NEAR(sequence->high, 0.3, 1e-12);
}

TEST(LogEValue, what_is_no_number_is_bad_input) {
  const double nan = std::numeric_limits<double>::quiet_NaN();
  const double infinite = std::numeric_limits<double>::infinity();
  EXPECT_EQ(log_e_value(Sample{1.0, nan}).error().kind, ErrorKind::bad_input);
  EXPECT_EQ(log_e_value(Sample{1.0, infinite}).error().kind, ErrorKind::bad_input);
  EXPECT_EQ(log_e_value(Sample{1e300, -1e300}).error().kind, ErrorKind::bad_input);
  EXPECT_FALSE(log_e_value(kA, {nan}));
  EXPECT_FALSE(log_e_value(kA, {0.0, Alternative::less, 0.0}));
  EXPECT_FALSE(confidence_sequence(kA, 1.0));
  EXPECT_FALSE(log_e_majority(3, 2));
}

TEST(LogEValue, stays_finite_and_consistent_for_many_values_and_huge_t) {
  std::mt19937_64 random(1);
  for (const int n : {2, 30, 10'000}) {
    for (const double deviation : {1e-12, 1e-3, 1.0, 100.0}) {
      const Sample values = normal_sample(random, n, 1.0, deviation);
      const double two = log_e_value(values).value();
      const double more = log_e_value(values, {0.0, Alternative::greater}).value();
      const double less = log_e_value(values, {0.0, Alternative::less}).value();
      EXPECT_TRUE(std::isfinite(more) && std::isfinite(less)) << n << ' ' << deviation;
      // E = (E+ + E-) / 2
      const double larger = std::max(more, less);
      const double sum = larger + std::log1p(std::exp(std::min(more, less) - larger)) - std::log(2.0);
      EXPECT_NEAR(sum, two, 1e-9 * std::max(1.0, std::abs(two)));
    }
  }
}

TEST(LogEValue, the_unit_does_not_matter_and_a_larger_sample_mean_is_never_less_evidence_of_more) {
  Sample scaled;
  for (const double value : kA) scaled.push_back(value * 1e9);
  EXPECT_NEAR(log_e_value(scaled).value(), log_e_value(kA).value(), 1e-9);
  double last = -1e9;
  for (double null_mean = 20.0; null_mean >= -20.0; null_mean -= 0.01) {
    const double e = log_e_value(kA, {null_mean, Alternative::greater}).value();
    EXPECT_GE(e, last - 1e-12);
    last = e;
  }
}

TEST(ConfidenceSequence, its_ends_are_where_the_e_value_reaches_the_bar) {
  for (const Sample& values : {kA, kD}) {
    const auto sequence = confidence_sequence(values, 0.99, 0.7);
    ASSERT_TRUE(std::isfinite(sequence->low));
    for (const double end : {sequence->low, sequence->high}) {
      EXPECT_NEAR(log_e_value(values, {end, Alternative::two_sided, 0.7}).value(), std::log(100.0), 1e-9);
    }
  }
  EXPECT_TRUE(std::isinf(confidence_sequence(kB, 0.95)->low)) << "(1 + 4)^3 is below 20^2";
}

TEST(LogEMajority, agrees_with_numeric_integration) {
  EXPECT_NEAR(log_e_majority(0, 0).value(), 0.0, 1e-12);
  EXPECT_NEAR(log_e_majority(1, 1).value(), 0.5596157879354, 1e-11);
  EXPECT_NEAR(log_e_majority(0, 1).value(), -1.38629436112, 1e-11);
  EXPECT_NEAR(log_e_majority(8, 8).value(), 5.052345782678, 1e-11);
  EXPECT_NEAR(log_e_majority(3, 8).value(), -2.048188998176, 1e-11);
  EXPECT_NEAR(log_e_majority(28, 30).value(), 11.28508194979, 1e-11);
  EXPECT_TRUE(std::isfinite(log_e_majority(1000, 1000).value()) && std::isfinite(log_e_majority(0, 1000).value()));
}

// Of 4,000 normal samples looked at after every value up to 50, the part for which the test ever rejects.
template <class Rejects>
double ever_rejected(double mean, Rejects rejects) {
  std::mt19937_64 random(7);
  int rejected = 0;
  for (int study = 0; study < 4000; ++study) {
    const Sample values = normal_sample(random, 50, mean, 0.3);
    bool ever = false;
    for (std::size_t n = 2; n <= values.size() && !ever; ++n) ever = rejects(std::span(values).first(n));
    rejected += ever ? 1 : 0;
  }
  return rejected / 4000.0;
}

TEST(Peeking, after_every_value_keeps_the_error_of_each_alternative) {
  constexpr double kThreeErrors = 3.0 * 0.00345;  // binomial, 4,000 of 5 %
  for (const Alternative alternative : {Alternative::two_sided, Alternative::greater, Alternative::less}) {
    const double rate = ever_rejected(0.0, [&](std::span<const double> values) {
      return log_e_value(values, {0.0, alternative}).value() >= std::log(20.0);
    });
    EXPECT_LE(rate, 0.05 + kThreeErrors);
    EXPECT_GE(rate, 0.01) << "a test that never rejects would pass too";
  }
  const double uncovered = ever_rejected(0.2, [](std::span<const double> values) {
    const auto sequence = confidence_sequence(values, 0.95);
    return sequence->low > 0.2 || sequence->high < 0.2;
  });
  EXPECT_LE(uncovered, 0.05 + kThreeErrors);
}

TEST(Peeking, at_a_fixed_sample_test_would_not_keep_it) {
  const double rate = ever_rejected(0.0, [](std::span<const double> values) {
    const auto test = values.size() < 6 ? SignedRank{} : signed_rank(values).value();
    return test.p_value < 0.05;
  });
  EXPECT_GT(rate, 0.15);
}

}  // namespace
}  // namespace wattle::stats
