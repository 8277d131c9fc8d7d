#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "../result.h"

namespace wattle::trainer {

struct ImageShape {
  std::int64_t channels = 1, height = 0, width = 0;
  [[nodiscard]] std::size_t bytes() const { return static_cast<std::size_t>(channels * height * width); }
  friend bool operator==(const ImageShape&, const ImageShape&) = default;
};

/// Images as bytes in the order image, row, column, channel (which is channels_last for free), with their classes.
struct ImageSet {
  std::vector<std::uint8_t> pixels;
  std::vector<std::int64_t> labels;
  std::vector<std::int64_t> second_labels = {};  ///< of data that is labelled twice; else empty
  [[nodiscard]] std::size_t size() const { return labels.size(); }
};

/// All of a run's data, in memory. The same for every training seed: the split does not depend on it.
struct Dataset {
  ImageShape shape;
  std::vector<std::string> classes;
  ImageSet train, validation, test;
  std::vector<std::string> second_classes = {};  ///< of the second label set, if there is one
  bool pairs = false;                            ///< made for the task verification
};

/// What a loader is asked for; limits of 0 mean all.
struct DatasetRequest {
  std::filesystem::path path;
  std::int64_t train_samples = 0, validation_samples = 0, test_samples = 0;
  std::int64_t image_size = 0;
  int threads = 1;
  /// Asked often while loading; true ends it with ExitCode::kInterrupted.
  std::function<bool()> stop_requested = [] { return false; };
};

struct DatasetKind {
  std::string_view name;
  bool needs_path, synthetic;
  std::string_view meaning;  ///< says "synthetic" of what is
  Result<Dataset> (*load)(const DatasetRequest&);
};

/// Every data set there is.
[[nodiscard]] std::span<const DatasetKind> dataset_kinds();

/// Digits drawn in memory, always the same ones (glyphs.cc says how).
[[nodiscard]] Result<Dataset> load_glyphs(const DatasetRequest& request);
/// The same, for telling whether two show one digit.
[[nodiscard]] Result<Dataset> load_glyph_pairs(const DatasetRequest& request);
/// Colour patterns drawn in memory, labelled by pattern and by palette (textures.cc).
[[nodiscard]] Result<Dataset> load_textures(const DatasetRequest& request);
/// Squares of a chess board drawn in memory, with a piece on them or without (chess_squares.cc).
[[nodiscard]] Result<Dataset> load_chess_squares(const DatasetRequest& request);
/// The binary files of CIFAR-10 and CIFAR-100 (cifar.cc).
[[nodiscard]] Result<Dataset> load_cifar10(const DatasetRequest& request);
[[nodiscard]] Result<Dataset> load_cifar100(const DatasetRequest& request);
/// The four files of MNIST and its kin, plain or gzipped (idx.cc).
[[nodiscard]] Result<Dataset> load_idx(const DatasetRequest& request);
/// Folders of JPEG or PNG images, or a tar of them (folder.cc).
[[nodiscard]] Result<Dataset> load_folder(const DatasetRequest& request);

/// Loads by `kind`, resizes to `request.image_size` where the loader did not, and makes the second label set the only
/// one where `target` is `second`. Fails where data that is labelled once is asked for its second set.
[[nodiscard]] Result<Dataset> load_dataset(const DatasetKind& kind, const DatasetRequest& request,
                                           std::string_view target);

/// Mean and standard deviation of each channel over `images`, of bytes divided by 255: what inputs are normalised with.
/// A channel that never varies has deviation 1. Sums are whole numbers: exact, whatever the order.
struct ChannelStatistics {
  std::vector<double> mean, deviation;
};
[[nodiscard]] ChannelStatistics channel_statistics(const ImageSet& images, std::int64_t channels);

}  // namespace wattle::trainer
