// Tables as text: comma-separated values as RFC 4180 has them, with a first line of column names. Quoted cells may hold
// commas, quotes (doubled) and line ends; lines end with LF or CRLF; a byte order mark is skipped. Pure.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace wattle {

struct CsvCell {
  std::string text;        // without quotes and the blanks around it, unless they were quoted
  std::size_t line = 0;    // where it begins, both from 1
  std::size_t column = 0;  // in bytes
};

struct CsvTable {
  std::vector<std::string> columns;
  std::vector<std::vector<CsvCell>> rows;  // each as long as `columns`
};

// Lines with nothing in them are skipped, but for an empty cell of a table of one column, other than at the end. Fails
// (bad_input, "NAME:line:column: …") for no line of names, a name that is there twice, a row with fewer or more cells
// than there are names, a quote that is never closed, or text beside a quoted cell.
[[nodiscard]] Result<CsvTable> parse_csv(std::string_view text, std::string_view name);

}  // namespace wattle
