// Does it pay to train once and use the result again (Geissler et al.)? Weights that were made for others (recycling
// knowledge), one network for several tasks (sharing knowledge).
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <numeric>
#include <set>

#include "analysis/cells.h"
#include "analysis/questions.h"
#include "base/text.h"
#include "record/until_epoch.h"
#include "stats/bootstrap.h"
#include "stats/descriptive.h"

namespace wattle::analysis {
namespace {

using record::Record;
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
  std::map<Place, const Record*> records;
  int lost = 0;  // failed or diverged: they never reach the target

  [[nodiscard]] int reached() const {
    return static_cast<int>(
        std::count_if(costs.begin(), costs.end(), [](const auto& one) { return one.second.reached; }));
  }
};

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

// The workload that was named, or the one whose name begins with the role.
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

// --- Ratios of sums over blocks --------------------------------------------------------------------------------------

struct Ratio {
  double value = 0.0;
  std::optional<stats::Interval> interval;  // by resampling whole blocks
};

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

// --- Pretraining -----------------------------------------------------------------------------------------------------

// What was paid before the fine-tuning began, and who says so.
struct Paid {
  Cost cost;
  double uncertainty = 0.0;
  std::string why_absent;
};

struct LedgerLine {
  std::string run;
  std::string source;  // workload and block, or the file
  study::LedgerEntry entry;
};

class Pretraining {
 public:
  Pretraining(std::span<const Record> records, const std::vector<WorkloadRuns>& workloads, std::string named)
      : records_(records), workloads_(workloads), workload_(std::move(named)) {}

  // For one fine-tuning: the run whose weights it began with, or the ledger beside its file. A program that Wattle does
  // not know to begin with weights is taken to use those of the workload that was named.
  [[nodiscard]] Paid paid_for(const Record& tuned, const Place& place) {
    const study::Weights& weights = tuned.request.weights;
    if (!weights.file.empty()) return of_file(weights);
    if (!weights.key.empty()) {
      workload_ = weights.workload;
      for (const Record& record : records_) {
        if (record.request.key == weights.key && record.attempt == weights.attempt) return of_record(record);
      }
      return {{}, 0.0, fmt::format("the run of {} that made the weights is not in the store", weights.workload)};
    }
    const WorkloadRuns* workload = find(workloads_, workload_);
    const Role role = workload == nullptr ? Role{} : role_of(*workload, {});
    const auto record = role.records.find(place);
    if (record == role.records.end()) return {{}, 0.0, "nobody tells what the weights cost"};
    return of_record(*record->second);
  }

  [[nodiscard]] const std::string& name() const { return workload_; }
  [[nodiscard]] const std::vector<LedgerLine>& ledger() const { return ledger_; }

 private:
  void note(LedgerLine line) {
    if (seen_.emplace(line.source, line.run).second) ledger_.push_back(std::move(line));
  }

  Paid of_file(const study::Weights& weights) {
    workload_ = std::filesystem::path(weights.file).filename().string();
    for (const study::LedgerEntry& entry : weights.ledger) note({entry.run, workload_, entry});
    const study::LedgerTotal total = study::total_of(weights.ledger);
    Paid paid{{}, total.uncertainty, total.why_absent};
    if (total.energy) paid.cost.joules = total.energy->value;
    if (total.duration) paid.cost.seconds = total.duration->value;
    paid.cost.estimated = total.estimated;
    return paid;
  }

  Paid of_record(const Record& record) {
    const auto energy = record::run_energy(record);
    const record::Total& total = energy && !energy->estimated ? record.measured : record.estimated;
    Paid paid{cost_of(record, {}).value_or(Cost{}), total.uncertainty, {}};
    if (!energy) paid.why_absent = "the run that made the weights has no energy";
    study::LedgerEntry entry{
        {}, {}, paid.cost.estimated, paid.uncertainty, {}, record::machine_identity(record.fingerprint)};
    if (energy) entry.energy = energy->energy;
    if (record.duration) entry.duration = to_seconds(*record.duration);
    note({fmt::format("{}.{}", record.request.key.substr(0, 12), record.attempt),
          fmt::format("{}, block {}", record.request.configuration.workload, record.request.block), entry});
    return with_earlier(record, paid);
  }

  // Weights that were begun with weights cost those too.
  Paid with_earlier(const Record& record, Paid paid) {
    const study::Weights& weights = record.request.weights;
    if (weights.key.empty() && weights.file.empty()) return paid;
    const std::string own = workload_;
    const Paid earlier = paid_for(record, {record.request.configuration.environment.name, record.request.block});
    workload_ = own;
    if (!earlier.why_absent.empty()) paid.why_absent = earlier.why_absent;
    if (earlier.cost.estimated != paid.cost.estimated) {
      paid.why_absent = "some of the runs that went into the weights were measured, others estimated";
    }
    const auto sum = [](std::optional<double> a, std::optional<double> b) {
      return a && b ? std::optional(*a + *b) : std::nullopt;
    };
    paid.cost.joules = paid.why_absent.empty() ? sum(paid.cost.joules, earlier.cost.joules) : std::nullopt;
    paid.cost.seconds = sum(paid.cost.seconds, earlier.cost.seconds);
    paid.uncertainty = std::max(paid.uncertainty, earlier.uncertainty);
    return paid;
  }

  std::span<const Record> records_;
  const std::vector<WorkloadRuns>& workloads_;
  std::string workload_;
  std::vector<LedgerLine> ledger_;
  std::set<std::pair<std::string, std::string>> seen_;
};

// Energy or time of all blocks in which everything is known.
struct Side {
  std::vector<double> paid;
  std::vector<double> scratch;
  std::vector<double> tuned;
  std::string why_absent;  // of the break-even
  bool at_most = false;    // some training from scratch never reached the target: it would have taken more
  std::optional<double> break_even;
  std::optional<double> low;
  std::optional<double> high;
  std::string why_no_high;

  [[nodiscard]] double saved() const { return *stats::mean(scratch) - *stats::mean(tuned); }
};

void solve(Side& side) {
  if (!side.why_absent.empty()) return;
  std::vector<double> saved;
  for (std::size_t i = 0; i < side.scratch.size(); ++i) saved.push_back(side.scratch[i] - side.tuned[i]);
  if (side.saved() <= 0.0) {
    side.why_absent = "fine-tuning takes no less";
    return;
  }
  // The saving per joule of pretraining has an interval; what it is divided into has none where that reaches 0.
  const Ratio ratio = ratio_of(saved, side.paid);
  side.break_even = 1.0 / ratio.value;
  side.why_no_high = "an interval needs more blocks";
  if (!ratio.interval || side.at_most) return;
  side.low = 1.0 / ratio.interval->high;
  side.why_no_high = "the saving may be none";
  if (ratio.interval->low > 0.0) side.high = 1.0 / ratio.interval->low;
}

struct Blocks {
  std::map<Place, Paid> paid;
  const Role* tuned = nullptr;
  const Role* scratch = nullptr;
};

Side side_of(const Blocks& blocks, std::optional<double> Cost::*quantity, bool energy) {
  Side side;
  std::string why = "no block has a run from scratch and one of fine-tuning that tell it";
  int unreached = 0;
  for (const auto& [place, tuned] : blocks.tuned->costs) {
    const auto scratch = blocks.scratch->costs.find(place);
    const Paid& paid = blocks.paid.at(place);
    if (scratch == blocks.scratch->costs.end() || !(tuned.*quantity) || !(scratch->second.*quantity)) continue;
    if (!(paid.cost.*quantity)) {
      why = paid.why_absent.empty() ? "nobody tells it of the pretraining" : paid.why_absent;
      continue;
    }
    if (energy && (paid.cost.estimated != tuned.estimated || tuned.estimated != scratch->second.estimated)) {
      why = "energy of the pretraining and of the others is not both measured or both estimated";
      continue;
    }
    unreached += tuned.reached ? 0 : 1;
    side.at_most = side.at_most || !scratch->second.reached;
    side.paid.push_back(*(paid.cost.*quantity));
    side.tuned.push_back(*(tuned.*quantity));
    side.scratch.push_back(*(scratch->second.*quantity));
  }
  if (side.paid.empty()) side.why_absent = why;
  if (unreached > 0) side.why_absent = fmt::format("{} fine-tunings never reached the target", unreached);
  solve(side);
  return side;
}

Cell median_cell(const Role& role, std::optional<double> Cost::*quantity, const char* why) {
  std::vector<double> values;
  for (const auto& [place, cost] : role.costs) {
    if (cost.*quantity) values.push_back(*(cost.*quantity));
  }
  if (values.empty()) return Cell::absent(why);
  return Cell::of(*stats::median(values), stats::quantile(values, 0.25), stats::quantile(values, 0.75));
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

AnswerTable break_even_table(const Side& energy, const Side& time) {
  AnswerTable table{"break-even",
                    "how many fine-tunings the pretraining takes to pay for itself",
                    {{"by", "by"},
                     {"n", "blocks", Unit::count},
                     {"pretraining", "pretraining", Unit::per_item},
                     {"scratch", "from scratch", Unit::per_item},
                     {"finetune", "fine-tuning", Unit::per_item},
                     {"break_even", "N*", Unit::per_item},
                     {"break_even_low", "at least", Unit::per_item},
                     {"break_even_high", "at most", Unit::per_item}},
                    {}};
  for (const auto& [name, side] : {std::pair("energy, J", &energy), std::pair("time, s", &time)}) {
    const bool none = side->paid.empty();
    const auto mean = [&](const std::vector<double>& values) {
      return none ? Cell::absent(side->why_absent) : Cell::of(*stats::mean(values));
    };
    table.rows.push_back({Cell::of(name), Cell::of(static_cast<double>(side->paid.size())), mean(side->paid),
                          mean(side->scratch), mean(side->tuned), Cell::of(side->break_even, side->why_absent),
                          Cell::of(side->low, side->why_absent.empty() ? side->why_no_high : side->why_absent),
                          Cell::of(side->high, side->why_absent.empty() ? side->why_no_high : side->why_absent)});
  }
  return table;
}

AnswerTable ledger_table(const std::vector<LedgerLine>& lines) {
  AnswerTable table{"ledger",
                    "what the weights cost to make",
                    {{"run", "run"},
                     {"source", "of"},
                     {"energy_j", "energy", Unit::joules},
                     {"provenance", "which is"},
                     {"uncertainty", "±", Unit::percent},
                     {"duration_s", "time", Unit::seconds},
                     {"machine", "machine"}},
                    {}};
  for (const LedgerLine& line : lines) {
    const study::LedgerEntry& entry = line.entry;
    const auto number = [](const auto& value, const char* why) {
      return value ? Cell::of(value->value) : Cell::absent(why);
    };
    table.rows.push_back({Cell::of(line.run), Cell::of(line.source), number(entry.energy, "nobody knows"),
                          Cell::of(!entry.energy     ? ""
                                   : entry.estimated ? "estimated"
                                                     : "measured"),
                          entry.energy ? Cell::of(entry.uncertainty) : Cell::absent("nobody knows"),
                          number(entry.duration, "not told"), Cell::of(entry.machine)});
  }
  return table;
}

std::string interval_text(const Side& side) {
  if (side.at_most) return ", at most, for some runs from scratch never reached the target";
  if (!side.low) return "";
  return side.high ? fmt::format(", 95 % interval {:.3g} to {:.3g}", *side.low, *side.high)
                   : fmt::format(", 95 % interval from {:.3g} without an end", *side.low);
}

std::string pretraining_sentence(const Side& energy, const Side& time, const std::string& kind) {
  std::string text;
  if (energy.break_even) {
    text = fmt::format(
        "Pretraining pays from {:.0f} fine-tuning{} on (N* = {:.3g}{}{}): it costs {} and each saves {}.",
        std::ceil(*energy.break_even), *energy.break_even > 1.0 ? "s" : "", *energy.break_even, interval_text(energy),
        kind.empty() ? "" : "; " + kind, human(Joules{*stats::mean(energy.paid)}), human(Joules{energy.saved()}));
  } else if (!energy.paid.empty() && energy.why_absent == "fine-tuning takes no less") {
    text = fmt::format("Fine-tuning takes no less energy than training from scratch{}, so pretraining never pays.",
                       kind.empty() ? "" : fmt::format(" ({})", kind));
  } else {
    text = fmt::format("From how many fine-tunings on pretraining pays is not known: {}.", energy.why_absent);
  }
  if (time.break_even) text += fmt::format(" By time N* = {:.3g}{}.", *time.break_even, interval_text(time));
  return text;
}

// The workload whose runs begin with weights, or whose name says so.
std::string tuned_workload(const std::vector<WorkloadRuns>& workloads, const Asked& asked) {
  if (asked.finetune.empty()) {
    for (const WorkloadRuns& workload : workloads) {
      const study::Weights& weights = workload.runs.begin()->second.record->request.weights;
      if (!weights.key.empty() || !weights.file.empty()) return workload.name;
    }
  }
  return workload_for(workloads, asked.finetune, "finetune");
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

void warn_of_machines(const std::vector<LedgerLine>& ledger, const Role& tuned, Answer& answer) {
  for (const LedgerLine& line : ledger) {
    if (tuned.records.empty() || line.entry.machine.empty()) continue;
    if (line.entry.machine == record::machine_identity(tuned.records.begin()->second->fingerprint)) continue;
    answer.warnings.push_back("the weights were made on another machine, whose energy is another's");
    return;
  }
}

}  // namespace

Result<Answer> pretraining(std::span<const Record> records, const Asked& asked) {
  const std::vector<WorkloadRuns> workloads = collect(records);
  const WorkloadRuns* tuned_runs = find(workloads, tuned_workload(workloads, asked));
  const WorkloadRuns* scratch_runs = find(workloads, workload_for(workloads, asked.scratch, "scratch"));
  for (const auto& [role, runs] : {std::pair("finetune", tuned_runs), std::pair("scratch", scratch_runs)}) {
    if (runs != nullptr) continue;
    return fail(ErrorKind::bad_input, fmt::format("no run of the {} workload", role),
                fmt::format("name the workload: --{} NAME; one whose name begins with {} is found", role, role));
  }
  const Role tuned = role_of(*tuned_runs, target_for(*tuned_runs, asked));
  const Role scratch = role_of(*scratch_runs, target_for(*scratch_runs, asked));
  Pretraining pretraining(records, workloads, workload_for(workloads, asked.pretrain, "pretrain"));
  Blocks blocks{{}, &tuned, &scratch};
  Role made{{}, {}, {}, {}, 0};
  for (const auto& [place, record] : tuned.records) {
    blocks.paid[place] = pretraining.paid_for(*record, place);
    made.costs[place] = blocks.paid[place].cost;
  }
  made.workload = pretraining.name();
  Answer answer = begun("pretraining", workloads);
  const Side energy = side_of(blocks, &Cost::joules, true);
  const Side time = side_of(blocks, &Cost::seconds, false);
  AnswerTable table = roles_table("pretrain once, fine-tune N times, against N times from scratch");
  add_role(table, "pretrain", made);
  add_role(table, "finetune", tuned);
  add_role(table, "scratch", scratch);
  answer.sentence = pretraining_sentence(energy, time, kind_of(answer));
  if (tuned.lost + scratch.lost > 0) {
    answer.warnings.push_back(fmt::format("{} runs of fine-tuning and {} from scratch failed: N* is of the others",
                                          tuned.lost, scratch.lost));
  }
  if (tuned.target != scratch.target || tuned_runs->metric.name != scratch_runs->metric.name) {
    answer.warnings.push_back("fine-tuning and training from scratch have different targets");
  }
  warn_of_machines(pretraining.ledger(), tuned, answer);
  answer.method = {
      "break-even: N* = E_pretrain / (E_scratch - E_finetune), of means over the blocks in which all three are known; "
      "the interval resamples blocks (BCa bootstrap of the saving per joule of pretraining) and covers repetition "
      "only, "
      "not what a ledger says of its own uncertainty",
      "E_pretrain is the whole run that made the weights, in the same block, or what the ledger beside the weights' "
      "file "
      "says",
      "fine-tuning and training from scratch are counted up to " + target_text(*tuned_runs, tuned.target)};
  answer.tables = {std::move(table), break_even_table(energy, time), ledger_table(pretraining.ledger())};
  return answer;
}

// --- Several tasks ---------------------------------------------------------------------------------------------------

namespace {

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
  answer.tables = {std::move(table), ratio_table(energy, time)};
  return answer;
}

}  // namespace wattle::analysis
