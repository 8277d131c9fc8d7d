#include "meter/command_line.h"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <utility>

#include "base/text.h"

namespace wattle::meter {
namespace {

constexpr std::string_view kOperators = "|&;<>()\n";
constexpr std::string_view kExpansions = "$`";
constexpr std::string_view kPatterns = "*?[";
constexpr std::string_view kEscapedInDouble = "\"\\$`\n";

bool is_blank(char c) { return c == ' ' || c == '\t'; }

class Splitter {
 public:
  explicit Splitter(std::string_view text) : text_(text) {}

  [[nodiscard]] Result<std::vector<std::string>> split() {
    for (; at_ < text_.size() && error_.empty(); ++at_) step(text_[at_]);
    if (!error_.empty()) return refused(error_);
    if (in_word_) words_.push_back(word_);
    if (words_.empty()) return fail(ErrorKind::bad_input, "the command is empty");
    if (is_assignment_) {
      return fail(ErrorKind::bad_input,
                  fmt::format("`{}` before the command is something only a shell does", printable(words_.front())),
                  "write env NAME=VALUE COMMAND");
    }
    return words_;
  }

 private:
  void step(char c) {
    if (is_blank(c)) {
      if (in_word_) words_.push_back(std::exchange(word_, {}));
      in_word_ = false;
    } else if (c == '\'') {
      single_quoted();
    } else if (c == '"') {
      double_quoted();
    } else if (c == '\\') {
      if (++at_ >= text_.size()) return refuse("a backslash with nothing behind it");
      if (text_[at_] != '\n') add(text_[at_]);
    } else {
      plain(c);
    }
  }

  void plain(char c) {
    const auto is = [c](std::string_view set) { return set.find(c) != std::string_view::npos; };
    const std::string shown = c == '\n' ? "newline" : std::string(1, c);
    if (is(kOperators)) return refuse(fmt::format("the operator `{}`", shown));
    if (is(kExpansions)) return refuse(fmt::format("the expansion `{}`", shown));
    if (is(kPatterns)) return refuse(fmt::format("the pattern `{}`", shown));
    if (!in_word_ && (c == '~' || c == '#')) return refuse(fmt::format("a leading `{}`", shown));
    if (c == '=' && words_.empty() && is_name(word_)) is_assignment_ = true;
    add(c);
  }

  void single_quoted() {
    const auto end = text_.find('\'', at_ + 1);
    if (end == std::string_view::npos) return refuse("a quote ' that is never closed");
    in_word_ = true;
    word_ += text_.substr(at_ + 1, end - at_ - 1);
    at_ = end;
  }

  void double_quoted() {
    in_word_ = true;
    for (++at_; at_ < text_.size() && text_[at_] != '"'; ++at_) {
      const char c = text_[at_];
      if (kExpansions.find(c) != std::string_view::npos) return refuse(fmt::format("the expansion `{}`", c));
      const bool escapes =
          c == '\\' && at_ + 1 < text_.size() && kEscapedInDouble.find(text_[at_ + 1]) != std::string_view::npos;
      if (escapes) ++at_;
      if (!escapes || text_[at_] != '\n') add(text_[at_]);
    }
    if (at_ >= text_.size()) refuse("a quote \" that is never closed");
  }

  static bool is_name(std::string_view word) {
    if (word.empty() || std::isdigit(static_cast<unsigned char>(word.front())) != 0) return false;
    for (const unsigned char c : word) {
      if (std::isalnum(c) == 0 && c != '_') return false;
    }
    return true;
  }

  void add(char c) {
    in_word_ = true;
    word_ += c;
  }
  void refuse(std::string what) {
    if (!error_.empty()) return;
    error_ = std::move(what);
    error_column_ = std::min(at_, text_.size() - 1) + 1;
  }
  [[nodiscard]] tl::unexpected<Error> refused(const std::string& what) const {
    return fail(
        ErrorKind::bad_input,
        fmt::format("`{}`, column {}: {} is for a shell, and none is used", printable(text_), error_column_, what),
        "quote it if it is meant literally, or put the command line into a script of its own");
  }

  std::string_view text_;
  std::size_t at_ = 0;
  std::vector<std::string> words_;
  std::string word_;
  bool in_word_ = false;
  bool is_assignment_ = false;
  std::string error_;
  std::size_t error_column_ = 0;  // 1-based
};

}  // namespace

Result<std::vector<std::string>> split_words(std::string_view command) { return Splitter(command).split(); }

std::vector<std::string> with_values(std::vector<std::string> words, const std::map<std::string, std::string>& values) {
  for (std::string& word : words) {
    std::string filled;
    for (std::size_t at = 0; at < word.size();) {
      const auto end = word[at] == '{' ? word.find('}', at) : std::string::npos;
      const auto value = end == std::string::npos ? values.end() : values.find(word.substr(at + 1, end - at - 1));
      filled += value == values.end() ? word.substr(at, 1) : value->second;
      at = value == values.end() ? at + 1 : end + 1;
    }
    word = std::move(filled);
  }
  return words;
}

std::vector<std::map<std::string, std::string>> combinations(const std::vector<ParameterList>& lists) {
  std::vector<std::map<std::string, std::string>> all(1);
  for (const auto& [name, values] : lists) {
    std::vector<std::map<std::string, std::string>> more;
    for (const auto& before : all) {
      for (const std::string& value : values) {
        more.push_back(before);
        more.back()[name] = value;
      }
    }
    all = std::move(more);
  }
  return all;
}

}  // namespace wattle::meter
