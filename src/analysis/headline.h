// The answer in one sentence. Of energy it speaks only where energy is measured; elsewhere of time, saying so.
#pragma once

#include <span>
#include <string>

#include "analysis/findings.h"
#include "analysis/runs.h"

namespace wattle::analysis {

// All else of the findings must be there already.
[[nodiscard]] std::string headline(const Findings& findings, std::span<const WorkloadRuns> workloads);

}  // namespace wattle::analysis
