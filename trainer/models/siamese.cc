#include "resnet18.h"

/// PyTorch's public example of a Siamese network (pytorch/examples, siamese_network), after G. Koch, R. Zemel,
/// R. Salakhutdinov, "Siamese Neural Networks for One-shot Image Recognition", 2015: both images through the same
/// ResNet-18 one after the other, their features side by side into 256 units and one logit: the same class or not. The
/// example's sigmoid and binary cross entropy are one function here, which is the same and overflows nowhere. Names of
/// parameters are the example's; linear layers begin as there, uniform (X. Glorot, Y. Bengio 2010), with biases of
/// 0.01.

namespace wattle::trainer {
namespace {

namespace nn = torch::nn;

class Siamese final : public Model {
 public:
  explicit Siamese(const ModelRequest& request)
      : dropout_(request.dropout),
        resnet_(register_module("resnet", std::make_shared<Part>())),
        trunk_(*resnet_, {"0", "1", "4", "5", "6", "7"}, request.image.channels / 2, request.width),
        fc_(register_module("fc", std::make_shared<Part>())),
        hidden_(fc_->register_module("0", linear(2 * trunk_.width(), widened(256, request.width)))),
        output_(fc_->register_module("2", linear(widened(256, request.width), 1))) {}

  /// The two images of a pair stand behind each other in the channels.
  torch::Tensor features(torch::Tensor pairs) override {
    const std::int64_t channels = pairs.size(1) / 2;
    const auto image = [&pairs, channels](std::int64_t index) {
      return pairs.narrow(1, index * channels, channels).contiguous(torch::MemoryFormat::ChannelsLast);
    };
    const auto first = trunk_.forward(image(0));
    return torch::cat({first, trunk_.forward(image(1))}, 1);
  }
  torch::Tensor head(torch::Tensor features) override {
    const auto hidden = torch::relu(hidden_->forward(features));
    return output_->forward(torch::dropout(hidden, dropout_, is_training()));
  }
  [[nodiscard]] std::int64_t feature_width() const override { return 2 * trunk_.width(); }
  [[nodiscard]] bool is_head(std::string_view name) const override { return name.starts_with("fc."); }

 private:
  class Part final : public nn::Module {};

  static nn::Linear linear(std::int64_t from, std::int64_t to) {
    nn::Linear layer(from, to);
    nn::init::xavier_uniform_(layer->weight);
    nn::init::constant_(layer->bias, 0.01);
    return layer;
  }

  double dropout_;
  std::shared_ptr<Part> resnet_;
  ResNet18Trunk trunk_;
  std::shared_ptr<Part> fc_;
  nn::Linear hidden_, output_;
};

}  // namespace

std::shared_ptr<Model> make_siamese_resnet18(const ModelRequest& request) { return std::make_shared<Siamese>(request); }

}  // namespace wattle::trainer
