#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "dataset.h"

namespace wattle::trainer {

/// Positions in a list of images, ascending.
using Positions = std::vector<std::size_t>;

/// At most `limit` of `pool` (0: all), the classes in the proportions of the pool (largest remainder), within a class
/// those of the smallest keys. `labels` and `keys` are of the whole list. Keys are hashes of names or indices, so the
/// choice looks random and yet depends on nothing but the data: never on the training seed.
[[nodiscard]] Positions stratified_subset(const Positions& pool, std::span<const std::int64_t> labels,
                                          std::span<const std::uint64_t> keys, std::int64_t limit);

struct Split {
  Positions train, validation;
};

/// Holds out a tenth of each class (rounded, by smallest keys) for validation; then applies the limits.
/// What is held out does not depend on the limits.
[[nodiscard]] Split hold_out(std::span<const std::int64_t> labels, std::span<const std::uint64_t> keys,
                             std::int64_t train_limit, std::int64_t validation_limit);

/// Fills `to`, whose shape is set, from files that hold images without names: `train` is divided as above, `test`
/// limited; hashes of positions are the keys. No validation: there were too few.
void divide_by_position(const ImageSet& train, const ImageSet& test, const DatasetRequest& request, Dataset& to);

}  // namespace wattle::trainer
