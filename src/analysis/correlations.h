// What moves energy, time and performance: Spearman's rho of each mutated parameter with each measure.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "analysis/findings.h"
#include "analysis/runs.h"

namespace wattle::analysis {

// Per mutated parameter: energy, time, metric, then the means of the telemetry named (record::Record::measures), in
// this order. Over successful runs that have the measure; fewer than 4, a parameter that is no number, or one that
// never varies give a reason instead of rho. p-values are not corrected for their number, as in Wang et al. The
// threshold of "strong", 0.6, is our own.
[[nodiscard]] std::vector<Correlation> correlate(const WorkloadRuns& workload,
                                                 std::span<const std::string> telemetry = {});

}  // namespace wattle::analysis
