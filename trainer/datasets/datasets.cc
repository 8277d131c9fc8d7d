#include <array>
#include <cmath>

#include "dataset.h"

namespace wattle::trainer {
namespace {

constexpr std::array kKinds = {
    DatasetKind{"glyphs", false, true, "28 x 28 grey digits drawn in memory with distortion, clutter and noise",
                &load_glyphs},
    DatasetKind{"idx", true, false, "MNIST's four idx files in a folder, plain or .gz; a tenth of train validates",
                &load_idx},
    DatasetKind{"folder", true, false,
                "JPEG or PNG as train/CLASS/* and test/CLASS/* in a folder or .tar[.gz]; a tenth of train validates",
                &load_folder},
};

}  // namespace

std::span<const DatasetKind> dataset_kinds() { return kKinds; }

ChannelStatistics channel_statistics(const ImageSet& images, std::int64_t channels) {
  const auto stride = static_cast<std::size_t>(channels);
  std::vector<std::uint64_t> sums(stride), squares(stride);
  for (std::size_t pixel = 0; pixel + stride <= images.pixels.size(); pixel += stride) {
    for (std::size_t channel = 0; channel < stride; ++channel) {
      const std::uint64_t value = images.pixels[pixel + channel];
      sums[channel] += value;
      squares[channel] += value * value;
    }
  }
  ChannelStatistics statistics;
  const auto count = static_cast<double>(images.pixels.size() / stride);
  for (std::size_t channel = 0; channel < stride; ++channel) {
    const double mean = static_cast<double>(sums[channel]) / count;
    // Bytes: their squares' mean is below 2^16, so this difference loses nothing that matters.
    const double variance = static_cast<double>(squares[channel]) / count - mean * mean;
    statistics.mean.push_back(mean / 255);
    statistics.deviation.push_back(variance > 1e-9 ? std::sqrt(variance) / 255 : 1.0);
  }
  return statistics;
}

}  // namespace wattle::trainer
