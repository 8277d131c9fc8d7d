#pragma once

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <numbers>
#include <span>
#include <string_view>
#include <utility>

namespace wattle::trainer {

/// One step of SplitMix64 (Steele, Lea & Flood 2014): a bijection of 64-bit words that mixes well.
constexpr std::uint64_t mix(std::uint64_t word) {
  word += 0x9e3779b97f4a7c15U;
  word = (word ^ (word >> 30U)) * 0xbf58476d1ce4e5b9U;
  word = (word ^ (word >> 27U)) * 0x94d049bb133111ebU;
  return word ^ (word >> 31U);
}

/// FNV-1a, mixed: a key for a name that is the same on every machine (std::hash is not).
constexpr std::uint64_t hash_of(std::string_view text) {
  std::uint64_t hash = 0xcbf29ce484222325U;
  for (const char letter : text) {
    hash = (hash ^ static_cast<unsigned char>(letter)) * 0x100000001b3U;
  }
  return mix(hash);
}

/// SplitMix64 as a stream. The library's distributions differ between standard libraries; these do not, so that data
/// and orders are the same wherever a seed is the same. Not thread-safe; cheap to make.
class Random {
 public:
  explicit constexpr Random(std::uint64_t seed) : state_(mix(seed)) {}

  constexpr std::uint64_t bits() {
    state_ += 0x9e3779b97f4a7c15U;
    return mix(state_);
  }

  /// Uniform in [0, 1).
  constexpr float uniform() { return static_cast<float>(bits() >> 40U) * 0x1p-24F; }
  constexpr float uniform(float low, float high) { return low + (high - low) * uniform(); }

  /// Uniform in [0, bound) by multiplication (Lemire 2019) without rejection: its bias, below bound / 2^32, is far
  /// under anything an order of images can show. `bound` is below 2^32.
  constexpr std::uint64_t below(std::uint64_t bound) { return ((bits() >> 32U) * bound) >> 32U; }

  /// Standard normal (Box & Muller 1958).
  float normal() {
    const float radius = std::sqrt(-2.0F * std::log(1.0F - uniform()));
    return radius * std::cos(2.0F * std::numbers::pi_v<float> * uniform());
  }

 private:
  std::uint64_t state_;
};

/// Fisher-Yates; std::shuffle's order is left to the library.
template <typename Value>
void shuffle(std::span<Value> values, Random& random) {
  for (std::size_t left = values.size(); left > 1; --left) {
    std::swap(values[left - 1], values[random.below(left)]);
  }
}

}  // namespace wattle::trainer
