// The one table of what the model multiplies with: watts by processor, GPU and memory, each with its source and ±.
#pragma once

#include <optional>
#include <string_view>

#include "base/units.h"

namespace wattle::energy {

struct CpuCoefficients {
  std::string_view family;
  Watts idle;  // per logical CPU at 0 %
  Watts busy;  // per logical CPU at 100 %
};
// By family and model of the first processor in the text of /proc/cpuinfo; the average where it is not in the table.
[[nodiscard]] CpuCoefficients cpu_coefficients(std::string_view cpuinfo);

struct GpuCoefficients {
  std::string_view model;  // "A100", or "by its power limit"
  Watts idle;              // at 0 % utilisation
  Watts busy;              // at 100 %
};
// By the name that NVML gives ("NVIDIA A100-SXM4-40GB"); else shares of its power limit; nothing where neither is
// known.
[[nodiscard]] std::optional<GpuCoefficients> gpu_coefficients(std::string_view name, std::optional<Watts> power_limit);

inline constexpr double kModelGain = 0.4;  // relative half-width of ~95 %, of a machine that was never calibrated
inline constexpr Watts kRamWattsPerGib{0.392};

}  // namespace wattle::energy
