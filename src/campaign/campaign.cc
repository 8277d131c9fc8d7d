#include "campaign/campaign.h"

#include <fmt/format.h>

#include <algorithm>
#include <unordered_set>

#include "base/text.h"

namespace wattle::campaign {
namespace {

int next_attempt(const History& history, const std::string& key) {
  int last = 0;
  for (const record::Summary& past : history) {
    if (past.key == key) last = std::max(last, past.attempt);
  }
  return last + 1;
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
    update();
  }

 private:
  void update() { position_.remaining = costs_.of(requests_.subspan(static_cast<std::size_t>(position_.done))).time; }
  std::span<const study::RunRequest> requests_;
  Costs costs_;
  Observer::Position position_;
};

void rest_until(Clock& clock, Nanoseconds instant, const std::stop_token& after_run, const std::stop_token& now) {
  // Cooling down may take minutes: either way of stopping ends it.
  std::stop_source either;
  const std::stop_callback on_after(after_run, [&] { either.request_stop(); });
  const std::stop_callback on_now(now, [&] { either.request_stop(); });
  clock.sleep_until(instant, either.get_token());
}

}  // namespace

std::vector<study::RunRequest> FixedPlan::propose(const History& history) const {
  std::unordered_set<std::string_view> finished;
  for (const record::Summary& past : history) {
    if (record::finished(past.end)) finished.insert(past.key);
  }
  std::vector<study::RunRequest> open;
  std::copy_if(runs_.begin(), runs_.end(), std::back_inserter(open),
               [&](const study::RunRequest& request) { return !finished.contains(request.key); });
  return open;
}

Result<Outcome> run_campaign(const Campaign& campaign, History& history, Clock& clock, const std::stop_token& after_run,
                             const std::stop_token& now) {
  Outcome outcome;
  const auto stopped = [&] { return after_run.stop_requested() || now.stop_requested(); };
  while (true) {
    const std::vector<study::RunRequest> requests = campaign.proposer->propose(history);
    if (requests.empty()) return outcome;
    Progression progression(requests, Costs(history));
    for (const study::RunRequest& request : requests) {
      if (!stopped() && request.protocol.cool_down > Nanoseconds{} && outcome.finished > 0) {
        rest_until(clock, clock.monotonic() + request.protocol.cool_down, after_run, now);
      }
      if (stopped()) {
        outcome.interrupted = true;
        outcome.stopped = "interrupted";
        return outcome;
      }
      if (std::string refusal = campaign.gate ? campaign.gate(history) : std::string(); !refusal.empty()) {
        outcome.stopped = std::move(refusal);
        return outcome;
      }
      const Observer& observer = campaign.observer;
      if (observer.on_start) observer.on_start(request, progression.position());
      auto attempt = campaign.launcher->launch(
          request, next_attempt(history, request.key),
          [&](const run::Progress& progress) {
            if (observer.on_progress) observer.on_progress(request, progression.position(), progress);
          },
          now);
      if (!attempt) return tl::unexpected(attempt.error());
      if (auto kept = campaign.sink(*attempt); !kept) return tl::unexpected(kept.error());
      campaign.launcher->retire(attempt->record);
      history.push_back(record::summarise(attempt->record));
      if (!record::finished(attempt->record.end)) continue;
      ++outcome.finished;
      if (!record::successful(attempt->record.end)) ++outcome.failed;
      progression.step(history.back());
      if (observer.on_finish) observer.on_finish(history.back(), progression.position());
    }
  }
}

Gate budget_gate(const study::Budget& budget) {
  return [budget](const History& history) -> std::string {
    double run_seconds = 0.0;
    double joules = 0.0;
    int runs = 0;
    for (const record::Summary& past : history) {
      if (past.duration) run_seconds += past.duration->value;
      if (const auto energy = past.measured_energy ? past.measured_energy : past.estimated_energy) {
        joules += energy->value;
      }
      if (record::finished(past.end)) ++runs;
    }
    if (budget.hours && run_seconds >= *budget.hours * 3600.0) {
      return fmt::format("the budget of {} h is spent", shortest(*budget.hours));
    }
    if (budget.kwh && joules >= *budget.kwh * 3.6e6) {
      return fmt::format("the budget of {} kWh is spent", shortest(*budget.kwh));
    }
    if (budget.runs && runs >= *budget.runs) return fmt::format("the budget of {} runs is spent", *budget.runs);
    return {};
  };
}

}  // namespace wattle::campaign
