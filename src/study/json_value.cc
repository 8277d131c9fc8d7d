#include "study/json_value.h"

#include <fmt/format.h>

#include <cmath>
#include <limits>
#include <nlohmann/json.hpp>

#include "study/plan.h"

namespace wattle::study {
namespace {

using nlohmann::json;

std::string quoted(const std::string& text) { return json(text).dump(-1, ' ', false, json::error_handler_t::replace); }

void write_canonical(const json& value, std::string& out) {
  if (value.is_object()) {
    out += '{';
    for (auto member = value.begin(); member != value.end(); ++member) {
      if (member != value.begin()) out += ',';
      out += quoted(member.key());
      out += ':';
      write_canonical(member.value(), out);
    }
    out += '}';
  } else if (value.is_array()) {
    out += '[';
    for (auto element = value.begin(); element != value.end(); ++element) {
      if (element != value.begin()) out += ',';
      write_canonical(*element, out);
    }
    out += ']';
  } else if (value.is_number_float()) {
    const std::string text = real_text(value.get<double>());
    out += std::isfinite(value.get<double>()) ? text : fmt::format("\"{}\"", text);
  } else if (value.is_string()) {
    out += quoted(value.get<std::string>());
  } else {
    out += value.dump();
  }
}

}  // namespace

json value_to_json(const Value& value) {
  return std::visit([](const auto& held) { return json(held); }, value);
}

std::optional<Value> value_from_json(const json& value) {
  if (value.is_boolean()) return Value(value.get<bool>());
  if (value.is_string()) return Value(value.get<std::string>());
  if (value.is_number_float()) {
    const double real = value.get<double>();
    return std::isfinite(real) ? std::optional<Value>(real) : std::nullopt;
  }
  if (value.is_number_unsigned()) {
    const auto whole = value.get<std::uint64_t>();
    if (whole > static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max())) return std::nullopt;
    return Value(static_cast<std::int64_t>(whole));
  }
  if (value.is_number_integer()) return Value(value.get<std::int64_t>());
  return std::nullopt;
}

json assignment_to_json(const Assignment& assignment) {
  json object = json::object();
  for (const auto& [name, value] : assignment) object[name] = value_to_json(value);
  return object;
}

std::string canonical(const json& value) {
  std::string out;
  write_canonical(value, out);
  return out;
}

}  // namespace wattle::study
