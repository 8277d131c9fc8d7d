#pragma once

#include <string_view>

namespace wattle::trainer {

inline constexpr std::string_view kProgram = "wattle-train";

/// The version of the mathematics: part of a run's identity. To be raised by hand whenever the same flags would train
/// another network, on other images, or in another order; never for anything else.
inline constexpr std::string_view kVersion = "0.2.0";

}  // namespace wattle::trainer
