#include "analysis/recycling.h"

#include <fmt/format.h>

#include <numeric>

#include "analysis/cells.h"
#include "base/text.h"
#include "record/until_epoch.h"
#include "stats/bootstrap.h"
#include "stats/descriptive.h"

namespace wattle::analysis {
namespace {

using record::Record;

Cell median_cell(const Role& role, std::optional<double> Cost::*quantity, const char* why) {
  std::vector<double> values;
  for (const auto& [place, cost] : role.costs) {
    if (cost.*quantity) values.push_back(*(cost.*quantity));
  }
  if (values.empty()) return Cell::absent(why);
  return Cell::of(*stats::median(values), stats::quantile(values, 0.25), stats::quantile(values, 0.75));
}

}  // namespace

std::optional<Cost> cost_of(const Record& record, std::optional<double> target) {
  const bool by_end = record.end == record::EndState::reached || record.end == record::EndState::censored;
  if (target || by_end) {
    const auto told = record::energy_to_target(record, target.value_or(0.0));
    if (!told) return std::nullopt;
    return Cost{told->joules, told->seconds, told->estimated, told->reached};
  }
  Cost cost;
  if (const auto energy = record::run_energy(record)) {
    cost.joules = energy->energy.value;
    cost.estimated = energy->estimated;
  }
  if (record.duration) cost.seconds = to_seconds(*record.duration).value;
  return cost;
}

Role role_of(const WorkloadRuns& workload, std::optional<double> target) {
  Role role{workload.name, target, {}, {}, 0};
  for (const Configured& configured : workload.configurations) {
    const study::Configuration& configuration = *configured.configuration;
    if (!configuration.original() || !configuration.colocation.alone()) continue;
    for (const Run* run : configured.runs) {
      if (!run->left_out.empty()) continue;
      const Place place{configuration.environment.name, run->record->request.block};
      const auto cost = run->lost ? std::nullopt : cost_of(*run->record, target);
      role.records[place] = run->record;
      if (cost) role.costs[place] = *cost;
      role.lost += run->lost ? 1 : 0;
    }
  }
  return role;
}

std::optional<double> target_for(const WorkloadRuns& workload, const Asked& asked) {
  return asked.target ? asked.target : workload.metric.target;
}

const WorkloadRuns* find(const std::vector<WorkloadRuns>& workloads, const std::string& name) {
  const auto found =
      std::find_if(workloads.begin(), workloads.end(), [&](const auto& workload) { return workload.name == name; });
  return found == workloads.end() ? nullptr : &*found;
}

std::string workload_for(const std::vector<WorkloadRuns>& workloads, const std::string& named, std::string_view role) {
  if (!named.empty()) return named;
  for (const WorkloadRuns& workload : workloads) {
    if (workload.name.starts_with(role)) return workload.name;
  }
  return {};
}

std::string target_text(const WorkloadRuns& workload, std::optional<double> target) {
  if (!target) return "the end of the run, for no target is given";
  return fmt::format("{} {} {} in validation", workload.metric.name,
                     workload.metric.goal == study::Goal::maximize ? ">=" : "<=", shortest(*target));
}

Ratio ratio_of(const std::vector<double>& above, const std::vector<double>& below) {
  const auto over = [&](std::span<const double> blocks) {
    double sum_above = 0.0;
    double sum_below = 0.0;
    for (const double block : blocks) {
      sum_above += above[static_cast<std::size_t>(block)];
      sum_below += below[static_cast<std::size_t>(block)];
    }
    return sum_above / sum_below;
  };
  std::vector<double> blocks(above.size());
  std::iota(blocks.begin(), blocks.end(), 0.0);
  Ratio ratio{over(blocks), {}};
  if (const auto resampled = stats::bootstrap(blocks, over)) ratio.interval = resampled->interval;
  return ratio;
}

void warn_of_few(std::size_t blocks, Answer& answer) {
  static constexpr std::size_t kEnough = 8;  // below it, BCa intervals of skewed data cover some 80 to 90 %, not 95 %
  if (blocks == 0 || blocks >= kEnough) return;
  answer.warnings.push_back(
      fmt::format("the interval rests on {} block{}: with fewer than {} it covers less than it says", blocks,
                  blocks == 1 ? "" : "s", kEnough));
}

AnswerTable roles_table(const char* title) {
  return {"energy",
          title,
          {{"role", "role"},
           {"workload", "workload"},
           {"n", "n", Unit::count},
           {"reached", "reached", Unit::count},
           {"energy_j", "energy (median)", Unit::joules, true},
           {"duration_s", "time (median)", Unit::seconds, true}},
          {}};
}

void add_role(AnswerTable& table, const char* name, const Role& role) {
  table.rows.push_back({Cell::of(name), Cell::of(role.workload),
                        Cell::of(static_cast<double>(role.costs.size() + static_cast<std::size_t>(role.lost))),
                        Cell::of(static_cast<double>(role.reached())), median_cell(role, &Cost::joules, "no energy"),
                        median_cell(role, &Cost::seconds, "no time")});
}

Answer begun(std::string_view question, const std::vector<WorkloadRuns>& workloads) {
  Answer answer;
  answer.question = question;
  answer.basis = to_string(basis_of(workloads));
  warn_of_basis(basis_of(workloads), answer.warnings);
  return answer;
}

std::string kind_of(const Answer& answer) {
  return answer.basis == "measured" || answer.basis == "imported" ? "" : answer.basis;
}

}  // namespace wattle::analysis
