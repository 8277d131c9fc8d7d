// One command under measurement, without a study: what `wattle measure` does.
#pragma once

#include <optional>
#include <stop_token>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/result.h"
#include "energy/trace.h"
#include "record/record.h"
#include "run/runner.h"

namespace wattle::meter {

struct MeasureOptions {
  run::RunnerOptions runner;  // streams are passed through as they are
  Nanoseconds interval = milliseconds(100);
};

// One domain over the whole command.
struct DomainEnergy {
  energy::Domain domain;
  energy::WindowEnergy energy;
  std::optional<Watts> mean;
  std::optional<Watts> peak;
};

struct Measurement {
  record::Record record;
  std::vector<DomainEnergy> domains;
};

// Runs the argument vector with the caller's own streams. A command that fails is a Measurement too; an Error means
// that nothing could be measured or started.
[[nodiscard]] Result<Measurement> measure(const std::vector<std::string>& arguments, const MeasureOptions& options,
                                          Clock& clock, const std::stop_token& stop);

}  // namespace wattle::meter
