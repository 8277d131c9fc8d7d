#include "analysis/questions.h"

#include <algorithm>
#include <array>

namespace wattle::analysis {
namespace {

constexpr std::array kQuestions{
    Question{"side-by-side", "what does training side by side change, for all and for each?", "Wang", side_by_side},
    Question{"drift", "did the machine change while the study ran?", "", drift},
};

}  // namespace

std::span<const Question> questions() { return kQuestions; }

const Question* question(std::string_view name) {
  const auto* found = std::find_if(kQuestions.begin(), kQuestions.end(), [&](const auto& q) { return q.name == name; });
  return found == kQuestions.end() ? nullptr : found;
}

}  // namespace wattle::analysis
