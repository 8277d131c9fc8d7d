#include "run/json_line.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <string>
#include <utility>

namespace wattle::run {
namespace {

using nlohmann::json;

// The line with Python's three bare words as strings; text inside strings stays.
std::string with_words_quoted(std::string_view line) {
  static constexpr std::array<std::pair<std::string_view, std::string_view>, 3> kWords{
      {{"NaN", "\"nan\""}, {"-Infinity", "\"-inf\""}, {"Infinity", "\"inf\""}}};
  std::string text;
  bool quoted = false;
  for (std::size_t i = 0; i < line.size();) {
    const auto* word = quoted ? kWords.end() : std::find_if(kWords.begin(), kWords.end(), [&](const auto& candidate) {
      return line.substr(i).starts_with(candidate.first);
    });
    if (word != kWords.end()) {
      text += word->second;
      i += word->first.size();
      continue;
    }
    if (line[i] == '"') quoted = !quoted;
    if (quoted && line[i] == '\\' && i + 1 < line.size()) text += line[i++];
    text += line[i++];
  }
  return text;
}

}  // namespace

std::optional<json> parse_json_line(std::string_view line) {
  json object = json::parse(line, nullptr, false);
  if (object.is_discarded()) object = json::parse(with_words_quoted(line), nullptr, false);
  if (!object.is_object()) return std::nullopt;
  return object;
}

std::optional<double> real_of(const json& value) {
  if (value.is_number()) return value.get<double>();
  if (!value.is_string()) return std::nullopt;
  const auto& text = value.get_ref<const std::string&>();
  if (text == "nan") return std::numeric_limits<double>::quiet_NaN();
  if (text == "inf") return std::numeric_limits<double>::infinity();
  if (text == "-inf") return -std::numeric_limits<double>::infinity();
  return std::nullopt;
}

std::optional<std::int64_t> whole_of(const json& value, std::int64_t least, std::int64_t most) {
  std::int64_t number = 0;
  if (value.is_number_unsigned()) {
    const auto large = value.get<std::uint64_t>();
    if (large > static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max())) return std::nullopt;
    number = static_cast<std::int64_t>(large);
  } else if (value.is_number_integer()) {
    number = value.get<std::int64_t>();
  } else if (value.is_number_float() && std::abs(value.get<double>()) < 9e15 &&
             std::trunc(value.get<double>()) == value.get<double>()) {
    number = static_cast<std::int64_t>(value.get<double>());
  } else {
    return std::nullopt;
  }
  return number >= least && number <= most ? std::optional<std::int64_t>(number) : std::nullopt;
}

std::string text_member(const json& object, const char* key) {
  const auto entry = object.find(key);
  return entry != object.end() && entry->is_string() ? entry->get<std::string>() : std::string();
}

std::optional<std::int64_t> whole_member(const json& object, const char* key, std::int64_t least, std::int64_t most) {
  const auto entry = object.find(key);
  return entry == object.end() ? std::nullopt : whole_of(*entry, least, most);
}

std::string valid_text(const std::string& text) {
  return json::parse(json(text).dump(-1, ' ', false, json::error_handler_t::replace)).get<std::string>();
}

}  // namespace wattle::run
