// Which Wattle this is.
#pragma once

#include <string_view>

namespace wattle {

// Of the whole project, "0.1.0".
[[nodiscard]] std::string_view version();

}  // namespace wattle
