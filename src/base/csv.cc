#include "base/csv.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/text.h"

namespace wattle {
namespace {

using Row = std::vector<CsvCell>;

class CsvParser {
 public:
  CsvParser(std::string_view text, std::string_view name) : text_(text), name_(name) {
    if (text_.starts_with("\xEF\xBB\xBF")) {
      at_ = 3;
      line_start_ = 3;
    }
  }

  [[nodiscard]] bool at_end() const { return at_ >= text_.size(); }
  [[nodiscard]] std::size_t line() const { return line_; }

  // One line of the table, which may be several of the text.
  Result<Row> row() {
    Row cells;
    while (true) {
      auto cell = text_[std::min(at_, text_.size() - 1)] == '"' && !at_end() ? quoted() : plain();
      if (!cell) return tl::unexpected(cell.error());
      cells.push_back(std::move(*cell));
      if (at_end()) return cells;
      if (text_[at_] == ',') {
        ++at_;
        continue;
      }
      if (text_[at_] == '\r') ++at_;
      ++at_;  // the line feed
      next_line();
      return cells;
    }
  }

 private:
  [[nodiscard]] bool at_line_end() const {
    return text_[at_] == '\n' || (text_[at_] == '\r' && at_ + 1 < text_.size() && text_[at_ + 1] == '\n');
  }
  void next_line() {
    ++line_;
    line_start_ = at_;
  }
  [[nodiscard]] CsvCell begin() const { return {{}, line_, at_ - line_start_ + 1}; }
  [[nodiscard]] tl::unexpected<Error> wrong(std::size_t line, std::size_t column, std::string_view what,
                                            std::string hint) const {
    return fail(ErrorKind::bad_input, fmt::format("{}:{}:{}: {}", name_, line, column, what), std::move(hint));
  }

  Result<CsvCell> plain() {
    CsvCell cell = begin();
    const std::size_t start = at_;
    while (!at_end() && text_[at_] != ',' && !at_line_end()) {
      if (text_[at_] == '"') {
        return wrong(line_, at_ - line_start_ + 1, "a quote inside a cell that does not begin with one",
                     "put the whole cell in quotes and double those inside: \"say \"\"so\"\"\"");
      }
      ++at_;
    }
    cell.text = trim(text_.substr(start, at_ - start));
    return cell;
  }

  Result<CsvCell> quoted() {
    CsvCell cell = begin();
    ++at_;
    while (true) {
      if (at_end()) return wrong(cell.line, cell.column, "the quote is never closed", "close it with another");
      const char c = text_[at_++];
      if (c == '\n') next_line();
      if (c != '"') {
        cell.text += c;
      } else if (!at_end() && text_[at_] == '"') {
        cell.text += '"';
        ++at_;
      } else {
        break;
      }
    }
    if (!at_end() && text_[at_] != ',' && !at_line_end()) {
      return wrong(line_, at_ - line_start_ + 1, "text after the closing quote",
                   "double the quotes inside a quoted cell");
    }
    return cell;
  }

  std::string_view text_;
  std::string_view name_;
  std::size_t at_ = 0;
  std::size_t line_ = 1;
  std::size_t line_start_ = 0;
};

bool blank(const Row& row) { return row.size() == 1 && row.front().text.empty(); }

Result<void> read_names(const Row& first, std::string_view name, CsvTable& table) {
  for (const CsvCell& cell : first) {
    const bool again =
        !cell.text.empty() && std::find(table.columns.begin(), table.columns.end(), cell.text) != table.columns.end();
    if (again) {
      return fail(ErrorKind::bad_input,
                  fmt::format("{}:{}:{}: a second column `{}`", name, cell.line, cell.column, printable(cell.text)),
                  "give every column a name of its own");
    }
    table.columns.push_back(cell.text);
  }
  return {};
}

}  // namespace

Result<CsvTable> parse_csv(std::string_view text, std::string_view name) {
  CsvParser parser(text, name);
  CsvTable table;
  bool named = false;
  while (!parser.at_end()) {
    auto row = parser.row();
    if (!row) return tl::unexpected(row.error());
    if (!named) {
      if (blank(*row)) continue;
      if (const auto read = read_names(*row, name, table); !read) return tl::unexpected(read.error());
      named = true;
      continue;
    }
    if (blank(*row) && table.columns.size() > 1) continue;
    if (row->size() != table.columns.size()) {
      const CsvCell& last = row->size() < table.columns.size() ? row->back() : (*row)[table.columns.size()];
      return fail(ErrorKind::bad_input,
                  fmt::format("{}:{}:{}: {} cells in this row, the first line names {}", name, last.line, last.column,
                              row->size(), table.columns.size()),
                  "a comma inside a cell needs quotes around the cell");
    }
    table.rows.push_back(std::move(*row));
  }
  if (!named) {
    return fail(ErrorKind::bad_input, fmt::format("{}:1:1: there is no line of column names", name),
                "the first line names the columns, as in `method,energy_j`");
  }
  while (!table.rows.empty() && blank(table.rows.back())) table.rows.pop_back();
  return table;
}

}  // namespace wattle
