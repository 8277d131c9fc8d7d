#include "stats/interaction.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>
#include <vector>

namespace wattle::stats {
namespace {

// The least-squares fit of two factors without interaction. Its normal equations, with the last level of the second
// factor as the origin, are factored once (Cholesky); a level that the others already explain adds nothing.
class AdditiveModel {
 public:
  AdditiveModel(std::span<const int> first, std::span<const int> second, std::size_t levels, std::size_t others)
      : first_(first), second_(second), levels_(levels), size_(levels + others - 1), factor_(size_ * size_, 0.0) {
    for (std::size_t i = 0; i < first.size(); ++i) {
      const auto a = static_cast<std::size_t>(first[i]);
      const std::size_t b = levels_ + static_cast<std::size_t>(second[i]);
      at(a, a) += 1.0;
      if (b >= size_) continue;
      at(b, b) += 1.0;
      at(b, a) += 1.0;
    }
    factorise();
  }

  [[nodiscard]] std::size_t rank() const { return rank_; }

  void fit(std::span<const double> values, std::vector<double>& fitted) {
    effects_.assign(size_, 0.0);
    for (std::size_t i = 0; i < values.size(); ++i) {
      effects_[static_cast<std::size_t>(first_[i])] += values[i];
      const std::size_t b = levels_ + static_cast<std::size_t>(second_[i]);
      if (b < size_) effects_[b] += values[i];
    }
    solve();
    fitted.resize(values.size());
    for (std::size_t i = 0; i < values.size(); ++i) {
      const std::size_t b = levels_ + static_cast<std::size_t>(second_[i]);
      fitted[i] = effects_[static_cast<std::size_t>(first_[i])] + (b < size_ ? effects_[b] : 0.0);
    }
  }

 private:
  double& at(std::size_t row, std::size_t column) { return factor_[row * size_ + column]; }

  void factorise() {
    for (std::size_t j = 0; j < size_; ++j) {
      const double before = at(j, j);
      for (std::size_t k = 0; k < j; ++k) at(j, j) -= at(j, k) * at(j, k);
      // Counts are whole numbers: what is left of an independent level is far above this.
      const bool independent = at(j, j) > 1e-9 * before;
      rank_ += static_cast<std::size_t>(independent);
      const double root = independent ? std::sqrt(at(j, j)) : 0.0;
      at(j, j) = root;
      for (std::size_t i = j + 1; i < size_; ++i) {
        for (std::size_t k = 0; k < j; ++k) at(i, j) -= at(i, k) * at(j, k);
        at(i, j) = independent ? at(i, j) / root : 0.0;
      }
    }
  }

  void solve() {
    for (std::size_t i = 0; i < size_; ++i) {
      for (std::size_t k = 0; k < i; ++k) effects_[i] -= at(i, k) * effects_[k];
      effects_[i] = at(i, i) > 0.0 ? effects_[i] / at(i, i) : 0.0;
    }
    for (std::size_t i = size_; i-- > 0;) {
      for (std::size_t k = i + 1; k < size_; ++k) effects_[i] -= at(k, i) * effects_[k];
      effects_[i] = at(i, i) > 0.0 ? effects_[i] / at(i, i) : 0.0;
    }
  }

  std::span<const int> first_;
  std::span<const int> second_;
  std::size_t levels_;
  std::size_t size_;
  std::size_t rank_ = 0;
  std::vector<double> factor_;  // lower triangle
  std::vector<double> effects_;
};

struct Cells {
  std::vector<std::size_t> of;  // each value's cell
  std::vector<double> sizes;
  std::vector<double> sums;

  // Sum of squares of the values about their cells' means.
  double within(std::span<const double> values) {
    std::fill(sums.begin(), sums.end(), 0.0);
    for (std::size_t i = 0; i < values.size(); ++i) sums[of[i]] += values[i];
    double squares = 0.0;
    for (std::size_t i = 0; i < values.size(); ++i) {
      const double deviation = values[i] - sums[of[i]] / sizes[of[i]];
      squares += deviation * deviation;
    }
    return squares;
  }
};

Cells cells_of(std::span<const int> first, std::span<const int> second, std::size_t others) {
  Cells cells;
  std::vector<std::size_t> number;  // of a pair of levels, from 1
  for (std::size_t i = 0; i < first.size(); ++i) {
    const std::size_t pair = static_cast<std::size_t>(first[i]) * others + static_cast<std::size_t>(second[i]);
    if (pair >= number.size()) number.resize(pair + 1, 0);
    if (number[pair] == 0) {
      cells.sizes.push_back(0.0);
      number[pair] = cells.sizes.size();
    }
    cells.of.push_back(number[pair] - 1);
    cells.sizes[number[pair] - 1] += 1.0;
  }
  cells.sums.resize(cells.sizes.size());
  return cells;
}

Result<std::size_t> levels_of(std::span<const int> factor, const char* name) {
  const auto [least, most] = std::minmax_element(factor.begin(), factor.end());
  if (*least < 0 || *most >= 100)
    return fail(ErrorKind::bad_input, fmt::format("the {} factor has more than 100 levels", name));
  std::vector<bool> seen(static_cast<std::size_t>(*most) + 1, false);
  for (const int level : factor) seen[static_cast<std::size_t>(level)] = true;
  if (std::find(seen.begin(), seen.end(), false) != seen.end()) {
    return fail(ErrorKind::bad_input, fmt::format("the {} factor lacks a level between 0 and {}", name, *most));
  }
  if (seen.size() < 2) return fail(ErrorKind::bad_input, fmt::format("the {} factor has one level only", name));
  return seen.size();
}

struct Squares {
  double interaction = 0.0;
  double within = 0.0;
};

Squares squares_of(std::span<const double> values, AdditiveModel& model, Cells& cells, std::vector<double>& fitted) {
  model.fit(values, fitted);
  double left = 0.0;
  for (std::size_t i = 0; i < values.size(); ++i) left += (values[i] - fitted[i]) * (values[i] - fitted[i]);
  const double within = cells.within(values);
  return {std::max(0.0, left - within), within};
}

Result<void> check(std::span<const double> values, std::span<const int> first, std::span<const int> second,
                   const InteractionOptions& options) {
  if (values.empty()) return fail(ErrorKind::bad_input, "there are no values");
  if (values.size() > 100'000) return fail(ErrorKind::bad_input, "more than 100,000 values");
  if (values.size() != first.size() || values.size() != second.size()) {
    return fail(ErrorKind::bad_input, "values and levels differ in number");
  }
  if (!std::all_of(values.begin(), values.end(), [](double value) { return std::isfinite(value); })) {
    return fail(ErrorKind::bad_input, "a value is not a finite number");
  }
  if (options.permutations < 99 || options.permutations > 1'000'000) {
    return fail(ErrorKind::bad_input,
                fmt::format("{} permutations, from 99 to 1,000,000 are possible", options.permutations));
  }
  return {};
}

// How many permutations have an interaction as large. Where the residuals are kept, F grows with the ratio of the two
// sums of squares, so the ratio serves.
int as_large(const Squares& seen, std::vector<double> fitted, std::vector<double> residuals, AdditiveModel& model,
             Cells& cells, const InteractionOptions& options) {
  Random random(options.seed);
  std::vector<double> values(fitted.size());
  std::vector<double> again;
  int count = 0;
  for (int i = 0; i < options.permutations; ++i) {
    shuffle(std::span(residuals), random);
    for (std::size_t j = 0; j < values.size(); ++j) values[j] = fitted[j] + residuals[j];
    const Squares drawn = squares_of(values, model, cells, again);
    // A permutation that changes nothing must count in spite of rounding.
    if (drawn.interaction * seen.within >= seen.interaction * drawn.within * (1.0 - 1e-10)) ++count;
  }
  return count;
}

}  // namespace

Result<Interaction> interaction(std::span<const double> values, std::span<const int> first, std::span<const int> second,
                                const InteractionOptions& options) {
  if (const auto checked = check(values, first, second, options); !checked) return tl::unexpected(checked.error());
  const auto levels = levels_of(first, "first");
  if (!levels) return tl::unexpected(levels.error());
  const auto others = levels_of(second, "second");
  if (!others) return tl::unexpected(others.error());
  // About the mean: nothing is lost to large numbers.
  std::vector<double> centred(values.begin(), values.end());
  const double n = static_cast<double>(values.size());
  double centre = 0.0;
  for (const double value : centred) centre += value / n;
  for (double& value : centred) value -= centre;

  AdditiveModel model(first, second, *levels, *others);
  Cells cells = cells_of(first, second, *others);
  const auto rank = static_cast<double>(model.rank());
  const auto cell_count = static_cast<double>(cells.sizes.size());
  Interaction result;
  result.n = static_cast<int>(values.size());
  result.interaction_degrees = cell_count - rank;
  result.residual_degrees = n - cell_count;
  if (result.interaction_degrees < 1.0)
    return fail(ErrorKind::bad_input, "too few combinations of the two factors were seen");
  if (result.residual_degrees < 1.0) {
    return fail(ErrorKind::bad_input, "every combination has one value only: repeat some");
  }
  std::vector<double> fitted;
  const Squares seen = squares_of(centred, model, cells, fitted);
  const double scale = std::inner_product(centred.begin(), centred.end(), centred.begin(), 0.0);
  const double left = seen.interaction + seen.within;
  if (!(left > 1e-20 * scale)) return fail(ErrorKind::bad_input, "the two factors alone explain every value");
  result.partial_eta_squared = seen.interaction / left;
  const double mean_within = seen.within / result.residual_degrees;
  result.f = seen.within > 0.0 ? seen.interaction / result.interaction_degrees / mean_within
                               : std::numeric_limits<double>::infinity();
  std::vector<double> residuals(centred.size());
  for (std::size_t i = 0; i < centred.size(); ++i) residuals[i] = centred[i] - fitted[i];
  const int count = as_large(seen, fitted, residuals, model, cells, options);
  result.p_value = (1.0 + count) / (1.0 + options.permutations);
  return result;
}

}  // namespace wattle::stats
