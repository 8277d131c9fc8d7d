#pragma once

#include <string_view>

#include "torch.h"

/// Where libtorch 1.13 and 2.x differ. Nothing else in the trainer asks for libtorch's version.

namespace wattle::trainer {

/// Drops gradients instead of filling them with zeros: 2.x by a default that 1.13 has not.
inline void drop_gradients(torch::optim::Optimizer& optimizer) {
#if TORCH_VERSION_MAJOR >= 2
  optimizer.zero_grad(/*set_to_none=*/true);
#else
  for (auto& group : optimizer.param_groups()) {
    for (torch::Tensor& parameter : group.params()) {
      parameter.mutable_grad().reset();
    }
  }
#endif
}

/// Whether an exception of libtorch means that memory is spent: the CPU's allocator throws a plain error in both.
inline bool is_out_of_memory(const c10::Error& error) {
  const std::string_view text = error.what_without_backtrace();
  return dynamic_cast<const c10::OutOfMemoryError*>(&error) != nullptr ||
         text.find("can't allocate memory") != std::string_view::npos ||
         text.find("not enough memory") != std::string_view::npos;
}

/// Moves a module to `device` with its convolutions' weights channels_last. A copy is asked for, because without one
/// depthwise weights (one input channel a group) pass for channels_last already and keep strides that run 27 % slower.
inline void to_channels_last(torch::nn::Module& module, torch::Device device) {
  const torch::NoGradGuard no_grad;
  module.to(device);
  for (torch::Tensor& parameter : module.parameters()) {
    if (parameter.dim() == 4) {
      parameter.set_data(parameter.to(parameter.options(), false, /*copy=*/true, torch::MemoryFormat::ChannelsLast));
    }
  }
}

}  // namespace wattle::trainer
