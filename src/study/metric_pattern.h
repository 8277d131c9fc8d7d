// Reads a metric out of one line of a program's output, by the regular expression that a study gives.
#pragma once

#include <memory>
#include <optional>
#include <string_view>

#include "base/result.h"

namespace wattle::study {

// An ECMAScript regular expression with two named groups, (?<value>…) and optionally (?<epoch>…); Python's spelling
// (?P<value>…) is taken too. Look-behind, inline flags and back-references are refused: matching then takes time
// at most quadratic in the line (microseconds for expressions that people write), and stack that depends on the
// expression alone. Immutable; copies share the compiled expression; match may be called from several threads at once.
class MetricPattern {
 public:
  static constexpr std::size_t kLongestPattern = 1000;  // bytes
  static constexpr std::size_t kLongestLine = 4096;     // bytes of a line that are looked at; the rest is ignored

  struct Match {
    double value = 0.0;  // may be NaN or infinite, where the line says so
    std::optional<int> epoch;
  };

  // Fails with kind bad_input: no (?<value>…), an unknown or repeated group name, a syntax error, too long.
  [[nodiscard]] static Result<MetricPattern> compile(std::string_view pattern);

  // The first match in the line; nothing where there is none, or where a group's text is not a number (for the epoch:
  // not a whole number from 0 to the largest int).
  [[nodiscard]] std::optional<Match> match(std::string_view line) const;

 private:
  struct Compiled;
  explicit MetricPattern(std::shared_ptr<const Compiled> compiled) : compiled_(std::move(compiled)) {}

  std::shared_ptr<const Compiled> compiled_;
};

}  // namespace wattle::study
