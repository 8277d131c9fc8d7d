#pragma once

#include <string>
#include <vector>

#include "models/model.h"

namespace wattle::trainer {

/// A layer with parameters, in the order of the forward pass.
struct Layer {
  std::string name, kind;            ///< `stage1_block1.conv1`, `convolution`
  std::vector<std::int64_t> output;  ///< shape for one image: channels, height, width
  std::int64_t parameters = 0;
  double gflops = 0;
};

struct Summary {
  std::vector<Layer> layers;
  std::int64_t parameters = 0;  ///< that learn
  double gflops = 0;            ///< of one image's forward pass: 2 x multiply-adds of convolutions and linear layers
};

/// Sends one image through `model` and counts what libtorch is really asked to compute, whatever the model's code says.
[[nodiscard]] Summary summarise(Model& model, const ImageShape& image);

}  // namespace wattle::trainer
