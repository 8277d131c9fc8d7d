#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <vector>

namespace wattle::trainer {

/// How often class `label` was taken for `answer`: counts[label * classes + answer].
struct Confusion {
  std::int64_t classes = 0;
  std::vector<std::int64_t> counts;
};

/// Precision, recall and F1 as scikit-learn defines them, 0 where a quotient is 0 / 0. Macro: means over the classes
/// that occur as a label or an answer, each weighing the same.
struct Rates {
  double precision = 0, recall = 0, f1 = 0;
};
[[nodiscard]] Rates rates_of(const Confusion& confusion, std::int64_t positive);
[[nodiscard]] Rates macro_rates(const Confusion& confusion);

/// Area under the ROC curve: the share of (positive, negative) pairs that `scores` puts in order, ties counting half
/// (J. Hanley, B. McNeil 1982). `positive` is 0 or 1. Nothing where one kind is missing or a score is not a number.
[[nodiscard]] std::optional<double> area_under_curve(std::span<const float> scores, std::span<const char> positive);

}  // namespace wattle::trainer
