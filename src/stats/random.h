// Pseudo-random numbers for resampling, the same on every machine and with every standard library: a seed has to mean
// the same interval everywhere, forever. Not for two threads at once.
#pragma once

#include <cstdint>
#include <span>
#include <utility>

namespace wattle::stats {

inline constexpr std::uint64_t kDefaultSeed = 20240711;

// SplitMix64 (Steele, Lea & Flood, "Fast splittable pseudorandom number generators", OOPSLA 2014, fig. 17).
class Random {
 public:
  explicit Random(std::uint64_t seed) : state_(seed) {}

  [[nodiscard]] std::uint64_t bits() {
    std::uint64_t z = (state_ += 0x9E3779B97F4A7C15U);
    z = (z ^ (z >> 30U)) * 0xBF58476D1CE4E5B9U;
    z = (z ^ (z >> 27U)) * 0x94D049BB133111EBU;
    return z ^ (z >> 31U);
  }
  // Uniform in 0 … n − 1, 0 < n: the upper half of 32 random bits by n, without bias (Lemire, "Fast random integer
  // generation in an interval", ACM Transactions on Modeling and Computer Simulation 29, 2019).
  [[nodiscard]] std::uint32_t below(std::uint32_t n) { return scaled(bits() >> 32U, n); }
  // Two of them from one draw: its upper half, then its lower.
  [[nodiscard]] std::pair<std::uint32_t, std::uint32_t> two_below(std::uint32_t n) {
    const std::uint64_t drawn = bits();
    const std::uint32_t first = scaled(drawn >> 32U, n);
    return {first, scaled(drawn & 0xFFFFFFFFU, n)};
  }

 private:
  [[nodiscard]] std::uint32_t scaled(std::uint64_t half, std::uint32_t n) {
    std::uint64_t product = half * n;
    if (static_cast<std::uint32_t>(product) < n) {
      const std::uint32_t uneven = (0U - n) % n;  // 2^32 mod n
      while (static_cast<std::uint32_t>(product) < uneven) product = (bits() >> 32U) * n;
    }
    return static_cast<std::uint32_t>(product >> 32U);
  }

  std::uint64_t state_;
};

// Fisher and Yates' shuffle, from the back.
template <class T>
void shuffle(std::span<T> items, Random& random) {
  for (std::size_t i = items.size(); i > 1; --i) {
    std::swap(items[i - 1], items[random.below(static_cast<std::uint32_t>(i))]);
  }
}

}  // namespace wattle::stats
