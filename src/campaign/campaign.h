// Doing many runs: ask the proposer what to run, ask the gate whether a run may start, launch, hand the attempt to the
// sink. The campaign keeps no state of its own: what is done stands in the history, so resuming is asking again.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <stop_token>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/result.h"
#include "record/summary.h"
#include "run/runner.h"
#include "study/plan.h"

namespace wattle::campaign {

// All attempts of the study, in the order they were stored.
using History = std::vector<record::Summary>;

// What to run next. A pure function of the history: the same history gives the same requests.
class Proposer {
 public:
  Proposer() = default;
  Proposer(const Proposer&) = delete;
  Proposer& operator=(const Proposer&) = delete;
  virtual ~Proposer() = default;
  // The requests to do now, in order; asked again when they are done. Empty: the campaign is over.
  [[nodiscard]] virtual std::vector<study::RunRequest> propose(const History& history) const = 0;
};

// Every run of a plan that no attempt has finished, in the plan's order. A group is open as long as one of its members
// is. A run that was flagged for foreign load is open again as often as its protocol says. Where this machine cannot
// run a configuration (infeasible), its other runs, and groups with it, are left out.
class FixedPlan final : public Proposer {
 public:
  explicit FixedPlan(std::vector<study::RunRequest> runs) : runs_(std::move(runs)) {}
  [[nodiscard]] std::vector<study::RunRequest> propose(const History& history) const override;

 private:
  std::vector<study::RunRequest> runs_;
};

// Which finished runs are to be made again.
enum class Rerun { none, failed, flagged, all };

// Asks another proposer as if some runs had never been made: those that the rule means in the history as it stands when
// this is made. What is made from then on counts.
class Afresh final : public Proposer {
 public:
  // `proposer` must outlive it.
  Afresh(const Proposer& proposer, const History& history, Rerun what);
  [[nodiscard]] std::vector<study::RunRequest> propose(const History& history) const override;

 private:
  const Proposer& proposer_;
  std::map<std::string, int, std::less<>> outdated_;  // by run: the last attempt that does not count any more
};

// One run, or the members of a group, which begin at once.
struct Start {
  std::vector<run::GroupMember> members;
  std::vector<std::string> flags;  // known before it begins: the machine was not cool
};

// Where runs happen. `launch` returns when all are over, with their attempts (of a background partner perhaps several);
// Errors are the engine's (no space, no permission), a failed run is an Attempt. `retire` is called once the sink has
// the attempt.
class Launcher {
 public:
  Launcher() = default;
  Launcher(const Launcher&) = delete;
  Launcher& operator=(const Launcher&) = delete;
  virtual ~Launcher() = default;
  [[nodiscard]] virtual Result<std::vector<record::Attempt>> launch(
      const Start& start, const std::function<void(const run::Progress&)>& on_progress,
      const std::stop_token& stop) = 0;
  virtual void retire(const record::Record& record) = 0;
};

// What the protocol needs to know of the machine between runs. Each may be empty where nobody can tell.
struct Conditions {
  std::function<std::optional<double>()> temperature;  // of the processors, in degC
  // Mean power of the machine over that time. `baseline` does the same while nothing runs, and whoever shares energy
  // out may keep it.
  std::function<Result<Watts>(Nanoseconds, const std::stop_token&)> power;
  std::function<Result<Watts>(Nanoseconds, const std::stop_token&)> baseline;
};

// What somebody watching is told. All called on the campaign's thread.
struct Observer {
  struct Position {
    int done = 0;  // finished runs of this proposal, failed ones included
    int total = 0;
    int blocks = 0;
    std::optional<Seconds> remaining;  // absent until one run is known
  };
  std::function<void(const std::string& what)> on_wait;  // "cooling down", "listening to the idle machine", …
  std::function<void(const study::RunRequest&, const Position&)> on_start;
  std::function<void(const study::RunRequest&, const Position&, const run::Progress&)> on_progress;
  std::function<void(const record::Summary&, const Position&)> on_finish;
};

// "May a run start now?" Empty: yes. Otherwise why not, and the campaign ends there.
using Gate = std::function<std::string(const History&)>;
using Sink = std::function<Result<void>(const record::Attempt&)>;

struct Campaign {
  const Proposer* proposer = nullptr;
  Launcher* launcher = nullptr;
  Sink sink;
  Gate gate;
  Observer observer;
  Conditions conditions;
  // What heats the machine before the first run, where the protocol asks for it; absent: the first that is proposed.
  std::optional<study::RunRequest> warm_up;
};

struct Outcome {
  int finished = 0;  // runs finished by this call, failed ones included
  int failed = 0;
  std::string stopped;  // why it ended before the plan's end; empty when all is done
  bool interrupted = false;
};

// Runs until nothing is proposed, the gate refuses, or a stop is asked for: `after_run` lets the run in flight end,
// `now` ends it too. History is moved on in place. Error: the engine or the sink failed; what was done is kept.
[[nodiscard]] Result<Outcome> run_campaign(const Campaign& campaign, History& history, Clock& clock,
                                           const std::stop_token& after_run, const std::stop_token& now);

// Budget as a gate: hours of runs, joules (measured, else estimated) in kWh, runs; of all attempts in the history.
[[nodiscard]] Gate budget_gate(const study::Budget& budget);

// --- Time and energy still to come -----------------------------------------------------------------------

struct Estimate {
  std::optional<Seconds> time;  // absent where some workload has no finished run yet
  std::optional<Joules> energy;
  bool energy_estimated = false;  // rests on model joules
};

// What runs have cost so far. A run to come costs what the median run of its configuration cost, or, where none is
// known, of its workload.
class Costs {
 public:
  Costs() = default;
  explicit Costs(const History& history) {
    for (const record::Summary& past : history) add(past);
  }
  void add(const record::Summary& past);
  [[nodiscard]] Estimate of(std::span<const study::RunRequest> requests) const;

 private:
  struct Samples {
    std::vector<double> seconds;
    std::vector<double> joules;
  };
  std::map<std::string, Samples, std::less<>> configurations_;
  std::map<std::string, Samples, std::less<>> workloads_;
  bool energy_estimated_ = false;
};

}  // namespace wattle::campaign
