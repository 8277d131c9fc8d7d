// Finding what stands in a library of its own beside the program, and is loaded when somebody needs it.
#pragma once

#include <filesystem>

#include "base/result.h"

namespace wattle::http {

// What the function `entry` of ../lib/wattle/FILE, seen from the program's folder, returns; of a library that stays
// loaded. Fails (environment) where it is not there, or has no such function. `what` names it to people.
[[nodiscard]] Result<const void*> load_library(const std::filesystem::path& program, const char* file,
                                               const char* entry, const char* what);
// The error of a library whose version is another than the program's.
[[nodiscard]] tl::unexpected<Error> of_another_build(const char* file);

}  // namespace wattle::http
