#pragma once

#include <memory>
#include <span>
#include <string_view>

#include "../datasets/dataset.h"
#include "../torch.h"

namespace wattle::trainer {

/// A network that maps images (N x C x H x W, float, normalised) to one row of class scores (logits) each.
class Model : public torch::nn::Module {
 public:
  virtual torch::Tensor forward(torch::Tensor images) = 0;
};

struct ModelRequest {
  ImageShape image;
  std::int64_t classes = 0;
  double dropout = 0;
};

struct ModelKind {
  std::string_view name, meaning;
  std::int64_t smallest_side;               ///< of an image, in pixels
  std::int64_t usual_side, usual_channels;  ///< what `--summary` takes unless told
  std::shared_ptr<Model> (*make)(const ModelRequest&);
};

/// Every model there is.
[[nodiscard]] std::span<const ModelKind> model_kinds();

/// Parameters are drawn from libtorch's global generator: seed it before.
[[nodiscard]] std::shared_ptr<Model> make_lenet5(const ModelRequest& request);
[[nodiscard]] std::shared_ptr<Model> make_resnet20(const ModelRequest& request);

}  // namespace wattle::trainer
