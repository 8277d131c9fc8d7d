// The batteries that feed the machine, while nothing else does: the power that they give is the whole machine's.
//
// ABI: Documentation/ABI/testing/sysfs-class-power. Below <sysroot>/sys/class/power_supply, for each supply: `type`
// ("Battery", "Mains", "USB", "Wireless"), `scope` ("Device": a mouse's battery), `present`, `status`, `online`,
// `power_now` (µW), `current_now` (µA, negative while it discharges, though many drivers give it without sign) and
// `voltage_now` (µV).
#pragma once

#include "energy/probe.h"

namespace wattle::energy {

// One domain, "wall-battery": the sum of all batteries that discharge, as integrated power. A reading is absent, with
// the reason, while a charger is online, a battery charges or none discharges (then the wall feeds the machine, in
// whole or in part), while one that neither charges nor discharges gives power all the same, and where one that
// discharges says 0 W, as controllers do until they have measured. Found only where a reading can be had now, so that a
// laptop on mains is measured, or estimated, by what else it has. Asking a battery may take an embedded controller many
// milliseconds: the probe has a thread and a period of its own.
[[nodiscard]] Found find_battery(const ProbeOptions& options);

}  // namespace wattle::energy
