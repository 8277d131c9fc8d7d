#include "cuda.h"

#include "compat.h"

#ifdef WATTLE_TRAINER_CUDA
#include <ATen/cuda/CUDAContext.h>
#include <ATen/cuda/CUDAGraph.h>
#include <c10/cuda/CUDAGuard.h>
#include <cuda_runtime_api.h>
#endif

namespace wattle::trainer {

#ifdef WATTLE_TRAINER_CUDA

namespace {

class CudaGraph final : public Graph {
 public:
  void record(const std::function<void()>& work) override {
    torch::cuda::synchronize();
    begin();
    try {
      work();
    } catch (...) {
      abandon();
      throw;
    }
    graph_.capture_end();
  }
  void launch() override { graph_.replay(); }

 private:
  /// Only this thread must not do what cannot be recorded: another one fills the next batch, in pinned memory that it
  /// may have to ask CUDA for.
  void begin() {
#if WATTLE_TORCH_AT_LEAST(2, 1)
    graph_.capture_begin({0, 0}, cudaStreamCaptureModeThreadLocal);
#else
    graph_.capture_begin();
#endif
  }
  void abandon() {
    try {
      graph_.capture_end();
    } catch (const std::exception&) {  // a recording that has failed cannot be ended well; the first reason is told
      static_cast<void>(cudaGetLastError());
    }
  }

  at::cuda::CUDAGraph graph_;
};

}  // namespace

std::optional<std::size_t> free_device_memory() {
  std::size_t free = 0, total = 0;
  return cudaMemGetInfo(&free, &total) == cudaSuccess ? std::optional(free) : std::nullopt;
}

std::string device_name(torch::Device device) {
  return device.is_cuda() ? at::cuda::getDeviceProperties(at::cuda::current_device())->name : "";
}

std::unique_ptr<Graph> make_cuda_graph(torch::Device device) {
  return device.is_cuda() ? std::make_unique<CudaGraph>() : nullptr;
}

struct OnDevice::Guard {
  explicit Guard(torch::Device device) : stream(at::cuda::getStreamFromPool(/*isHighPriority=*/false, device.index())) {
    at::globalContext().setBenchmarkCuDNN(true);
  }
  c10::cuda::CUDAStreamGuard stream;
};

OnDevice::OnDevice(torch::Device device) : guard_(device.is_cuda() ? std::make_unique<Guard>(device) : nullptr) {}

#else

std::optional<std::size_t> free_device_memory() { return std::nullopt; }
std::string device_name(torch::Device) { return ""; }
std::unique_ptr<Graph> make_cuda_graph(torch::Device) { return nullptr; }

struct OnDevice::Guard {};
OnDevice::OnDevice(torch::Device) {}

#endif

OnDevice::~OnDevice() = default;

}  // namespace wattle::trainer
