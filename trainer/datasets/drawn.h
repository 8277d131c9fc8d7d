#pragma once

#include <algorithm>
#include <array>
#include <atomic>
#include <thread>

#include "../random.h"
#include "dataset.h"

namespace wattle::trainer {

/// What an image that is drawn in memory shows.
struct DrawnLabels {
  std::int64_t first = 0, second = 0;
};

/// Draws `count` images of `bytes` bytes on the request's threads. `draw(random, pixels)` is called for each with a
/// generator of (seed, set, index), so that an image is the same in every run and a larger set begins with the smaller.
/// `set` keeps train, validation and test apart; `labels` is how many label sets there are.
template <typename Drawing>
ImageSet draw_images(std::uint64_t seed, std::uint64_t set, std::int64_t count, std::size_t bytes, int labels,
                     const DatasetRequest& request, const Drawing& draw) {
  const auto size = static_cast<std::size_t>(count);
  ImageSet images{std::vector<std::uint8_t>(size * bytes), std::vector<std::int64_t>(size), {}};
  images.second_labels.resize(labels > 1 ? size : 0);
  std::atomic<std::size_t> next = 0;
  const auto work = [&] {
    constexpr std::size_t kAtOnce = 32;
    for (std::size_t begin = next.fetch_add(kAtOnce); begin < size; begin = next.fetch_add(kAtOnce)) {
      if (request.stop_requested()) {
        return;
      }
      for (std::size_t index = begin; index < std::min(begin + kAtOnce, size); ++index) {
        Random random(mix(mix(seed + set) + index));
        const DrawnLabels drawn = draw(random, images.pixels.data() + index * bytes);
        images.labels[index] = drawn.first;
        if (labels > 1) {
          images.second_labels[index] = drawn.second;
        }
      }
    }
  };
  std::vector<std::jthread> others;
  for (int thread = 1; thread < request.threads; ++thread) {
    others.emplace_back(work);
  }
  work();
  others.clear();  // joins
  return images;
}

/// All three sets, of the sizes asked for or the standard ones.
template <typename Drawing>
Result<Dataset> draw_dataset(std::uint64_t seed, const ImageShape& shape, std::array<std::int64_t, 3> standard,
                             int labels, const DatasetRequest& request, const Drawing& draw) {
  const std::array<std::int64_t, 3> wanted = {request.train_samples, request.validation_samples, request.test_samples};
  Dataset dataset;
  dataset.shape = shape;
  ImageSet* const sets[] = {&dataset.train, &dataset.validation, &dataset.test};
  for (std::size_t set = 0; set < 3; ++set) {
    *sets[set] =
        draw_images(seed, set + 1, wanted[set] > 0 ? wanted[set] : standard[set], shape.bytes(), labels, request, draw);
  }
  if (request.stop_requested()) {
    return interrupted();
  }
  return dataset;
}

}  // namespace wattle::trainer
