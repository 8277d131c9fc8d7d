#include "tune/repetitions.h"

#include <algorithm>
#include <cmath>
#include <unordered_map>
#include <utility>

namespace wattle::tune {
namespace {

using study::Purpose;
using study::RunRequest;

bool lost(const record::Summary& run) {
  const bool no_number = run.performance && !std::isfinite(*run.performance);
  return record::lost(run.end) || no_number;
}

bool succeeded(const record::Summary& run) { return record::successful(run.end) && !lost(run); }

std::optional<double> cost(const record::Summary& run, bool by_time) {
  std::optional<double> cost;
  if (by_time && run.duration) cost = run.duration->value;
  if (!by_time && run.measured_energy) cost = run.measured_energy->value;
  return cost && *cost > 0.0 && std::isfinite(*cost) ? cost : std::nullopt;
}

void add_pair(Evidence& evidence, const record::Summary& original, const record::Summary& mutant, bool by_time,
              study::Goal goal) {
  if (!succeeded(original) || !(lost(mutant) || succeeded(mutant))) return;
  ++evidence.pairs;
  if (lost(mutant)) {
    ++evidence.failed;
    return;
  }
  const auto before = cost(original, by_time);
  const auto after = cost(mutant, by_time);
  if (before && after) evidence.log_ratios.push_back(std::log(*after) - std::log(*before));
  if (original.performance && mutant.performance && original.performance_split == mutant.performance_split) {
    const double difference = *mutant.performance - *original.performance;
    evidence.differences.push_back(goal == study::Goal::maximize ? difference : -difference);
  }
}

}  // namespace

// The last finished attempt of each key.
class AdaptiveRepetitions::Finished {
 public:
  explicit Finished(const campaign::History& history) {
    for (const record::Summary& past : history) {
      if (record::finished(past.end)) runs_[past.key] = &past;
    }
  }
  [[nodiscard]] const record::Summary* of(const RunRequest& run) const {
    const auto found = runs_.find(run.key);
    return found == runs_.end() ? nullptr : found->second;
  }
  [[nodiscard]] const record::Summary* of(const Runs& runs, int block) const {
    const auto found = runs.find(block);
    return found == runs.end() ? nullptr : of(*found->second);
  }

 private:
  std::unordered_map<std::string_view, const record::Summary*> runs_;
};

AdaptiveRepetitions::AdaptiveRepetitions(study::Plan plan, study::Repetitions repetitions, double alpha)
    : plan_(std::move(plan)), repetitions_(repetitions), alpha_(alpha) {
  std::map<std::string_view, const RunRequest*> originals;
  for (const RunRequest& run : plan_.runs) {
    if (run.purpose == Purpose::score && run.configuration.original()) originals[run.key] = &run;
  }
  for (const RunRequest& run : plan_.runs) {
    if (run.purpose == Purpose::score) add(run, originals);
  }
}

void AdaptiveRepetitions::add(const RunRequest& run, const std::map<std::string_view, const RunRequest*>& originals) {
  if (run.configuration.original()) {
    families_[family_of(run)].runs[run.block] = &run;
    return;
  }
  const auto original = originals.find(run.pair_key);
  if (original == originals.end()) return;
  const std::size_t family = family_of(*original->second);
  auto known = std::find_if(mutants_.begin(), mutants_.end(), [&](const Mutant& mutant) {
    return mutant.family == family && mutant.runs.begin()->second->configuration.id == run.configuration.id;
  });
  if (known == mutants_.end()) {
    families_[family].mutants.push_back(mutants_.size());
    known = mutants_.insert(mutants_.end(), Mutant{family, {}});
  }
  known->runs[run.block] = &run;
}

std::size_t AdaptiveRepetitions::family_of(const RunRequest& original) {
  const std::string& id = original.configuration.id;
  const auto known =
      std::find_if(families_.begin(), families_.end(), [&](const Family& family) { return family.original == id; });
  if (known != families_.end()) return static_cast<std::size_t>(known - families_.begin());
  families_.push_back({id, {}, {}});
  return families_.size() - 1;
}

std::vector<RunRequest> AdaptiveRepetitions::propose(const campaign::History& history) const {
  return replay(history).open;
}

std::vector<MutantState> AdaptiveRepetitions::explain(const campaign::History& history) const {
  return replay(history).states;
}

AdaptiveRepetitions::Replay AdaptiveRepetitions::replay(const campaign::History& history) const {
  const Finished finished(history);
  Replay replay;
  for (const Mutant& mutant : mutants_) {
    const study::Configuration& configuration = mutant.runs.begin()->second->configuration;
    MutantState state;
    state.configuration = configuration.id;
    state.original = families_[mutant.family].original;
    state.workload = configuration.workload;
    state.environment = configuration.environment.name;
    state.label = configuration.label;
    state.by_time = by_time(mutant.family, finished);
    replay.states.push_back(std::move(state));
  }
  for (int block = 1; block <= repetitions_.max; ++block) {
    replay.open = open_runs(block, replay.states, finished);
    if (!replay.open.empty()) break;
    for (const Family& family : families_) look(family, block, finished, replay.states);
  }
  return replay;
}

void AdaptiveRepetitions::look(const Family& family, int block, const Finished& finished,
                               std::vector<MutantState>& states) const {
  std::vector<Evidence> told;
  std::vector<Judgement> judgements;
  for (const std::size_t i : family.mutants) {
    told.push_back(evidence(mutants_[i], block, states[i].by_time, finished));
    judgements.push_back(states[i].judgement);
  }
  if (told.empty()) return;
  judge(told, rules(family), judgements);
  for (std::size_t place = 0; place < told.size(); ++place) {
    MutantState& state = states[family.mutants[place]];
    if (state.decided_at != 0) continue;
    state.pairs = told[place].pairs;
    state.failed = told[place].failed;
    state.judgement = judgements[place];
    if (block < repetitions_.min) state.judgement.decision = Decision::undecided;
    if (state.judgement.decision != Decision::undecided) state.decided_at = block;
  }
}

std::set<std::string_view> AdaptiveRepetitions::wanted_configurations(int block,
                                                                      const std::vector<MutantState>& states) const {
  std::set<std::string_view> wanted;
  for (const MutantState& state : states) {
    if (state.decided_at != 0) continue;
    wanted.insert(state.configuration);
    wanted.insert(state.original);
  }
  if (block > repetitions_.min) return wanted;
  for (const RunRequest& run : plan_.runs) wanted.insert(run.configuration.id);
  return wanted;
}

std::vector<RunRequest> AdaptiveRepetitions::open_runs(int block, const std::vector<MutantState>& states,
                                                       const Finished& finished) const {
  const std::set<std::string_view> wanted = wanted_configurations(block, states);
  std::vector<RunRequest> open;
  if (wanted.empty()) return open;
  const auto scored = [&](const RunRequest& run) {
    return run.purpose == Purpose::score && wanted.contains(run.configuration.id);
  };
  std::set<std::string_view> wanted_groups;
  for (const RunRequest& run : plan_.runs) {
    if (run.block == block && scored(run) && !run.group.empty()) wanted_groups.insert(run.group);
  }
  std::set<std::string_view> open_groups;
  for (const RunRequest& run : plan_.runs) {
    if (run.block == block && wanted_groups.contains(run.group) && finished.of(run) == nullptr) {
      open_groups.insert(run.group);
    }
  }
  for (const RunRequest& run : plan_.runs) {
    if (run.block != block) continue;
    const bool alone =
        run.group.empty() && finished.of(run) == nullptr && (scored(run) || run.purpose != Purpose::score);
    if (alone || open_groups.contains(run.group)) open.push_back(run);
  }
  return open;
}

Evidence AdaptiveRepetitions::evidence(const Mutant& mutant, int last_block, bool by_time,
                                       const Finished& finished) const {
  Evidence told;
  for (const auto& [block, run] : mutant.runs) {
    if (block > last_block) break;
    const record::Summary* original = finished.of(families_[mutant.family].runs, block);
    const record::Summary* own = finished.of(*run);
    if (original != nullptr && own != nullptr) add_pair(told, *original, *own, by_time, run->metric.goal);
  }
  return told;
}

bool AdaptiveRepetitions::by_time(std::size_t family, const Finished& finished) const {
  const auto unmeasured = [&](const Runs& runs) {
    return std::any_of(runs.begin(), runs.end(), [&](const auto& run) {
      const record::Summary* past = finished.of(*run.second);
      return past != nullptr && succeeded(*past) && !cost(*past, false);
    });
  };
  const std::vector<std::size_t>& mutants = families_[family].mutants;
  return unmeasured(families_[family].runs) ||
         std::any_of(mutants.begin(), mutants.end(), [&](std::size_t i) { return unmeasured(mutants_[i].runs); });
}

Rules AdaptiveRepetitions::rules(const Family& family) const {
  Rules rules;
  rules.mutants = static_cast<int>(family.mutants.size());
  rules.alpha = alpha_;
  rules.until_decided = repetitions_.until_decided;
  rules.precision = repetitions_.precision;
  rules.margin = repetitions_.precision.value_or(rules.margin);
  rules.tolerance = mutants_[family.mutants.front()].runs.begin()->second->metric.tolerance;
  return rules;
}

}  // namespace wattle::tune
