#include "study/mutation.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <set>

#include "study/random.h"

namespace wattle::study {
namespace {

Parameter whole(std::int64_t value, std::optional<double> low = {}, std::optional<double> high = {}) {
  return {"epochs", ParameterType::integer, value, low, high, false, {}, {}};
}
Parameter real(double value, std::optional<double> low = {}, std::optional<double> high = {}) {
  return {"learning_rate", ParameterType::real, value, low, high, false, {}, {}};
}
MutationRule ranged(const Parameter& parameter, MutationOperator op, double low, double high, int mutants) {
  MutationRule rule;
  rule.parameter = parameter.name;
  rule.workloads = {"w"};
  rule.op = op;
  rule.low = low;
  rule.high = high;
  rule.mutants = mutants;
  return rule;
}
MutationRule listed(const Parameter& parameter, std::vector<Value> values) {
  MutationRule rule = ranged(parameter, MutationOperator::values, 1, 1, static_cast<int>(values.size()));
  rule.values = std::move(values);
  return rule;
}
MutationRule stepped(const Parameter& parameter, double step, int mutants) {
  MutationRule rule = ranged(parameter, MutationOperator::step, 1, 1, mutants);
  rule.step = step;
  return rule;
}
Mutants draw(const std::vector<Parameter>& parameters, const std::vector<MutationRule>& rules,
             std::uint64_t seed = 42) {
  Workload workload;
  workload.name = "w";
  workload.parameters = parameters;
  return draw_mutants(seed, workload, rules);
}
std::vector<Value> values_of(const Mutants& mutants) {
  std::vector<Value> values;
  for (const Mutant& mutant : mutants.mutants) values.push_back(mutant.value);
  return values;
}

TEST(Random, gives_the_published_sequence) {
  // The first outputs of SplitMix64 from the state 1234567, as its reference implementation prints them.
  Random random(1234567);
  EXPECT_EQ(random.bits(), 6457827717110365317U);
  EXPECT_EQ(random.bits(), 3203168211198807973U);
  EXPECT_EQ(random.bits(), 9817491932198370423U);
}

TEST(Random, words_that_differ_give_seeds_that_differ) {
  EXPECT_NE(derived_seed({"ab", "c"}), derived_seed({"a", "bc"}));
  EXPECT_NE(derived_seed({"a"}), derived_seed({"a", ""}));
  EXPECT_EQ(derived_seed({"a"}), derived_seed({"a"}));
}

TEST(Random, below_is_even_and_in_range) {
  Random random(1);
  std::vector<int> counts(6);
  for (int i = 0; i < 60'000; ++i) ++counts[random.below(6)];
  for (const int count : counts) EXPECT_NEAR(count, 10'000, 500) << "5.5 standard deviations";
  for (int i = 0; i < 1000; ++i) {
    const double unit = random.unit();
    EXPECT_TRUE(unit >= 0.0 && unit < 1.0);
  }
}

// Random defaults, ranges and domains: whatever comes out keeps every promise of the header.
TEST(Mutation, every_mutant_is_typed_in_its_domain_distinct_and_not_the_default) {
  Random random(7);
  int yielded = 0;
  for (int round = 0; round < 500; ++round) {
    const bool is_whole = random.below(2) == 0;
    const double sign = random.below(4) == 0 ? -1.0 : 1.0;
    const double size = std::exp(random.unit() * 12.0 - 4.0) * sign;
    Parameter parameter = is_whole ? whole(std::llround(size)) : real(size);
    const double low = random.unit();
    const double high = low + 0.001 + random.unit() * 10.0;
    if (random.below(2) == 0) parameter.minimum = std::min(size, *to_number(parameter.default_value)) - random.unit();
    if (random.below(2) == 0) parameter.maximum = std::max(size, *to_number(parameter.default_value)) + random.unit();
    const auto op = random.below(2) == 0 ? MutationOperator::scale : MutationOperator::log_scale;
    const auto rule = ranged(parameter, op, low + 1e-6, high, 1 + static_cast<int>(random.below(5)));
    const auto more = stepped(parameter, is_whole ? 1.0 : 0.01, 2);
    const Mutants drawn = draw({parameter}, {rule, rule, more}, round);
    const auto values = values_of(drawn);
    std::set<Value> seen{parameter.default_value};
    for (const Value& value : values) {
      EXPECT_EQ(why_not(parameter, value), "");
      EXPECT_TRUE(seen.insert(value).second) << "twice, or the default: " << to_text(value);
    }
    for (const Mutant& mutant : drawn.mutants) {
      if (mutant.rule == 2) continue;
      const double factor = *to_number(mutant.value) / *to_number(parameter.default_value);
      EXPECT_GE(factor, (low + 1e-6) * (1 - 1e-12));
      EXPECT_LE(factor, high * (1 + 1e-12));
      ++yielded;
    }
    const std::size_t wanted = static_cast<std::size_t>(2 * rule.mutants) + 2;
    EXPECT_EQ(drawn.failures.empty(), values.size() == wanted) << "short exactly when a failure says so";
  }
  EXPECT_GT(yielded, 1000);
}

TEST(Mutation, reals_have_three_significant_digits) {
  const auto values = values_of(draw({real(0.05)}, {ranged(real(0.05), MutationOperator::log_scale, 0.1, 10, 50)}));
  ASSERT_EQ(values.size(), 50U);
  for (const Value& value : values)
    EXPECT_LE(to_text(value).find_last_not_of('0') - to_text(value).find_first_of("123456789"), 3U) << to_text(value);
}

TEST(Mutation, log_scale_spends_as_much_on_smaller_as_on_larger) {
  const auto rule = ranged(real(1.0), MutationOperator::log_scale, 0.01, 100, 400);
  const auto values = values_of(draw({real(1.0)}, {rule}));
  const auto below =
      std::count_if(values.begin(), values.end(), [](const Value& v) { return std::get<double>(v) < 1.0; });
  EXPECT_NEAR(static_cast<double>(below), 200, 60) << "six standard deviations";
  const auto even = values_of(draw({real(1.0)}, {ranged(real(1.0), MutationOperator::scale, 0.01, 100, 400)}));
  EXPECT_LT(std::count_if(even.begin(), even.end(), [](const Value& v) { return std::get<double>(v) < 1.0; }), 20);
}

TEST(Mutation, a_range_gives_all_the_whole_numbers_that_it_holds_and_no_more) {
  for (const auto op : {MutationOperator::scale, MutationOperator::log_scale}) {
    auto values = values_of(draw({whole(100)}, {ranged(whole(100), op, 0.5, 2.0, 150)}));
    std::sort(values.begin(), values.end());
    ASSERT_EQ(values.size(), 150U);
    EXPECT_EQ(values.front(), Value(std::int64_t{50}));
    EXPECT_EQ(values.back(), Value(std::int64_t{200}));
  }
  const auto one_more = draw({whole(100)}, {ranged(whole(100), MutationOperator::scale, 0.5, 2.0, 151)});
  ASSERT_EQ(one_more.failures.size(), 1U);
  EXPECT_EQ(one_more.failures[0].message,
            "range [0.5, 2] of `epochs` (default 100) holds 150 other whole numbers, not 151");
}

TEST(Mutation, rules_that_cannot_yield_say_so_and_what_would_help) {
  const auto why = [](const Parameter& parameter, const MutationRule& rule) {
    const auto drawn = draw({parameter}, {rule});
    EXPECT_EQ(drawn.failures.size(), 1U);
    return drawn.failures.empty() ? "" : drawn.failures[0].message + "; " + drawn.failures[0].suggestion;
  };
  EXPECT_EQ(why(whole(1), ranged(whole(1), MutationOperator::scale, 0.75, 1.25, 1)),
            "range [0.75, 1.25] of `epochs` (default 1) holds no other whole number; widen it or use `step`");
  EXPECT_EQ(why(whole(6), ranged(whole(6), MutationOperator::scale, 0.75, 1.25, 3)),
            "range [0.75, 1.25] of `epochs` (default 6) holds 2 other whole numbers, not 3; widen it or ask for fewer "
            "mutants");
  EXPECT_EQ(why(real(0.5), ranged(real(0.5), MutationOperator::scale, 0.9999, 1.0001, 1)),
            "range [0.9999, 1.0001] of `learning_rate` (default 0.5) holds no other value of three digits; widen it or "
            "use `step`");
  EXPECT_EQ(why(real(0.0), ranged(real(0.0), MutationOperator::scale, 0.5, 2, 1)),
            "the default of `learning_rate` is 0, and 0 times any factor is 0; use operator `values` or `step`");
  EXPECT_EQ(why(real(0.5, 0.5, 0.5), stepped(real(0.5), 0.1, 1)),
            "steps of 0.1 from the default 0.5 give `learning_rate` 0 new values, not 1; take smaller steps or fewer "
            "mutants");
  EXPECT_EQ(why(whole(5), stepped(whole(5), 0.5, 1)),
            "step 0.5 of `epochs` is not a whole number, and its values are; ");
  EXPECT_EQ(why(whole(5, 1), listed(whole(5), {std::int64_t{7}, std::int64_t{0}})),
            "`epochs`: 0 is below the smallest, 1; ");
  EXPECT_EQ(why(real(0.1), listed(real(0.1), {0.1})),
            "0.1 is the default of `learning_rate`: the original has it; leave it out");
  EXPECT_EQ(why(real(0.1), listed(real(0.1), {0.2, 0.2})),
            "0.2 stands among the values of `learning_rate` already; leave it out");
  const Parameter choice{"optimizer", ParameterType::choice, std::string("sgd"), {}, {}, false, {"sgd", "adam"}, {}};
  EXPECT_EQ(why(choice, ranged(choice, MutationOperator::scale, 0.5, 2, 1)),
            "operator `scale` needs numbers, and `optimizer` is choice; use operator `values`");
  EXPECT_EQ(why(choice, listed(choice, {std::string("adma")})),
            "`optimizer`: `adma` is not one of sgd, adam; did you mean `adam`?");
}

TEST(Mutation, enormous_bounds_do_not_overflow) {
  const auto drawn =
      draw({whole(4'000'000'000'000'000'000)}, {ranged(whole(1), MutationOperator::scale, 0.5, 1e300, 3)});
  EXPECT_EQ(drawn.failures.size() + drawn.mutants.size() / 3, 1U);
  const auto outside = draw({whole(5, 1e300)}, {ranged(whole(5), MutationOperator::log_scale, 0.5, 2, 1)});
  EXPECT_EQ(outside.failures.size(), 1U);
}

TEST(Mutation, steps_alternate_nearest_first_and_stay_in_the_domain) {
  EXPECT_EQ(values_of(draw({whole(3, 2, 9)}, {stepped(whole(3), 1, 4)})),
            (std::vector<Value>{std::int64_t{4}, std::int64_t{2}, std::int64_t{5}, std::int64_t{6}}));
  EXPECT_EQ(values_of(draw({real(0.1)}, {stepped(real(0.1), 0.1, 3)})), (std::vector<Value>{0.2, 0.0, 0.3}))
      << "0.1 + 2 × 0.1 is 0.3";
}

TEST(Mutation, switches_and_choices_mutate_by_values) {
  const Parameter truth{"nesterov", ParameterType::boolean, false, {}, {}, false, {}, {}};
  EXPECT_EQ(values_of(draw({truth}, {listed(truth, {true})})), std::vector<Value>{true});
  EXPECT_EQ(values_of(draw({real(0.5)}, {listed(real(0.5), {std::int64_t{1}})})), std::vector<Value>{1.0})
      << "a whole number in the file is a real where the parameter is real";
}

TEST(Mutation, other_rules_and_more_mutants_leave_what_was_drawn) {
  const auto rate = ranged(real(0.05), MutationOperator::log_scale, 0.1, 10, 3);
  const auto alone = values_of(draw({real(0.05), whole(6)}, {rate}));
  const auto epochs = ranged(whole(6), MutationOperator::scale, 0.5, 2, 2);
  const auto with_other = draw({real(0.05), whole(6)}, {epochs, rate});
  std::vector<Value> rates;
  for (const Mutant& mutant : with_other.mutants) {
    if (mutant.rule == 1) rates.push_back(mutant.value);
  }
  EXPECT_EQ(rates, alone);
  auto more = rate;
  more.mutants = 6;
  auto six = values_of(draw({real(0.05)}, {more}));
  six.resize(3);
  EXPECT_EQ(six, alone);
  EXPECT_NE(values_of(draw({real(0.05)}, {rate}, 43)), alone) << "another seed, other mutants";
}

TEST(Mutation, listed_values_are_kept_free_of_draws) {
  const auto all = ranged(whole(6), MutationOperator::scale, 0.5, 1.5, 4);
  const auto drawn = draw({whole(6)}, {all, listed(whole(6), {std::int64_t{5}, std::int64_t{8}})});
  EXPECT_TRUE(drawn.failures.empty());
  auto values = values_of(drawn);
  EXPECT_EQ(values[4], Value(std::int64_t{5}));
  std::sort(values.begin(), values.end());
  EXPECT_EQ(values, (std::vector<Value>{std::int64_t{3}, std::int64_t{4}, std::int64_t{5}, std::int64_t{7},
                                        std::int64_t{8}, std::int64_t{9}}));
}

}  // namespace
}  // namespace wattle::study
