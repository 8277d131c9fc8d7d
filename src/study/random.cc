#include "study/random.h"

#include <fmt/format.h>

#include <charconv>

#include "base/text.h"

namespace wattle::study {

std::uint64_t derived_seed(std::initializer_list<std::string_view> words) {
  std::string text;
  for (const std::string_view word : words) text += fmt::format("{}:{}", word.size(), word);
  const std::string digest = sha256(text);
  std::uint64_t seed = 0;
  std::from_chars(digest.data(), digest.data() + 16, seed, 16);
  return seed;
}

}  // namespace wattle::study
