#include "study/placeholders.h"

#include <gtest/gtest.h>

namespace wattle::study {
namespace {

std::optional<std::string> seven_for_a(std::string_view name) {
  return name == "a" ? std::optional<std::string>("7") : std::nullopt;
}

TEST(Placeholders, only_names_in_braces_are_placeholders) {
  EXPECT_EQ(placeholders("--lr={learning_rate} {run_dir}/x"), (std::vector<std::string>{"learning_rate", "run_dir"}));
  EXPECT_TRUE(placeholders(R"({"lr": 1, "x": {}} ${} {1} {a b} { {)").empty());
  EXPECT_EQ(placeholders(R"({"lr":{a}})"), std::vector<std::string>{"a"});
}

TEST(Placeholders, filling_replaces_what_has_a_value_and_leaves_the_rest) {
  EXPECT_EQ(filled("x{a}y{a} {run_dir}", seven_for_a), "x7y7 {run_dir}");
  EXPECT_EQ(filled(R"({"k":{"v":{a}}})", seven_for_a), R"({"k":{"v":7}})");
  EXPECT_EQ(filled("{a", seven_for_a), "{a");
  EXPECT_EQ(filled("", seven_for_a), "");
}

TEST(Placeholders, doubled_braces_mean_the_text_itself) {
  EXPECT_EQ(filled("{{a}} {a}", seven_for_a), "{a} 7");
  EXPECT_TRUE(placeholders("{{a}}").empty());
  EXPECT_EQ(filled("{{a}", seven_for_a), "{7");
}

TEST(Placeholders, a_value_is_never_filled_in_again) {
  EXPECT_EQ(filled("{x}", [](std::string_view) { return std::optional<std::string>("{x}{x}"); }), "{x}{x}");
}

TEST(Switch, is_a_whole_element) {
  const auto flag = as_switch("{--nesterov:nesterov}");
  ASSERT_TRUE(flag);
  EXPECT_EQ(flag->flag, "--nesterov");
  EXPECT_EQ(flag->parameter, "nesterov");
  EXPECT_EQ(as_switch("{--opt=a:b:amsgrad}")->flag, "--opt=a:b");
  for (const char* text : {"", "{}", "{nesterov}", "x{--n:n}", "{--n:n}x", "{--n}", "{--n:1}", "{--n:{n}}"}) {
    EXPECT_FALSE(as_switch(text)) << text;
  }
}

}  // namespace
}  // namespace wattle::study
