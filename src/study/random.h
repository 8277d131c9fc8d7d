// Pseudo-random numbers that are the same on every machine and with every standard library: a study's seed has to mean
// the same mutants and the same order everywhere, forever.
#pragma once

#include <algorithm>
#include <cstdint>
#include <initializer_list>
#include <string_view>
#include <utility>
#include <vector>

namespace wattle::study {

// First 64 bits of the SHA-256 of the words, each preceded by its length: words that differ give unrelated seeds.
[[nodiscard]] std::uint64_t derived_seed(std::initializer_list<std::string_view> words);

// SplitMix64 (Steele, Lea, Flood: Fast splittable pseudorandom number generators, OOPSLA 2014, fig. 17).
class Random {
 public:
  explicit Random(std::uint64_t seed) : state_(seed) {}

  [[nodiscard]] std::uint64_t bits() {
    std::uint64_t z = (state_ += 0x9E3779B97F4A7C15U);
    z = (z ^ (z >> 30U)) * 0xBF58476D1CE4E5B9U;
    z = (z ^ (z >> 27U)) * 0x94D049BB133111EBU;
    return z ^ (z >> 31U);
  }
  // Uniform in [0, 1): the upper 53 bits.
  [[nodiscard]] double unit() { return static_cast<double>(bits() >> 11U) * 0x1.0p-53; }
  // Uniform in 0 … n − 1, without bias; n > 0.
  [[nodiscard]] std::uint64_t below(std::uint64_t n) {
    const std::uint64_t uneven = (0 - n) % n;  // 2^64 mod n
    std::uint64_t drawn = bits();
    while (drawn < uneven) drawn = bits();
    return drawn % n;
  }

 private:
  std::uint64_t state_;
};

// Fisher and Yates' shuffle.
template <class T>
void shuffle(std::vector<T>& items, Random& random) {
  for (std::size_t i = items.size(); i > 1; --i) std::swap(items[i - 1], items[random.below(i)]);
}

}  // namespace wattle::study
