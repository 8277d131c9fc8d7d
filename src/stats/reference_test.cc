// Against other people's code: tests/reference/stats_reference.py wrote the cases with SciPy, NumPy and enumeration.
#include <gtest/gtest.h>

#include <cmath>
#include <fstream>
#include <map>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "stats/correlation.h"
#include "stats/descriptive.h"
#include "stats/effect_size.h"
#include "stats/hodges_lehmann.h"
#include "stats/multiplicity.h"
#include "stats/rank.h"
#include "stats/reference_cases.h"
#include "stats/signed_rank.h"

namespace wattle::stats {
namespace {

using Json = nlohmann::json;
using Sample = std::vector<double>;

using reference::kRelative;

void expect_close(double ours, double theirs) { reference::expect_same(ours, theirs); }

void expect_close(const Sample& ours, const Sample& theirs) {
  ASSERT_EQ(ours.size(), theirs.size());
  for (std::size_t i = 0; i < ours.size(); ++i) expect_close(ours[i], theirs[i]);
}

std::vector<Json> cases_of(const std::string& kind) {
  std::ifstream file(WATTLE_STATS_REFERENCE);
  const Json all = Json::parse(file);
  std::vector<Json> chosen;
  for (const Json& one : all.at("cases")) {
    if (one.at("kind") == kind) chosen.push_back(one);
  }
  return chosen;
}

// Calls the check on every case of a kind; a kind without cases is a failure, not a pass.
template <class Check>
void for_each_case(const std::string& kind, std::size_t at_least, Check check) {
  const std::vector<Json> cases = cases_of(kind);
  ASSERT_GE(cases.size(), at_least);
  for (std::size_t i = 0; i < cases.size(); ++i) {
    SCOPED_TRACE(kind + " case " + std::to_string(i) + ", " + cases[i].at("source").get<std::string>());
    check(cases[i]);
  }
}

TEST(Reference, descriptions_agree_with_numpy) {
  for_each_case("describe", 10, [](const Json& one) {
    const Sample x = one.at("x");
    expect_close(mean(x).value(), one.at("mean"));
    // NumPy rounds the mean of 1e9 ± 0.001: its standard deviation is 2.6e-9 off.
    const double theirs = one.at("standard_deviation");
    EXPECT_NEAR(standard_deviation(x).value(), theirs, theirs * (mean(x).value() > 1e6 ? 1e-8 : kRelative));
    expect_close(median(x).value(), one.at("median"));
    Sample quantiles;
    for (const double p : one.at("probabilities").get<Sample>()) quantiles.push_back(quantile(x, p).value());
    expect_close(quantiles, one.at("quantiles"));
  });
}

TEST(Reference, mid_ranks_agree_with_scipy) {
  for_each_case("mid_ranks", 10,
                [](const Json& one) { expect_close(mid_ranks(one.at("x").get<Sample>()), one.at("ranks")); });
}

TEST(Reference, spearman_agrees_with_scipy_and_enumeration) {
  for_each_case("spearman", 30, [](const Json& one) {
    const Sample x = one.at("x");
    CorrelationOptions options;
    if (x.size() > 9) options.method = Method::normal;  // SciPy knows nothing else
    const auto ours = spearman(x, one.at("y").get<Sample>(), options);
    ASSERT_TRUE(ours);
    expect_close(ours->rho, one.at("rho"));
    expect_close(ours->p_value, one.at("p_value"));
    EXPECT_EQ(ours->method == CorrelationMethod::exact_permutation, ours->n <= 9);
    expect_close(ours->low.value(), one.at("low"));
    expect_close(ours->high.value(), one.at("high"));
  });
}

TEST(Reference, signed_rank_agrees_with_scipy_and_enumeration) {
  const std::map<std::string, Alternative> alternatives = {
      {"two_sided", Alternative::two_sided}, {"greater", Alternative::greater}, {"less", Alternative::less}};
  for_each_case("signed_rank", 50, [&](const Json& one) {
    for (const auto& [name, alternative] : alternatives) {
      const auto ours = signed_rank(one.at("x").get<Sample>(), {one.at("shift"), alternative, 0.0});
      ASSERT_TRUE(ours);
      EXPECT_EQ(ours->n, one.at("n").get<int>());
      expect_close(ours->w_plus, one.at("w_plus"));
      expect_close(ours->p_value, one.at(name));
      EXPECT_EQ(ours->exact, ours->n <= 50);
    }
  });
}

TEST(Reference, hodges_lehmann_agrees_with_enumeration) {
  for_each_case("hodges_lehmann", 30, [](const Json& one) {
    const auto ours = hodges_lehmann(one.at("x").get<Sample>(), one.at("level"));
    ASSERT_TRUE(ours);
    expect_close(ours->estimate, one.at("estimate"));
    const Json& interval = one.at("interval");
    ASSERT_EQ(ours->interval.has_value(), !interval.is_null());
    if (interval.is_null()) return;
    expect_close(ours->interval->low, interval.at("low"));
    expect_close(ours->interval->high, interval.at("high"));
    expect_close(ours->interval->level, interval.at("level"));
  });
}

TEST(Reference, cliffs_delta_agrees_with_enumeration) {
  for_each_case("cliffs_delta", 8, [](const Json& one) {
    expect_close(cliffs_delta(one.at("x").get<Sample>(), one.at("y").get<Sample>()).value(), one.at("delta"));
  });
}

TEST(Reference, adjusted_p_values_agree_with_their_definitions) {
  for_each_case("adjusted", 5, [](const Json& one) {
    const Sample p = one.at("x");
    expect_close(holm(p).value(), one.at("holm"));
    expect_close(benjamini_hochberg(p).value(), one.at("benjamini_hochberg"));
  });
}

}  // namespace
}  // namespace wattle::stats
