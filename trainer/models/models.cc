#include <array>

#include "model.h"

namespace wattle::trainer {
namespace {

constexpr std::array kKinds = {
    ModelKind{"lenet5", "LeNet-5 (LeCun et al. 1998) with ReLU and max pooling", 12, 28, 1, &make_lenet5},
    ModelKind{"resnet20", "ResNet-20 for small images, identity shortcuts (option A) (He et al. 2016)", 8, 32, 3,
              &make_resnet20},
};

}  // namespace

std::span<const ModelKind> model_kinds() { return kKinds; }

}  // namespace wattle::trainer
