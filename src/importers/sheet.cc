#include "importers/sheet.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "base/text.h"

namespace wattle::importers {
namespace {

constexpr std::size_t kLongestCell = 1000;

// How many bytes the code point takes that begins here; 0: it is no UTF-8.
std::size_t code_point_at(std::string_view text, std::size_t at) {
  const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(text[i]); };
  const unsigned char first = byte(at);
  if (first < 0x80) return first == 0 ? 0 : 1;
  const std::size_t length = first >= 0xF0 && first <= 0xF4  ? 4
                             : first >= 0xE0 && first < 0xF0 ? 3
                             : first >= 0xC2 && first < 0xE0 ? 2
                                                             : 0;
  if (length == 0 || at + length > text.size()) return 0;
  for (std::size_t i = at + 1; i < at + length; ++i) {
    if ((byte(i) & 0xC0U) != 0x80U) return 0;
  }
  const unsigned char second = byte(at + 1);
  const bool overlong = (first == 0xE0 && second < 0xA0) || (first == 0xF0 && second < 0x90);
  const bool surrogate = first == 0xED && second >= 0xA0;
  const bool beyond = first == 0xF4 && second >= 0x90;
  return overlong || surrogate || beyond ? 0 : length;
}

std::string bounds(double least, double most) {
  if (least == 0.0 && most >= kMostSeconds) return "0 or more";
  return fmt::format("{} to {}", shortest(least), shortest(most));
}

}  // namespace

std::string excerpt(std::string_view text) {
  constexpr std::size_t kMost = 40;
  if (text.size() <= kMost) return printable(text);
  std::size_t end = kMost;
  while (end > 0 && (static_cast<unsigned char>(text[end]) & 0xC0U) == 0x80U) --end;
  return printable(text.substr(0, end)) + "…";
}

Result<std::string> read_plain_text(const std::filesystem::path& file) {
  auto text = read_text(file);
  if (!text) return text;
  const std::string name = file.filename().string();
  if (trim(*text).empty()) return fail(ErrorKind::bad_input, fmt::format("{} is empty", name));
  std::size_t line = 1;
  std::size_t line_start = 0;
  for (std::size_t at = 0; at < text->size();) {
    const std::size_t length = code_point_at(*text, at);
    if (length == 0) {
      return fail(ErrorKind::bad_input,
                  fmt::format("{}:{}:{}: what follows here is not UTF-8 text", name, line, at - line_start + 1),
                  "save it as CSV in UTF-8");
    }
    if ((*text)[at] == '\n') ++line, line_start = at + 1;
    at += length;
  }
  return text;
}

Result<Sheet> Sheet::read(const std::filesystem::path& file) {
  auto text = read_plain_text(file);
  if (!text) return tl::unexpected(text.error());
  Sheet sheet;
  sheet.name_ = file.filename().string();
  auto table = parse_csv(*text, sheet.name_);
  if (!table) return tl::unexpected(table.error());
  sheet.table_ = std::move(*table);
  return sheet;
}

std::string Sheet::stem() const { return std::filesystem::path(name_).stem().string(); }

std::optional<std::size_t> Sheet::find(std::string_view column) const {
  const auto found = std::find(table_.columns.begin(), table_.columns.end(), column);
  if (found == table_.columns.end()) return std::nullopt;
  return static_cast<std::size_t>(found - table_.columns.begin());
}

Result<void> Sheet::require(const std::vector<std::string>& names) const {
  std::vector<std::string> lacking;
  std::string hint;
  for (const std::string& name : names) {
    if (has(name)) continue;
    lacking.push_back(fmt::format("`{}`", excerpt(name)));
    if (const auto meant = nearest(name, table_.columns); meant && hint.empty()) {
      hint = fmt::format("is it `{}`? did you mean `{}`?", excerpt(*meant), excerpt(name));
    }
  }
  if (lacking.empty()) return {};
  if (hint.empty()) {
    std::vector<std::string> there;
    for (const std::string& column : table_.columns) there.push_back(fmt::format("`{}`", excerpt(column)));
    if (there.size() > 12) there.resize(12), there.emplace_back("…");
    hint = "there are " + join(there, ", ");
  }
  return fail(ErrorKind::bad_input, fmt::format("{}:1:1: no column {}", name_, join(lacking, ", ")), hint);
}

const CsvCell* Row::cell(std::string_view column) const {
  const auto place = sheet_.find(column);
  return place ? &cells_[*place] : nullptr;
}

std::string Row::content() const {
  std::string content;
  for (std::size_t i = 0; i < cells_.size(); ++i) content += sheet_.columns()[i] + "\x1f" + cells_[i].text + "\x1e";
  return content;
}

bool Row::missing(const std::string& text) const {
  for (const char* word : {"", "NA", "N/A", "[N/A]", "[Not Supported]", "[Unknown Error]"}) {
    if (text == word) return true;
  }
  return !strict_ && (text == "nan" || text == "NaN" || text == "NAN");
}

void Row::wrong(std::string_view column, std::string_view what, std::string_view hint) {
  good_ = false;
  const CsvCell* at = cell(column);
  const CsvCell& place = at == nullptr ? cells_.front() : *at;
  mistakes_.push_back(fmt::format("{}:{}:{}: {}: {}{}{}", sheet_.name(), place.line, place.column, excerpt(column),
                                  what, hint.empty() ? "" : "; ", hint));
}

std::string Row::text(std::string_view column) {
  const CsvCell* at = cell(column);
  if (at == nullptr || missing(at->text)) return {};
  if (at->text.size() > kLongestCell) {
    wrong(column, fmt::format("a cell of {} bytes", at->text.size()),
          fmt::format("at most {} are a name", kLongestCell));
    return {};
  }
  return at->text;
}

std::string Row::required_text(std::string_view column) {
  const bool was_good = good_;
  std::string told = text(column);
  if (told.empty() && good_ == was_good) wrong(column, "nothing stands here");
  return told;
}

std::optional<double> Row::number(std::string_view column, double least, double most) {
  const CsvCell* at = cell(column);
  if (at == nullptr || missing(at->text)) return std::nullopt;
  const auto value = parse_real(at->text);
  if (!value || !std::isfinite(*value)) {
    wrong(column, fmt::format("`{}` is {}", excerpt(at->text), value ? "not finite" : "not a number"));
    return std::nullopt;
  }
  if (*value < least || *value > most) {
    wrong(column, fmt::format("{} is out of range", excerpt(at->text)), bounds(least, most));
    return std::nullopt;
  }
  return value;
}

std::optional<double> Row::required_number(std::string_view column, double least, double most) {
  const bool was_good = good_;
  const auto value = number(column, least, most);
  if (!value && good_ == was_good) wrong(column, "nothing stands here");
  return value;
}

std::optional<std::int64_t> Row::whole(std::string_view column, std::int64_t least, std::int64_t most) {
  const auto value = number(column, static_cast<double>(least), static_cast<double>(most));
  if (!value) return std::nullopt;
  if (*value != std::floor(*value)) {
    wrong(column, fmt::format("{} is not a whole number", shortest(*value)));
    return std::nullopt;
  }
  return static_cast<std::int64_t>(*value);
}

}  // namespace wattle::importers
