#pragma once

#include <memory>
#include <optional>
#include <vector>

#include "hyperparameters.h"
#include "models/model.h"
#include "random.h"

namespace wattle::trainer {

/// Images (N x C x H x W, normalised, channels_last) with their classes, one tensor of labels for each label set; of a
/// set of pairs N x 2C x H x W, labelled 1 where both are of one class.
struct Batch {
  torch::Tensor images;
  std::vector<torch::Tensor> labels;
  torch::Tensor chance{};  ///< what the task leaves to chance in training (`Task::draw`); else undefined
  [[nodiscard]] std::int64_t size() const { return images.size(0); }
};

/// A batch as far as the host makes it: its tensors are in pinned memory where a device is to copy them.
struct Prepared {
  std::vector<torch::Tensor> tensors;
  std::int64_t size = 0;
};

/// What is left to chance when images are taken. Every image draws from a generator of its own, of `seed` and its
/// position, so that batches are the same whoever fills them, in whatever order.
struct Draw {
  bool shift = false, mirror = false;  ///< by up to 4 pixels, black coming in
  std::uint64_t seed = 0;              ///< of an epoch; also draws the partners of pairs
};

/// The images of one set, given out in normalised batches. Bytes stay as they were decoded: a fourth of the memory, and
/// on the CPU one pass from bytes to the finished batch, augmentation included. For CUDA they lie on the device where
/// they fit, and the host sends no more than a table of what to take; else batches are filled here, in pinned memory,
/// and copied asynchronously. Threads may take at the same time.
class Batches {
 public:
  enum class Place {
    kWhereItFits,  ///< on a device other than the CPU, if half of its free memory holds them
    kHost,
    kDevice,
  };
  /// `pairs`: give out pairs, half of them of one class.
  Batches(ImageSet images, const ImageShape& shape, const ChannelStatistics& statistics, torch::Device device,
          bool pairs = false, Place place = Place::kWhereItFits);

  [[nodiscard]] std::int64_t size() const { return static_cast<std::int64_t>(images_->size()); }
  [[nodiscard]] std::size_t bytes_per_image() const { return shape_.bytes() * (pairs_ ? 2 : 1); }
  /// Whether the CPU fills batches, so that doing it ahead of the training can pay.
  [[nodiscard]] bool filled_by_cpu() const { return !resident_.defined(); }

  /// The images at `positions`: what the host does for them, on any thread…
  [[nodiscard]] Prepared prepare(std::span<const std::int64_t> positions, const Draw& draw) const;
  /// …and what the device does, from `Prepared::tensors` that are there. It asks nothing of the host: it can be
  /// recorded.
  [[nodiscard]] Batch finish(const std::vector<torch::Tensor>& tensors) const;
  /// Both.
  [[nodiscard]] Batch take(std::span<const std::int64_t> positions, const Draw& draw) const;
  /// `count` images from `first` on, the same whenever they are asked for.
  [[nodiscard]] Batch slice(std::int64_t first, std::int64_t count) const;

  /// The second image of the pair that begins with `position`, and whether it is of the same class.
  struct Partner {
    std::int64_t position;
    bool same;
  };
  [[nodiscard]] Partner partner_of(std::int64_t position, std::uint64_t seed) const;

 private:
  struct Source {  ///< of one image in a batch: where it comes from, and how it lies
    std::int64_t position, down = 0, right = 0;
    bool mirrored = false;
  };
  using LabelSets = std::vector<std::vector<std::int64_t>>;
  [[nodiscard]] Source source_of(std::int64_t position, std::int64_t which, const Draw& draw) const;
  void fill(const Source& source, float* to, std::int64_t channels_apart) const;
  [[nodiscard]] std::int64_t per_image() const { return pairs_ ? 2 : 1; }
  [[nodiscard]] std::int64_t label_sets() const { return !pairs_ && !images_->second_labels.empty() ? 2 : 1; }
  [[nodiscard]] torch::TensorOptions host_options(torch::ScalarType type) const;
  [[nodiscard]] std::vector<torch::Tensor> filled(std::span<const Source> sources, const LabelSets& labels) const;
  [[nodiscard]] torch::Tensor table(std::span<const Source> sources, const LabelSets& labels, bool shifted) const;
  [[nodiscard]] torch::Tensor gathered(const torch::Tensor& sources) const;

  std::shared_ptr<const ImageSet> images_;
  ImageShape shape_;
  torch::Device device_;
  bool pairs_;
  std::vector<float> scale_, shift_;                ///< of each value of a row of pixels
  torch::Tensor resident_, row_scale_, row_shift_;  ///< on the device, where images lie there
  std::vector<std::vector<std::int64_t>> classes_;  ///< of pairs: positions of each class
};

/// The batches of one pass, in `order`. Where it pays, a thread fills the next one while this one is trained on.
class Feed {
 public:
  Feed(const Batches& batches, std::vector<std::int64_t> order, std::int64_t batch_size, const Draw& draw, bool ahead);
  ~Feed();
  Feed(const Feed&) = delete;
  Feed& operator=(const Feed&) = delete;

  [[nodiscard]] std::int64_t count() const;
  /// The next batch; nothing after the last. Rethrows what went wrong when it was filled.
  [[nodiscard]] std::optional<Prepared> next();

 private:
  class Ahead;
  [[nodiscard]] Prepared prepare(std::int64_t number) const;

  const Batches& batches_;
  std::vector<std::int64_t> order_;
  std::int64_t batch_size_, next_ = 0;
  Draw draw_;
  std::unique_ptr<Ahead> ahead_;
};

/// All positions of `count` images in the random order of (seed, epoch).
[[nodiscard]] std::vector<std::int64_t> order_of_epoch(std::int64_t count, std::uint64_t seed, std::int64_t epoch);
[[nodiscard]] Draw draw_of_epoch(const Hyperparameters& values, std::uint64_t seed, std::int64_t epoch);

}  // namespace wattle::trainer
