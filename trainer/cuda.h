#pragma once

#include <memory>
#include <optional>
#include <string>

#include "recorded_step.h"

namespace wattle::trainer {

/// All that this program asks of CUDA itself. Built with a libtorch that has none, nothing here does anything.

/// Bytes that are free on the current device.
[[nodiscard]] std::optional<std::size_t> free_device_memory();

/// As its maker calls it, for example "NVIDIA H100 80GB HBM3"; empty for the CPU.
[[nodiscard]] std::string device_name(torch::Device device);

/// A CUDA graph; null where `device` is none of CUDA's.
[[nodiscard]] std::unique_ptr<Graph> make_cuda_graph(torch::Device device);

/// While it lives, this thread computes on `device`, in a stream of its own, because the default one cannot be
/// recorded; and cuDNN finds out by trying which algorithm is fastest for each shape of its operands.
class OnDevice {
 public:
  explicit OnDevice(torch::Device device);
  ~OnDevice();
  OnDevice(const OnDevice&) = delete;
  OnDevice& operator=(const OnDevice&) = delete;

 private:
  struct Guard;
  std::unique_ptr<Guard> guard_;
};

}  // namespace wattle::trainer
