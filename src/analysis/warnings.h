// What limits the findings, a sentence each: what the energy rests on, sample sizes that cannot decide, failures, runs
// that are missing or flagged or come from elsewhere.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "analysis/findings.h"
#include "analysis/runs.h"

namespace wattle::analysis {

// The most serious first. All else of the findings, but for the headline, must be there already.
[[nodiscard]] std::vector<std::string> warnings(const Findings& findings, std::span<const WorkloadRuns> workloads);

}  // namespace wattle::analysis
