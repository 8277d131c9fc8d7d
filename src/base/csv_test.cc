#include "base/csv.h"

#include <gtest/gtest.h>

namespace wattle {
namespace {

std::vector<std::string> texts(const std::vector<CsvCell>& row) {
  std::vector<std::string> all;
  for (const CsvCell& cell : row) all.push_back(cell.text);
  return all;
}

using Texts = std::vector<std::string>;

TEST(Csv, names_and_cells_with_places) {
  const auto table = parse_csv("a,b\n1, 2 \n3,4", "t.csv");
  ASSERT_TRUE(table);
  EXPECT_EQ(table->columns, (Texts{"a", "b"}));
  ASSERT_EQ(table->rows.size(), 2U);
  EXPECT_EQ(texts(table->rows[0]), (Texts{"1", "2"}));
  EXPECT_EQ(table->rows[1][1].line, 3U);
  EXPECT_EQ(table->rows[1][1].column, 3U);
}

TEST(Csv, quotes_hold_commas_quotes_and_lines) {
  const auto table = parse_csv("a,b\n\"x, y\",\"say \"\"so\"\"\"\n\"two\nlines\",\" kept \"\nlast,1\n", "t.csv");
  ASSERT_TRUE(table) << table.error().message;
  EXPECT_EQ(texts(table->rows[0]), (Texts{"x, y", "say \"so\""}));
  EXPECT_EQ(texts(table->rows[1]), (Texts{"two\nlines", " kept "}));
  EXPECT_EQ(table->rows[2][0].line, 5U) << "lines of the text, not of the table";
}

TEST(Csv, carriage_returns_a_byte_order_mark_and_blank_lines_are_no_matter) {
  const auto table = parse_csv(
      "\xEF\xBB\xBF"
      "a,b\r\n1,\r\n\r\n3,4\r\n\r\n",
      "t.csv");
  ASSERT_TRUE(table) << table.error().message;
  EXPECT_EQ(table->columns[0], "a");
  ASSERT_EQ(table->rows.size(), 2U);
  EXPECT_EQ(table->rows[0][1].text, "");
  EXPECT_EQ(texts(table->rows[1]), (Texts{"3", "4"}));
}

TEST(Csv, an_empty_line_of_one_column_is_an_empty_cell_but_for_the_end) {
  const auto table = parse_csv("a\n1\n\n3\n\n\n", "t.csv");
  ASSERT_TRUE(table);
  ASSERT_EQ(table->rows.size(), 3U);
  EXPECT_EQ(table->rows[1][0].text, "");
}

TEST(Csv, mistakes_are_told_with_their_place) {
  const auto message = [](std::string_view text) { return parse_csv(text, "t.csv").error().message; };
  EXPECT_EQ(message(""), "t.csv:1:1: there is no line of column names");
  EXPECT_EQ(message("\n\n"), "t.csv:1:1: there is no line of column names");
  EXPECT_EQ(message("a,b\n1,2,3\n"), "t.csv:2:5: 3 cells in this row, the first line names 2");
  EXPECT_EQ(message("a,b\n1,2\n1\n"), "t.csv:3:1: 1 cells in this row, the first line names 2");
  EXPECT_EQ(message("a,b,a\n"), "t.csv:1:5: a second column `a`");
  EXPECT_EQ(message("a,b\n1,\"2\n"), "t.csv:2:3: the quote is never closed");
  EXPECT_EQ(message("a,b\n1,2\"\n"), "t.csv:2:4: a quote inside a cell that does not begin with one");
  EXPECT_EQ(message("a,b\n\"1\"x,2\n"), "t.csv:2:4: text after the closing quote");
}

}  // namespace
}  // namespace wattle
