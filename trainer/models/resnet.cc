#include "model.h"

/// ResNet-20 as K. He, X. Zhang, S. Ren, J. Sun, "Deep Residual Learning for Image Recognition", CVPR 2016, section 4.2
/// has it for CIFAR-10: a 3 x 3 convolution, three stages of three blocks at 16, 32 and 64 channels, average pooling,
/// one linear layer; shortcuts without parameters (option A: every second pixel, zeros for the new channels), which is
/// 269,722 parameters for 3 channels and 10 classes. Convolutions begin as K. He et al., "Delving Deep into
/// Rectifiers", ICCV 2015, equation 10 (normal, by fan-in).

namespace wattle::trainer {
namespace {

namespace nn = torch::nn;

nn::Conv2d convolution(std::int64_t from, std::int64_t to, std::int64_t stride) {
  nn::Conv2d layer(nn::Conv2dOptions(from, to, 3).stride(stride).padding(1).bias(false));
  nn::init::kaiming_normal_(layer->weight, 0, torch::kFanIn, torch::kReLU);
  return layer;
}

class Block final : public nn::Module {
 public:
  Block(std::int64_t from, std::int64_t to, std::int64_t stride)
      : stride_(stride),
        new_channels_(to - from),
        conv1_(register_module("conv1", convolution(from, to, stride))),
        norm1_(register_module("norm1", nn::BatchNorm2d(to))),
        conv2_(register_module("conv2", convolution(to, to, 1))),
        norm2_(register_module("norm2", nn::BatchNorm2d(to))) {}

  torch::Tensor forward(const torch::Tensor& input) {
    auto features = norm1_->forward(conv1_->forward(input)).relu_();
    features = norm2_->forward(conv2_->forward(features));
    return features.add_(shortcut(input)).relu_();
  }

 private:
  [[nodiscard]] torch::Tensor shortcut(const torch::Tensor& input) const {
    if (new_channels_ == 0) {
      return input;
    }
    const auto every = [this](const torch::Tensor& tensor, std::int64_t dimension) {
      return tensor.slice(dimension, 0, tensor.size(dimension), stride_);
    };
    return torch::constant_pad_nd(every(every(input, 2), 3), {0, 0, 0, 0, 0, new_channels_});
  }

  std::int64_t stride_, new_channels_;
  nn::Conv2d conv1_;
  nn::BatchNorm2d norm1_;
  nn::Conv2d conv2_;
  nn::BatchNorm2d norm2_;
};

class ResNet20 final : public Model {
 public:
  explicit ResNet20(const ModelRequest& request)
      : dropout_(request.dropout),
        conv_(register_module("conv", convolution(request.image.channels, widened(16, request.width), 1))),
        norm_(register_module("norm", nn::BatchNorm2d(widened(16, request.width)))),
        output_(register_module("output", nn::Linear(widened(64, request.width), request.classes))) {
    std::int64_t channels = widened(16, request.width);
    for (const std::int64_t stage : {1, 2, 3}) {
      const std::int64_t wanted = widened(std::int64_t{8} << stage, request.width);
      for (const std::int64_t block : {1, 2, 3}) {
        const std::int64_t stride = stage > 1 && block == 1 ? 2 : 1;
        const std::string name = "stage" + std::to_string(stage) + "_block" + std::to_string(block);
        blocks_.push_back(register_module(name, std::make_shared<Block>(channels, wanted, stride)));
        channels = wanted;
      }
    }
  }

  torch::Tensor features(torch::Tensor images) override {
    auto features = norm_->forward(conv_->forward(images)).relu_();
    for (const auto& block : blocks_) {
      features = block->forward(features);
    }
    return features.mean({2, 3});
  }
  torch::Tensor head(torch::Tensor features) override {
    return output_->forward(torch::dropout(features, dropout_, is_training()));
  }
  [[nodiscard]] std::int64_t feature_width() const override { return output_->options.in_features(); }
  [[nodiscard]] bool is_head(std::string_view name) const override { return name.starts_with("output."); }

 private:
  double dropout_;
  nn::Conv2d conv_;
  nn::BatchNorm2d norm_;
  nn::Linear output_;
  std::vector<std::shared_ptr<Block>> blocks_;
};

}  // namespace

std::shared_ptr<Model> make_resnet20(const ModelRequest& request) { return std::make_shared<ResNet20>(request); }

}  // namespace wattle::trainer
