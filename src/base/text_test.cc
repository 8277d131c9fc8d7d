#include "base/text.h"

#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmath>
#include <limits>

namespace wattle {
namespace {

TEST(Shortest, doubles_read_back_as_themselves) {
  for (const double value : {0.1, 1.0 / 3.0, 1e-300, 5e-324, 1.7976931348623157e308, -0.0, 123456789.123}) {
    const auto back = parse_real(shortest(value));
    ASSERT_TRUE(back.has_value());
    EXPECT_EQ(*back, value);
  }
  EXPECT_EQ(shortest(0.1), "0.1");
  EXPECT_EQ(shortest(std::nan("")), "nan");
}

TEST(Parse, only_whole_numbers_in_range_are_numbers) {
  EXPECT_EQ(parse_real(" 1.5e3 "), 1500.0);
  EXPECT_EQ(parse_real("+2"), 2.0);
  EXPECT_FALSE(parse_real(""));
  EXPECT_FALSE(parse_real("1.5 W"));
  EXPECT_FALSE(parse_real("1,5"));
  EXPECT_FALSE(parse_integer("9223372036854775808"));
  EXPECT_EQ(parse_integer("-9223372036854775808"), std::numeric_limits<std::int64_t>::min());
  EXPECT_FALSE(parse_unsigned("-1"));
}

TEST(Parse, durations_need_a_unit) {
  EXPECT_EQ(parse_duration("20ms"), milliseconds(20));
  EXPECT_EQ(parse_duration("1.5 min"), seconds(90));
  EXPECT_EQ(parse_duration("2h"), seconds(7200));
  EXPECT_FALSE(parse_duration("20"));
  EXPECT_FALSE(parse_duration("-1s"));
  EXPECT_FALSE(parse_duration("nan s"));
  EXPECT_FALSE(parse_duration("1e300h"));
}

TEST(Nearest, finds_the_word_that_was_meant) {
  const std::vector<std::string> known{"learning_rate", "epochs", "batch_size"};
  EXPECT_EQ(nearest("learnig_rate", known), "learning_rate");
  EXPECT_EQ(nearest("epcohs", known), "epochs");
  EXPECT_FALSE(nearest("zzz", known));
  EXPECT_FALSE(nearest("", known));
}

TEST(Human, three_digits_and_a_prefix) {
  EXPECT_EQ(human(Joules{12410.0}), "12.4 kJ");
  EXPECT_EQ(human(Joules{999.96}), "1.00 kJ");
  EXPECT_EQ(human(Joules{0.41}), "410 mJ");
  EXPECT_EQ(human(Joules{0.0}), "0 J");
  EXPECT_EQ(human(Watts{61.2}), "61.2 W");
  EXPECT_EQ(human(Seconds{182.1}), "182.1 s");
  EXPECT_EQ(human(Seconds{7440.0}), "2:04 h");
  EXPECT_EQ(human(Seconds{0.0042}), "4.20 ms");
}

TEST(Significant, keeps_digits_when_rounding_adds_one) {
  EXPECT_EQ(significant(9.996, 3), "10.0");
  EXPECT_EQ(significant(0.00123456, 3), "0.00123");
  EXPECT_EQ(significant(-12.34, 2), "-12");
  EXPECT_EQ(significant(-12.34, 3), "-12.3");
  EXPECT_EQ(significant(9.96, 1), "10");
  EXPECT_EQ(significant(999.6, 3), "1000");
  EXPECT_EQ(significant(2.5, 1), "2") << "a half goes to the even digit";
  EXPECT_EQ(significant(123456.0, 3), "123456");
  EXPECT_EQ(significant(1e15, 3), "1.00e+15");
}

TEST(ShellQuoted, every_argument_stays_one_argument) {
  const std::vector<std::string> arguments{"python3", "a b", "it's", "", "$(rm)"};
  EXPECT_EQ(shell_quoted(arguments), R"(python3 'a b' 'it'\''s' '' '$(rm)')");
}

TEST(Files, a_write_replaces_the_whole_text_and_failures_are_told) {
  const std::filesystem::path folder = std::filesystem::path(testing::TempDir()) / "wattle_text";
  std::filesystem::create_directories(folder);
  const auto file = folder / "a.txt";
  ASSERT_TRUE(write_text(file, "first and long"));
  ASSERT_TRUE(write_text(file, "second"));
  EXPECT_EQ(read_text(file).value(), "second");
  EXPECT_EQ(read_text(folder / "none").error().kind, ErrorKind::bad_input);
  EXPECT_EQ(read_text(file, 3).error().kind, ErrorKind::bad_input);
  EXPECT_EQ(write_text(folder / "no_such_folder" / "a", "x").error().kind, ErrorKind::bad_input);
  std::size_t left = 0;
  for ([[maybe_unused]] const auto& entry : std::filesystem::directory_iterator(folder)) ++left;
  EXPECT_EQ(left, 1U) << "no temporary file stays behind";
  std::filesystem::remove_all(folder);
}

TEST(Sha256, agrees_with_the_standards_example) {
  // FIPS 180-4 examples: "abc" and the empty message.
  EXPECT_EQ(sha256("abc"), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  EXPECT_EQ(sha256(""), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
}

TEST(Printable, control_bytes_cannot_reach_a_terminal) { EXPECT_EQ(printable("a\x1b[31mb\n"), "a?[31mb?"); }

}  // namespace
}  // namespace wattle
