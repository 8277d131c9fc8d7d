#include <algorithm>
#include <array>
#include <cmath>

#include "logistic.h"
#include "model.h"

namespace wattle::trainer {
namespace {

constexpr std::array kKinds = {
    ModelKind{"lenet5", "LeNet-5 (LeCun et al. 1998) with ReLU and max pooling", 12, 28, 1, "classification", false,
              &make_lenet5},
    ModelKind{"resnet20", "ResNet-20 for small images, identity shortcuts (option A) (He et al. 2016)", 8, 32, 3,
              "classification", true, &make_resnet20},
    ModelKind{"resnet18", "ResNet-18 (He et al. 2016), torchvision's", 8, 224, 3, "classification", true,
              &make_resnet18},
    ModelKind{"mobilenet_v2", "MobileNetV2 (Sandler et al. 2018), torchvision's; --width is its multiplier", 8, 224, 3,
              "classification", true, &make_mobilenet_v2},
    ModelKind{"siamese_resnet18", "Two images through one ResNet-18: same class or not (PyTorch's example)", 8, 28, 1,
              "verification", true, &make_siamese_resnet18},
    ModelKind{"forward_forward", "Two layers of 500, each trained on its own goodness (Hinton 2022)", 4, 28, 1,
              "forward_forward", false, &make_forward_forward},
    ModelKind{"logistic", "Logistic regression on pixels: a baseline", 1, 28, 1, "classification", false,
              &make_logistic},
};

}  // namespace

std::span<const ModelKind> model_kinds() { return kKinds; }

std::shared_ptr<Model> make_model(const ModelKind& kind, const ModelRequest& request) {
  auto model = kind.make(request);
  return request.heads == 2 ? make_two_heads(std::move(model), request.second_classes) : model;
}

std::int64_t widened(std::int64_t channels, double width) {
  return std::max<std::int64_t>(1, std::llround(static_cast<double>(channels) * width));
}

}  // namespace wattle::trainer
