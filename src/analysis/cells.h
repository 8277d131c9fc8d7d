// Cells of architecture × training environment, as del Rey et al. compare them. Internal to analysis.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "analysis/answer.h"
#include "analysis/runs.h"

namespace wattle::analysis {

// Runs of one configuration that trained alone: an architecture (a workload, and what differs from its original) in an
// environment. Points into the caller's WorkloadRuns.
struct CellRuns {
  std::string architecture;
  std::string environment;
  std::vector<const Run*> runs;
};

// Sorted by environment, then architecture.
[[nodiscard]] std::vector<CellRuns> cells_of(std::span<const WorkloadRuns> workloads);
[[nodiscard]] std::vector<double> values_of(const CellRuns& cell, std::string_view measure);
[[nodiscard]] std::optional<double> median_of(const CellRuns& cell, std::string_view measure);
// "energy_per_image" where runs tell how many images they saw, else "energy"; without energy the same of time.
[[nodiscard]] std::string cost_of(std::span<const CellRuns> cells);
// "energy per image", for people.
[[nodiscard]] std::string words_of(std::string_view measure);
[[nodiscard]] Unit unit_of(std::string_view measure);
[[nodiscard]] std::vector<std::string> environments_of(std::span<const CellRuns> cells);
[[nodiscard]] Basis basis_of(std::span<const WorkloadRuns> workloads);
// The name of the metric that all are judged by; that of the first where they differ.
[[nodiscard]] std::string metric_of(std::span<const WorkloadRuns> workloads);
// "energy here is estimated …" where a claim about energy cannot rest on it.
void warn_of_basis(Basis basis, std::vector<std::string>& warnings);

}  // namespace wattle::analysis
