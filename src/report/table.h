// Aligned columns and wrapped lines for terminals. No line that comes out is wider than asked (in display_width's
// sense: code points), whatever goes in; control bytes never reach the terminal.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace wattle::report {

enum class Align { left, right };
enum class Tone { plain, good, bad, dim, strong };

// The text in ANSI colours of the tone, or as it is where colour is off.
[[nodiscard]] std::string toned(std::string_view text, Tone tone, bool colour);

// At most `width` columns: where the text is longer its middle becomes "…", since names differ at both ends.
[[nodiscard]] std::string shortened(std::string_view text, std::size_t width);

// Words in lines of at most `width` columns, each ending with LF. The first line begins with `first`, the others with
// as many blanks. Words longer than a line are cut.
[[nodiscard]] std::string wrapped(std::string_view text, int width, std::string_view first = {});

struct Cell {
  std::string text;
  Tone tone = Tone::plain;
};

struct Column {
  std::string head;
  Align align = Align::left;
  bool shrinks = false;  // is shortened first when the table is too wide
};

// Rows may be many (`wattle list` of 100,000 runs): their texts stand one after the other in one string.
class Table {
 public:
  explicit Table(std::vector<Column> columns) : columns_(std::move(columns)), widest_(columns_.size(), 0) {}

  // Missing cells are empty, further ones are ignored.
  void add_row(const std::vector<Cell>& cells);
  // A line of its own below the row before, wrapped, indented.
  void add_note(const Cell& note, int indent = 2);
  // Takes away a column's head and what its cells hold so far; the gap stays.
  void blank(std::size_t column);

  // Columns two blanks apart, the heads first (none when all heads are empty).
  [[nodiscard]] std::string render(int width, bool colour = false) const;

 private:
  struct Text {  // of a cell or note
    std::size_t size = 0;
    std::size_t width = 0;
    Tone tone = Tone::plain;
  };
  struct Row {
    std::size_t texts = 0;
    int indent = 0;
    bool is_note = false;
  };
  std::size_t add(const Cell& cell);
  [[nodiscard]] std::vector<std::size_t> widths(std::size_t total) const;

  std::vector<Column> columns_;
  std::vector<std::size_t> widest_;  // cell of each column
  std::vector<Row> rows_;
  std::vector<Text> texts_;  // of all rows
  std::string characters_;   // of all texts, printable
};

}  // namespace wattle::report
