// One run from its attempt directory to its record, in steps: those who train side by side take each step together.
#pragma once

#include <atomic>
#include <memory>
#include <optional>
#include <stop_token>
#include <string>
#include <string_view>

#include "energy/sampler.h"
#include "energy/telemetry.h"
#include "run/assemble.h"
#include "run/attempt_files.h"
#include "run/child_output.h"
#include "run/event_file.h"
#include "run/guard_process.h"
#include "run/metric_file.h"
#include "run/runner.h"

namespace wattle::run {

// The trace, or the telemetry, on disk while it grows; written on the thread that reads it.
class GrowingFile {
 public:
  explicit GrowingFile(const std::filesystem::path& path);
  void append(std::string_view chunk);
  [[nodiscard]] Result<void> check() const;

 private:
  std::filesystem::path path_;
  Descriptor file_;
  std::atomic<int> error_{0};
};

// The machine's energy while somebody runs: one for a run, or one for all that run side by side.
class Meter {
 public:
  Meter(const study::RunRequest& request, const std::filesystem::path& trace, const RunnerOptions& options,
        Clock& clock);

  void start() { sampler_.start(); }
  // The whole trace, from the file: memory forgets what has been written. Fails with kind failed where somebody
  // removed or overwrote the file.
  [[nodiscard]] Result<energy::Trace> stop();
  [[nodiscard]] const energy::Sampler& sampler() const { return sampler_; }

 private:
  std::filesystem::path path_;
  GrowingFile file_;
  energy::Sampler sampler_;
};

// What of a run's environment only its runner decides.
struct Place {
  std::string cpus;   // that it gets, as a list; empty: those of its request
  bool held = false;  // begin() starts only the guard; go() lets the program begin
};

// begin, (go,) watch, end in this order, then assembled and written. Between begin and end the meter must be running.
class Run {
 public:
  // Fails (environment) where the attempt directory cannot be made.
  [[nodiscard]] static Result<std::unique_ptr<Run>> create(const study::RunRequest& request, int attempt,
                                                           const std::filesystem::path& directory, const Place& place,
                                                           const RunnerOptions& options, Clock& clock);
  Run(Created created, Preamble preamble, const RunnerOptions& options, Clock& clock);

  [[nodiscard]] Result<void> begin();
  void go() const;
  // Returns when no process of the run is left. `stop`: somebody wants it to end; `partner_ended`: whom it accompanied
  // has.
  void watch(const Meter& meter, const std::stop_token& stop, const std::stop_token& partner_ended = {});
  [[nodiscard]] Result<void> end();
  // From the guard's report, output, events and metric file, and this trace.
  [[nodiscard]] Result<record::Record> assembled(energy::Trace trace);
  // Writes result.json. The attempt, with its raw material.
  [[nodiscard]] Result<record::Attempt> written(record::Record record) const;
  // The attempt of a run whose program destroyed what was written of it, as far as anything is left.
  [[nodiscard]] record::Attempt lost(const std::string& reason);
  // Removes the attempt directory of a run that never began.
  void forget() const;

  [[nodiscard]] const AttemptFiles& files() const { return files_; }
  [[nodiscard]] const energy::TelemetryTable& telemetry() const { return evidence_.telemetry; }

 private:
  [[nodiscard]] std::filesystem::path metric_path(const study::RunRequest& request) const;
  void read_metric_file();
  void judge_event_size();

  Created created_;
  AttemptFiles files_;
  const RunnerOptions& options_;
  Clock& clock_;
  GrowingFile telemetry_lines_;
  EventFile events_;
  MetricFile metric_file_;
  energy::Telemetry telemetry_;
  std::optional<ChildOutput> output_;
  std::optional<GuardProcess> guard_;
  Evidence evidence_;
};

}  // namespace wattle::run
