// The last resort: joules computed from time, CPU use and memory size. An estimate, never a measurement.
//
//   E_cpu(t) = P_min · ∫ online CPUs dt + (P_max − P_min) · busy seconds of all CPUs
//   E_ram(t) = 0.392 W/GiB · memory · t
//
// P_min and P_max are watts per logical CPU (vCPU) by processor family, from Cloud Carbon Footprint
// (cloudcarbonfootprint.org, Methodology, Appendix I; Apache-2.0), there derived from SPECpower. Linear in utilisation,
// as there. ±40 % for a machine that was never calibrated; where it was (calibration.h), E_cpu is the fitted curve's,
// and so is the uncertainty.
#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <string_view>

#include "base/units.h"
#include "energy/coefficients.h"
#include "energy/probe.h"

namespace wattle::energy {

// Where the machine's CPU time went so far and how many CPUs are online, from the text of /proc/stat. Busy is user +
// nice + system + irq + softirq (guest time is within user); idle is idle + iowait; steal is time that other machines
// had.
struct CpuTime {
  std::int64_t busy_ticks = 0;  // of 1/USER_HZ s, all CPUs together, since boot; the others likewise
  std::int64_t online = 0;
  std::int64_t idle_ticks = 0;
  std::int64_t steal_ticks = 0;
};
[[nodiscard]] std::optional<CpuTime> parse_proc_stat(std::string_view text);

// What this process may use: MemTotal, or the lowest memory limit of its cgroup and those above it (v2 memory.max, v1
// memory.limit_in_bytes), whichever is less. Absent where /proc/meminfo cannot be read.
[[nodiscard]] std::optional<std::int64_t> usable_memory_bytes(const std::filesystem::path& sysroot);

// Domains "cpu (model)" and "ram (model)". Busy time is accumulated in whole ticks, so their coarseness (10 ms) stays
// at a window's edges. CPUs that come and go are followed. With a calibration the CPU's domain is what that was fitted
// against; where this holds the memory too there is no "ram (model)". A calibration that is damaged or another
// machine's is not used, and the reason says so.
[[nodiscard]] Found find_model(const ProbeOptions& options);

}  // namespace wattle::energy
