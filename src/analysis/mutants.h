// What is found of the mutants of one workload, and how their verdicts are counted.
#pragma once

#include <span>
#include <vector>

#include "analysis/findings.h"
#include "analysis/runs.h"

namespace wattle::analysis {

// `basis` is the study's: where it is not measured, no mutant is told to be greener.
[[nodiscard]] std::vector<MutantFinding> find_mutants(const WorkloadRuns& workload, Basis basis, double alpha);

// The study's grid and Wang's, from its mutants.
void count_verdicts(std::span<const MutantFinding> mutants, Findings& findings);

}  // namespace wattle::analysis
