#pragma once

#include <array>
#include <string>
#include <vector>

#include "model.h"

namespace wattle::trainer {

/// The layers of ResNet-18 up to its pooled features (K. He, X. Zhang, S. Ren, J. Sun, CVPR 2016, table 1, with the
/// projections of option B where a stage halves the image). A part of a module: it registers its layers in `owner`,
/// under `names`: stem, norm and four stages. Convolutions begin as torchvision's: normal, by fan-out.
class ResNet18Trunk {
 public:
  using Names = std::array<std::string, 6>;
  ResNet18Trunk(torch::nn::Module& owner, const Names& names, std::int64_t channels, double width);

  /// N x width().
  torch::Tensor forward(torch::Tensor images);
  [[nodiscard]] std::int64_t width() const { return width_; }

 private:
  class Block;
  torch::nn::Conv2d stem_;
  torch::nn::BatchNorm2d norm_;
  std::vector<std::shared_ptr<Block>> blocks_;
  std::int64_t width_ = 0;
};

}  // namespace wattle::trainer
