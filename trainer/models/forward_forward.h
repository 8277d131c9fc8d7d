#pragma once

#include "model.h"

namespace wattle::trainer {

/// A net without backpropagation through its layers: G. Hinton, "The Forward-Forward Algorithm: Some Preliminary
/// Investigations", 2022, section 3.3, as the public PyTorch version of it has it. Two layers of 500 ReLUs (times the
/// width); each normalises its input to length 1, and its goodness is the mean of its squared activities. The label is
/// drawn into the image: its first pixels, one a class, are 0 but for the class's own, which is the image's largest.
class ForwardForwardNet final : public Model {
 public:
  explicit ForwardForwardNet(const ModelRequest& request);

  /// Images as rows of pixels, no label drawn in.
  torch::Tensor features(torch::Tensor images) override;
  /// For each class the goodness of all layers with that class drawn in: N x classes. The largest is the answer.
  torch::Tensor head(torch::Tensor pixels) override;
  [[nodiscard]] std::int64_t feature_width() const override { return width_; }
  [[nodiscard]] bool is_head(std::string_view) const override { return false; }

  /// The rows with `labels` drawn in, and the goodness of each layer (N). What a layer gets is cut off from the layer
  /// below, so that a gradient of its goodness changes it alone.
  [[nodiscard]] std::vector<torch::Tensor> goodness(const torch::Tensor& pixels, const torch::Tensor& labels);

  [[nodiscard]] std::int64_t classes() const { return classes_; }
  [[nodiscard]] double threshold() const { return threshold_; }

 private:
  [[nodiscard]] torch::Tensor labelled(const torch::Tensor& pixels, const torch::Tensor& labels) const;

  std::int64_t width_, classes_;
  double threshold_, dropout_;
  std::vector<torch::nn::Linear> layers_;
};

}  // namespace wattle::trainer
