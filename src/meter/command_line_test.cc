#include "meter/command_line.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace wattle::meter {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

std::vector<std::string> words(std::string_view text) {
  const auto split = split_words(text);
  EXPECT_TRUE(split) << text << ": " << (split ? "" : split.error().message);
  return split.value_or(std::vector<std::string>{});
}

TEST(SplitWords, follows_the_quoting_of_posix) {
  EXPECT_THAT(words("python3  train.py\t--lr 0.1"), ElementsAre("python3", "train.py", "--lr", "0.1"));
  EXPECT_THAT(words(R"(echo 'a  b' "c d"'e' f\ g '')"), ElementsAre("echo", "a  b", "c de", "f g", ""));
  EXPECT_THAT(words(R"(echo "a\"b\\c\d" '\"$HOME*|')"), ElementsAre("echo", R"(a"b\c\d)", R"(\"$HOME*|)"));
  EXPECT_THAT(words(R"(echo \* \| \$x a#b a~ x=1)"), ElementsAre("echo", "*", "|", "$x", "a#b", "a~", "x=1"));
}

TEST(SplitWords, refuses_what_only_a_shell_could_do) {
  for (const std::string_view hostile :
       {"a | b",      "a; rm -rf x", "a && b",         "a > f",   "a < f", "(a)",     "a\nb",
        "echo $HOME", "echo `id`",   "echo \"$(id)\"", "ls *.py", "ls a?", "ls [ab]", "~/run",
        "# nothing",  "echo 'open",  "echo \"open",    "echo \\", "",      "   ",     "A=1 train"}) {
    const auto split = split_words(hostile);
    ASSERT_FALSE(split) << hostile;
    EXPECT_EQ(split.error().kind, ErrorKind::bad_input);
  }
  EXPECT_THAT(split_words("python3 aa.py | tee log").error().message, HasSubstr("column 15: the operator `|`"));
}

TEST(WithValues, replaces_names_and_leaves_other_braces) {
  EXPECT_THAT(with_values({"--lr", "{lr}", "{}", "x{lr}y{batch}"}, {{"lr", "0.1"}, {"batch", "{lr}"}}),
              ElementsAre("--lr", "0.1", "{}", "x0.1y{lr}"));
}

TEST(Combinations, hold_every_pair_once) {
  const auto all = combinations({{"a", {"1", "2"}}, {"b", {"x", "y"}}});
  ASSERT_EQ(all.size(), 4U);
  EXPECT_EQ(all[1].at("a"), "1");
  EXPECT_EQ(all[1].at("b"), "y");
  EXPECT_EQ(combinations({}).size(), 1U) << "no list: the command as it is";
}

}  // namespace
}  // namespace wattle::meter
