#include "report/table.h"

#include <gtest/gtest.h>

#include "base/text.h"

namespace wattle::report {
namespace {

TEST(Table, columns_line_up_by_what_a_terminal_shows) {
  Table table({{"name"}, {"n", Align::right}});
  table.add_row({{"µ–é"}, {"1"}});
  table.add_row({{"abcd"}, {"100"}});
  EXPECT_EQ(table.render(80), "name    n\nµ–é     1\nabcd  100\n");
}

TEST(Table, the_shrinking_column_gives_way_first) {
  Table table({{"label", Align::left, true}, {"value"}});
  table.add_row({{"learning_rate_of_the_head 0.021"}, {"1234567890"}});
  for (const std::string& line : split(table.render(30), '\n')) EXPECT_LE(display_width(line), 30U) << line;
  EXPECT_NE(table.render(30).find("1234567890"), std::string::npos);
  EXPECT_NE(table.render(30).find("0.021"), std::string::npos);
}

TEST(Table, too_many_columns_lose_the_last_ones_not_the_margin) {
  std::vector<Column> columns(12, Column{"heading"});
  Table table(columns);
  table.add_row(std::vector<Cell>(12, Cell{"content"}));
  for (const std::string& line : split(table.render(40), '\n')) EXPECT_LE(display_width(line), 40U) << line;
  EXPECT_EQ(table.render(40).find("heading"), 0U);
}

TEST(Table, no_line_ends_with_blanks) {
  Table table({{"a"}, {"b"}, {"c", Align::right}});
  table.add_row({{"x"}, {}, {}});
  table.add_row({{"x"}});
  for (const std::string& line : split(table.render(40), '\n')) EXPECT_FALSE(line.ends_with(' ')) << line;
}

TEST(Table, missing_cells_are_empty_and_further_ones_ignored) {
  Table table({{"a"}});
  table.add_row({});
  table.add_row({{"1"}, {"2"}});
  EXPECT_EQ(table.render(40), "a\n\n1\n");
}

TEST(Table, control_bytes_do_not_pass) {
  Table table({{"a"}});
  table.add_row({{"\x1b[31mred\n"}});
  EXPECT_EQ(table.render(40), "a\n?[31mred?\n");
}

TEST(Table, a_column_taken_away_leaves_its_gap) {
  Table table({{"a"}, {"taken"}, {"c"}});
  table.add_row({{"1"}, {"long text"}, {"3"}});
  table.blank(1);
  EXPECT_EQ(table.render(40), "a    c\n1    3\n");
}

TEST(Shortened, keeps_both_ends_and_whole_characters) {
  EXPECT_EQ(shortened("abcdefghij", 10), "abcdefghij");
  EXPECT_EQ(shortened("abcdefghij", 5), "ab…ij");
  EXPECT_EQ(shortened("ééééé", 3), "é…é");
  EXPECT_EQ(shortened("abc", 0), "");
  EXPECT_EQ(shortened("abc", 1), "…");
}

TEST(Wrapped, breaks_between_words_and_hangs) {
  EXPECT_EQ(wrapped("one two three four five six", 20, "! "), "! one two three four\n  five six\n");
  EXPECT_EQ(wrapped("", 20), "\n");
}

TEST(Wrapped, keeps_a_number_with_its_unit_and_interval) {
  EXPECT_EQ(wrapped("energy fell by 21 % here", 20), "energy fell by 21 %\nhere\n");
  EXPECT_EQ(wrapped("less energy now, n = 8 pairs", 20), "less energy now,\nn = 8 pairs\n");
  EXPECT_EQ(wrapped("energy fell a lot [15, 27]", 24), "energy fell a lot\n[15, 27]\n");
}

}  // namespace
}  // namespace wattle::report
