// Energy and power of NVIDIA GPUs, as NVML tells them (nvml_api.h).
//
// What NVML's numbers are worth:
// - The energy counter (mJ, Volta and later) steps every 20 to 100 ms: windows of 5 s or more.
// - nvml.h states ±5 % for readings of power on Fermi and Kepler and nothing for others; ±5 % is what Yang, Adamek and
//   Armour found against meters on over 70 GPUs ("Part-time Power Measurements: nvidia-smi's Lack of Attention",
//   arXiv:2312.02741; SC24). The gain is theirs.
// - On A100 and H100 (and so, we take it, on other GPUs of these chips) power is sampled during 25 % of the time only
//   (same paper, which found energies 39 % too low on average and 69 % at worst). A load in step with the sampler
//   makes the integral wrong by any factor: such an integral says so in its source and has a gain of ±70 %.
// - nvmlDeviceGetPowerUsage and field 185 are means over 1 s on Ampere and later except GA100 (nvml.h).
// - 0 mW, 0 mJ and more than a GPU can draw are no readings.
#pragma once

#include "energy/probe.h"

namespace wattle::energy {

// Domains of each GPU that the program will see, numbered by NVML and known by UUID:
//   gpu-0          from its energy counter; where there is none, the integral of its power
//   gpu-0 (power)  the integral beside a counter, inside gpu-0, to compare the two with (counter_check.h)
//   module-0       power of the GPU with its CPU, where told (Grace Hopper); a board, so part of no total
//   gpu-0 (model)  an estimate from utilisation, where neither counter nor power can be read
// Power is that of field 186 (instant), else 185 (mean over 1 s), else nvmlDeviceGetPowerUsage, and stays what it was
// found as. A GPU with MIG is one board. A GPU that is lost in mid-run is absent from then on, the others go on. A
// counter that falls (the driver was loaded again) is a gap. Denied where the system denies every GPU.
[[nodiscard]] Found find_nvml(const ProbeOptions& options);

}  // namespace wattle::energy
