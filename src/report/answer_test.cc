#include "report/answer.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <nlohmann/json.hpp>

namespace wattle::report {
namespace {

using analysis::Answer;
using analysis::Cell;
using analysis::Unit;
using ::testing::HasSubstr;
using ::testing::Not;

Answer sample() {
  Answer answer;
  answer.question = "side-by-side";
  answer.study = "a_study";
  answer.sentence = "Both took 5 % & more.";
  answer.basis = "measured";
  answer.tables = {
      {"groups",
       "the groups",
       {{"members", "together"},
        {"n", "n", Unit::count},
        {"energy_j", "energy", Unit::joules},
        {"energy_change", "change", Unit::change, true},
        {"p_value", "p", Unit::p_value}},
       {{Cell::of("<b>|a_b"), Cell::of(8.0), Cell::of(12400.0), Cell::of(0.79, 0.73, 0.85), Cell::of(0.016)},
        {Cell::of("other"), Cell::of(3.0), Cell::of(std::numeric_limits<double>::quiet_NaN()),
         Cell::absent("no block has both"), Cell::absent("too few")}}},
      {"empty", "nothing", {{"a", "a"}}, {}}};
  answer.warnings = {"energy is <estimated>"};
  answer.method = {"change: a ratio"};
  return answer;
}

std::string rendered(Format format, int width = 80, std::string_view table = {}) {
  Options options;
  options.width = width;
  const auto text = render(sample(), format, options, table);
  EXPECT_TRUE(text) << text.error().message;
  return text.value_or("");
}

TEST(Answer, text_has_units_intervals_and_reasons) {
  const std::string text = rendered(Format::text);
  EXPECT_THAT(text, HasSubstr("12.4 kJ"));
  EXPECT_THAT(text, HasSubstr("−21 % [−27, −15 %]"));
  EXPECT_THAT(text, HasSubstr("no block has both"));
  EXPECT_THAT(text, Not(HasSubstr("nothing"))) << "empty tables are left out";
  EXPECT_THAT(text, HasSubstr("! energy is"));
}

TEST(Answer, a_table_that_is_too_wide_becomes_lines_and_loses_nothing) {
  const std::string text = rendered(Format::text, 40);
  EXPECT_THAT(text, HasSubstr("change −21 %\n  [−27, −15 %] · p 0.016"));
  EXPECT_THAT(text, HasSubstr("12.4 kJ"));
  EXPECT_THAT(text, HasSubstr("no block has both"));
}

TEST(Answer, json_has_plain_numbers_and_null_with_the_reason) {
  const auto json = nlohmann::json::parse(rendered(Format::json));
  const auto& rows = json.at("tables").at("groups");
  EXPECT_EQ(rows.at(0).at("n"), 8);
  EXPECT_EQ(rows.at(0).at("energy_j"), 12400.0);
  EXPECT_EQ(rows.at(0).at("energy_change_low"), 0.73);
  EXPECT_TRUE(rows.at(1).at("energy_j").is_null()) << "not a number is no JSON number";
  EXPECT_EQ(rows.at(1).at("p_value_why_absent"), "too few");
  EXPECT_EQ(json.at("answer"), "Both took 5 % & more.");
}

TEST(Answer, csv_is_one_table_with_units_in_its_names) {
  EXPECT_EQ(rendered(Format::csv).substr(0, 77),
            "members,n,energy_j,energy_change,energy_change_low,energy_change_high,p_value");
  EXPECT_EQ(rendered(Format::csv, 80, "empty"), "a\n");
  const auto none = render(sample(), Format::csv, {}, "nonsense");
  ASSERT_FALSE(none);
  EXPECT_THAT(none.error().hint, HasSubstr("groups, empty"));
}

TEST(Answer, foreign_text_is_escaped_everywhere) {
  EXPECT_THAT(rendered(Format::html), Not(HasSubstr("<b>|")));
  EXPECT_THAT(rendered(Format::md), HasSubstr("\\|a"));
  const std::string tex = rendered(Format::latex);
  EXPECT_THAT(tex, HasSubstr("5 \\% \\& more"));
  EXPECT_THAT(tex, HasSubstr("a\\_b"));
  EXPECT_THAT(tex, HasSubstr("$-$21"));
  EXPECT_THAT(tex, HasSubstr("\\toprule"));
}

}  // namespace
}  // namespace wattle::report
