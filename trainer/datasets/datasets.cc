#include <fmt/format.h>

#include <array>
#include <cmath>

#include "dataset.h"
#include "image_decoder.h"

namespace wattle::trainer {
namespace {

constexpr std::array kKinds = {
    DatasetKind{"glyphs", false, true,
                "synthetic: 28 x 28 grey digits drawn in memory with distortion, clutter and noise", &load_glyphs},
    DatasetKind{"glyph_pairs", false, true, "synthetic: pairs of glyphs, half of them of one digit; for verification",
                &load_glyph_pairs},
    DatasetKind{"textures", false, true,
                "synthetic: 32 x 32 colour patterns drawn in memory, labelled by pattern and by palette",
                &load_textures},
    DatasetKind{"chess_squares", false, true,
                "synthetic: squares of a chess board drawn in memory, 128 x 128 colour, occupied or not",
                &load_chess_squares},
    DatasetKind{"idx", true, false, "MNIST's four idx files in a folder, plain or .gz; a tenth of train validates",
                &load_idx},
    DatasetKind{"cifar10", true, false, "CIFAR-10's binary files in a folder; labelled by class and animal or vehicle",
                &load_cifar10},
    DatasetKind{"cifar100", true, false, "CIFAR-100's binary files in a folder; labelled by fine and coarse class",
                &load_cifar100},
    DatasetKind{"folder", true, false,
                "JPEG or PNG as train/CLASS/* and test/CLASS/* in a folder or .tar[.gz]; a tenth of train validates",
                &load_folder},
};

void resize_all(ImageSet& images, const ImageShape& from, const ImageShape& to) {
  std::vector<std::uint8_t> pixels(images.size() * to.bytes());
  for (std::size_t image = 0; image < images.size(); ++image) {
    resize(std::span(images.pixels).subspan(image * from.bytes(), from.bytes()), from, to,
           std::span(pixels).subspan(image * to.bytes(), to.bytes()));
  }
  images.pixels = std::move(pixels);
}

}  // namespace

Result<Dataset> load_dataset(const DatasetKind& kind, const DatasetRequest& request, std::string_view target) {
  auto dataset = kind.load(request);
  if (!dataset) {
    return dataset;
  }
  const ImageShape wanted{dataset->shape.channels, request.image_size, request.image_size};
  ImageSet* const sets[] = {&dataset->train, &dataset->validation, &dataset->test};
  if (request.image_size > 0 && wanted != dataset->shape) {
    for (ImageSet* set : sets) {
      resize_all(*set, dataset->shape, wanted);
    }
    dataset->shape = wanted;
  }
  if (target == "second") {
    if (dataset->second_classes.empty()) {
      return bad_input(fmt::format("--target second: data set {} is labelled once", kind.name));
    }
    std::swap(dataset->classes, dataset->second_classes);
    for (ImageSet* set : sets) {
      std::swap(set->labels, set->second_labels);
    }
  }
  return dataset;
}

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
