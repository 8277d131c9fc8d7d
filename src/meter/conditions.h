// How the machine is between runs: its temperature and what it draws.
#pragma once

#include <map>
#include <optional>
#include <stop_token>
#include <string>

#include "base/clock.h"
#include "base/result.h"
#include "energy/probe.h"

namespace wattle::meter {

// Of the processors, in degC, as sensors tell it now; absent where none does.
[[nodiscard]] std::optional<double> processor_temperature(const energy::ProbeOptions& probes);

// Mean power over a while, by domain, and of the machine: of what is measured, or where nothing is, of what is
// estimated.
struct Heard {
  std::map<std::string, Watts> domains;
  Watts total;
};
// Fails (environment) where nothing can be read or the while is too short to tell, (interrupted) where it is stopped.
[[nodiscard]] Result<Heard> listen(const energy::ProbeOptions& probes, Clock& clock, Nanoseconds duration,
                                   const std::stop_token& stop);

}  // namespace wattle::meter
