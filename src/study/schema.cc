#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <set>

#include "base/text.h"
#include "study/json_value.h"
#include "study/study.h"

namespace wattle::study {
namespace {

using nlohmann::json;

constexpr std::size_t kLongestSchema = 4U << 20U;

tl::unexpected<Error> wrong(const std::string& what) {
  return fail(ErrorKind::bad_input, fmt::format("what the trainer says of itself cannot be used: {}", what),
              "is it a wattle-train of the same version as this wattle?");
}

const json* member(const json& object, const char* name) {
  const auto found = object.is_object() ? object.find(name) : object.end();
  return object.is_object() && found != object.end() ? &*found : nullptr;
}

std::optional<std::string> text_member(const json& object, const char* name) {
  const json* found = member(object, name);
  if (found == nullptr || !found->is_string()) return std::nullopt;
  return found->get<std::string>();
}

// "" where the member is absent or fits; otherwise what is wrong.
std::string read_bound(const json& object, const char* name, std::optional<double>& bound) {
  const json* found = member(object, name);
  if (found == nullptr) return {};
  if (!found->is_number()) return fmt::format("`{}` is not a number", name);
  bound = found->get<double>();
  return {};
}

std::string read_choices(const json& object, std::vector<std::string>& choices) {
  const json* found = member(object, "choices");
  if (found == nullptr || !found->is_array() || found->empty()) return "`choices` is not a list of words";
  for (const json& choice : *found) {
    if (!choice.is_string()) return "`choices` is not a list of words";
    choices.push_back(choice.get<std::string>());
  }
  return {};
}

Result<Parameter> read_parameter(const json& object) {
  Parameter parameter;
  parameter.name = text_member(object, "name").value_or("");
  if (!is_parameter_name(parameter.name)) return wrong("a hyperparameter has no proper `name`");
  const auto refuse = [&](const std::string& what) {
    return wrong(fmt::format("hyperparameter `{}`: {}", parameter.name, what));
  };
  const auto type = parameter_type(text_member(object, "type").value_or(""));
  if (!type) return refuse("`type` is none of bool, int, float, choice");
  parameter.type = *type;
  parameter.meaning = text_member(object, "meaning").value_or("");
  if (const auto why = read_bound(object, "minimum", parameter.minimum); !why.empty()) return refuse(why);
  if (const auto why = read_bound(object, "maximum", parameter.maximum); !why.empty()) return refuse(why);
  if (const json* exclusive = member(object, "exclusive_minimum")) {
    if (!exclusive->is_boolean()) return refuse("`exclusive_minimum` is neither true nor false");
    parameter.exclusive_minimum = exclusive->get<bool>();
  }
  if (*type == ParameterType::choice) {
    if (const auto why = read_choices(object, parameter.choices); !why.empty()) return refuse(why);
  }
  const json* given = member(object, "default");
  const auto value = given == nullptr ? std::nullopt : value_from_json(*given);
  if (!value) return refuse("`default` is absent or no value");
  parameter.default_value = coerced(parameter, *value);
  if (const auto why = why_not(parameter, parameter.default_value); !why.empty()) return refuse("default " + why);
  return parameter;
}

Result<void> read_datasets(const json& list, TrainerSchema& schema) {
  for (const json& dataset : list) {
    const auto name = text_member(dataset, "name");
    const json* path = member(dataset, "path");
    if (!name || name->empty() || (path != nullptr && !path->is_boolean())) {
      return wrong("a dataset lacks its `name`, or its `path` is neither true nor false");
    }
    (path != nullptr && path->get<bool>() ? schema.path_datasets : schema.datasets).push_back(*name);
  }
  return {};
}

}  // namespace

Result<TrainerSchema> parse_trainer_schema(std::string_view text, std::string program) {
  if (text.size() > kLongestSchema) return wrong("it is longer than 4 MiB");
  const json root = json::parse(text, nullptr, false);
  if (!root.is_object()) return wrong("it is not one JSON object");
  const json* protocol = member(root, "protocol");
  if (protocol == nullptr || !protocol->is_number_integer()) return wrong("`protocol` is not a whole number");
  if (*protocol != 1) return wrong(fmt::format("it speaks protocol {}, not 1", protocol->dump()));
  TrainerSchema schema;
  schema.program = std::move(program);
  schema.version = text_member(root, "version").value_or("");
  if (schema.version.empty()) return wrong("`version` is absent");
  for (const char* list : {"models", "datasets", "hyperparameters"}) {
    const json* found = member(root, list);
    if (found == nullptr || !found->is_array()) return wrong(fmt::format("`{}` is not a list", list));
  }
  for (const json& model : root["models"]) {
    const auto name = text_member(model, "name");
    if (!name || name->empty()) return wrong("a model has no `name`");
    schema.models.push_back(*name);
  }
  if (auto read = read_datasets(root["datasets"], schema); !read) return tl::unexpected(read.error());
  std::set<std::string> seen;
  for (const json& object : root["hyperparameters"]) {
    auto parameter = read_parameter(object);
    if (!parameter) return tl::unexpected(parameter.error());
    if (!seen.insert(parameter->name).second) {
      return wrong(fmt::format("hyperparameter `{}` stands twice", parameter->name));
    }
    schema.hyperparameters.push_back(std::move(*parameter));
  }
  return schema;
}

}  // namespace wattle::study
