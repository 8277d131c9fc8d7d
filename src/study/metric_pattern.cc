#include "study/metric_pattern.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <limits>
#include <regex>
#include <string>
#include <vector>

#include "base/text.h"

namespace wattle::study {

struct MetricPattern::Compiled {
  std::regex regex;
  std::size_t value_group = 0;
  std::size_t epoch_group = 0;  // 0: none
  // It begins with .* and has no alternatives: if it does not match from the line's start it matches nowhere, and
  // trying every start would take time quadratic in the line.
  bool whole_line = false;
};

namespace {

// libstdc++'s default executor backtracks: exponential time, and stack that grows with the line. Its breadth-first one
// does neither.
#ifdef __GLIBCXX__
constexpr auto kSyntax = std::regex::ECMAScript | std::regex_constants::__polynomial;
#else
constexpr auto kSyntax = std::regex::ECMAScript;
#endif
// The expression is unrolled by its counts, {100}{100} ten thousand times.
constexpr std::int64_t kLargestRepeat = 1000;

// std::regex knows no names: (?<value>…) becomes a plain group whose number is remembered.
class Translation {
 public:
  explicit Translation(std::string_view pattern) : rest_(pattern) {}

  Result<void> run() {
    while (!rest_.empty()) {
      const char c = rest_.front();
      Result<void> step;
      if (c == '\\') {
        copy(2);
      } else if (c == '[') {
        copy_class();
      } else if (c == '(') {
        step = open_group();
      } else if (c == '{') {
        step = count_repeat();
      } else {
        copy(1);
      }
      if (!step) return step;
    }
    if (value_group == 0) {
      return fail(ErrorKind::bad_input, "the regular expression has no group (?<value>…)",
                  R"(name the part that is the number: 'val_acc (?<value>[\d.]+)')");
    }
    return {};
  }

  std::string plain;
  std::size_t value_group = 0;
  std::size_t epoch_group = 0;

 private:
  void copy(std::size_t count) {
    plain += rest_.substr(0, count);
    rest_.remove_prefix(std::min(count, rest_.size()));
  }

  void copy_class() {
    copy(1);
    while (!rest_.empty() && rest_.front() != ']') copy(rest_.front() == '\\' ? 2 : 1);
    if (!rest_.empty()) copy(1);
  }

  Result<void> open_group() {
    const bool python = rest_.starts_with("(?P<");
    const bool named = python || (rest_.starts_with("(?<") && !rest_.starts_with("(?<=") && !rest_.starts_with("(?<!"));
    if (named) return open_named(python ? 4 : 3);
    if (rest_.starts_with("(?")) {
      if (rest_.size() < 3 || std::string_view(":=!").find(rest_[2]) == std::string_view::npos) {
        return fail(ErrorKind::bad_input,
                    fmt::format("the regular expression uses `{}`, which is not supported", rest_.substr(0, 4)),
                    "groups can be (…), (?:…), (?=…), (?!…), (?<value>…) and (?<epoch>…)");
      }
      copy(3);
      return {};
    }
    ++groups_;
    copy(1);
    return {};
  }

  Result<void> open_named(std::size_t prefix) {
    const std::size_t end = rest_.find('>');
    if (end == std::string_view::npos) {
      return fail(ErrorKind::bad_input, "the regular expression has a group name without its `>`");
    }
    const std::string name(rest_.substr(prefix, end - prefix));
    if (name != "value" && name != "epoch") {
      const auto meant = nearest(name, std::vector<std::string>{"value", "epoch"});
      return fail(ErrorKind::bad_input, fmt::format("the regular expression names a group `{}`", printable(name)),
                  meant ? fmt::format("did you mean `{}`?", *meant) : "only `value` and `epoch` can be named");
    }
    std::size_t& group = name == "value" ? value_group : epoch_group;
    if (group != 0) return fail(ErrorKind::bad_input, fmt::format("the regular expression has two groups `{}`", name));
    group = ++groups_;
    plain += '(';
    rest_.remove_prefix(end + 1);
    return {};
  }

  Result<void> count_repeat() {
    std::int64_t largest = 1;
    const std::string_view counts =
        rest_.substr(1, rest_.find('}') == std::string_view::npos ? 0 : rest_.find('}') - 1);
    for (const std::string& count : split(counts, ',')) {
      if (const auto number = parse_integer(count)) largest = std::max(largest, *number);
      if (count.size() > 6) largest = kLargestRepeat + 1;
    }
    if (largest > kLargestRepeat || (repeats_ *= largest) > kLargestRepeat) {
      return fail(ErrorKind::bad_input,
                  fmt::format("the regular expression repeats a part more than {} times", kLargestRepeat),
                  "use `*` or `+`");
    }
    copy(1);
    return {};
  }

  std::string_view rest_;
  std::size_t groups_ = 0;
  std::int64_t repeats_ = 1;
};

std::string_view why(std::regex_constants::error_type code) {
  using namespace std::regex_constants;
  if (code == error_paren) return "a round bracket without its partner, or a *, +, ? with nothing to repeat";
  if (code == error_brack) return "a bracket [ without its ]";
  if (code == error_brace || code == error_badbrace) return "a { without its } or without a number";
  if (code == error_badrepeat) return "a *, +, ? or { with nothing to repeat";
  if (code == error_range) return "a range such as z-a that runs backwards";
  if (code == error_escape) return "a backslash before a character that needs none";
  if (code == error_backref || code == error_complexity) return "a back-reference, which is not supported";
  return "something that cannot be read";
}

}  // namespace

Result<MetricPattern> MetricPattern::compile(std::string_view pattern) {
  if (pattern.size() > kLongestPattern) {
    return fail(ErrorKind::bad_input, fmt::format("the regular expression is {} bytes long; at most {} are allowed",
                                                  pattern.size(), kLongestPattern));
  }
  Translation translation(pattern);
  if (auto done = translation.run(); !done) return tl::unexpected(done.error());
  try {
    const bool whole_line = pattern.starts_with(".*") && pattern.find('|') == std::string_view::npos;
    return MetricPattern(std::make_shared<const Compiled>(Compiled{
        std::regex(translation.plain, kSyntax), translation.value_group, translation.epoch_group, whole_line}));
  } catch (const std::regex_error& error) {
    return fail(ErrorKind::bad_input, fmt::format("the regular expression has {}", why(error.code())));
  }
}

std::optional<MetricPattern::Match> MetricPattern::match(std::string_view line) const {
  line = line.substr(0, kLongestLine);
  std::cmatch groups;
  try {
    const bool one_start = compiled_->whole_line && line.find_first_of("\r\n") == std::string_view::npos;
    const auto flags = one_start ? std::regex_constants::match_continuous : std::regex_constants::match_default;
    if (!std::regex_search(line.data(), line.data() + line.size(), groups, compiled_->regex, flags))
      return std::nullopt;
  } catch (const std::regex_error&) {
    return std::nullopt;
  }
  const auto value = parse_real(groups.str(compiled_->value_group));
  if (!value) return std::nullopt;
  Match found{*value, std::nullopt};
  if (compiled_->epoch_group != 0 && groups[compiled_->epoch_group].matched) {
    const auto epoch = parse_integer(groups.str(compiled_->epoch_group));
    if (!epoch || *epoch < 0 || *epoch > std::numeric_limits<int>::max()) return std::nullopt;
    found.epoch = static_cast<int>(*epoch);
  }
  return found;
}

}  // namespace wattle::study
