#include "study/value.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "base/text.h"

namespace wattle::study {
namespace {

Parameter real_above_zero() {
  Parameter parameter{"learning_rate", ParameterType::real, 0.1, 0.0, 10.0, true, {}, {}};
  return parameter;
}

TEST(Value, reals_look_like_reals_and_read_back_as_themselves) {
  EXPECT_EQ(to_text(1.0), "1.0");
  EXPECT_EQ(to_text(0.05), "0.05");
  EXPECT_EQ(to_text(1e-5), "1.0e-05");
  EXPECT_EQ(to_text(1e22), "1.0e+22");
  EXPECT_EQ(to_text(-0.0), "-0.0");
  for (const double value : {0.1, 1.0 / 3.0, 5e-324, 1.7976931348623157e308, 123456789.0}) {
    EXPECT_EQ(parse_real(real_text(value)), value);
  }
  EXPECT_EQ(to_text(std::int64_t{1}), "1");
  EXPECT_EQ(to_text(true), "true");
  EXPECT_EQ(to_text(std::string("sgd")), "sgd");
}

TEST(Value, a_whole_number_and_a_real_of_the_same_size_differ) {
  EXPECT_NE(Value(std::int64_t{1}), Value(1.0));
  EXPECT_EQ(to_number(Value(std::int64_t{1})), to_number(Value(1.0)));
  EXPECT_EQ(to_number(Value(true)), 1.0);
  EXPECT_FALSE(to_number(Value(std::string("1"))));
}

TEST(Parameter, says_why_a_value_does_not_fit) {
  const Parameter rate = real_above_zero();
  EXPECT_EQ(why_not(rate, 0.1), "");
  EXPECT_EQ(why_not(rate, 10.0), "");
  EXPECT_EQ(why_not(rate, 0.0), "0.0 is not above 0");
  EXPECT_EQ(why_not(rate, 10.5), "10.5 is above the largest, 10");
  EXPECT_EQ(why_not(rate, std::nan("")), "nan is not a finite number");
  EXPECT_EQ(why_not(rate, std::numeric_limits<double>::infinity()), "inf is not a finite number");
  EXPECT_EQ(why_not(rate, std::string("x\x1b")), "`x?` is not a number");
  EXPECT_EQ(why_not(rate, true), "true is not a number");
}

TEST(Parameter, types_do_not_mix) {
  const Parameter whole{"epochs", ParameterType::integer, std::int64_t{3}, 1.0, std::nullopt, false, {}, {}};
  EXPECT_EQ(why_not(whole, std::int64_t{0}), "0 is below the smallest, 1");
  EXPECT_EQ(why_not(whole, 6.0), "6.0 must be written as a whole number, without a point");
  EXPECT_EQ(why_not(whole, 6.5), "6.5 is not a whole number");
  const Parameter choice{"o", ParameterType::choice, std::string("sgd"), {}, {}, false, {"sgd", "adam"}, {}};
  EXPECT_EQ(why_not(choice, std::string("adam")), "");
  EXPECT_EQ(why_not(choice, std::string("sdg")), "`sdg` is not one of sgd, adam");
  const Parameter truth{"n", ParameterType::boolean, false, {}, {}, false, {}, {}};
  EXPECT_EQ(why_not(truth, std::int64_t{1}), "1 is neither true nor false");
}

TEST(Parameter, whole_numbers_become_real_where_reals_are_meant_and_nothing_else_changes) {
  EXPECT_EQ(coerced(real_above_zero(), std::int64_t{1}), Value(1.0));
  EXPECT_EQ(coerced(real_above_zero(), std::string("1")), Value(std::string("1")));
  const Parameter whole{"epochs", ParameterType::integer, std::int64_t{3}, {}, {}, false, {}, {}};
  EXPECT_EQ(coerced(whole, 6.0), Value(6.0));
}

TEST(Parameter, type_names_go_both_ways) {
  for (const char* name : {"bool", "int", "float", "choice", "text"}) EXPECT_EQ(to_string(*parameter_type(name)), name);
  EXPECT_FALSE(parameter_type("double"));
}

TEST(Parameter, names_can_stand_in_braces) {
  EXPECT_TRUE(is_parameter_name("learning_rate"));
  EXPECT_TRUE(is_parameter_name("_x1"));
  for (const char* name : {"", "1x", "a-b", "a b", "a}", "ä"}) EXPECT_FALSE(is_parameter_name(name)) << name;
  EXPECT_FALSE(is_parameter_name(std::string(65, 'a')));
}

}  // namespace
}  // namespace wattle::study
