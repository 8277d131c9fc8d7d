// Integer arithmetic that neither overflows nor drifts: products of microjoules (or microwatts) and nanoseconds need
// more than 64 bits.
#pragma once

#include <cstdint>

namespace wattle::energy {

__extension__ typedef __int128 Int128;

// round(value · numerator / denominator), halves upwards. Value and numerator are at least 0, denominator above 0, and
// numerator ≤ denominator or the result must fit otherwise.
[[nodiscard]] constexpr std::int64_t scaled(std::int64_t value, std::int64_t numerator, std::int64_t denominator) {
  const Int128 doubled = static_cast<Int128>(value) * numerator * 2 + denominator;
  return static_cast<std::int64_t>(doubled / (static_cast<Int128>(denominator) * 2));
}

}  // namespace wattle::energy
