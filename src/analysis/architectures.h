// What the questions about architectures and environments share (del Rey et al.).
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "analysis/cells.h"
#include "analysis/questions.h"

namespace wattle::analysis {

struct Asking {
  std::vector<WorkloadRuns> workloads;
  std::vector<CellRuns> cells;
  std::string cost;
  std::string metric;
  Basis basis = Basis::absent;
  bool minimise_metric = false;
};

[[nodiscard]] Asking asking(std::span<const record::Record> records);

// An answer to `question` with the warnings that hold for all of them.
[[nodiscard]] Answer begun(std::string_view question, const Asking& all);

// "estimated " where costs are; empty where they are measured.
[[nodiscard]] std::string kind_of(Basis basis);

// The median with its quartiles; without values absent, and why.
[[nodiscard]] Cell quartiles(const std::vector<double>& values, const std::string& why);

[[nodiscard]] Cell count_of(std::size_t n);

template <class Test>
[[nodiscard]] Cell p_of(const Result<Test>& test) {
  return test ? Cell::of(test->p_value) : Cell::absent(test.error().message);
}

}  // namespace wattle::analysis
