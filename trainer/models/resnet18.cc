#include "resnet18.h"

namespace wattle::trainer {
namespace {

namespace nn = torch::nn;

nn::Conv2d convolution(std::int64_t from, std::int64_t to, std::int64_t side, std::int64_t stride) {
  nn::Conv2d layer(nn::Conv2dOptions(from, to, side).stride(stride).padding(side / 2).bias(false));
  nn::init::kaiming_normal_(layer->weight, 0, torch::kFanOut, torch::kReLU);
  return layer;
}

/// A module that only gives its children a name in front: `layer1`, then `0`, `1`.
class Folder final : public nn::Module {};

}  // namespace

class ResNet18Trunk::Block final : public nn::Module {
 public:
  Block(std::int64_t from, std::int64_t to, std::int64_t stride)
      : conv1_(register_module("conv1", convolution(from, to, 3, stride))),
        bn1_(register_module("bn1", nn::BatchNorm2d(to))),
        conv2_(register_module("conv2", convolution(to, to, 3, 1))),
        bn2_(register_module("bn2", nn::BatchNorm2d(to))) {
    if (stride != 1 || from != to) {
      const auto folder = register_module("downsample", std::make_shared<Folder>());
      projection_ = folder->register_module("0", convolution(from, to, 1, stride));
      projection_norm_ = folder->register_module("1", nn::BatchNorm2d(to));
    }
  }

  torch::Tensor forward(const torch::Tensor& input) {
    auto features = bn1_->forward(conv1_->forward(input)).relu_();
    features = bn2_->forward(conv2_->forward(features));
    const auto shortcut = projection_ ? projection_norm_->forward(projection_->forward(input)) : input;
    return features.add_(shortcut).relu_();
  }

 private:
  nn::Conv2d conv1_;
  nn::BatchNorm2d bn1_;
  nn::Conv2d conv2_;
  nn::BatchNorm2d bn2_;
  nn::Conv2d projection_{nullptr};
  nn::BatchNorm2d projection_norm_{nullptr};
};

ResNet18Trunk::ResNet18Trunk(nn::Module& owner, const Names& names, std::int64_t channels, double width)
    : stem_(owner.register_module(names[0], convolution(channels, widened(64, width), 7, 2))),
      norm_(owner.register_module(names[1], nn::BatchNorm2d(widened(64, width)))),
      width_(widened(64, width)) {
  for (std::int64_t stage = 0; stage < 4; ++stage) {
    const auto folder = owner.register_module(names[static_cast<std::size_t>(stage) + 2], std::make_shared<Folder>());
    const std::int64_t wanted = widened(std::int64_t{64} << stage, width);
    for (const std::int64_t block : {0, 1}) {
      const std::int64_t stride = stage > 0 && block == 0 ? 2 : 1;
      blocks_.push_back(
          folder->register_module(std::to_string(block), std::make_shared<Block>(width_, wanted, stride)));
      width_ = wanted;
    }
  }
}

torch::Tensor ResNet18Trunk::forward(torch::Tensor images) {
  // Rectified after pooling: the same, in a quarter of the work.
  auto features = torch::max_pool2d(norm_->forward(stem_->forward(images)), 3, 2, 1).relu_();
  for (const auto& block : blocks_) {
    features = block->forward(features);
  }
  return features.mean({2, 3});
}

namespace {

class ResNet18 final : public Model {
 public:
  explicit ResNet18(const ModelRequest& request)
      : dropout_(request.dropout),
        trunk_(*this, {"conv1", "bn1", "layer1", "layer2", "layer3", "layer4"}, request.image.channels, request.width),
        fc_(register_module("fc", nn::Linear(trunk_.width(), request.classes))) {}

  torch::Tensor features(torch::Tensor images) override { return trunk_.forward(std::move(images)); }
  torch::Tensor head(torch::Tensor features) override {
    return fc_->forward(torch::dropout(features, dropout_, is_training()));
  }
  [[nodiscard]] std::int64_t feature_width() const override { return trunk_.width(); }
  [[nodiscard]] bool is_head(std::string_view name) const override { return name.starts_with("fc."); }

 private:
  double dropout_;
  ResNet18Trunk trunk_;
  nn::Linear fc_;
};

}  // namespace

std::shared_ptr<Model> make_resnet18(const ModelRequest& request) { return std::make_shared<ResNet18>(request); }

}  // namespace wattle::trainer
