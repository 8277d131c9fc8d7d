#include "model.h"

/// LeNet-5: Y. LeCun, L. Bottou, Y. Bengio, P. Haffner, "Gradient-based learning applied to document recognition",
/// Proc. IEEE 86 (11), 1998, section II.B; as it is trained today: ReLU for tanh, max pooling for trainable
/// subsampling, every map connected in the second convolution, a linear layer for the RBF outputs. Its input was
/// 32 x 32: smaller images are padded by 2 in the first convolution, so 28 x 28 gives the same 61,706 parameters.

namespace wattle::trainer {
namespace {

namespace nn = torch::nn;

class LeNet5 final : public Model {
 public:
  explicit LeNet5(const ModelRequest& request)
      : LeNet5(request, request.image.height < 32 || request.image.width < 32 ? 2 : 0) {}

  torch::Tensor features(torch::Tensor images) override {
    // The largest of a window, rectified, is the largest rectified one: the same in a quarter of the work.
    auto features = torch::max_pool2d(conv1_->forward(images), 2).relu_();
    features = torch::max_pool2d(conv2_->forward(features), 2).relu_().flatten(1);
    features = torch::dropout(torch::relu(dense1_->forward(features)), dropout_, is_training());
    return torch::dropout(torch::relu(dense2_->forward(features)), dropout_, is_training());
  }
  torch::Tensor head(torch::Tensor features) override { return output_->forward(features); }
  [[nodiscard]] std::int64_t feature_width() const override { return output_->options.in_features(); }
  [[nodiscard]] bool is_head(std::string_view name) const override { return name.starts_with("output."); }

 private:
  LeNet5(const ModelRequest& request, std::int64_t padding)
      : LeNet5(request, padding, widened(6, request.width), widened(16, request.width), widened(120, request.width),
               widened(84, request.width)) {}
  LeNet5(const ModelRequest& request, std::int64_t padding, std::int64_t maps1, std::int64_t maps2, std::int64_t units1,
         std::int64_t units2)
      : dropout_(request.dropout),
        conv1_(
            register_module("conv1", nn::Conv2d(nn::Conv2dOptions(request.image.channels, maps1, 5).padding(padding)))),
        conv2_(register_module("conv2", nn::Conv2d(nn::Conv2dOptions(maps1, maps2, 5)))),
        dense1_(register_module(
            "dense1",
            nn::Linear(maps2 * side(request.image.height, padding) * side(request.image.width, padding), units1))),
        dense2_(register_module("dense2", nn::Linear(units1, units2))),
        output_(register_module("output", nn::Linear(units2, request.classes))) {}

  /// What two 5 x 5 convolutions and two halvings leave of a side.
  static std::int64_t side(std::int64_t pixels, std::int64_t padding) {
    return ((pixels + 2 * padding - 4) / 2 - 4) / 2;
  }

  double dropout_;
  nn::Conv2d conv1_, conv2_;
  nn::Linear dense1_, dense2_, output_;
};

}  // namespace

std::shared_ptr<Model> make_lenet5(const ModelRequest& request) { return std::make_shared<LeNet5>(request); }

}  // namespace wattle::trainer
