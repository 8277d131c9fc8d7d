// A stored trace as a table. Internal to cli.
#pragma once

#include <string>

#include "base/result.h"

namespace wattle::cli {

// Time since the first sample and E(t) of each domain: what any plotting program reads.
[[nodiscard]] Result<std::string> trace_csv(const std::string& bytes);

}  // namespace wattle::cli
