#pragma once

#include <string_view>

#include "torch.h"

/// Where libtorch 1.13 and 2.x differ. Nothing else in the trainer asks for libtorch's version but cuda.cc.

#define WATTLE_TORCH_AT_LEAST(major, minor) \
  (TORCH_VERSION_MAJOR > (major) || (TORCH_VERSION_MAJOR == (major) && TORCH_VERSION_MINOR >= (minor)))
#define WATTLE_TORCH_HAS_FUSED WATTLE_TORCH_AT_LEAST(2, 4)

namespace wattle::trainer {

/// Whether an exception of libtorch means that memory is spent: the CPU's allocator throws a plain error in both.
inline bool is_out_of_memory(const c10::Error& error) {
  const std::string_view text = error.what_without_backtrace();
  return dynamic_cast<const c10::OutOfMemoryError*>(&error) != nullptr ||
         text.find("can't allocate memory") != std::string_view::npos ||
         text.find("not enough memory") != std::string_view::npos;
}

/// While it lives, this thread computes products in bfloat16 on that device (autocast). 2.4 and later have one function
/// for all devices, the ones before it one a device. Does nothing where `on` is false. Autocast keeps copies of weights
/// in bfloat16 until the outermost one ends: one such object a step, no more.
class Autocast {
 public:
  Autocast(bool on, torch::Device device) : on_(on), cuda_(device.is_cuda()) {
    if (on_) {
      set(true);
      at::autocast::increment_nesting();
    }
  }
  ~Autocast() {
    if (on_) {
      if (at::autocast::decrement_nesting() == 0) {
        at::autocast::clear_cache();
      }
      set(false);
    }
  }
  Autocast(const Autocast&) = delete;
  Autocast& operator=(const Autocast&) = delete;

 private:
  void set(bool enabled) const {
#if WATTLE_TORCH_AT_LEAST(2, 4)
    const auto device = cuda_ ? at::kCUDA : at::kCPU;
    at::autocast::set_autocast_dtype(device, at::kBFloat16);
    at::autocast::set_autocast_enabled(device, enabled);
#else
    if (cuda_) {
      at::autocast::set_autocast_gpu_dtype(at::kBFloat16);
      at::autocast::set_enabled(enabled);
    } else {
      at::autocast::set_autocast_cpu_dtype(at::kBFloat16);
      at::autocast::set_cpu_enabled(enabled);
    }
#endif
  }

  bool on_, cuda_;
};

struct FusedSgd {
  double rate, momentum, decay;
  bool nesterov;
};
struct FusedAdam {
  double rate, beta1, beta2, decay, epsilon;
  bool decoupled;  ///< AdamW
};

// Fused operators change a whole list of parameters in one pass. They all exist from 2.4 on, for the CPU too. Before,
// these do nothing and return false. `velocities` are empty without momentum.

inline bool fused_sgd([[maybe_unused]] at::TensorList parameters, [[maybe_unused]] at::TensorList gradients,
                      [[maybe_unused]] at::TensorList velocities, [[maybe_unused]] const FusedSgd& rule) {
#if WATTLE_TORCH_HAS_FUSED
  at::_fused_sgd_(parameters, gradients, velocities, rule.decay, rule.momentum, rule.rate, /*dampening=*/0,
                  rule.nesterov, /*maximize=*/false, /*is_first_step=*/false);
  return true;
#else
  return false;
#endif
}

/// `steps`: with this one.
inline bool fused_adam([[maybe_unused]] at::TensorList parameters, [[maybe_unused]] at::TensorList gradients,
                       [[maybe_unused]] at::TensorList means, [[maybe_unused]] at::TensorList squares,
                       [[maybe_unused]] std::int64_t steps, [[maybe_unused]] const FusedAdam& rule) {
#if WATTLE_TORCH_HAS_FUSED
  const auto options = parameters.front().options().dtype(torch::kFloat32);
  const std::vector<torch::Tensor> counts(parameters.size(), torch::full({}, static_cast<double>(steps), options));
  const auto update = [&](const auto& fused) {
    fused(parameters, gradients, means, squares, at::TensorList(), counts, rule.rate, rule.beta1, rule.beta2,
          rule.decay, rule.epsilon, /*amsgrad=*/false, /*maximize=*/false, /*grad_scale=*/std::nullopt,
          /*found_inf=*/std::nullopt);
  };
  if (rule.decoupled) {
    update([](auto&&... all) { at::_fused_adamw_(all...); });
  } else {
    update([](auto&&... all) { at::_fused_adam_(all...); });
  }
  return true;
#else
  return false;
#endif
}

/// The generator that parameters and dropout draw from.
inline at::Generator default_generator(torch::Device device) { return at::globalContext().defaultGenerator(device); }

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
