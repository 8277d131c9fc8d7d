// Plays a recording back as if it were read now. Its domains are marked simulated: nothing found with it is a finding.
#pragma once

#include <filesystem>
#include <string_view>

#include "base/result.h"
#include "energy/probe.h"
#include "energy/trace.h"

namespace wattle::energy {

// `file` is a trace file (see trace.h) or CSV. The recording's first instant is the probe's first read. Energy between
// its samples is interpolated, so a replay holds the recording's joules at any sampling rate. Inside a recorded gap,
// before a series begins and after it ends, readings are absent.
[[nodiscard]] Found find_replay(const std::filesystem::path& file);

// CSV: a header line, then one line a reading, times in seconds from any origin, rising per domain. Lines that are
// empty or begin with # are skipped; an empty or `nan` value is a gap.
//
//   time_s,domain,power_w        or   time_s,domain,energy_j      (cumulative)
//   0.0,package-0,41.5                0.0,package-0,1200.25
//
// The kind is what the domain's name begins with, up to a dash: wall, psys, package, core, uncore, dram, gpu, board,
// cpu_model, ram_model, gpu_model. Power is integrated by trapezoid. Fails (bad_input) with the line number.
[[nodiscard]] Result<Trace> trace_from_csv(std::string_view text);

}  // namespace wattle::energy
