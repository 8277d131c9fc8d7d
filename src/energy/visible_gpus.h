// Which GPUs a program will see, and so which of them are its to measure.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <vector>

#include "energy/nvml_api.h"
#include "energy/probe.h"

namespace wattle::energy {

// What tells one GPU from another.
struct GpuIdentity {
  std::string name;                      // "NVIDIA A100-SXM4-40GB"
  std::string uuid;                      // "GPU-8932f937-…"; empty where it cannot be read
  std::vector<std::string> mig_uuids{};  // of its instances
};

struct GpuChoice {
  std::vector<std::size_t> gpus;   // places in the list given, ascending, each once
  std::vector<std::string> notes;  // what people should know of how they were chosen
};

// CUDA_VISIBLE_DEVICES as the CUDA programming guide has it (appendix "CUDA environment variables"): a list of indices,
// of UUIDs or their beginnings, and of MIG instances (MIG-UUID, or MIG-GPU-UUID/instance/instance before driver 470),
// which ends before the first entry that names no GPU; empty is none, absent is all. A GPU named twice counts once, and
// one of whose instances any is named counts as a whole, for power is known of the board only.
//
// `all` is in NVML's order, which is that of the PCI bus; indices are CUDA's, which puts the fastest first unless
// CUDA_DEVICE_ORDER is PCI_BUS_ID. Among GPUs of one name the two are taken to be the same. Otherwise an index cannot
// be told, nor can a UUID where one could not be read: then all GPUs are chosen, and a note says so. `complete`: no GPU
// of the machine is missing in `all`; else indices cannot be told either.
[[nodiscard]] GpuChoice choose_gpus(const std::vector<GpuIdentity>& all, bool complete,
                                    const std::optional<std::string>& visible, const std::optional<std::string>& order);

struct VisibleGpu {
  unsigned index = 0;  // NVML's
  NvmlDevice device = nullptr;
  std::string name;
  std::string uuid;
  bool mig = false;  // cut into instances
};

struct VisibleGpus {
  std::vector<VisibleGpu> gpus;      // by index; two indices of one UUID are one GPU
  std::vector<std::string> notes;    // how they were chosen
  std::vector<std::string> missing;  // GPUs that NVML counts and does not give, with the reason
  bool denied = false;               // one of those for want of permission
};
// Takes milliseconds, and seconds where the driver has to wake the GPUs.
[[nodiscard]] VisibleGpus visible_gpus(const Nvml& nvml, const ProbeOptions& options);

}  // namespace wattle::energy
