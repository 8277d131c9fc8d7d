// Against R, SciPy and enumeration: tests/reference/r_reference.py wrote the cases. Agreement is to 1e-9 relative; each
// exception says why where it stands.
#include <gtest/gtest.h>

#include "stats/anova.h"
#include "stats/correlation.h"
#include "stats/effect_size.h"
#include "stats/interaction.h"
#include "stats/kruskal_wallis.h"
#include "stats/means.h"
#include "stats/multiplicity.h"
#include "stats/power.h"
#include "stats/rank_sum.h"
#include "stats/reference_cases.h"
#include "stats/shapiro_wilk.h"
#include "stats/signed_rank.h"

namespace wattle::stats {
namespace {

using namespace reference;

template <class Check>
void for_each_case(const std::string& kind, std::size_t at_least, Check check) {
  for_each(WATTLE_R_REFERENCE, kind, at_least, check);
}

TEST(RReference, the_normal_signed_rank_test_agrees_with_wilcox_test) {
  for_each_case("signed_rank_normal", 20, [](const Json& one, const Json& answer) {
    for (const auto& [name, alternative] : kAlternatives) {
      for (const bool continuity : {true, false}) {
        SignedRankOptions options;
        options.alternative = alternative;
        options.method = Method::normal;
        options.continuity = continuity;
        const auto ours = signed_rank(one.at("x").get<Sample>(), options);
        ASSERT_TRUE(ours);
        EXPECT_FALSE(ours->exact);
        expect_same(ours->w_plus, answer.at("w_plus"));
        const double theirs = answer.at(continuity ? "with" : "without").at(name);
        // R moves the sum towards its mean and not beyond; two-sided at the mean both say 1.
        expect_same(ours->p_value, std::min(1.0, theirs));
      }
    }
  });
}

TEST(RReference, the_exact_signed_rank_test_agrees_with_wilcox_test_and_exact_rank_tests) {
  for_each_case("signed_rank_exact", 12, [](const Json& one, const Json& answer) {
    for (const auto& [name, alternative] : kAlternatives) {
      SignedRankOptions options;
      options.alternative = alternative;
      options.method = Method::exact;
      const auto ours = signed_rank(one.at("x").get<Sample>(), options);
      ASSERT_TRUE(ours);
      EXPECT_TRUE(ours->exact);
      expect_same(ours->p_value, answer.at("p").at(name));
    }
  });
}

TEST(RReference, the_normal_rank_sum_test_agrees_with_wilcox_test) {
  for_each_case("rank_sum_normal", 20, [](const Json& one, const Json& answer) {
    for (const auto& [name, alternative] : kAlternatives) {
      for (const bool continuity : {true, false}) {
        const auto ours = rank_sum(one.at("x").get<Sample>(), one.at("y").get<Sample>(),
                                   {0.0, alternative, Method::normal, continuity});
        ASSERT_TRUE(ours);
        expect_same(ours->u, answer.at("u"));
        expect_same(ours->p_value, answer.at(continuity ? "with" : "without").at(name));
      }
    }
  });
}

TEST(RReference, the_exact_rank_sum_test_agrees_with_wilcox_test_and_exact_rank_tests) {
  for_each_case("rank_sum_exact", 19, [](const Json& one, const Json& answer) {
    for (const auto& [name, alternative] : kAlternatives) {
      const auto ours = rank_sum(one.at("x").get<Sample>(), one.at("y").get<Sample>(), {0.0, alternative});
      ASSERT_TRUE(ours);
      EXPECT_TRUE(ours->exact);
      expect_same(ours->p_value, answer.at("p").at(name));
    }
  });
}

void check_spearman(const Json& one, const Json& answer, Method method) {
  for (const auto& [name, alternative] : kAlternatives) {
    const auto ours = spearman(one.at("x").get<Sample>(), one.at("y").get<Sample>(), {alternative, method});
    ASSERT_TRUE(ours);
    expect_same(ours->rho, answer.at("rho"));
    expect_same(ours->p_value, answer.at("p").at(name));
  }
}

TEST(RReference, exact_spearman_agrees_with_cor_test_and_with_counting) {
  for_each_case("spearman_exact", 17,
                [](const Json& one, const Json& answer) { check_spearman(one, answer, Method::exact); });
}

TEST(RReference, approximate_spearman_agrees_with_cor_test) {
  for_each_case("spearman_t", 10,
                [](const Json& one, const Json& answer) { check_spearman(one, answer, Method::normal); });
}

TEST(RReference, cliffs_interval_agrees_with_the_whole_matrix) {
  for_each_case("dominance", 20, [](const Json& one, const Json& answer) {
    const Sample x = one.at("x");
    const Sample y = one.at("y");
    for (const auto& [name, quantile] : {std::pair("student", Quantile::student), {"normal", Quantile::normal}}) {
      const auto ours = dominance(x, y, one.at("level"), quantile);
      ASSERT_TRUE(ours);
      expect_same(ours->delta, answer.at("delta"));
      expect_same(ours->variance.value(), answer.at("variance"));
      expect_same(ours->interval->low, answer.at(name).at(0));
      expect_same(ours->interval->high, answer.at(name).at(1));
    }
    expect_same(vargha_delaney(x, y).value(), (answer.at("delta").get<double>() + 1.0) / 2.0);
  });
}

TEST(RReference, shapiro_wilk_agrees_with_shapiro_test) {
  for_each_case("shapiro_wilk", 25, [](const Json& one, const Json& answer) {
    const auto ours = shapiro_wilk(one.at("x").get<Sample>());
    ASSERT_TRUE(ours);
    expect_same(ours->w, answer.at("w"));
    // R takes the p-value from 1 - W after rounding W: where W is near 1 the logarithm of the rest keeps fewer digits.
    expect_same(ours->p_value, answer.at("p"));
  });
}

void expect_same_test(const Result<FTest>& ours, const Json& theirs) {
  ASSERT_TRUE(ours) << ours.error().message;
  expect_same(ours->f, theirs.at("f"));
  expect_same(ours->between_degrees, theirs.at("between"));
  expect_same(ours->within_degrees, theirs.at("within"));
  expect_same(ours->p_value, theirs.at("p"));
}

TEST(RReference, tests_of_groups_agree_with_r_car_and_rstatix) {
  for_each_case("groups", 28, [](const Json& one, const Json& answer) {
    const auto samples = one.at("groups").get<std::vector<Sample>>();
    const auto groups = groups_of(samples);
    const auto ranks = kruskal_wallis(groups);
    ASSERT_TRUE(ranks);
    expect_same(ranks->h, answer.at("kruskal").at("h"));
    expect_same(ranks->p_value, answer.at("kruskal").at("p"));
    expect_same(ranks->eta_squared, answer.at("kruskal").at("eta"));
    expect_same_test(anova(groups), answer.at("anova"));
    expect_same(anova(groups)->eta_squared.value(), answer.at("anova").at("eta"));
    expect_same_test(welch_anova(groups), answer.at("welch"));
    expect_same_test(levene(groups), answer.at("levene"));
    expect_same_test(brown_forsythe(groups), answer.at("brown_forsythe"));
    const auto pairs = dunn(groups);
    ASSERT_TRUE(pairs);
    const Json& theirs = answer.at("dunn");
    // jsonlite writes a list of one as that one.
    const auto at = [&](const char* key, std::size_t i) {
      return theirs.at(key).is_array() ? theirs.at(key).at(i).get<double>() : theirs.at(key).get<double>();
    };
    for (std::size_t i = 0; i < pairs->size(); ++i) {
      EXPECT_EQ(static_cast<double>((*pairs)[i].first + 1), at("first", i));
      EXPECT_EQ(static_cast<double>((*pairs)[i].second + 1), at("second", i));
      expect_same((*pairs)[i].z, at("z", i));
      expect_same((*pairs)[i].p_value, at("p", i));
      expect_same((*pairs)[i].adjusted, at("adjusted", i));
    }
  });
}

TEST(RReference, t_tests_agree_with_t_test) {
  for_each_case("t_test", 16, [](const Json& one, const Json& answer) {
    const Sample x = one.at("x");
    const Sample y = one.at("y");
    for (const auto& [name, alternative] : kAlternatives) {
      const TTestOptions options{one.at("mu"), alternative, one.at("level")};
      const auto ours = y.empty() ? one_sample_t(x, options) : welch_t(x, y, options);
      ASSERT_TRUE(ours);
      expect_same(ours->t, answer.at("t"));
      expect_same(ours->degrees, answer.at("degrees"));
      expect_same(ours->p_value, answer.at("p").at(name));
      expect_same(ours->interval.low, answer.at("low"));
      expect_same(ours->interval.high, answer.at("high"));
    }
  });
}

TEST(RReference, margins_of_means_agree_with_two_t_tests) {
  for_each_case("margins", 10, [](const Json& one, const Json& answer) {
    const Sample x = one.at("x");
    const Sample y = one.at("y");
    const double margin = one.at("margin");
    const auto ours = y.empty() ? mean_equivalence(x, margin) : mean_equivalence(x, y, margin);
    const auto one_side = y.empty() ? mean_non_inferiority(x, margin) : mean_non_inferiority(x, y, margin);
    ASSERT_TRUE(ours);
    expect_same(ours->above_lower.p_value, answer.at("lower"));
    expect_same(ours->below_upper.p_value, answer.at("upper"));
    expect_same(ours->p_value, std::max(answer.at("lower").get<double>(), answer.at("upper").get<double>()));
    expect_same(one_side->p_value, answer.at("lower"));
  });
}

TEST(RReference, the_interaction_agrees_with_analysis_of_variance) {
  for_each_case("interaction", 9, [](const Json& one, const Json& answer) {
    const auto first = one.at("first").get<std::vector<int>>();
    const auto second = one.at("second").get<std::vector<int>>();
    const auto ours = interaction(one.at("values").get<Sample>(), first, second, {99});
    ASSERT_TRUE(ours) << ours.error().message;
    expect_same(ours->f, answer.at("f"));
    expect_same(ours->interaction_degrees, answer.at("between"));
    expect_same(ours->residual_degrees, answer.at("within"));
    expect_same(ours->partial_eta_squared, answer.at("eta"));
  });
}

TEST(RReference, power_agrees_with_power_t_test) {
  for_each_case("t_power", 20, [](const Json& one, const Json& answer) {
    const auto power = one.at("type") == "paired" ? paired_t_power : two_sample_t_power;
    const int n = one.at("n");
    expect_same(power(n, one.at("effect"), one.at("alpha"), Alternative::two_sided).value(), answer.at("two_sided"));
    expect_same(power(n, one.at("effect"), one.at("alpha"), Alternative::greater).value(), answer.at("greater"));
    expect_same(power(n, -one.at("effect").get<double>(), one.at("alpha"), Alternative::less).value(),
                answer.at("greater"));
  });
}

TEST(RReference, adjusted_p_values_agree_with_p_adjust) {
  for_each_case("adjusted", 8, [](const Json& one, const Json& answer) {
    const Sample p = one.at("p");
    const auto list = [](const Json& value) {
      return value.is_array() ? value.get<Sample>() : Sample{value.get<double>()};
    };
    const Sample theirs_holm = list(answer.at("holm"));
    const Sample theirs_bh = list(answer.at("benjamini_hochberg"));
    for (std::size_t i = 0; i < p.size(); ++i) {
      expect_same(holm(p)->at(i), theirs_holm[i]);
      expect_same(benjamini_hochberg(p)->at(i), theirs_bh[i]);
    }
  });
}

}  // namespace
}  // namespace wattle::stats
