#include "model.h"

/// MobileNetV2: M. Sandler, A. Howard, M. Zhu, A. Zhmoginov, L.-C. Chen, "MobileNetV2: Inverted Residuals and Linear
/// Bottlenecks", CVPR 2018, table 2, as torchvision has it, its names of parameters too: channels times the width are
/// rounded to multiples of 8, the last convolution's only upwards of 1280. Its dropout before the last layer is
/// `--dropout` (torchvision's default is 0.2, ours 0).

namespace wattle::trainer {
namespace {

namespace nn = torch::nn;

class Folder : public nn::Module {};

nn::Conv2d convolution(std::int64_t from, std::int64_t to, std::int64_t side, std::int64_t stride,
                       std::int64_t groups) {
  nn::Conv2d layer(nn::Conv2dOptions(from, to, side).stride(stride).padding(side / 2).groups(groups).bias(false));
  nn::init::kaiming_normal_(layer->weight, 0, torch::kFanOut);
  return layer;
}

/// The nearest multiple of 8, but never less than nine tenths.
std::int64_t rounded(double channels) {
  const std::int64_t near = std::max<std::int64_t>(8, static_cast<std::int64_t>(channels + 4) / 8 * 8);
  return static_cast<double>(near) < 0.9 * channels ? near + 8 : near;
}

/// Convolution, normalisation, ReLU6, under the names 0 and 1.
class Step final : public Folder {
 public:
  Step(std::int64_t from, std::int64_t to, std::int64_t side, std::int64_t stride = 1, std::int64_t groups = 1)
      : conv_(register_module("0", convolution(from, to, side, stride, groups))),
        norm_(register_module("1", nn::BatchNorm2d(to))) {}
  torch::Tensor forward(const torch::Tensor& input) {
    torch::Tensor features = norm_->forward(conv_->forward(input));
    return torch::hardtanh_(features, 0, 6);
  }

 private:
  nn::Conv2d conv_;
  nn::BatchNorm2d norm_;
};

/// Widen, filter each channel alone, narrow without an activation; around it a shortcut where shapes allow.
class InvertedResidual final : public Folder {
 public:
  InvertedResidual(std::int64_t from, std::int64_t to, std::int64_t stride, std::int64_t expansion)
      : shortcut_(stride == 1 && from == to) {
    const auto folder = register_module("conv", std::make_shared<Folder>());
    const std::int64_t hidden = from * expansion;
    std::int64_t place = 0;
    if (expansion != 1) {
      widen_ = folder->register_module(std::to_string(place++), std::make_shared<Step>(from, hidden, 1));
    }
    filter_ =
        folder->register_module(std::to_string(place++), std::make_shared<Step>(hidden, hidden, 3, stride, hidden));
    narrow_ = folder->register_module(std::to_string(place++), convolution(hidden, to, 1, 1, 1));
    norm_ = folder->register_module(std::to_string(place), nn::BatchNorm2d(to));
  }
  torch::Tensor forward(const torch::Tensor& input) {
    const auto wide = widen_ ? widen_->forward(input) : input;
    const auto features = norm_->forward(narrow_->forward(filter_->forward(wide)));
    return shortcut_ ? features + input : features;
  }

 private:
  bool shortcut_;
  std::shared_ptr<Step> widen_, filter_;
  nn::Conv2d narrow_{nullptr};
  nn::BatchNorm2d norm_{nullptr};
};

class MobileNetV2 final : public Model {
 public:
  explicit MobileNetV2(const ModelRequest& request) : dropout_(request.dropout) {
    struct Stage {
      std::int64_t expansion, channels, blocks, stride;
    };
    constexpr Stage kStages[] = {{1, 16, 1, 1}, {6, 24, 2, 2},  {6, 32, 3, 2}, {6, 64, 4, 2},
                                 {6, 96, 3, 1}, {6, 160, 3, 2}, {6, 320, 1, 1}};
    const auto folder = register_module("features", std::make_shared<Folder>());
    std::int64_t channels = rounded(32 * request.width), place = 0;
    first_ = folder->register_module(std::to_string(place++),
                                     std::make_shared<Step>(request.image.channels, channels, 3, 2));
    for (const Stage& stage : kStages) {
      const std::int64_t wanted = rounded(static_cast<double>(stage.channels) * request.width);
      for (std::int64_t block = 0; block < stage.blocks; ++block) {
        blocks_.push_back(folder->register_module(
            std::to_string(place++),
            std::make_shared<InvertedResidual>(channels, wanted, block == 0 ? stage.stride : 1, stage.expansion)));
        channels = wanted;
      }
    }
    width_ = rounded(1280 * std::max(1.0, request.width));
    last_ = folder->register_module(std::to_string(place), std::make_shared<Step>(channels, width_, 1));
    const auto classifier = register_module("classifier", std::make_shared<Folder>());
    output_ = classifier->register_module("1", nn::Linear(width_, request.classes));
    nn::init::normal_(output_->weight, 0, 0.01);
    nn::init::zeros_(output_->bias);
  }

  torch::Tensor features(torch::Tensor images) override {
    auto features = first_->forward(images);
    for (const auto& block : blocks_) {
      features = block->forward(features);
    }
    return last_->forward(features).mean({2, 3});
  }
  torch::Tensor head(torch::Tensor features) override {
    return output_->forward(torch::dropout(features, dropout_, is_training()));
  }
  [[nodiscard]] std::int64_t feature_width() const override { return width_; }
  [[nodiscard]] bool is_head(std::string_view name) const override { return name.starts_with("classifier."); }

 private:
  double dropout_;
  std::int64_t width_ = 0;
  std::shared_ptr<Step> first_, last_;
  std::vector<std::shared_ptr<InvertedResidual>> blocks_;
  nn::Linear output_{nullptr};
};

}  // namespace

std::shared_ptr<Model> make_mobilenet_v2(const ModelRequest& request) { return std::make_shared<MobileNetV2>(request); }

}  // namespace wattle::trainer
