// From what a run left behind to its Record: windows, energies, how it ended. Pure.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "energy/trace.h"
#include "record/record.h"
#include "run/attempt_files.h"
#include "run/events.h"
#include "run/output_lines.h"

namespace wattle::run {

struct Evidence {
  Preamble preamble;
  GuardReport guard;
  energy::Trace trace;
  energy::TelemetryTable telemetry;
  EventReader events;
  ClockReference clock;
  std::vector<OutputLine> lines;
  std::vector<record::MetricPoint> file_metrics;
  std::string file_error;       // why the metric file told nothing, or empty
  std::string last_error_line;  // of standard error
  std::size_t events_limit = 0;
  std::vector<std::string> flags;  // that only the caller can know
};

[[nodiscard]] record::Record assemble(const Evidence& evidence);

}  // namespace wattle::run
