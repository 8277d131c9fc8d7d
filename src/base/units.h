// Physical quantities as types. Inside the program a joule cannot be added to a watt; at every boundary
// (JSON, SQL, CSV, flags) the unit moves into the name: energy_j, power_w, duration_s.
//
// Two integer quantities are exact and are what is stored: Microjoules (cumulative energy) and Nanoseconds
// (durations, and instants on CLOCK_MONOTONIC unless a name says otherwise). Joules, Watts and Seconds are
// doubles for arithmetic and display.
#pragma once

#include <cmath>
#include <compare>
#include <cstdint>

namespace wattle {

template <class Tag, class Rep>
struct Quantity {
  Rep value{};

  constexpr auto operator<=>(const Quantity&) const = default;

  constexpr Quantity& operator+=(Quantity other) {
    value += other.value;
    return *this;
  }
  constexpr Quantity& operator-=(Quantity other) {
    value -= other.value;
    return *this;
  }
  friend constexpr Quantity operator+(Quantity a, Quantity b) { return {a.value + b.value}; }
  friend constexpr Quantity operator-(Quantity a, Quantity b) { return {a.value - b.value}; }
  friend constexpr Quantity operator-(Quantity a) { return {-a.value}; }
  friend constexpr Quantity operator*(Quantity a, Rep factor) { return {a.value * factor}; }
  friend constexpr Quantity operator*(Rep factor, Quantity a) { return {a.value * factor}; }
  friend constexpr Quantity operator/(Quantity a, Rep divisor) { return {a.value / divisor}; }
  // Ratio of two like quantities, dimensionless.
  friend constexpr double operator/(Quantity a, Quantity b) {
    return static_cast<double>(a.value) / static_cast<double>(b.value);
  }
};

using Joules = Quantity<struct JoulesTag, double>;
using Watts = Quantity<struct WattsTag, double>;
using Seconds = Quantity<struct SecondsTag, double>;
using Microjoules = Quantity<struct MicrojoulesTag, std::int64_t>;
using Microwatts = Quantity<struct MicrowattsTag, std::int64_t>;
using Nanoseconds = Quantity<struct NanosecondsTag, std::int64_t>;

constexpr Seconds to_seconds(Nanoseconds t) { return {static_cast<double>(t.value) * 1e-9}; }
constexpr Joules to_joules(Microjoules e) { return {static_cast<double>(e.value) * 1e-6}; }
constexpr Watts to_watts(Microwatts p) { return {static_cast<double>(p.value) * 1e-6}; }
inline Nanoseconds to_nanoseconds(Seconds t) { return {std::llround(t.value * 1e9)}; }
inline Microjoules to_microjoules(Joules e) { return {std::llround(e.value * 1e6)}; }
constexpr Joules operator*(Watts p, Seconds t) { return {p.value * t.value}; }
constexpr Watts operator/(Joules e, Seconds t) { return {e.value / t.value}; }

constexpr Nanoseconds milliseconds(std::int64_t n) { return {n * 1'000'000}; }
constexpr Nanoseconds seconds(std::int64_t n) { return {n * 1'000'000'000}; }

}  // namespace wattle
