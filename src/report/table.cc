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

// Writes cells one after the other to the end of `out`, each in its column.
class Line {
 public:
  Line(const std::vector<Column>& columns, const std::vector<std::size_t>& widths, bool colour, std::string& out)
      : columns_(columns), widths_(widths), colour_(colour), out_(out) {}

  void add(std::string_view text, std::size_t width, Tone tone) {
    const std::size_t room = widths_[column_];
    if (room == 0) text = {};
    const std::size_t fill = room - (text.empty() ? 0 : std::min(width, room));
    const bool right = columns_[column_++].align == Align::right;
    if (text.empty()) {
      owed_ += fill + kGap;
      return;
    }
    out_.append(owed_ + (right ? fill : 0), ' ');
    if (width > room) {
      out_ += toned(shortened(text, room), tone, colour_);
    } else if (colour_) {
      out_ += toned(text, tone, colour_);
    } else {
      out_ += text;
    }
    owed_ = (right ? 0 : fill) + kGap;
  }
  void end() {
    out_ += '\n';
    owed_ = 0;
    column_ = 0;
  }

 private:
  const std::vector<Column>& columns_;
  const std::vector<std::size_t>& widths_;
  bool colour_;
  std::string& out_;
  std::size_t column_ = 0;
  std::size_t owed_ = 0;  // blanks before the next text: a line never ends with blanks
};

// What printable() makes of it, from `begin` on.
void make_printable(std::string& text, std::size_t begin) {
  std::replace_if(
      text.begin() + static_cast<std::ptrdiff_t>(begin), text.end(),
      [](char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7F; }, '?');
}

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

std::size_t Table::add(const Cell& cell) {
  const std::size_t begin = characters_.size();
  characters_ += cell.text;
  make_printable(characters_, begin);
  const std::size_t width = display_width(cell.text);
  texts_.push_back({cell.text.size(), width, cell.tone});
  return width;
}

void Table::add_row(const std::vector<Cell>& cells) {
  const std::size_t count = std::min(cells.size(), columns_.size());
  for (std::size_t c = 0; c < count; ++c) widest_[c] = std::max(widest_[c], add(cells[c]));
  rows_.push_back({count, 0, false});
}

void Table::add_note(const Cell& note, int indent) {
  if (note.text.empty()) return add_row({});
  add(note);
  rows_.push_back({1, indent, true});
}

void Table::blank(std::size_t column) {
  columns_[column].head.clear();
  widest_[column] = 0;  // no text fits any more
}

std::vector<std::size_t> Table::widths(std::size_t total) const {
  std::vector<std::size_t> widths;
  for (std::size_t c = 0; c < columns_.size(); ++c) {
    widths.push_back(std::max(display_width(columns_[c].head), widest_[c]));
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

std::string Table::render(int width, bool colour) const {
  const std::vector<std::size_t> column_widths = widths(columns_for(width));
  std::string out;
  Line line(columns_, column_widths, colour, out);
  if (std::any_of(columns_.begin(), columns_.end(), [](const Column& column) { return !column.head.empty(); })) {
    for (const Column& column : columns_) line.add(column.head, display_width(column.head), Tone::dim);
    line.end();
  }
  std::string_view left = characters_;
  auto text = texts_.begin();
  const auto next = [&] {
    const std::string_view taken = left.substr(0, text->size);
    left.remove_prefix(taken.size());
    return taken;
  };
  for (const Row& row : rows_) {
    if (row.is_note) {
      const std::string note = wrapped(next(), width, std::string(static_cast<std::size_t>(row.indent), ' '));
      out += toned(std::string_view(note).substr(0, note.size() - 1), text->tone, colour) + "\n";
      ++text;
      continue;
    }
    for (std::size_t c = 0; c < row.texts; ++c, ++text) line.add(next(), text->width, text->tone);
    line.end();
  }
  return out;
}

}  // namespace wattle::report
