// Does it pay to make weights once and begin with them again and again (Geissler et al., recycling knowledge)?
#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <set>

#include "analysis/cells.h"
#include "analysis/recycling.h"
#include "base/text.h"
#include "stats/descriptive.h"

namespace wattle::analysis {
namespace {

using record::Record;

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
  for (const auto& [name, of] : {std::pair("energy, J", &energy), std::pair("time, s", &time)}) {
    const Side* side = of;
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
  warn_of_few(std::max(energy.paid.size(), time.paid.size()), answer);
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

}  // namespace wattle::analysis
