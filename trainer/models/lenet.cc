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

  torch::Tensor forward(torch::Tensor images) override {
    auto features = torch::max_pool2d(torch::relu(conv1_->forward(images)), 2);
    features = torch::max_pool2d(torch::relu(conv2_->forward(features)), 2).flatten(1);
    features = torch::dropout(torch::relu(dense1_->forward(features)), dropout_, is_training());
    features = torch::dropout(torch::relu(dense2_->forward(features)), dropout_, is_training());
    return output_->forward(features);
  }

 private:
  LeNet5(const ModelRequest& request, std::int64_t padding)
      : dropout_(request.dropout),
        conv1_(register_module("conv1", nn::Conv2d(nn::Conv2dOptions(request.image.channels, 6, 5).padding(padding)))),
        conv2_(register_module("conv2", nn::Conv2d(nn::Conv2dOptions(6, 16, 5)))),
        dense1_(register_module(
            "dense1", nn::Linear(16 * side(request.image.height, padding) * side(request.image.width, padding), 120))),
        dense2_(register_module("dense2", nn::Linear(120, 84))),
        output_(register_module("output", nn::Linear(84, request.classes))) {}

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
