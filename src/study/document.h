// Reading a TOML document so that every mistake is told, with its place, and reading goes on: nothing here stops at the
// first one. A value that is wrong is reported once and then treated as absent. Internal to study.
#pragma once

#include <toml++/toml.h>

#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "base/units.h"
#include "study/study.h"

namespace wattle::study {

struct Position {
  int line = 0;  // 1-based; 0: the file as a whole
  int column = 0;
  std::string origin = {};  // "--set epochs=3" where it stands in no file
};
[[nodiscard]] Position position_of(const toml::node& node);
[[nodiscard]] Position position_of(const toml::key& key);

// Text from the file as it may stand in a message: in backticks, no control bytes, shortened.
[[nodiscard]] std::string code(std::string_view text);
// "did you mean `x`?", or a list of what there is when it is short, or nothing.
[[nodiscard]] std::string did_you_mean(std::string_view word, const std::vector<std::string>& known);
// "a whole number", "text", "a list"…: what a node is, for a person.
[[nodiscard]] std::string_view kind_of(const toml::node& node);
// Nothing for lists, tables and dates.
[[nodiscard]] std::optional<Value> value_of(const toml::node& node);

class Mistakes {
 public:
  void add(Position position, std::string message, std::string suggestion = {});
  [[nodiscard]] std::size_t count() const { return found_.size(); }
  [[nodiscard]] std::vector<Diagnostic> in_file_order() const;

 private:
  std::vector<Diagnostic> found_;
};

// One table being read. A getter notes the key as known; `finish` reports the keys that nobody asked for. Getters
// return nothing where the key is absent or wrong (then it has been reported). Refers to the table and the mistakes,
// which must outlive it.
class Section {
 public:
  Section(const toml::table& table, std::string title, Mistakes& mistakes);

  [[nodiscard]] Position position() const { return position_; }
  [[nodiscard]] const std::string& title() const { return title_; }
  [[nodiscard]] bool has(std::string_view key) const { return table_.contains(key); }
  // Where the key's value stands, or the section where there is none.
  [[nodiscard]] Position position(std::string_view key) const;

  const toml::node* find(std::string_view key);
  const toml::node* require(std::string_view key, std::string suggestion);
  const toml::table* table(std::string_view key, std::string_view example);
  const toml::array* list(std::string_view key, std::string_view example);
  // Not empty, without NUL bytes.
  std::optional<std::string> text(std::string_view key);
  std::optional<std::string> word(std::string_view key, const std::vector<std::string>& allowed);
  std::optional<std::int64_t> integer(std::string_view key, std::int64_t least, std::int64_t most);
  std::optional<double> positive(std::string_view key);
  std::optional<double> finite(std::string_view key);
  // A part of a whole, above 0 and at most 1: 0.02 or "2 %".
  std::optional<double> part(std::string_view key);
  std::optional<bool> truth(std::string_view key);
  std::optional<Nanoseconds> duration(std::string_view key, Nanoseconds least, Nanoseconds most,
                                      std::string_view limits);
  // The tables of `[[key]]`; whatever else stands there is reported.
  std::vector<const toml::table*> tables(std::string_view key);
  // A list of text; elements of other types are reported and left out.
  std::vector<std::string> texts(std::string_view key, std::string_view example);

  void wrong_type(std::string_view key, const toml::node& node, std::string_view expected, std::string suggestion = {});
  // Reports a mistake about the value of a key (or the section, where the key is absent).
  void complain(std::string_view key, std::string message, std::string suggestion = {});
  void finish();

 private:
  const toml::table& table_;
  std::string title_;
  Mistakes& mistakes_;
  Position position_;
  std::set<std::string, std::less<>> known_;
};

// The text as a TOML document, or nothing and one mistake: not UTF-8, a syntax error, a key of absurd depth.
[[nodiscard]] std::optional<toml::table> parse_toml(std::string_view text, Mistakes& mistakes);

}  // namespace wattle::study
