#include "study/value.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <utility>

#include "base/text.h"

namespace wattle::study {
namespace {

constexpr std::array<std::pair<ParameterType, std::string_view>, 5> kTypes{{{ParameterType::boolean, "bool"},
                                                                            {ParameterType::integer, "int"},
                                                                            {ParameterType::real, "float"},
                                                                            {ParameterType::choice, "choice"},
                                                                            {ParameterType::text, "text"}}};

std::string shown(const Value& value) {
  if (std::holds_alternative<std::string>(value)) return fmt::format("`{}`", printable(std::get<std::string>(value)));
  return to_text(value);
}

// A bound as people write it: 0 rather than 0.0, whatever the parameter's type.
std::string why_out_of_domain(const Parameter& parameter, double number, const std::string& text) {
  if (!std::isfinite(number)) return fmt::format("{} is not a finite number", text);
  const auto& minimum = parameter.minimum;
  const auto& maximum = parameter.maximum;
  if (minimum && parameter.exclusive_minimum && number <= *minimum) {
    return fmt::format("{} is not above {}", text, shortest(*minimum));
  }
  if (minimum && number < *minimum) return fmt::format("{} is below the smallest, {}", text, shortest(*minimum));
  if (maximum && number > *maximum) return fmt::format("{} is above the largest, {}", text, shortest(*maximum));
  return {};
}

}  // namespace

std::string real_text(double value) {
  std::string text = shortest(value);
  if (!std::isfinite(value) || text.find('.') != std::string::npos) return text;
  text.insert(std::min(text.find('e'), text.size()), ".0");
  return text;
}

std::string to_text(const Value& value) {
  if (const auto* truth = std::get_if<bool>(&value)) return *truth ? "true" : "false";
  if (const auto* whole = std::get_if<std::int64_t>(&value)) return std::to_string(*whole);
  if (const auto* real = std::get_if<double>(&value)) return real_text(*real);
  return std::get<std::string>(value);
}

std::optional<double> to_number(const Value& value) {
  if (const auto* truth = std::get_if<bool>(&value)) return *truth ? 1.0 : 0.0;
  if (const auto* whole = std::get_if<std::int64_t>(&value)) return static_cast<double>(*whole);
  if (const auto* real = std::get_if<double>(&value)) return *real;
  return std::nullopt;
}

std::string_view to_string(ParameterType type) {
  const auto* found =
      std::find_if(kTypes.begin(), kTypes.end(), [&](const auto& entry) { return entry.first == type; });
  return found->second;
}

std::optional<ParameterType> parameter_type(std::string_view name) {
  for (const auto& [type, type_name] : kTypes) {
    if (type_name == name) return type;
  }
  return std::nullopt;
}

bool is_parameter_name(std::string_view name) {
  const auto letter = [](char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_'; };
  const auto inner = [&](char c) { return letter(c) || (c >= '0' && c <= '9'); };
  return !name.empty() && name.size() <= 64 && letter(name.front()) && std::all_of(name.begin(), name.end(), inner);
}

std::string why_not(const Parameter& parameter, const Value& value) {
  switch (parameter.type) {
    case ParameterType::boolean:
      if (!std::holds_alternative<bool>(value)) return fmt::format("{} is neither true nor false", shown(value));
      return {};
    case ParameterType::integer:
      if (const auto* whole = std::get_if<std::int64_t>(&value)) {
        return why_out_of_domain(parameter, static_cast<double>(*whole), std::to_string(*whole));
      }
      if (const auto* real = std::get_if<double>(&value); real != nullptr && *real == std::trunc(*real)) {
        return fmt::format("{} must be written as a whole number, without a point", shown(value));
      }
      return fmt::format("{} is not a whole number", shown(value));
    case ParameterType::real:
      if (const auto* real = std::get_if<double>(&value)) return why_out_of_domain(parameter, *real, shown(value));
      return fmt::format("{} is not a number", shown(value));
    case ParameterType::choice: {
      const auto* text = std::get_if<std::string>(&value);
      if (text != nullptr && std::count(parameter.choices.begin(), parameter.choices.end(), *text) > 0) return {};
      return fmt::format("{} is not one of {}", shown(value), join(parameter.choices, ", "));
    }
    case ParameterType::text:
      if (!std::holds_alternative<std::string>(value)) return fmt::format("{} is not text in quotes", shown(value));
      return {};
  }
  return {};
}

Value coerced(const Parameter& parameter, const Value& value) {
  const auto* whole = std::get_if<std::int64_t>(&value);
  if (parameter.type != ParameterType::real || whole == nullptr) return value;
  return static_cast<double>(*whole);
}

}  // namespace wattle::study
