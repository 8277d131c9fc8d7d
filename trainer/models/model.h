#pragma once

#include <memory>
#include <span>
#include <string_view>

#include "../datasets/dataset.h"
#include "../torch.h"

namespace wattle::trainer {

/// A network that maps images (N x C x H x W, float, normalised) to one row of scores each: class logits, or what the
/// model's task makes of them. Its last layer stands apart, so that it can be replaced, trained alone or doubled.
class Model : public torch::nn::Module {
 public:
  /// What the last layer sees: N x feature_width.
  virtual torch::Tensor features(torch::Tensor images) = 0;
  /// The last layer: N x scores.
  virtual torch::Tensor head(torch::Tensor features) = 0;
  torch::Tensor forward(torch::Tensor images) { return head(features(std::move(images))); }

  [[nodiscard]] virtual std::int64_t feature_width() const = 0;
  /// Whether a parameter or buffer of that name, as `named_parameters` has it, belongs to the last layer.
  [[nodiscard]] virtual bool is_head(std::string_view name) const = 0;
};

struct ModelRequest {
  ImageShape image;
  std::int64_t classes = 0;
  double dropout = 0;
  double width = 1;        ///< multiplier of the channels of every hidden layer
  double threshold = 2;    ///< goodness that the Forward-Forward net parts good from bad at
  std::int64_t heads = 1;  ///< 2: a second last layer, of `second_classes`, on the same trunk
  std::int64_t second_classes = 0;
};

struct ModelKind {
  std::string_view name, meaning;
  std::int64_t smallest_side;               ///< of an image, in pixels
  std::int64_t usual_side, usual_channels;  ///< what `--summary` takes unless told
  std::string_view task;                    ///< that `--task auto` means
  bool batch_norm;                          ///< statistics over a batch: it cannot be cut into replicas' parts
  std::shared_ptr<Model> (*make)(const ModelRequest&);
};

/// Every model there is.
[[nodiscard]] std::span<const ModelKind> model_kinds();

/// `kind` for `request`; with two heads, that model as a trunk below both.
[[nodiscard]] std::shared_ptr<Model> make_model(const ModelKind& kind, const ModelRequest& request);

/// Channels times width, at least one, rounded.
[[nodiscard]] std::int64_t widened(std::int64_t channels, double width);

/// Parameters are drawn from libtorch's global generator: seed it before.
[[nodiscard]] std::shared_ptr<Model> make_lenet5(const ModelRequest& request);
[[nodiscard]] std::shared_ptr<Model> make_resnet20(const ModelRequest& request);
[[nodiscard]] std::shared_ptr<Model> make_resnet18(const ModelRequest& request);
[[nodiscard]] std::shared_ptr<Model> make_mobilenet_v2(const ModelRequest& request);
[[nodiscard]] std::shared_ptr<Model> make_siamese_resnet18(const ModelRequest& request);
[[nodiscard]] std::shared_ptr<Model> make_forward_forward(const ModelRequest& request);
[[nodiscard]] std::shared_ptr<Model> make_two_heads(std::shared_ptr<Model> trunk, std::int64_t second_classes);

}  // namespace wattle::trainer
