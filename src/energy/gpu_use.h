// How long each process kept each GPU busy: what a GPU's joules are attributed by (attribution.h).
//
// From nvmlDeviceGetProcessUtilization, which tells, for each process that ran since a given moment, the mean SM % and
// when it was last seen busy. Busy time is that percentage of the time since that moment. It is NVML's accounting:
// coarse (its samples are 1/6 s to 1 s apart), blind to how much of the GPU a kernel fills, not told with MIG, and
// process ids are those of NVML's own view, which in a container may not be the container's. Its samples carry the time
// of day: when that is set back, nothing is seen until it has caught up.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/units.h"
#include "energy/nvml_api.h"
#include "energy/probe.h"
#include "energy/visible_gpus.h"

namespace wattle::energy {

inline constexpr Nanoseconds kGpuUsePeriod = seconds(1);  // NVML's samples are at most this far apart

// Of one GPU, cumulative since the first read; nothing in it ever falls.
struct GpuBusy {
  std::string domain;                      // "gpu-0", as the probe names it
  Nanoseconds time{};                      // CLOCK_MONOTONIC, of the last read that told
  std::map<pid_t, Nanoseconds> processes;  // each that was ever seen busy
  Nanoseconds all{};                       // their sum: everybody that NVML sees
  std::string why_absent;                  // not empty: the last read told nothing, and the rest stands as it was
};

// Ask about once a second: NVML keeps some seconds of samples. One thread; a read may take milliseconds.
class GpuUse {
 public:
  // Without NVML or GPUs there is nothing in it.
  explicit GpuUse(const ProbeOptions& options);
  GpuUse(std::shared_ptr<const Nvml> nvml, const std::vector<VisibleGpu>& gpus);

  // One a GPU, in the order of their indices. The first read only sets the beginning.
  const std::vector<GpuBusy>& read(Nanoseconds now);

 private:
  struct State {
    NvmlDevice device = nullptr;
    std::uint64_t last_seen_us = 0;    // newest sample so far, on NVML's clock
    std::optional<Nanoseconds> asked;  // when NVML last answered
    bool idle = true;                  // that answer held no sample
    bool lost = false;
  };
  void read(State& state, GpuBusy& busy, Nanoseconds now);

  std::shared_ptr<const Nvml> nvml_;
  std::vector<State> states_;
  std::vector<GpuBusy> busy_;
};

}  // namespace wattle::energy
