// What a hyperparameter can be, and which values it may take.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace wattle::study {

// An integer and a real of the same size are different values: 1 is not 1.0.
using Value = std::variant<bool, std::int64_t, double, std::string>;

// Hyperparameter name -> value, sorted by name (the order of the canonical JSON).
using Assignment = std::map<std::string, Value>;

// The shortest decimal that reads back as the same double and cannot be mistaken for a whole number or a word by any
// reader, YAML's included: "1.0", "0.05", "1.0e-05".
[[nodiscard]] std::string real_text(double value);
// As it is put on a command line: true/false, whole numbers, `real_text`, text as it is.
[[nodiscard]] std::string to_text(const Value& value);
// The number it stands for; true is 1. Text has none.
[[nodiscard]] std::optional<double> to_number(const Value& value);

enum class ParameterType { boolean, integer, real, choice, text };
[[nodiscard]] std::string_view to_string(ParameterType type);  // "bool", "int", "float", "choice", "text"
[[nodiscard]] std::optional<ParameterType> parameter_type(std::string_view name);
// A name that can stand as {name} in a command: a letter or underscore, then letters, digits, underscores; at most 64.
[[nodiscard]] bool is_parameter_name(std::string_view name);

// One hyperparameter, declared once: by `wattle-train --list` for the built-in trainer, by the study file for
// anybody's script.
struct Parameter {
  std::string name;
  ParameterType type = ParameterType::real;
  Value default_value = 0.0;
  std::optional<double> minimum;  // of integer and real
  std::optional<double> maximum;
  bool exclusive_minimum = false;    // the minimum itself is not allowed (a learning rate of 0)
  std::vector<std::string> choices;  // of choice
  std::string meaning;
};

// Empty when the value fits the parameter's type and domain; otherwise what is wrong, for a person
// ("0.0 is not above 0", "`sdg` is not one of sgd, adam").
[[nodiscard]] std::string why_not(const Parameter& parameter, const Value& value);
// The same value in the parameter's type (integer 1 -> real 1.0); values that do not convert stay as they are.
[[nodiscard]] Value coerced(const Parameter& parameter, const Value& value);

}  // namespace wattle::study
