#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <set>

#include "base/text.h"
#include "study/placeholders.h"
#include "study/reading.h"

namespace wattle::study {
namespace {

std::optional<double> finite_number(const toml::node& node) {
  const auto number = node.is_number() ? node.value<double>() : std::nullopt;
  return number && std::isfinite(*number) ? number : std::nullopt;
}

void read_domain(Section& section, Parameter& parameter) {
  const toml::array* domain = section.list("domain", "domain = [0.0, 1.0]");
  if (domain == nullptr) return;
  if (parameter.type != ParameterType::integer && parameter.type != ParameterType::real) {
    section.complain("domain", fmt::format("`domain` does not go with type `{}`", to_string(parameter.type)),
                     parameter.type == ParameterType::choice ? "its values are its `choices`" : "leave it out");
    return;
  }
  const auto low = domain->size() == 2 ? finite_number((*domain)[0]) : std::nullopt;
  const auto high = domain->size() == 2 ? finite_number((*domain)[1]) : std::nullopt;
  if (!low || !high) {
    section.complain("domain", "`domain` must hold two finite numbers, the smallest and the largest value",
                     "for example [0.0, 1.0]");
  } else if (*low > *high) {
    section.complain("domain", fmt::format("domain [{}, {}] runs backwards", shortest(*low), shortest(*high)),
                     fmt::format("write [{}, {}]", shortest(*high), shortest(*low)));
  } else {
    parameter.minimum = low;
    parameter.maximum = high;
  }
}

// What the default's own type says, where `type` is not given.
ParameterType type_of(const Value& value, bool has_choices) {
  if (std::holds_alternative<bool>(value)) return ParameterType::boolean;
  if (std::holds_alternative<std::int64_t>(value)) return ParameterType::integer;
  if (std::holds_alternative<double>(value)) return ParameterType::real;
  return has_choices ? ParameterType::choice : ParameterType::text;
}

void read_choices(Section& section, Parameter& parameter) {
  parameter.choices = section.texts("choices", R"(choices = ["sgd", "adam"])");
  const bool given = section.has("choices");
  if (parameter.type == ParameterType::choice && !given) {
    section.complain("type", "type `choice` needs `choices`", R"(for example choices = ["sgd", "adam"])");
  } else if (parameter.type != ParameterType::choice && given) {
    section.complain("choices", fmt::format("`choices` does not go with type `{}`", to_string(parameter.type)),
                     R"(they belong to type = "choice")");
  }
  const std::set<std::string> unique(parameter.choices.begin(), parameter.choices.end());
  if (unique.size() != parameter.choices.size()) section.complain("choices", "`choices` names one value twice");
}

bool holds_nul(const Value& value) {
  const auto* text = std::get_if<std::string>(&value);
  return text != nullptr && text->find('\0') != std::string::npos;
}

// Nothing where the parameter cannot be used; what is wrong has been reported.
std::optional<Parameter> read_parameter(const std::string& name, const toml::table& table, const std::string& title,
                                        Mistakes& mistakes) {
  const std::size_t before = mistakes.count();
  Section section(table, fmt::format("`{}` of {}", name, title), mistakes);
  Parameter parameter;
  parameter.name = name;
  parameter.meaning = section.text("meaning").value_or("");
  const auto type = section.word("type", {"bool", "int", "float", "choice", "text"});
  const toml::node* given = section.require("default", "for example default = 0.1");
  const auto value = given == nullptr ? std::nullopt : value_of(*given);
  if (given != nullptr && !value) section.wrong_type("default", *given, "a number, text, true or false");
  if (type) {
    parameter.type = *parameter_type(*type);
  } else if (value) {
    parameter.type = type_of(*value, section.has("choices"));
  }
  read_domain(section, parameter);
  read_choices(section, parameter);
  section.finish();
  if (!value || mistakes.count() > before) return std::nullopt;
  parameter.default_value = coerced(parameter, *value);
  if (const auto why = why_not(parameter, parameter.default_value); !why.empty()) {
    section.complain("default", fmt::format("`{}`: {}", name, why));
    return std::nullopt;
  }
  if (holds_nul(parameter.default_value)) {
    section.complain("default", fmt::format("`{}` holds a NUL byte", name));
    return std::nullopt;
  }
  return parameter;
}

}  // namespace

ReadParameters read_parameters(const toml::table& table, const std::string& title, Mistakes& mistakes) {
  ReadParameters read;
  for (auto&& [key, node] : table) {
    const std::string name(key.str());
    const bool own = std::count(std::begin(kOwnPlaceholders), std::end(kOwnPlaceholders), name) > 0;
    if (!is_parameter_name(name) || own) continue;
    read.names.push_back(name);
    if (!node.is_table()) continue;
    if (auto parameter = read_parameter(name, *node.as_table(), title, mistakes)) {
      read.sound.push_back(std::move(*parameter));
    }
  }
  return read;
}

}  // namespace wattle::study
