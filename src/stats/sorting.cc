#include "stats/sorting.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cstdint>
#include <utility>
#include <vector>

namespace wattle::stats {
namespace {

constexpr std::size_t kFew = 24;
constexpr std::size_t kMany = 400;  // where radix sort overtakes std::sort
constexpr unsigned kDigitBits = 8;
constexpr unsigned kDigits = 8;
constexpr std::size_t kBuckets = 1U << kDigitBits;
constexpr std::uint64_t kSign = std::uint64_t{1} << 63U;

void insertion_sort(std::span<double> values) {
  for (std::size_t i = 1; i < values.size(); ++i) {
    const double value = values[i];
    std::size_t place = i;
    for (; place > 0 && value < values[place - 1]; --place) values[place] = values[place - 1];
    values[place] = value;
  }
}

// Bits that compare as whole numbers as the doubles do: negative ones are turned round.
std::uint64_t ordered_bits(double value) {
  const auto bits = std::bit_cast<std::uint64_t>(value);
  return (bits & kSign) != 0 ? ~bits : bits | kSign;
}

double from_ordered_bits(std::uint64_t bits) {
  return std::bit_cast<double>((bits & kSign) != 0 ? bits & ~kSign : ~bits);
}

std::size_t digit(std::uint64_t key, unsigned place) { return (key >> (place * kDigitBits)) & (kBuckets - 1); }

// By the digits from `first` on, the lowest of them first; the keys end in `from`, which may be the other half then.
void sort_by_digits(std::uint64_t*& from, std::uint64_t*& to, std::size_t n, unsigned first) {
  std::array<std::array<std::uint32_t, kBuckets>, kDigits> counts{};
  for (std::size_t i = 0; i < n; ++i) {
    for (unsigned place = first; place < kDigits; ++place) ++counts[place][digit(from[i], place)];
  }
  for (unsigned place = first; place < kDigits; ++place) {
    auto& starts = counts[place];
    if (starts[digit(from[0], place)] == n) continue;  // all alike in this digit
    std::uint32_t start = 0;
    for (std::uint32_t& count : starts) start += std::exchange(count, start);
    for (std::size_t i = 0; i < n; ++i) to[starts[digit(from[i], place)]++] = from[i];
    std::swap(from, to);
  }
}

// Insertion sort of what is nearly sorted; false, and still a permutation, where it is not.
bool finish_sorting(std::uint64_t* keys, std::size_t n) {
  std::size_t moves_left = 4 * n;
  for (std::size_t i = 1; i < n; ++i) {
    const std::uint64_t key = keys[i];
    std::size_t place = i;
    for (; place > 0 && key < keys[place - 1] && moves_left > 0; --place, --moves_left) keys[place] = keys[place - 1];
    keys[place] = key;
    if (moves_left == 0) return false;
  }
  return true;
}

// The upper half of the digits tells nearly all values apart, but for values like 1e9 + 0.001.
void radix_sort(std::span<double> values) {
  const std::size_t n = values.size();
  std::vector<std::uint64_t> keys(2 * n);
  std::uint64_t* from = keys.data();
  std::uint64_t* to = from + n;
  for (std::size_t i = 0; i < n; ++i) from[i] = ordered_bits(values[i]);
  sort_by_digits(from, to, n, kDigits / 2);
  if (!finish_sorting(from, n)) sort_by_digits(from, to, n, 0);
  for (std::size_t i = 0; i < n; ++i) values[i] = from_ordered_bits(from[i]);
}

}  // namespace

void sort_values(std::span<double> values) {
  if (values.size() <= kFew) return insertion_sort(values);
  if (values.size() < kMany || values.size() > 0xFFFFFFFFU) return std::sort(values.begin(), values.end());
  radix_sort(values);
}

}  // namespace wattle::stats
