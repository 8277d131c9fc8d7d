// Energy counters of the kernel's power capping framework: Intel RAPL through MSR, MMIO or TPMI, and AMD's, which the
// kernel shows under the same names.
//
// ABI: Documentation/power/powercap/powercap.rst and Documentation/ABI/testing/sysfs-class-powercap. One directory a
// zone, <sysroot>/sys/class/powercap/intel-rapl{,-mmio}:N[:M], with `name`, `energy_uj` (µJ) and `max_energy_range_uj`.
// Zones named package-N or package-N-die-M and psys stand at the top; core, uncore and dram below their package.
// energy_uj is readable by root alone since Linux 5.10 (CVE-2020-8694).
#pragma once

#include "energy/probe.h"

namespace wattle::energy {

// Domains: "package-0" or "package-0-die-1", "core-0", "uncore-0", "dram-0", "psys". A zone that MSR and MMIO both show
// is kept once, the MSR one where it can be read. Zones of a kind that options.taken holds are not read. A zone without
// a readable range has no modulus: its wraps become gaps. The probe keeps its files open; a read that fails or is no
// number gives an absent reading.
[[nodiscard]] Found find_powercap(const ProbeOptions& options);

}  // namespace wattle::energy
