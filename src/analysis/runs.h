// The runs that findings are made of: each score request's last finished attempt, grouped by workload and
// configuration, and the pairs among them. Everything points into the caller's records and lives no longer than they
// do.
#pragma once

#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "analysis/findings.h"
#include "record/record.h"

namespace wattle::analysis {

struct Run {
  const record::Record* record = nullptr;
  bool succeeded = false;  // ended well, and its metric, where it came, is a finite number
  std::string left_out;    // the outlier rule that leaves it out, in words; then it neither succeeded nor lost
  bool lost = false;       // failed or diverged, or its metric is not a finite number: a performance loss
  // Present only where it succeeded.
  std::optional<double> energy_j;  // above 0, of the workload's one provenance
  std::optional<double> time_s;    // above 0
  std::optional<double> metric;    // natural sign, of the workload's one metric and split
};

// One number of a run that succeeded: "energy", "time", "energy_per_image", "time_per_image" (where it told
// images_seen), a metric of the whole run, or the mean of a gauge of telemetry.
[[nodiscard]] std::optional<double> value_of(const Run& run, std::string_view name);

struct Configured {
  const study::Configuration* configuration = nullptr;
  std::vector<const Run*> runs;  // by block
};

struct WorkloadRuns {
  std::string name;         // of the workload; of a family where it is one: "lenet @fast"
  std::string workload;     // its name alone
  std::string environment;  // of a family; empty where runs of several stand together
  study::Metric metric;     // of the run that started last, should a changed study have changed it
  std::string metric_split;
  Basis basis = Basis::absent;
  bool metric_changed = false;    // records disagree on the metric's name, goal or tolerance
  bool provenance_mixed = false;  // some energies are left out, see findings.h
  int split_left_out = 0;         // validation values left out beside test values
  int blocks = 0;
  std::map<std::string, Run> runs;         // by run key
  std::vector<Configured> configurations;  // originals first, then by parameter and value
  int left_out = 0;                        // runs, by outlier rules
};

struct Pair {
  const Run* original = nullptr;  // succeeded
  const Run* mutant = nullptr;    // succeeded or lost
};

enum class Outliers { apply, ignore };

// By name of workload; outliers by the rules that their runs were planned with. `records` must outlive the answer;
// moving an answer keeps its pointers good.
[[nodiscard]] std::vector<WorkloadRuns> collect(std::span<const record::Record> records,
                                                Outliers outliers = Outliers::apply);

// The same, each workload's runs apart by environment and by company (alone, or beside which workloads): what shares an
// original, and so may be compared. Named as the workload where it has but one family.
[[nodiscard]] std::vector<WorkloadRuns> families(std::span<const record::Record> records,
                                                 Outliers outliers = Outliers::apply);

[[nodiscard]] std::vector<Pair> pairs_of(const WorkloadRuns& workload, const Configured& mutant);

// The original that the mutant's runs name in their pair keys, or the first of `workload`; may be null.
[[nodiscard]] const study::Configuration* original_of(const WorkloadRuns& workload, const Configured& mutant);

}  // namespace wattle::analysis
