// Adaptive repetitions: blocks go on until every comparison is decided or known well enough. Pure and immutable; safe
// to use from several threads.
#pragma once

#include <map>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "campaign/campaign.h"
#include "study/plan.h"
#include "study/study.h"
#include "tune/decision.h"

namespace wattle::tune {

// How one mutant stands against its original, as of the last block whose runs are all finished.
struct MutantState {
  std::string configuration;  // id
  std::string original;       // id of the original's configuration
  std::string workload;
  std::string environment;
  std::string label;
  int pairs = 0;  // formed so far; those whose mutant failed included
  int failed = 0;
  // Cost is measured energy where every successful run of the original and its mutants has it, else time: estimated
  // joules decide nothing.
  bool by_time = false;
  Judgement judgement;  // its decision stands from decided_at on
  int decided_at = 0;   // block; 0: undecided
};

// Proposes, block by block: blocks 1 to `min` whole; from then on the runs of each mutant that is undecided and of the
// originals they are compared with, until none is left or `max` is reached. Runs of a group come together, with those
// of it that are finished already, or not at all; control, warm-up and other runs that are not scored come with their
// block. A mutant is compared with the original of its pair key (same workload, environment and co-location), only
// within blocks. One that names no original in the plan cannot be decided and gets `min` blocks.
//
// The state is replayed from the history at every call, looking after each block from `min` on: the first decision
// stands, and a resumed campaign decides as an uninterrupted one. Of several finished attempts the last counts.
class AdaptiveRepetitions final : public campaign::Proposer {
 public:
  // `plan` holds all `max` blocks.
  AdaptiveRepetitions(study::Plan plan, study::Repetitions repetitions, double alpha = 0.05);
  [[nodiscard]] std::vector<study::RunRequest> propose(const campaign::History& history) const override;
  // Every mutant, in the order of the plan's first block.
  [[nodiscard]] std::vector<MutantState> explain(const campaign::History& history) const;

 private:
  using Runs = std::map<int, const study::RunRequest*>;  // by block
  struct Family {
    std::string original;  // configuration id
    Runs runs;
    std::vector<std::size_t> mutants;  // places in mutants_
  };
  struct Mutant {
    std::size_t family = 0;
    Runs runs;
  };
  struct Replay {
    std::vector<study::RunRequest> open;
    std::vector<MutantState> states;  // as mutants_
  };
  class Finished;

  void add(const study::RunRequest& run, const std::map<std::string_view, const study::RunRequest*>& originals);
  std::size_t family_of(const study::RunRequest& original);
  [[nodiscard]] Replay replay(const campaign::History& history) const;
  [[nodiscard]] std::vector<study::RunRequest> open_runs(int block, const std::vector<MutantState>& states,
                                                         const Finished& finished) const;
  [[nodiscard]] std::set<std::string_view> wanted_configurations(int block,
                                                                 const std::vector<MutantState>& states) const;
  [[nodiscard]] Evidence evidence(const Mutant& mutant, int last_block, bool by_time, const Finished& finished) const;
  [[nodiscard]] bool by_time(std::size_t family, const Finished& finished) const;
  [[nodiscard]] Rules rules(const Family& family) const;
  void look(const Family& family, int block, const Finished& finished, std::vector<MutantState>& states) const;

  study::Plan plan_;
  study::Repetitions repetitions_;
  double alpha_;
  // Both point into plan_, which never changes.
  std::vector<Family> families_;
  std::vector<Mutant> mutants_;
};

}  // namespace wattle::tune
