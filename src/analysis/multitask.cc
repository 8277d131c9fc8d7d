// Does one training for all tasks take less than one for each (Geissler et al., sharing knowledge)?
#include <fmt/format.h>

#include <algorithm>

#include "analysis/cells.h"
#include "analysis/recycling.h"
#include "base/text.h"
#include "stats/descriptive.h"

namespace wattle::analysis {
namespace {

using record::Record;

// The joint run's metric for the task of a single one: NAME_TASK, where TASK is the single workload's hyperparameter
// `target` or its name, in validation; the joint workload's own where it tells none.
std::string metric_of_task(const Record& joint, const WorkloadRuns& single) {
  std::vector<std::string> names;
  const study::Configuration& configuration = *single.configurations.front().configuration;
  if (const auto task = configuration.hyperparameters.find("target"); task != configuration.hyperparameters.end()) {
    names.push_back(single.metric.name + "_" + study::to_text(task->second));
  }
  names.push_back(single.metric.name + "_" + single.name);
  for (const std::string& name : names) {
    const bool told = std::any_of(joint.metrics.begin(), joint.metrics.end(), [&](const record::MetricPoint& point) {
      return point.name == name && point.split == record::Split::validation && point.epoch;
    });
    if (told) return name;
  }
  return joint.request.metric.name;
}

// What the joint run took until each task had reached the target of its single run.
std::optional<Cost> joint_cost(const Record& joint, const std::vector<const WorkloadRuns*>& singles,
                               const Asked& asked) {
  std::optional<Cost> all;
  for (const WorkloadRuns* single : singles) {
    Record of_task = joint;
    of_task.request.metric = single->metric;
    of_task.request.metric.name = metric_of_task(joint, *single);
    const auto cost = cost_of(of_task, target_for(*single, asked));
    if (!cost) return std::nullopt;
    if (!all) all = *cost;
    all->reached = all->reached && cost->reached;
    all->joules = all->joules && cost->joules ? std::optional(std::max(*all->joules, *cost->joules)) : std::nullopt;
    all->seconds =
        all->seconds && cost->seconds ? std::optional(std::max(*all->seconds, *cost->seconds)) : std::nullopt;
  }
  return all;
}

struct Shared {
  std::vector<double> joint;
  std::vector<double> sum;
  int unreached = 0;  // blocks in which somebody never reached a target
};

Shared shared_of(const Role& joint, const std::vector<Role>& singles, std::optional<double> Cost::*quantity) {
  Shared shared;
  for (const auto& [place, cost] : joint.costs) {
    double sum = 0.0;
    bool whole = (cost.*quantity).has_value();
    bool reached = cost.reached;
    for (const Role& single : singles) {
      const auto one = single.costs.find(place);
      whole = whole && one != single.costs.end() && (one->second.*quantity) && one->second.estimated == cost.estimated;
      if (!whole) break;
      sum += *(one->second.*quantity);
      reached = reached && one->second.reached;
    }
    if (!whole) continue;
    if (!reached) {
      ++shared.unreached;
      continue;
    }
    shared.joint.push_back(*(cost.*quantity));
    shared.sum.push_back(sum);
  }
  return shared;
}

Cell ratio_cell(const Shared& shared) {
  if (shared.joint.empty()) return Cell::absent("no block in which every task reached its target");
  const Ratio ratio = ratio_of(shared.joint, shared.sum);
  if (!ratio.interval) return Cell::of(ratio.value);
  return Cell::of(ratio.value, ratio.interval->low, ratio.interval->high);
}

AnswerTable ratio_table(const Shared& energy, const Shared& time) {
  AnswerTable table{"ratio",
                    "the joint training against the sum of the single ones",
                    {{"by", "by"},
                     {"n", "blocks", Unit::count},
                     {"unreached", "not reached", Unit::count},
                     {"joint", "joint", Unit::per_item},
                     {"sum_of_single", "sum of single", Unit::per_item},
                     {"joint_against_sum", "joint against sum", Unit::change, true}},
                    {}};
  for (const auto& [name, side] : {std::pair("energy, J", &energy), std::pair("time, s", &time)}) {
    const auto mean = [&](const std::vector<double>& values) {
      return values.empty() ? Cell::absent("no block in which every task reached its target")
                            : Cell::of(*stats::mean(values));
    };
    table.rows.push_back({Cell::of(name), Cell::of(static_cast<double>(side->joint.size())),
                          Cell::of(static_cast<double>(side->unreached)), mean(side->joint), mean(side->sum),
                          ratio_cell(*side)});
  }
  return table;
}

std::string percent_text(const Shared& shared) {
  const Cell ratio = ratio_cell(shared);
  std::string text = fmt::format("{:.0f} %", 100.0 * *ratio.value);
  if (ratio.low && ratio.high) {
    text += fmt::format(" (95 % interval {:.0f} to {:.0f} %)", 100.0 * *ratio.low, 100.0 * *ratio.high);
  }
  return text;
}

}  // namespace

Result<Answer> multitask(std::span<const Record> records, const Asked& asked) {
  const std::vector<WorkloadRuns> workloads = collect(records);
  const WorkloadRuns* joint_runs = find(workloads, workload_for(workloads, asked.joint, "joint"));
  std::vector<const WorkloadRuns*> single_runs;
  for (const WorkloadRuns& workload : workloads) {
    const bool named = std::count(asked.single.begin(), asked.single.end(), workload.name) > 0;
    if (asked.single.empty() ? workload.name.starts_with("single") : named) single_runs.push_back(&workload);
  }
  if (joint_runs == nullptr || single_runs.size() < 2) {
    return fail(
        ErrorKind::bad_input, "a joint workload and two single ones are needed",
        "name them: --joint NAME --single NAME --single NAME; names that begin with joint and single are found");
  }
  Answer answer = begun("multitask", workloads);
  Role joint = role_of(*joint_runs, {});
  joint.costs.clear();
  for (const auto& [place, record] : joint.records) {
    if (const auto cost = joint_cost(*record, single_runs, asked)) joint.costs[place] = *cost;
  }
  AnswerTable table = roles_table("one training for all tasks, against one for each");
  add_role(table, "joint", joint);
  std::vector<Role> singles;
  answer.method = {
      "E_joint against the sum of E_single, ratio of sums over the blocks in which every run reached its targets; the "
      "interval resamples blocks (BCa bootstrap) and covers repetition only",
      "the joint run is counted until each task's own validation metric has reached the target of its single run"};
  for (const WorkloadRuns* single : single_runs) {
    singles.push_back(role_of(*single, target_for(*single, asked)));
    add_role(table, "single", singles.back());
    answer.method.push_back(fmt::format("{}: {}; of the joint run {}", single->name,
                                        target_text(*single, singles.back().target),
                                        metric_of_task(*joint_runs->runs.begin()->second.record, *single)));
  }
  const Shared energy = shared_of(joint, singles, &Cost::joules);
  const Shared time = shared_of(joint, singles, &Cost::seconds);
  if (energy.joint.empty()) {
    answer.sentence =
        "Joint and single trainings cannot be compared by energy: in no block did all reach their targets.";
  } else {
    const std::string kind = kind_of(answer);
    answer.sentence = fmt::format("Training {} tasks together takes {} of the {}energy of training them one by one.",
                                  singles.size(), percent_text(energy), kind.empty() ? "" : kind + " ");
  }
  if (!time.joint.empty()) answer.sentence += fmt::format(" Of the time: {}.", percent_text(time));
  warn_of_few(std::max(energy.joint.size(), time.joint.size()), answer);
  answer.tables = {std::move(table), ratio_table(energy, time)};
  return answer;
}

}  // namespace wattle::analysis
