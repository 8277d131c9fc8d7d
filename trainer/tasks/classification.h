#pragma once

#include "../hyperparameters.h"
#include "../models/model.h"
#include "../random.h"

namespace wattle::trainer {

/// What one pass over a set came to: means over its images. Accuracy is the share classified right, 0 to 1.
struct Scores {
  double loss = 0, accuracy = 0;
};

/// The images of one set on the device, given out in normalised batches.
class Batches {
 public:
  Batches(const ImageSet& images, const ImageShape& shape, const ChannelStatistics& statistics, torch::Device device);

  [[nodiscard]] std::int64_t size() const { return labels_.size(0); }

  struct Batch {
    torch::Tensor images, labels;
  };
  /// Images at the positions of `order` (whole numbers, on the device): N x C x H x W, channels_last.
  /// With `augment` set, each is shifted by up to 4 pixels, black coming in, and mirrored or not, by that generator.
  [[nodiscard]] Batch take(const torch::Tensor& order, Random* augment) const;
  /// `count` images from `first` on.
  [[nodiscard]] Batch slice(std::int64_t first, std::int64_t count) const;

 private:
  [[nodiscard]] torch::Tensor normalised(const torch::Tensor& bytes) const;

  torch::Tensor pixels_, labels_, scale_, shift_;
};

/// Image classification by cross entropy. Scores add up on the device and are read once a pass.
class Classification {
 public:
  Classification(std::shared_ptr<Model> model, const Hyperparameters& values, torch::Device device);

  /// The loss of a training batch, to be differentiated.
  [[nodiscard]] torch::Tensor training_loss(const Batches::Batch& batch);
  /// Scores of the training batches since the last call: one synchronisation.
  [[nodiscard]] Scores take_training_scores();

  /// Scores of all of `images`, nothing learned; stops early, with what it has, when asked to.
  [[nodiscard]] Scores evaluate(const Batches& images, const std::function<bool()>& stop_requested);

  [[nodiscard]] Model& model() { return *model_; }

 private:
  void add(const torch::Tensor& loss, const torch::Tensor& scores, const torch::Tensor& labels);

  std::shared_ptr<Model> model_;
  double label_smoothing_;
  torch::Tensor loss_sum_, right_;
  std::int64_t seen_ = 0;
};

}  // namespace wattle::trainer
