// Fields of files such as /proc/cpuinfo and /proc/meminfo: `key : value`, a line each.
#pragma once

#include <algorithm>
#include <string_view>

#include "base/text.h"

namespace wattle::energy {

// The value of the first line with the key; empty where there is none.
[[nodiscard]] inline std::string_view field_of(std::string_view text, std::string_view key) {
  while (!text.empty()) {
    const std::string_view line = text.substr(0, text.find('\n'));
    text.remove_prefix(std::min(text.size(), line.size() + 1));
    const auto colon = line.find(':');
    if (colon != std::string_view::npos && trim(line.substr(0, colon)) == key) return trim(line.substr(colon + 1));
  }
  return {};
}

}  // namespace wattle::energy
