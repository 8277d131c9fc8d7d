#include "study/document.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <tuple>

#include "base/text.h"

namespace wattle::study {
namespace {

Position at(const toml::source_position& position) {
  return {static_cast<int>(position.line), static_cast<int>(position.column)};
}

// The parser turns a.b.c into nested tables, whose destruction is recursive: a key of a hundred thousand parts would
// end the process.
constexpr int kDeepestKey = 32;

// A dot counts where it can join two parts of a name; prose, ellipses and decimals start the count again.
std::optional<Position> absurdly_deep(std::string_view text) {
  Position here{1, 1};
  int dots = 0;
  char last = '\n';
  bool blank_since = false;
  for (const char c : text) {
    const bool blank = c == ' ' || c == '\t';
    const bool other = std::string_view(",=[]{}#\"'\n").find(c) != std::string_view::npos;
    if (other || (!blank && (c == '.') == (last == '.') && (c == '.' || blank_since))) dots = 0;
    if (c == '.' && last != '.' && ++dots > kDeepestKey) return here;
    if (!blank) last = c;
    blank_since = blank;
    ++here.column;
    if (c == '\n') here = {here.line + 1, 1};
  }
  return std::nullopt;
}

// The parser's own words without their preamble: "cannot redefine existing table 'workload.a'".
std::string in_plain_words(std::string_view description) {
  const std::size_t colon = description.find(": ");
  if (description.starts_with("Error while parsing ") && colon != std::string_view::npos) {
    description.remove_prefix(colon + 2);
  }
  static constexpr std::string_view kTwice = "cannot redefine existing ";
  if (description.starts_with(kTwice)) {
    std::string what(description.substr(kTwice.size()));
    std::replace(what.begin(), what.end(), '\'', '`');
    return fmt::format("{} stands twice",
                       printable(what.substr(what.find('`') == std::string::npos ? 0 : what.find('`'))));
  }
  if (description.find("utf-8") != std::string_view::npos) return "what follows here is not UTF-8 text";
  if (description.find("could not determine value type") != std::string_view::npos) {
    return "this is no TOML value; text needs quotes";
  }
  return fmt::format("not TOML: {}", printable(description));
}

}  // namespace

Position position_of(const toml::node& node) {
  if (node.source().path) return {0, 0, *node.source().path};
  return at(node.source().begin);
}
Position position_of(const toml::key& key) { return at(key.source().begin); }

std::string code(std::string_view text) {
  static constexpr std::size_t kLongest = 60;
  if (text.size() <= kLongest) return fmt::format("`{}`", printable(text));
  std::size_t end = kLongest;
  while (end > 0 && (static_cast<unsigned char>(text[end]) & 0xC0U) == 0x80U) --end;
  return fmt::format("`{}…`", printable(text.substr(0, end)));
}

std::string did_you_mean(std::string_view word, const std::vector<std::string>& known) {
  if (const auto meant = nearest(word, known)) return fmt::format("did you mean `{}`?", *meant);
  if (known.empty() || known.size() > 12) return {};
  return fmt::format("there {} {}", known.size() == 1 ? "is only" : "are", join(known, ", "));
}

std::string_view kind_of(const toml::node& node) {
  switch (node.type()) {
    case toml::node_type::string:
      return "text";
    case toml::node_type::integer:
      return "a whole number";
    case toml::node_type::floating_point:
      return "a number with a point";
    case toml::node_type::boolean:
      return "true or false";
    case toml::node_type::array:
      return "a list";
    case toml::node_type::table:
      return "a table";
    default:
      return "a date or time";
  }
}

std::optional<Value> value_of(const toml::node& node) {
  if (const auto* truth = node.as_boolean()) return Value(truth->get());
  if (const auto* whole = node.as_integer()) return Value(whole->get());
  if (const auto* real = node.as_floating_point()) return Value(real->get());
  if (const auto* text = node.as_string()) return Value(text->get());
  return std::nullopt;
}

void Mistakes::add(Position position, std::string message, std::string suggestion) {
  if (!position.origin.empty()) message = position.origin + ": " + message;
  found_.push_back({position.line, position.column, std::move(message), std::move(suggestion)});
}

std::vector<Diagnostic> Mistakes::in_file_order() const {
  std::vector<Diagnostic> sorted = found_;
  std::stable_sort(sorted.begin(), sorted.end(), [](const Diagnostic& a, const Diagnostic& b) {
    return std::tie(a.line, a.column) < std::tie(b.line, b.column);
  });
  return sorted;
}

Section::Section(const toml::table& table, std::string title, Mistakes& mistakes)
    : table_(table), title_(std::move(title)), mistakes_(mistakes), position_(position_of(table)) {}

Position Section::position(std::string_view key) const {
  const toml::node* node = table_.get(key);
  return node == nullptr ? position_ : position_of(*node);
}

const toml::node* Section::find(std::string_view key) {
  known_.emplace(key);
  return table_.get(key);
}

const toml::node* Section::require(std::string_view key, std::string suggestion) {
  const toml::node* node = find(key);
  if (node == nullptr) {
    mistakes_.add(position_, fmt::format("{} lacks `{}`", title_, key), std::move(suggestion));
  }
  return node;
}

void Section::wrong_type(std::string_view key, const toml::node& node, std::string_view expected,
                         std::string suggestion) {
  mistakes_.add(position_of(node), fmt::format("`{}` must be {}, not {}", key, expected, kind_of(node)),
                std::move(suggestion));
}

void Section::complain(std::string_view key, std::string message, std::string suggestion) {
  mistakes_.add(position(key), std::move(message), std::move(suggestion));
}

const toml::table* Section::table(std::string_view key, std::string_view example) {
  const toml::node* node = find(key);
  if (node == nullptr || node->is_table()) return node == nullptr ? nullptr : node->as_table();
  wrong_type(key, *node, "a table", fmt::format("write {}", example));
  return nullptr;
}

const toml::array* Section::list(std::string_view key, std::string_view example) {
  const toml::node* node = find(key);
  if (node == nullptr || node->is_array()) return node == nullptr ? nullptr : node->as_array();
  wrong_type(key, *node, "a list", fmt::format("write {}", example));
  return nullptr;
}

std::optional<std::string> Section::text(std::string_view key) {
  const toml::node* node = find(key);
  if (node == nullptr) return std::nullopt;
  const auto* held = node->as_string();
  if (held == nullptr) {
    wrong_type(key, *node, "text in quotes");
    return std::nullopt;
  }
  if (trim(held->get()).empty()) {
    complain(key, fmt::format("`{}` is empty", key));
    return std::nullopt;
  }
  if (held->get().find('\0') != std::string::npos) {
    complain(key, fmt::format("`{}` holds a NUL byte", key));
    return std::nullopt;
  }
  return held->get();
}

std::optional<std::string> Section::word(std::string_view key, const std::vector<std::string>& allowed) {
  auto held = text(key);
  if (!held || std::count(allowed.begin(), allowed.end(), *held) > 0) return held;
  complain(key, fmt::format("`{}` cannot be {}", key, code(*held)), did_you_mean(*held, allowed));
  return std::nullopt;
}

std::optional<std::int64_t> Section::integer(std::string_view key, std::int64_t least, std::int64_t most) {
  const toml::node* node = find(key);
  if (node == nullptr) return std::nullopt;
  const auto* held = node->as_integer();
  if (held == nullptr) {
    wrong_type(key, *node, "a whole number");
    return std::nullopt;
  }
  if (held->get() >= least && held->get() <= most) return held->get();
  complain(key, fmt::format("`{}` is {}, but must be from {} to {}", key, held->get(), least, most));
  return std::nullopt;
}

std::optional<double> Section::positive(std::string_view key) {
  const toml::node* node = find(key);
  if (node == nullptr) return std::nullopt;
  const auto held = node->value<double>();
  if (!node->is_number() || !held) {
    wrong_type(key, *node, "a number");
    return std::nullopt;
  }
  if (std::isfinite(*held) && *held > 0.0) return held;
  complain(key, fmt::format("`{}` is {}, but must be a finite number above 0", key, shortest(*held)));
  return std::nullopt;
}

std::optional<double> Section::finite(std::string_view key) {
  const toml::node* node = find(key);
  if (node == nullptr) return std::nullopt;
  const auto held = node->value<double>();
  if (!node->is_number() || !held) {
    wrong_type(key, *node, "a number");
    return std::nullopt;
  }
  if (std::isfinite(*held)) return held;
  complain(key, fmt::format("`{}` is {}, but must be a finite number", key, shortest(*held)));
  return std::nullopt;
}

std::optional<double> Section::part(std::string_view key) {
  static constexpr std::string_view kExample = R"(for example 0.02 or "2 %")";
  const toml::node* node = find(key);
  if (node == nullptr) return std::nullopt;
  std::optional<double> held;
  std::string shown;
  if (const auto* text = node->as_string()) {
    shown = code(text->get());
    const std::string_view trimmed = trim(text->get());
    if (trimmed.ends_with('%')) held = parse_real(trimmed.substr(0, trimmed.size() - 1));
    if (held) *held /= 100.0;
  } else if (node->is_number()) {
    held = node->value<double>();
    if (held) shown = shortest(*held);
  } else {
    wrong_type(key, *node, "a number or text in quotes", std::string(kExample));
    return std::nullopt;
  }
  if (held && *held > 0.0 && *held <= 1.0) return held;
  complain(key, fmt::format("`{}` is {}, but must be a part above 0 and at most 1", key, shown), std::string(kExample));
  return std::nullopt;
}

std::optional<bool> Section::truth(std::string_view key) {
  const toml::node* node = find(key);
  if (node == nullptr) return std::nullopt;
  if (node->is_boolean()) return node->as_boolean()->get();
  wrong_type(key, *node, "true or false");
  return std::nullopt;
}

std::optional<Nanoseconds> Section::duration(std::string_view key, Nanoseconds least, Nanoseconds most,
                                             std::string_view limits) {
  const toml::node* node = find(key);
  if (node == nullptr) return std::nullopt;
  if (!node->is_string()) {
    wrong_type(key, *node, "a duration in quotes", R"(for example "90s", "30min", "2h" or "20ms")");
    return std::nullopt;
  }
  const std::string& held = node->as_string()->get();
  const auto duration = parse_duration(held);
  if (!duration) {
    complain(key, fmt::format("`{}` is {}, which is no duration", key, code(held)),
             R"(for example "90s", "30min", "2h" or "20ms")");
    return std::nullopt;
  }
  if (*duration >= least && *duration <= most) return duration;
  complain(key, fmt::format("`{}` is {}, but must be {}", key, code(held), limits));
  return std::nullopt;
}

std::vector<const toml::table*> Section::tables(std::string_view key) {
  std::vector<const toml::table*> found;
  const toml::node* node = find(key);
  if (node == nullptr) return found;
  const toml::array* entries = node->as_array();
  if (entries == nullptr) {
    wrong_type(key, *node, "a list of tables", fmt::format("write [[{}]], with two brackets", key));
    return found;
  }
  if (entries->empty()) complain(key, fmt::format("`{}` is empty", key), "leave it out");
  for (const toml::node& entry : *entries) {
    if (entry.is_table()) {
      found.push_back(entry.as_table());
    } else {
      mistakes_.add(position_of(entry), fmt::format("`{}` holds {}, but takes tables", key, kind_of(entry)));
    }
  }
  return found;
}

std::vector<std::string> Section::texts(std::string_view key, std::string_view example) {
  std::vector<std::string> result;
  const toml::array* elements = list(key, example);
  if (elements == nullptr) return result;
  for (const toml::node& element : *elements) {
    const auto* held = element.as_string();
    if (held == nullptr) {
      mistakes_.add(position_of(element),
                    fmt::format("`{}` holds {}, but takes text in quotes", key, kind_of(element)));
    } else if (held->get().find('\0') != std::string::npos) {
      mistakes_.add(position_of(element), fmt::format("`{}` holds a NUL byte", key));
    } else {
      result.push_back(held->get());
    }
  }
  return result;
}

void Section::finish() {
  const std::vector<std::string> known(known_.begin(), known_.end());
  for (auto&& [key, node] : table_) {
    if (known_.contains(key.str())) continue;
    const auto meant = nearest(key.str(), known);
    mistakes_.add(position_of(key),
                  fmt::format("unknown {} {} in {}", node.is_table() && !node.as_table()->is_inline() ? "table" : "key",
                              code(key.str()), title_),
                  meant ? fmt::format("did you mean `{}`?", *meant) : "");
  }
}

std::optional<toml::table> parse_toml(std::string_view text, Mistakes& mistakes) {
  if (const auto deep = absurdly_deep(text)) {
    mistakes.add(*deep, fmt::format("a name with more than {} dots", kDeepestKey));
    return std::nullopt;
  }
  try {
    return toml::parse(text);
  } catch (const toml::parse_error& error) {
    mistakes.add(at(error.source().begin), in_plain_words(error.description()));
    return std::nullopt;
  }
}

}  // namespace wattle::study
