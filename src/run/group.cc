// Several runs side by side under one measurement.
#include <fmt/format.h>

#include <algorithm>
#include <atomic>
#include <mutex>
#include <thread>

#include "run/cpus.h"
#include "run/group_share.h"
#include "run/one_run.h"
#include "run/runner.h"
#include "study/cpu_list.h"

namespace wattle::run {
namespace {

namespace fs = std::filesystem;

// The CPUs of each, as lists; empty: those of its request.
std::vector<std::string> places_of(std::span<const GroupMember> members) {
  std::vector<std::string> places(members.size());
  const study::Configuration& first = members.front().request.configuration;
  if (!first.colocation.divided_cores) return places;
  // Slices of their own that the study names stay as they are.
  const bool same = std::all_of(members.begin(), members.end(), [&](const GroupMember& member) {
    return member.request.configuration.environment.cpus == first.environment.cpus;
  });
  if (!same) return places;
  const auto named = study::parse_cpus(first.environment.cpus);
  const auto slices = divided(first.environment.cpus.empty() || !named ? usable_cpus() : *named, members.size());
  for (std::size_t i = 0; i < members.size(); ++i) places[i] = study::cpu_list(slices[i]);
  return places;
}

class Group {
 public:
  Group(std::span<const GroupMember> members, const DirectoryOf& directory, const RunnerOptions& options, Clock& clock,
        const std::stop_token& stop)
      : members_(members),
        directory_(directory),
        options_(options),
        quiet_(options),
        clock_(clock),
        stop_(stop),
        places_(places_of(members)) {
    quiet_.on_progress = {};
  }

  Result<std::vector<record::Attempt>> run() {
    for (std::size_t i = 0; i < members_.size(); ++i) {
      auto made = make(i, members_[i].attempt, true);
      if (!made) return abandon(made.error());
      runs_.push_back(*std::move(made));
    }
    meter_.emplace(members_.front().request, runs_.front()->files().trace(), options_, clock_);
    meter_->start();
    const Result<void> begun = begin();
    if (begun) accompany();
    auto trace = meter_->stop();
    if (!begun) return abandon(begun.error());
    if (!trouble_) return abandon(trouble_.error());
    if (trace) return conclude(*trace);
    if (trace.error().kind != ErrorKind::failed) return abandon(trace.error());
    return all_lost(trace.error().message);
  }

 private:
  [[nodiscard]] bool background() const {
    return members_.front().request.configuration.colocation.mode == study::GroupMode::background;
  }

  Result<std::unique_ptr<Run>> make(std::size_t member, int attempt, bool held) {
    const study::RunRequest& request = members_[member].request;
    if (request.configuration.environment.power_cap) {
      return fail(ErrorKind::environment, "a power cap cannot be set for runs side by side");
    }
    return Run::create(request, attempt, directory_(request, attempt), {places_[member], held},
                       member == 0 ? options_ : quiet_, clock_);
  }

  // All guards stand before the first program begins.
  Result<void> begin() {
    for (const auto& run : runs_) {
      if (auto begun = run->begin(); !begun) return begun;
    }
    for (const auto& run : runs_) run->go();
    return {};
  }

  void accompany() {
    std::vector<std::jthread> threads;
    for (std::size_t i = 1; i < members_.size(); ++i) threads.emplace_back([this, i] { follow(i); });
    runs_.front()->watch(*meter_, stop_);
    if (background()) scored_ended_.request_stop();
    threads.clear();
    // Those that were made later end where they are made.
    for (std::size_t i = 0; i < members_.size(); ++i) note(runs_[i]->end());
  }

  // A partner, until it ends, or again and again until the scored run has.
  void follow(std::size_t member) {
    Run* current = runs_[member].get();
    std::unique_ptr<Run> again;
    for (int attempt = members_[member].attempt + 1;; ++attempt) {
      current->watch(*meter_, stop_, scored_ended_.get_token());
      if (again) keep(std::move(again));
      const auto report = read_report(current->files());
      const bool well = report && report->exit_code == 0 && report->cause == Cause::none;
      if (!background() || !well || stop_.stop_requested() || scored_ended_.stop_requested()) return;
      auto made = make(member, attempt, false);
      const auto begun = made ? (*made)->begin() : tl::unexpected(made.error());
      if (!begun) return note(begun);
      again = *std::move(made);
      current = again.get();
    }
  }

  void keep(std::unique_ptr<Run> run) {
    note(run->end());
    const std::scoped_lock lock(mutex_);
    later_.push_back(std::move(run));
  }

  void note(const Result<void>& done) {
    const std::scoped_lock lock(mutex_);
    if (trouble_ && !done) trouble_ = done;
  }

  Result<std::vector<record::Attempt>> conclude(const energy::Trace& trace) {
    gather();
    std::vector<GroupAttempt> attempts;
    for (const auto& run : runs_) {
      auto record = run->assembled(trace);
      // Who destroys what was written of itself has destroyed the measurement of all: no part can be told any more.
      if (!record && record.error().kind == ErrorKind::failed) return all_lost(record.error().message);
      if (!record) return abandon(record.error());
      attempts.push_back({*std::move(record), run->telemetry()});
    }
    share_out(attempts, trace, options_.idle_power);
    std::vector<record::Attempt> done;
    for (std::size_t i = 0; i < runs_.size(); ++i) {
      // The trace is everybody's, and every directory is whole by itself.
      std::error_code error;
      if (i > 0) fs::copy_file(runs_.front()->files().trace(), runs_[i]->files().trace(), error);
      auto attempt = runs_[i]->written(std::move(attempts[i].record));
      if (!attempt) return tl::unexpected(attempt.error());
      done.push_back(*std::move(attempt));
    }
    return done;
  }

  void gather() {
    std::move(later_.begin(), later_.end(), std::back_inserter(runs_));
    later_.clear();
  }

  std::vector<record::Attempt> all_lost(const std::string& reason) {
    gather();
    std::vector<record::Attempt> lost;
    for (const auto& run : runs_) lost.push_back(run->lost("a run beside it, or itself: " + reason));
    return lost;
  }

  tl::unexpected<Error> abandon(const Error& error) const {
    for (const auto& run : runs_) run->forget();
    return tl::unexpected(error);
  }

  std::span<const GroupMember> members_;
  const DirectoryOf& directory_;
  const RunnerOptions& options_;
  RunnerOptions quiet_;
  Clock& clock_;
  const std::stop_token& stop_;
  std::vector<std::string> places_;
  std::vector<std::unique_ptr<Run>> runs_;  // of the members, in their order
  std::optional<Meter> meter_;
  std::stop_source scored_ended_;
  std::mutex mutex_;  // guards what follows
  std::vector<std::unique_ptr<Run>> later_;
  Result<void> trouble_;
};

}  // namespace

Result<std::vector<record::Attempt>> run_group(std::span<const GroupMember> members, const DirectoryOf& directory,
                                               const RunnerOptions& options, Clock& clock,
                                               const std::stop_token& stop) {
  if (members.empty()) return std::vector<record::Attempt>{};
  return Group(members, directory, options, clock, stop).run();
}

}  // namespace wattle::run
