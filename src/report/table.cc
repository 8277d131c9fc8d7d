#include "report/table.h"

#include <algorithm>
#include <array>
#include <numeric>

#include "base/text.h"

namespace wattle::report {
namespace {

constexpr std::size_t kGap = 2;
constexpr std::size_t kNarrowest = 8;  // a shrinking column keeps this many

// Byte offset at which code point number `count` begins.
std::size_t offset_of(std::string_view text, std::size_t count) {
  std::size_t at = 0;
  while (at < text.size() && count > 0) {
    ++at;
    while (at < text.size() && (static_cast<unsigned char>(text[at]) & 0xC0U) == 0x80U) ++at;
    --count;
  }
  return at;
}

// Signs that stay on the line of what stands before them, and of what comes after the first three.
constexpr std::array<std::string_view, 5> kGlue{"=", "<", "→", "%", "pp"};

// May no line end between the two? An interval in brackets, "n = 8" and "20 %" are not torn apart.
bool belong_together(std::string_view before, std::string_view word) {
  while (!word.empty() && std::string_view(",;:)").find(word.back()) != std::string_view::npos) word.remove_suffix(1);
  if (std::find(kGlue.begin(), kGlue.end(), word) != kGlue.end()) return true;
  const auto last = before.substr(before.rfind(' ') + 1);
  if (std::find(kGlue.begin(), kGlue.begin() + 3, last) != kGlue.begin() + 3) return true;
  const auto opened = before.rfind('[');
  const bool open = opened != std::string_view::npos && before.find(']', opened) == std::string_view::npos;
  return open && display_width(before) < 24;
}

std::vector<std::string> unbroken_words(std::string_view text) {
  std::vector<std::string> words;
  for (const std::string& word : split(text, ' ')) {
    if (word.empty()) continue;
    if (!words.empty() && belong_together(words.back(), word)) {
      words.back() += " " + word;
    } else {
      words.push_back(word);
    }
  }
  return words;
}

std::size_t columns_for(int width) { return static_cast<std::size_t>(std::max(width, 20)); }

}  // namespace

std::string toned(std::string_view text, Tone tone, bool colour) {
  std::string_view code;
  if (tone == Tone::good) code = "\x1b[32m";
  if (tone == Tone::bad) code = "\x1b[31m";
  if (tone == Tone::dim) code = "\x1b[2m";
  if (tone == Tone::strong) code = "\x1b[1m";
  if (!colour || code.empty() || text.empty()) return std::string(text);
  return std::string(code).append(text).append("\x1b[0m");
}

std::string shortened(std::string_view text, std::size_t width) {
  const std::string clean = printable(text);
  const std::size_t length = display_width(clean);
  if (length <= width) return clean;
  if (width == 0) return {};
  const std::size_t tail = (width - 1) / 2;
  const std::size_t head = width - 1 - tail;
  return clean.substr(0, offset_of(clean, head)) + "…" + clean.substr(offset_of(clean, length - tail));
}

std::string wrapped(std::string_view text, int width, std::string_view first) {
  const std::size_t total = columns_for(width);
  const std::size_t indent = std::min(display_width(first), total - 10);
  const std::size_t room = total - indent;
  std::string out = shortened(first, indent);
  std::size_t used = 0;
  for (const std::string& piece : unbroken_words(text)) {
    const std::string word = shortened(piece, room);
    const std::size_t length = display_width(word);
    if (used > 0 && used + 1 + length > room) {
      out += "\n" + std::string(indent, ' ');
      used = 0;
    }
    if (used > 0) out += ' ';
    out += word;
    used += length + (used > 0 ? 1 : 0);
  }
  return out + "\n";
}

std::vector<std::size_t> Table::widths(std::size_t total) const {
  std::vector<std::size_t> widths;
  for (std::size_t c = 0; c < columns_.size(); ++c) {
    std::size_t widest = display_width(columns_[c].head);
    for (const Row& row : rows_) {
      if (c < row.cells.size()) widest = std::max(widest, display_width(row.cells[c].text));
    }
    widths.push_back(widest);
  }
  const auto too_wide = [&] {
    const std::size_t all =
        std::accumulate(widths.begin(), widths.end(), kGap * (widths.empty() ? 0 : widths.size() - 1));
    return all > total ? all - total : 0;
  };
  for (const bool shrinking : {true, false}) {
    for (std::size_t c = 0; c < columns_.size(); ++c) {
      if (columns_[c].shrinks != shrinking || widths[c] <= kNarrowest) continue;
      widths[c] -= std::min(too_wide(), widths[c] - kNarrowest);
    }
  }
  // Still too wide: what stands last goes first.
  for (std::size_t c = widths.size(); c-- > 0;) widths[c] -= std::min(too_wide(), widths[c]);
  return widths;
}

std::string Table::line(const std::vector<Cell>& cells, const std::vector<std::size_t>& widths, bool colour) const {
  static const Cell nothing;
  std::string out;
  std::size_t owed = 0;  // blanks before the next text: a line never ends with blanks
  for (std::size_t c = 0; c < columns_.size(); ++c) {
    const Cell& cell = c < cells.size() ? cells[c] : nothing;
    const std::string text = shortened(cell.text, widths[c]);
    const std::size_t fill = widths[c] - display_width(text);
    const bool right = columns_[c].align == Align::right;
    if (!text.empty()) {
      out += std::string(owed + (right ? fill : 0), ' ') + toned(text, cell.tone, colour);
      owed = right ? 0 : fill;
    } else {
      owed += fill;
    }
    owed += kGap;
  }
  return out + "\n";
}

std::string Table::render(int width, bool colour) const {
  const std::size_t total = columns_for(width);
  const std::vector<std::size_t> column_widths = widths(total);
  std::string out;
  std::vector<Cell> heads;
  for (const Column& column : columns_) heads.push_back({column.head, Tone::dim});
  if (std::any_of(heads.begin(), heads.end(), [](const Cell& head) { return !head.text.empty(); })) {
    out += line(heads, column_widths, colour);
  }
  for (const Row& row : rows_) {
    if (row.note.text.empty()) {
      out += line(row.cells, column_widths, colour);
    } else {
      const std::string note = wrapped(row.note.text, width, std::string(static_cast<std::size_t>(row.indent), ' '));
      out += toned(std::string_view(note).substr(0, note.size() - 1), row.note.tone, colour) + "\n";
    }
  }
  return out;
}

}  // namespace wattle::report
