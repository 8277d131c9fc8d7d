// The cells of a study: which configurations there are, alone and side by side, which are left out and why. Pure.
// Internal to study.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "study/plan.h"

namespace wattle::study {

struct Layout {
  std::vector<Configuration> configurations;  // in the plan's order
  // For each configuration the place of the original that it is paired with: its own where it is one.
  std::vector<std::size_t> pairs;
  std::vector<std::vector<std::size_t>> groups;  // places of configurations that run side by side, member 0 first
  std::vector<Excluded> excluded;
  std::vector<std::string> warnings;
};

// Fails where a rule cannot yield its mutants or points, or where nothing is left to run.
[[nodiscard]] Result<Layout> lay_out(const Study& study, std::optional<int> cores);

// How many runs a block has at most: cells that are left out count too. Fails like lay_out.
[[nodiscard]] Result<std::int64_t> runs_in_block(const Study& study);

}  // namespace wattle::study
