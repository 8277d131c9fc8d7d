#include "campaign/campaign.h"

#include <fmt/format.h>

#include <algorithm>
#include <numeric>
#include <unordered_map>
#include <unordered_set>

#include "base/text.h"
#include "campaign/conditions.h"

namespace wattle::campaign {
namespace {

// A run's attempts so far, by its key.
std::unordered_map<std::string, int> last_attempts(const History& history) {
  std::unordered_map<std::string, int> last;
  last.reserve(history.size());
  for (const record::Summary& past : history) {
    int& number = last[past.key];
    number = std::max(number, past.attempt);
  }
  return last;
}

bool has_flag(const record::Summary& past, std::string_view flag) {
  if (past.flags.empty()) return false;
  const auto flags = split(past.flags, ',');
  return std::find(flags.begin(), flags.end(), flag) != flags.end();
}

// Whose weights can be begun with: the last attempt of each key that ended well.
std::unordered_map<std::string, int> made_well(const History& history) {
  std::unordered_map<std::string, int> made;
  for (const record::Summary& past : history) {
    if (record::successful(past.end)) made[past.key] = past.attempt;
  }
  return made;
}

// Follows one proposal to its end, keeping what observers are told.
class Progression {
 public:
  Progression(std::span<const study::RunRequest> requests, Costs costs)
      : requests_(requests), costs_(std::move(costs)) {
    position_.total = static_cast<int>(requests.size());
    for (const study::RunRequest& request : requests) position_.blocks = std::max(position_.blocks, request.block);
    update();
  }
  [[nodiscard]] const Observer::Position& position() const { return position_; }
  void step(const record::Summary& done) {
    ++position_.done;
    costs_.add(done);
    // Of thousands of runs the estimate need not be new after each: it looks at all that are left.
    if (position_.done % (1 + position_.total / 500) == 0) update();
  }

 private:
  void update() { position_.remaining = costs_.of(requests_.subspan(static_cast<std::size_t>(position_.done))).time; }
  std::span<const study::RunRequest> requests_;
  Costs costs_;
  Observer::Position position_;
};

// Either way of stopping ends what is no run.
class EitherStop {
 public:
  EitherStop(const std::stop_token& after_run, const std::stop_token& now)
      : on_after_(after_run, [this] { either_.request_stop(); }), on_now_(now, [this] { either_.request_stop(); }) {}
  [[nodiscard]] std::stop_token token() const { return either_.get_token(); }
  [[nodiscard]] bool requested() const { return either_.stop_requested(); }

 private:
  std::stop_source either_;
  std::stop_callback<std::function<void()>> on_after_;
  std::stop_callback<std::function<void()>> on_now_;
};

// Runs that are made together.
std::vector<std::span<const study::RunRequest>> units_of(std::span<const study::RunRequest> requests) {
  std::vector<std::span<const study::RunRequest>> units;
  units.reserve(requests.size());
  for (std::size_t i = 0; i < requests.size();) {
    std::size_t end = i + 1;
    while (!requests[i].group.empty() && end < requests.size() && requests[end].group == requests[i].group) ++end;
    units.push_back(requests.subspan(i, end - i));
    i = end;
  }
  return units;
}

class Session {
 public:
  Session(const Campaign& campaign, History& history, Clock& clock, const std::stop_token& after_run,
          const std::stop_token& now)
      : campaign_(campaign),
        history_(history),
        clock_(clock),
        now_(now),
        stop_(after_run, now),
        attempts_(last_attempts(history)),
        made_(made_well(history)) {}

  Result<Outcome> run() {
    while (true) {
      const std::vector<study::RunRequest> requests = campaign_.proposer->propose(history_);
      if (requests.empty()) return outcome_;
      progression_.emplace(requests, Costs(history_));
      for (const auto unit : units_of(requests)) {
        if (auto done = run_unit(unit); !done) return tl::unexpected(done.error());
        if (!outcome_.stopped.empty()) return outcome_;
      }
    }
  }

 private:
  Result<void> run_unit(std::span<const study::RunRequest> unit) {
    Start start;
    if (!stop_.requested()) {
      if (auto prepared = prepare(unit.front(), start.flags); !prepared) return prepared;
    }
    if (stop_.requested()) {
      outcome_.interrupted = true;
      outcome_.stopped = "interrupted";
      return {};
    }
    if (std::string refusal = campaign_.gate ? campaign_.gate(history_) : std::string(); !refusal.empty()) {
      outcome_.stopped = std::move(refusal);
      return {};
    }
    for (const study::RunRequest& request : unit) start.members.push_back({request, ++attempts_[request.key]});
    if (const std::string why = choose_weights(start); !why.empty()) return give_up(start, unit, why);
    const Observer& observer = campaign_.observer;
    if (observer.on_start) observer.on_start(unit.front(), progression_->position());
    return launch(start, unit);
  }

  // Which attempt's weights each member begins with; why one has none to begin with, or nothing.
  std::string choose_weights(Start& start) const {
    for (run::GroupMember& member : start.members) {
      study::Weights& weights = member.request.weights;
      if (weights.key.empty()) continue;
      const auto made = made_.find(weights.key);
      if (made != made_.end()) {
        weights.attempt = made->second;
        continue;
      }
      const auto last = std::find_if(history_.rbegin(), history_.rend(),
                                     [&](const record::Summary& past) { return past.key == weights.key; });
      return fmt::format(
          "there are no weights to begin with: {} of block {} {}", weights.workload, member.request.block,
          last == history_.rend() ? "was not run" : fmt::format("{}: {}", record::to_string(last->end), last->reason));
    }
    return {};
  }

  // Runs that cannot begin are failures without a process, a second or a joule.
  Result<void> give_up(const Start& start, std::span<const study::RunRequest> unit, const std::string& why) {
    std::vector<record::Attempt> attempts(start.members.size());
    for (std::size_t i = 0; i < attempts.size(); ++i) {
      record::Record& record = attempts[i].record;
      record.request = start.members[i].request;
      record.attempt = start.members[i].attempt;
      record.end = record::EndState::failed;
      record.reason = why;
      record.started_wall = clock_.wall();
      record.measured.why_absent = record.estimated.why_absent = "it never ran";
    }
    return take_in(attempts, unit);
  }

  Result<void> launch(const Start& start, std::span<const study::RunRequest> unit) {
    const Observer& observer = campaign_.observer;
    const auto on_progress = [&](const run::Progress& progress) {
      if (observer.on_progress) observer.on_progress(unit.front(), progression_->position(), progress);
    };
    auto attempts = campaign_.launcher->launch(start, on_progress, now_);
    if (!attempts) return tl::unexpected(attempts.error());
    return take_in(*attempts, unit);
  }

  Result<void> take_in(std::span<const record::Attempt> attempts, std::span<const study::RunRequest> unit) {
    const Observer& observer = campaign_.observer;
    std::unordered_map<std::string, record::Summary> last;
    for (const record::Attempt& attempt : attempts) {
      if (auto kept = keep(attempt); !kept) return kept;
      if (record::finished(attempt.record.end)) last[attempt.record.request.key] = history_.back();
    }
    for (const study::RunRequest& request : unit) {
      const auto done = last.find(request.key);
      if (done == last.end() || request.purpose == study::Purpose::warm_up) continue;
      ++outcome_.finished;
      if (!record::successful(done->second.end)) ++outcome_.failed;
      progression_->step(done->second);
      if (observer.on_finish) observer.on_finish(done->second, progression_->position());
    }
    return {};
  }

  Result<void> keep(const record::Attempt& attempt) {
    if (auto kept = campaign_.sink(attempt); !kept) return kept;
    campaign_.launcher->retire(attempt.record);
    history_.push_back(record::summarise(attempt.record));
    int& number = attempts_[attempt.record.request.key];
    number = std::max(number, attempt.record.attempt);
    if (record::successful(attempt.record.end)) made_[attempt.record.request.key] = attempt.record.attempt;
    return {};
  }

  // Whatever the protocol wants before this run.
  Result<void> prepare(const study::RunRequest& next, std::vector<std::string>& flags) {
    const study::Protocol& protocol = next.protocol;
    const bool first = !begun_;
    begun_ = true;
    if (first && protocol.warm_up > Nanoseconds{}) {
      if (auto warm = warm_up(campaign_.warm_up.value_or(next), protocol.warm_up); !warm) return warm;
    }
    if (protocol.idle_baseline > Nanoseconds{} && next.block != block_ && campaign_.conditions.baseline) {
      say("listening to the idle machine");
      const auto idle = campaign_.conditions.baseline(protocol.idle_baseline, stop_.token());
      if (!idle && !stop_.requested()) return tl::unexpected(idle.error());
      if (idle) idle_ = *idle;
    }
    block_ = next.block;
    const bool waits = protocol.cool_down > Nanoseconds{} || protocol.cool_to_temperature || protocol.cool_to_power;
    if (first || !waits) return {};
    say("cooling down");
    flags = cool_down(protocol, campaign_.conditions, idle_, clock_, stop_.token());
    return {};
  }

  // Whole runs, for a program cut off in mid-run may leave anything behind.
  Result<void> warm_up(study::RunRequest request, Nanoseconds time) {
    request.purpose = study::Purpose::warm_up;
    request.group.clear();
    request.configuration.colocation = {};
    request.key = study::run_key(request);
    request.pair_key = request.key;
    say("warming up");
    const Nanoseconds end = clock_.monotonic() + time;
    while (clock_.monotonic() < end && !stop_.requested()) {
      const Start start{{{request, ++attempts_[request.key]}}, {}};
      if (auto done = launch(start, std::span(&request, 1)); !done) return done;
      if (!record::successful(history_.back().end)) {
        return fail(ErrorKind::failed, "the run that was to warm the machine up failed: " + history_.back().reason);
      }
    }
    return {};
  }

  void say(const char* what) const {
    if (campaign_.observer.on_wait) campaign_.observer.on_wait(what);
  }

  const Campaign& campaign_;
  History& history_;
  Clock& clock_;
  const std::stop_token& now_;
  EitherStop stop_;
  std::unordered_map<std::string, int> attempts_;
  std::unordered_map<std::string, int> made_;
  std::optional<Progression> progression_;
  std::optional<Watts> idle_;
  bool begun_ = false;
  int block_ = 0;
  Outcome outcome_;
};

}  // namespace

Afresh::Afresh(const Proposer& proposer, const History& history, Rerun what) : proposer_(proposer) {
  if (what == Rerun::none) return;
  std::map<std::string_view, const record::Summary*> last;
  for (const record::Summary& past : history) {
    if (record::finished(past.end)) last[past.key] = &past;
  }
  for (const auto& [key, past] : last) {
    const bool again = what == Rerun::all || (what == Rerun::failed && !record::successful(past->end)) ||
                       (what == Rerun::flagged && !past->flags.empty());
    if (again) outdated_.emplace(key, past->attempt);
  }
}

std::vector<study::RunRequest> Afresh::propose(const History& history) const {
  if (outdated_.empty()) return proposer_.propose(history);
  History known;
  std::copy_if(history.begin(), history.end(), std::back_inserter(known), [&](const record::Summary& past) {
    const auto old = outdated_.find(past.key);
    return old == outdated_.end() || past.attempt > old->second;
  });
  return proposer_.propose(known);
}

std::vector<study::RunRequest> FixedPlan::propose(const History& history) const {
  struct Done {
    int finished = 0;
    bool disturbed = false;  // the last one was
  };
  std::unordered_map<std::string_view, Done> done;
  done.reserve(history.size());
  std::unordered_set<std::string_view> infeasible;  // configurations
  for (const record::Summary& past : history) {
    if (!record::finished(past.end)) continue;
    Done& one = done[past.key];
    ++one.finished;
    one.disturbed = has_flag(past, record::kForeignLoad);
    if (past.end == record::EndState::infeasible) infeasible.insert(past.configuration);
  }
  const auto open = [&](const study::RunRequest& request) {
    const auto one = done.find(request.key);
    if (one == done.end()) return true;
    return one->second.disturbed && one->second.finished <= request.protocol.repeat_flagged;
  };
  const auto impossible = [&](const study::RunRequest& request) {
    return infeasible.contains(request.configuration.id);
  };
  auto units = units_of(runs_);
  std::erase_if(units, [&](const auto unit) {
    return std::none_of(unit.begin(), unit.end(), open) || std::any_of(unit.begin(), unit.end(), impossible);
  });
  std::vector<study::RunRequest> wanted;
  wanted.reserve(std::accumulate(units.begin(), units.end(), std::size_t{0},
                                 [](std::size_t sum, const auto unit) { return sum + unit.size(); }));
  for (const auto unit : units) wanted.insert(wanted.end(), unit.begin(), unit.end());
  return wanted;
}

Result<Outcome> run_campaign(const Campaign& campaign, History& history, Clock& clock, const std::stop_token& after_run,
                             const std::stop_token& now) {
  return Session(campaign, history, clock, after_run, now).run();
}

Gate budget_gate(const study::Budget& budget) {
  // The history only grows: what was counted stays counted.
  struct Spent {
    std::size_t counted = 0;
    double run_seconds = 0.0;
    double joules = 0.0;
    int runs = 0;
  };
  return [budget, spent = Spent{}](const History& history) mutable -> std::string {
    if (history.size() < spent.counted) spent = {};
    for (; spent.counted < history.size(); ++spent.counted) {
      const record::Summary& past = history[spent.counted];
      if (past.duration) spent.run_seconds += past.duration->value;
      const auto energy = past.measured_energy ? past.measured_energy : past.estimated_energy;
      if (energy) spent.joules += energy->value;
      if (record::finished(past.end)) ++spent.runs;
    }
    if (budget.hours && spent.run_seconds >= *budget.hours * 3600.0) {
      return fmt::format("the budget of {} h is spent", shortest(*budget.hours));
    }
    if (budget.kwh && spent.joules >= *budget.kwh * 3.6e6) {
      return fmt::format("the budget of {} kWh is spent", shortest(*budget.kwh));
    }
    if (budget.runs && spent.runs >= *budget.runs) return fmt::format("the budget of {} runs is spent", *budget.runs);
    return {};
  };
}

}  // namespace wattle::campaign
