// How large a difference is, apart from whether it is significant. Pure.
#pragma once

#include <optional>
#include <span>
#include <string_view>

namespace wattle::stats {

// Cliff's delta: P(x > y) - P(x < y) over all pairs of one from each sample, -1…1 (Cliff, "Dominance statistics",
// Psychological Bulletin 114, 1993). O((n + m) log m). Infinite values are ordered like any other. Nothing for an empty
// sample or one with a NaN.
[[nodiscard]] std::optional<double> cliffs_delta(std::span<const double> x, std::span<const double> y);

// Thresholds .147, .33 and .474 on |delta|: Romano, Kromrey, Coraggio & Skowronek, "Appropriate statistics for ordinal
// level data", Florida Association of Institutional Research, 2006.
enum class Magnitude { negligible, small, medium, large };
inline constexpr double kSmallDelta = 0.147;
inline constexpr double kMediumDelta = 0.33;
inline constexpr double kLargeDelta = 0.474;
[[nodiscard]] Magnitude magnitude(double delta);
[[nodiscard]] std::string_view to_string(Magnitude magnitude);

}  // namespace wattle::stats
