// A smart plug between the wall and the machine, asked over HTTP: Shelly of the first and the later generations.
//
// API: Shelly Gen2+ "Switch" component, GET /rpc/Switch.GetStatus?id=0: `apower` (W), `output` (whether it is on); Gen1
// "Shelly Plug", GET /status: `meters[0].power` (W) and `.is_valid`, `relays[0].ison`. Its counter of energy
// (`aenergy.total`, Wh) steps by the minute, so the power is integrated instead.
#pragma once

#include <string>

#include "energy/probe.h"

namespace wattle::energy {

// `place` is HOST or HOST:PORT ("192.168.1.20", "plug.local:8080", "[fe80::1]"). One domain, "wall-PLACE". Asked by
// options.http_get alone, so that each answer comes within its time or not at all. Absent with a reason: no answer, an
// error, no or wrong JSON, a power that is negative or beyond any machine, and 0 W or a plug that is switched off, for
// then it is not this machine's. A network is slow: the probe has a thread and a period of its own.
[[nodiscard]] Found find_plug(const std::string& place, const ProbeOptions& options);

}  // namespace wattle::energy
