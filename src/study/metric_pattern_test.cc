#include "study/metric_pattern.h"

#include <gtest/gtest.h>

#include <cmath>
#include <string>

namespace wattle::study {
namespace {

MetricPattern pattern(const char* text) {
  auto compiled = MetricPattern::compile(text);
  EXPECT_TRUE(compiled) << compiled.error().message;
  return *compiled;
}

TEST(MetricPattern, reads_value_and_epoch_wherever_their_groups_stand) {
  const auto line = pattern(R"((step|epoch) (?<epoch>\d+) (?:val_)?acc(uracy)? (?<value>[\d.]+))");
  const auto found = line.match("12:01 epoch 3 val_accuracy 0.913 (best)");
  ASSERT_TRUE(found);
  EXPECT_EQ(found->epoch, 3);
  EXPECT_EQ(found->value, 0.913);
  const auto turned = pattern(R"(acc (?<value>\S+) after (?P<epoch>\d+))").match("acc 1e-3 after 12");
  ASSERT_TRUE(turned);
  EXPECT_EQ(turned->value, 1e-3);
  EXPECT_EQ(turned->epoch, 12);
}

TEST(MetricPattern, brackets_in_classes_and_escapes_are_no_groups) {
  const auto found = pattern(R"([(\](] \((?<value>\d+)\))").match("( (42)");
  ASSERT_TRUE(found);
  EXPECT_EQ(found->value, 42.0);
}

TEST(MetricPattern, what_is_no_number_is_no_metric) {
  const auto any = pattern(R"(acc (?<value>\S+)(?: at (?<epoch>-?\d+))?)");
  EXPECT_FALSE(any.match("acc unknown"));
  EXPECT_FALSE(any.match("loss 3"));
  EXPECT_FALSE(any.match("acc 0.5 at 99999999999"));
  EXPECT_FALSE(any.match("acc 0.5 at -1"));
  EXPECT_FALSE(any.match("acc 0.5 at 99999999999999999999999"));
  EXPECT_FALSE(any.match("acc 0.5")->epoch);
  EXPECT_TRUE(std::isnan(any.match("acc nan")->value)) << "a diverged run says nan, and that is a value";
}

TEST(MetricPattern, says_what_is_wrong_with_an_expression) {
  const auto why = [](const std::string& text) {
    const auto compiled = MetricPattern::compile(text);
    EXPECT_FALSE(compiled) << text;
    return compiled ? std::string() : compiled.error().message + "|" + compiled.error().hint;
  };
  EXPECT_NE(why("acc (.*)").find("no group (?<value>…)"), std::string::npos);
  EXPECT_NE(why("(?<valeu>.*)").find("did you mean `value`?"), std::string::npos);
  EXPECT_NE(why("(?<value>.)(?<value>.)").find("two groups `value`"), std::string::npos);
  EXPECT_NE(why("(?<value>.").find("round bracket"), std::string::npos);
  EXPECT_NE(why("(?<value").find("without its `>`"), std::string::npos);
  EXPECT_NE(why("(?<value>[a-z").find("bracket ["), std::string::npos);
  EXPECT_NE(why("(?<value>*)").find("nothing to repeat"), std::string::npos);
  EXPECT_NE(why("(?<=x)(?<value>.)").find("not supported"), std::string::npos);
  EXPECT_NE(why("(?i)(?<value>.)").find("not supported"), std::string::npos);
  EXPECT_NE(why(R"((?<value>a)\1)").find("not supported"), std::string::npos);
  EXPECT_NE(why("").find("no group"), std::string::npos);
  EXPECT_NE(why("\\").find("no group"), std::string::npos);
  EXPECT_NE(why("(").find("no group"), std::string::npos);
  EXPECT_NE(why("(?").find("not supported"), std::string::npos);
}

TEST(MetricPattern, expressions_that_would_exhaust_the_machine_are_refused) {
  EXPECT_FALSE(MetricPattern::compile("(?<value>a)" + std::string(2000, 'x')));
  EXPECT_FALSE(MetricPattern::compile("(?<value>(a{100}){100})"));
  EXPECT_FALSE(MetricPattern::compile("(?<value>a{4294967296})"));
  EXPECT_FALSE(MetricPattern::compile("(?<value>a{99999999999999999999999})"));
  EXPECT_TRUE(MetricPattern::compile("(?<value>" + std::string(480, '(') + "1" + std::string(480, ')') + ")"));
}

// With a backtracking executor the first of these takes longer than the universe has, and the second overflows the
// stack; here both simply return.
TEST(MetricPattern, no_line_makes_matching_explode) {
  EXPECT_FALSE(pattern("(?<value>(a+)+)$").match(std::string(300, 'a') + "!"));
  EXPECT_FALSE(pattern("x(?<value>(.|\\n)*)y").match("x" + std::string(1'000'000, 'z')));
  EXPECT_FALSE(pattern(".*acc (?<value>\\d)").match(std::string(4000, 'z')));
  EXPECT_FALSE(pattern("(?<value>.*)$").match(std::string(100, '\0')));
}

TEST(MetricPattern, an_expression_that_takes_the_whole_line_finds_the_last_number) {
  const auto last = pattern(R"(.*acc (?<value>\d))");
  EXPECT_EQ(last.match("acc 1 acc 2")->value, 2.0);
  EXPECT_EQ(last.match("acc\racc 3")->value, 3.0) << "a dot does not take a carriage return";
  EXPECT_EQ(pattern(R"(.*x(?:a|b)|y(?<value>\d))").match("zy4")->value, 4.0);
}

TEST(MetricPattern, only_the_first_four_kibibytes_of_a_line_are_read) {
  const auto acc = pattern(R"(acc (?<value>\d+))");
  EXPECT_TRUE(acc.match(std::string(MetricPattern::kLongestLine - 5, '.') + "acc 7"));
  EXPECT_FALSE(acc.match(std::string(MetricPattern::kLongestLine, '.') + "acc 7"));
}

}  // namespace
}  // namespace wattle::study
