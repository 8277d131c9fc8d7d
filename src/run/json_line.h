// One JSON object on one line, as training programs write it.
#pragma once

#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <string_view>

namespace wattle::run {

// The object, or nothing where the line holds none. Bare NaN, Infinity and -Infinity, which Python's json writes and
// JSON does not know, are read as the strings "nan", "inf" and "-inf".
[[nodiscard]] std::optional<nlohmann::json> parse_json_line(std::string_view line);

// A number, or one of the strings "nan", "inf" and "-inf".
[[nodiscard]] std::optional<double> real_of(const nlohmann::json& value);
// A whole number in the range; a number such as 3.0 counts.
[[nodiscard]] std::optional<std::int64_t> whole_of(const nlohmann::json& value, std::int64_t least, std::int64_t most);

// The member as text, or empty where it is none; as a whole number likewise.
[[nodiscard]] std::string text_member(const nlohmann::json& object, const char* key);
[[nodiscard]] std::optional<std::int64_t> whole_member(const nlohmann::json& object, const char* key,
                                                       std::int64_t least, std::int64_t most);

// The text with every byte that is no UTF-8 replaced: what JSON can carry.
[[nodiscard]] std::string valid_text(const std::string& text);

}  // namespace wattle::run
