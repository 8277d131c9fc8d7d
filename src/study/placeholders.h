// {name} in commands and configuration files, and what is put in its place.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace wattle::study {

// Wattle's own names beside the parameters; no parameter may be called like one.
inline constexpr std::string_view kOwnPlaceholders[] = {"seed",      "threads", "device",
                                                        "precision", "run_dir", "weights_path"};

// The file of a built-in workload's weights inside its {run_dir}.
inline constexpr std::string_view kWeightsFile = "weights.safetensors";

// The names that stand in braces, in order, repetitions kept. Braces around anything but a name (JSON, shell) are plain
// text, and so is a doubled {{name}}.
[[nodiscard]] std::vector<std::string> placeholders(std::string_view text);

// The text with every {name} replaced by value(name); a name without a value stays as it stands. {{name}} becomes
// {name}.
[[nodiscard]] std::string filled(std::string_view text,
                                 const std::function<std::optional<std::string>(std::string_view)>& value);

// A boolean switch, one whole element of a command: "{--nesterov:nesterov}".
struct Switch {
  std::string flag;       // "--nesterov"
  std::string parameter;  // "nesterov"
};
[[nodiscard]] std::optional<Switch> as_switch(std::string_view element);

}  // namespace wattle::study
