// Texts as the store keeps them: one zstd frame with its size and a checksum; no text, no bytes.
#pragma once

#include <string>
#include <string_view>

#include "base/result.h"

namespace wattle::store {

// Plans are written while somebody waits, and are mostly digests, which no level makes smaller.
inline constexpr int kPlanCompression = 1;

[[nodiscard]] std::string compressed(const std::string& text, int level = 3);
// Fails where the frame is damaged, or claims to hold more than 1 GiB.
[[nodiscard]] Result<std::string> expanded(std::string_view blob);

}  // namespace wattle::store
