// Hyperparameter values in JSON: true, 1, 1.0 and "text" stay what they are.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <optional>

#include "study/value.h"

namespace wattle::study {

[[nodiscard]] nlohmann::json value_to_json(const Value& value);
// Nothing for null, lists, objects, numbers that are not finite, and whole numbers beyond 64 bits.
[[nodiscard]] std::optional<Value> value_from_json(const nlohmann::json& json);
[[nodiscard]] nlohmann::json assignment_to_json(const Assignment& assignment);

}  // namespace wattle::study
