// Text in and out: files as strings, numbers that survive the trip, words people can read. Pure unless the
// name says read_, write_ or append_. Nothing here throws or prints.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "base/units.h"

namespace wattle {

// --- Files ---------------------------------------------------------------------------------------------

// The whole file. Fails with kind environment (denied) or bad_input (absent, a directory, longer than limit).
[[nodiscard]] Result<std::string> read_text(const std::filesystem::path& path, std::size_t limit = 1U << 30U);
// Replaces the file in one step (temporary beside it, fsync, rename): a reader sees the old text or the new.
[[nodiscard]] Result<void> write_text(const std::filesystem::path& path, std::string_view text);

// --- Numbers -------------------------------------------------------------------------------------------

// The shortest decimal that reads back as the same double; "nan", "inf" and "-inf" for the others.
[[nodiscard]] std::string shortest(double value);
// The whole string as a number, blanks around it allowed; independent of the locale. Empty, trailing text,
// or out of range: nothing.
[[nodiscard]] std::optional<double> parse_real(std::string_view text);
[[nodiscard]] std::optional<std::int64_t> parse_integer(std::string_view text);
[[nodiscard]] std::optional<std::uint64_t> parse_unsigned(std::string_view text);
// "90s", "1.5 min", "2h", "20ms": a duration of 0 or more. A bare number is refused.
[[nodiscard]] std::optional<Nanoseconds> parse_duration(std::string_view text);

// --- Words ---------------------------------------------------------------------------------------------

[[nodiscard]] std::string_view trim(std::string_view text);
[[nodiscard]] std::vector<std::string> split(std::string_view text, char separator);
[[nodiscard]] std::string join(std::span<const std::string> words, std::string_view separator);
// The candidate most like the word (restricted edit distance of at most a third of its length, at least 2), or nothing:
// for "did you mean `learning_rate`?".
[[nodiscard]] std::optional<std::string> nearest(std::string_view word, std::span<const std::string> candidates);
// Columns that the text fills on a terminal: code points, not bytes.
[[nodiscard]] std::size_t display_width(std::string_view utf8);
// A copy safe for a terminal or a log: control bytes become '?'.
[[nodiscard]] std::string printable(std::string_view text);
// One argument vector as a person would type it in a POSIX shell; for display only, never executed.
[[nodiscard]] std::string shell_quoted(std::span<const std::string> arguments);

// --- Quantities for people (JSON and CSV carry plain SI numbers instead) --------------------------------

// Three significant digits and an SI prefix: "12.4 kJ", "0.41 J", "61.2 W".
[[nodiscard]] std::string human(Joules energy);
[[nodiscard]] std::string human(Watts power);
// "182.1 s" below 10 minutes, "2:04 h" style above; at most three digits of precision below a second ("4.2 ms").
[[nodiscard]] std::string human(Seconds duration);
[[nodiscard]] std::string significant(double value, int digits);

// --- Digests -------------------------------------------------------------------------------------------

// SHA-256, 64 lower-case hexadecimal digits.
[[nodiscard]] std::string sha256(std::string_view bytes);

}  // namespace wattle
