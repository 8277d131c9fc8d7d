// Sensors of the kernel's hardware monitoring: GPUs of AMD and Intel, and whatever watches the rails of a board.
//
// ABI: Documentation/hwmon/sysfs-interface.rst. Below <sysroot>/sys/class/hwmon/hwmonN: `name`, `powerM_average` and
// `powerM_input` (µW), `energyM_input` (µJ), `inM_input` (mV) with `currM_input` (mA), each with a `_label`.
//
// GPUs: `amdgpu` (drivers/gpu/drm/amd/pm/amdgpu_pm.c: power1 is "power used by the SoC; on APUs this includes the
// CPU"), `i915` and `xe` (Documentation/ABI/testing/sysfs-driver-intel-{i915,xe}-hwmon: energy1 is the card's, what
// stands beside it is inside; the drivers show it for discrete GPUs only). A GPU that is part of a processor is a board
// here, shown and never added, for its package counts the same joules. It is known by the rail "vddnb" in `in1_label`,
// which that driver shows for APUs alone, or, where the driver hides it, by its PCI device (MI300A, 1002:74a0).
#pragma once

#include "energy/probe.h"

namespace wattle::energy {

// Domains: "gpu-0000:03:00.0" and "gpu-0000:03:00.0-pkg" inside it; "board-NAME-LABEL" for all else. Of a device its
// energy counters are read; where it has none its power, averaged by the sensor rather than momentary; where it has
// none either, voltage × current of inputs that have one number and belong together by their labels. Sensors of
// batteries are left to the battery probe. A GPU that sleeps (runtime power management) is not woken: its reading is
// absent, as are 0 W of a GPU, negative values, values no such part can draw, and the sentinels 4294967295 and
// 4294967295000. Buses are slow: the probe has a thread and a period of its own.
[[nodiscard]] Found find_hwmon(const ProbeOptions& options);

}  // namespace wattle::energy
