#include "split.h"

#include <algorithm>
#include <numeric>
#include <tuple>

#include "../random.h"

namespace wattle::trainer {
namespace {

/// Positions of each class, those of the smallest keys first.
std::vector<Positions> by_class(const Positions& pool, std::span<const std::int64_t> labels,
                                std::span<const std::uint64_t> keys) {
  std::vector<Positions> classes;
  for (const std::size_t position : pool) {
    const auto label = static_cast<std::size_t>(labels[position]);
    if (label >= classes.size()) {
      classes.resize(label + 1);
    }
    classes[label].push_back(position);
  }
  for (Positions& members : classes) {
    std::sort(members.begin(), members.end(), [&keys](std::size_t left, std::size_t right) {
      return std::tie(keys[left], left) < std::tie(keys[right], right);
    });
  }
  return classes;
}

/// Shares of `limit` in proportion to `sizes`, of sum `limit`; largest remainders are rounded up.
std::vector<std::size_t> quotas(const std::vector<Positions>& classes, std::size_t total, std::size_t limit) {
  std::vector<std::size_t> shares, order(classes.size());
  std::vector<std::size_t> remainders;
  std::size_t given = 0;
  for (const Positions& members : classes) {
    shares.push_back(members.size() * limit / total);
    remainders.push_back(members.size() * limit % total);
    given += shares.back();
  }
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::stable_sort(order.begin(), order.end(),
                   [&remainders](std::size_t left, std::size_t right) { return remainders[left] > remainders[right]; });
  for (std::size_t next = 0; given < limit; ++next, ++given) {
    ++shares[order[next]];
  }
  return shares;
}

ImageSet select(const ImageSet& from, const Positions& positions, std::size_t bytes) {
  ImageSet images;
  images.pixels.reserve(positions.size() * bytes);
  for (const std::size_t position : positions) {
    const auto first = from.pixels.begin() + static_cast<std::ptrdiff_t>(position * bytes);
    images.pixels.insert(images.pixels.end(), first, first + static_cast<std::ptrdiff_t>(bytes));
    images.labels.push_back(from.labels[position]);
    if (!from.second_labels.empty()) {
      images.second_labels.push_back(from.second_labels[position]);
    }
  }
  return images;
}

std::vector<std::uint64_t> keys_of_positions(std::size_t count) {
  std::vector<std::uint64_t> keys(count);
  for (std::size_t position = 0; position < count; ++position) {
    keys[position] = mix(position);
  }
  return keys;
}

}  // namespace

Positions stratified_subset(const Positions& pool, std::span<const std::int64_t> labels,
                            std::span<const std::uint64_t> keys, std::int64_t limit) {
  const auto wanted = static_cast<std::size_t>(limit);
  if (limit <= 0 || wanted >= pool.size()) {
    return pool;
  }
  const std::vector<Positions> classes = by_class(pool, labels, keys);
  const std::vector<std::size_t> shares = quotas(classes, pool.size(), wanted);
  Positions chosen;
  for (std::size_t label = 0; label < classes.size(); ++label) {
    const auto first = classes[label].begin();
    chosen.insert(chosen.end(), first, first + static_cast<std::ptrdiff_t>(shares[label]));
  }
  std::sort(chosen.begin(), chosen.end());
  return chosen;
}

Split hold_out(std::span<const std::int64_t> labels, std::span<const std::uint64_t> keys, std::int64_t train_limit,
               std::int64_t validation_limit) {
  Positions all(labels.size());
  std::iota(all.begin(), all.end(), std::size_t{0});
  Split split;
  for (const Positions& members : by_class(all, labels, keys)) {
    const auto edge = members.begin() + static_cast<std::ptrdiff_t>((members.size() + 5) / 10);
    split.validation.insert(split.validation.end(), members.begin(), edge);
    split.train.insert(split.train.end(), edge, members.end());
  }
  std::sort(split.train.begin(), split.train.end());
  std::sort(split.validation.begin(), split.validation.end());
  split.train = stratified_subset(split.train, labels, keys, train_limit);
  split.validation = stratified_subset(split.validation, labels, keys, validation_limit);
  return split;
}

void divide_by_position(const ImageSet& train, const ImageSet& test, const DatasetRequest& request, Dataset& to) {
  const std::size_t bytes = to.shape.bytes();
  const Split split =
      hold_out(train.labels, keys_of_positions(train.size()), request.train_samples, request.validation_samples);
  Positions all(test.size());
  std::iota(all.begin(), all.end(), std::size_t{0});
  to.train = select(train, split.train, bytes);
  to.validation = select(train, split.validation, bytes);
  to.test =
      select(test, stratified_subset(all, test.labels, keys_of_positions(test.size()), request.test_samples), bytes);
}

}  // namespace wattle::trainer
