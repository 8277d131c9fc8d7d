// What a question about a study may be told: the same options for `report` and `bundle`. Internal to cli.
#pragma once

#include <CLI/CLI.hpp>
#include <string>
#include <vector>

#include "analysis/questions.h"

namespace wattle::cli {

void add_asked(CLI::App& sub, analysis::Asked& asked);
// The options that say the same again: {"--target", "0.9"}.
[[nodiscard]] std::vector<std::string> arguments_of(const analysis::Asked& asked);

}  // namespace wattle::cli
