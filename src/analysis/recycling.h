// What the questions of using a training again have in common (Geissler et al.): the cost of a workload's originals, to
// their target where they have one, by block.
#pragma once

#include <algorithm>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "analysis/answer.h"
#include "analysis/questions.h"
#include "analysis/runs.h"
#include "record/record.h"
#include "stats/interval.h"

namespace wattle::analysis {

using Place = std::pair<std::string, int>;  // environment and block

// What one run took, to its target where it has one.
struct Cost {
  std::optional<double> joules;
  std::optional<double> seconds;
  bool estimated = false;
  bool reached = true;
};

// The originals of a workload that trained alone.
struct Role {
  std::string workload;
  std::optional<double> target;
  std::map<Place, Cost> costs;
  std::map<Place, const record::Record*> records;
  int lost = 0;  // failed or diverged: they never reach the target

  [[nodiscard]] int reached() const {
    return static_cast<int>(
        std::count_if(costs.begin(), costs.end(), [](const auto& one) { return one.second.reached; }));
  }
};

// To the target, validation included; of the whole run where there is none. Nothing where the run does not tell.
[[nodiscard]] std::optional<Cost> cost_of(const record::Record& record, std::optional<double> target);
[[nodiscard]] Role role_of(const WorkloadRuns& workload, std::optional<double> target);

// The target that was asked for, else the study's.
[[nodiscard]] std::optional<double> target_for(const WorkloadRuns& workload, const Asked& asked);
[[nodiscard]] std::string target_text(const WorkloadRuns& workload, std::optional<double> target);

// Null where there is none of that name.
[[nodiscard]] const WorkloadRuns* find(const std::vector<WorkloadRuns>& workloads, const std::string& name);
// The workload that was named, or the one whose name begins with the role.
[[nodiscard]] std::string workload_for(const std::vector<WorkloadRuns>& workloads, const std::string& named,
                                       std::string_view role);

struct Ratio {
  double value = 0.0;
  std::optional<stats::Interval> interval;  // by resampling whole blocks
};

// Of sums over blocks; interval by BCa bootstrap. Both spans tell of the same blocks, one at least.
[[nodiscard]] Ratio ratio_of(const std::vector<double>& above, const std::vector<double>& below);

// An interval that resamples few blocks covers less than it says.
void warn_of_few(std::size_t blocks, Answer& answer);

// A row a role: median energy and time, with quartiles.
[[nodiscard]] AnswerTable roles_table(const char* title);
void add_role(AnswerTable& table, const char* name, const Role& role);

// An answer with its basis and what that warns of.
[[nodiscard]] Answer begun(std::string_view question, const std::vector<WorkloadRuns>& workloads);
// "estimated" and its like, empty where energy was measured or imported.
[[nodiscard]] std::string kind_of(const Answer& answer);

}  // namespace wattle::analysis
