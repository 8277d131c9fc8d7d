// A CSV file with typed cells and a memory of what is wrong in them. Internal to importers.
#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/csv.h"
#include "base/result.h"

namespace wattle::importers {

// A part of somebody's text, fit for one line of a message.
[[nodiscard]] std::string excerpt(std::string_view text);
// Fails on what is no UTF-8 text, or empty.
[[nodiscard]] Result<std::string> read_plain_text(const std::filesystem::path& file);

class Sheet {
 public:
  [[nodiscard]] static Result<Sheet> read(const std::filesystem::path& file);

  [[nodiscard]] const std::string& name() const { return name_; }  // the file's, without its folder
  [[nodiscard]] std::string stem() const;
  [[nodiscard]] const std::vector<std::string>& columns() const { return table_.columns; }
  [[nodiscard]] const std::vector<std::vector<CsvCell>>& rows() const { return table_.rows; }
  [[nodiscard]] bool has(std::string_view column) const { return find(column).has_value(); }
  [[nodiscard]] std::optional<std::size_t> find(std::string_view column) const;
  // Fails with every one of the names that is not there, and what it may be called instead.
  [[nodiscard]] Result<void> require(const std::vector<std::string>& names) const;

 private:
  std::string name_;
  CsvTable table_;
};

// One row being read. A cell that is wrong is told in `mistakes`, and the row is bad from then on. Columns that the
// sheet lacks read as absent; so do empty cells, NA and (unless numbers are wanted strictly) NaN.
class Row {
 public:
  Row(const Sheet& sheet, std::size_t row, std::vector<std::string>& mistakes)
      : sheet_(sheet), cells_(sheet.rows()[row]), mistakes_(mistakes) {}

  [[nodiscard]] bool good() const { return good_; }
  [[nodiscard]] std::size_t line() const { return cells_.front().line; }
  // The cells as they are, for identities.
  [[nodiscard]] std::string content() const;

  [[nodiscard]] std::string text(std::string_view column);
  [[nodiscard]] std::string required_text(std::string_view column);
  // Finite; within the bounds.
  [[nodiscard]] std::optional<double> number(std::string_view column, double least, double most);
  [[nodiscard]] std::optional<double> required_number(std::string_view column, double least, double most);
  [[nodiscard]] std::optional<std::int64_t> whole(std::string_view column, std::int64_t least, std::int64_t most);
  // NaN is a mistake rather than absent.
  Row& strict() {
    strict_ = true;
    return *this;
  }
  void wrong(std::string_view column, std::string_view what, std::string_view hint = {});

 private:
  [[nodiscard]] const CsvCell* cell(std::string_view column) const;
  [[nodiscard]] bool missing(const std::string& text) const;

  const Sheet& sheet_;
  const std::vector<CsvCell>& cells_;
  std::vector<std::string>& mistakes_;
  bool strict_ = false;
  bool good_ = true;
};

// More joules (or seconds) than any run: beyond 9e12 and 9e9 int64 microjoules and nanoseconds end.
inline constexpr double kMostJoules = 2e12;
inline constexpr double kMostSeconds = 9e9;

}  // namespace wattle::importers
