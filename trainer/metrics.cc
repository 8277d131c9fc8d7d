#include "metrics.h"

#include <algorithm>
#include <cmath>
#include <numeric>

namespace wattle::trainer {
namespace {

double share(std::int64_t part, std::int64_t whole) {
  return whole == 0 ? 0 : static_cast<double>(part) / static_cast<double>(whole);
}

struct Counts {
  std::int64_t right = 0, labelled = 0, answered = 0;
};

Counts counts_of(const Confusion& confusion, std::int64_t one) {
  Counts counts;
  const auto at = [&confusion](std::int64_t label, std::int64_t answer) {
    return confusion.counts[static_cast<std::size_t>(label * confusion.classes + answer)];
  };
  counts.right = at(one, one);
  for (std::int64_t other = 0; other < confusion.classes; ++other) {
    counts.labelled += at(one, other);
    counts.answered += at(other, one);
  }
  return counts;
}

}  // namespace

Rates rates_of(const Confusion& confusion, std::int64_t positive) {
  const Counts counts = counts_of(confusion, positive);
  return {share(counts.right, counts.answered), share(counts.right, counts.labelled),
          share(2 * counts.right, counts.labelled + counts.answered)};
}

Rates macro_rates(const Confusion& confusion) {
  Rates sum;
  std::int64_t present = 0;
  for (std::int64_t one = 0; one < confusion.classes; ++one) {
    const Counts counts = counts_of(confusion, one);
    if (counts.labelled + counts.answered == 0) {
      continue;
    }
    const Rates rates = rates_of(confusion, one);
    sum = {sum.precision + rates.precision, sum.recall + rates.recall, sum.f1 + rates.f1};
    ++present;
  }
  const double classes = static_cast<double>(std::max<std::int64_t>(present, 1));
  return {sum.precision / classes, sum.recall / classes, sum.f1 / classes};
}

std::optional<double> area_under_curve(std::span<const float> scores, std::span<const char> positive) {
  std::vector<std::size_t> order(scores.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  if (std::any_of(scores.begin(), scores.end(), [](float score) { return std::isnan(score); })) {
    return std::nullopt;
  }
  std::sort(order.begin(), order.end(),
            [scores](std::size_t left, std::size_t right) { return scores[left] < scores[right]; });
  double in_order = 0;
  std::int64_t negatives = 0, positives = 0;
  for (std::size_t begin = 0; begin < order.size();) {
    std::int64_t tied_positives = 0, tied_negatives = 0;
    std::size_t end = begin;
    for (; end < order.size() && scores[order[end]] == scores[order[begin]]; ++end) {
      ++(positive[order[end]] != 0 ? tied_positives : tied_negatives);
    }
    in_order += static_cast<double>(tied_positives) *
                (static_cast<double>(negatives) + static_cast<double>(tied_negatives) / 2);
    positives += tied_positives;
    negatives += tied_negatives;
    begin = end;
  }
  if (positives == 0 || negatives == 0) {
    return std::nullopt;
  }
  return in_order / (static_cast<double>(positives) * static_cast<double>(negatives));
}

}  // namespace wattle::trainer
