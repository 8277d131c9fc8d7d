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

class Table {
 public:
  explicit Table(std::vector<Column> columns) : columns_(std::move(columns)) {}

  // Missing cells are empty, further ones are ignored.
  void add_row(std::vector<Cell> cells) { rows_.push_back({std::move(cells), {}, 0}); }
  // A line of its own below the row before, wrapped, indented.
  void add_note(Cell note, int indent = 2) { rows_.push_back({{}, std::move(note), indent}); }

  // Columns two blanks apart, the heads first (none when all heads are empty).
  [[nodiscard]] std::string render(int width, bool colour = false) const;

 private:
  struct Row {
    std::vector<Cell> cells;
    Cell note;
    int indent = 0;
  };
  [[nodiscard]] std::vector<std::size_t> widths(std::size_t total) const;
  [[nodiscard]] std::string line(const std::vector<Cell>& cells, const std::vector<std::size_t>& widths,
                                 bool colour) const;

  std::vector<Column> columns_;
  std::vector<Row> rows_;
};

}  // namespace wattle::report
