#include "run/runner.h"

#include <fmt/format.h>

#include <atomic>
#include <cstring>
#include <nlohmann/json.hpp>

#include "base/text.h"
#include "energy/sampler.h"
#include "energy/telemetry.h"
#include "run/assemble.h"
#include "run/attempt_files.h"
#include "run/child_output.h"
#include "run/event_file.h"
#include "run/guard_process.h"
#include "run/metric_file.h"
#include "run/recovery.h"
#include "run/watch.h"

namespace wattle::run {
namespace {

namespace fs = std::filesystem;

constexpr Nanoseconds kWorthSyncing = seconds(1);

// The trace, or the telemetry, on disk while it grows; written on the thread that reads it.
class GrowingFile {
 public:
  explicit GrowingFile(const fs::path& path)
      : path_(path), file_(::open(path.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644)) {
    if (!file_.valid()) error_ = errno;
  }
  void append(std::string_view chunk) {
    if (error_ == 0 && !write_all(file_.get(), chunk)) error_ = errno;
  }
  [[nodiscard]] Result<void> check() const {
    if (error_ == 0) return {};
    return fail(ErrorKind::environment, fmt::format("cannot write {}: {}", path_.string(), std::strerror(error_)));
  }

 private:
  fs::path path_;
  Descriptor file_;
  std::atomic<int> error_{0};
};

// What makes an ordinary program write its lines when it prints them, and plain ones.
std::map<std::string, std::string> output_variables(const study::RunRequest& request) {
  if (request.use_terminal) return {{"TERM", "dumb"}, {"NO_COLOR", "1"}};
  if (request.metric.source == study::MetricSource::output) return {{"PYTHONUNBUFFERED", "1"}};
  return {};
}

// The program's GPUs are those that its own environment shows it.
energy::ProbeOptions probes_for(const study::RunRequest& request, energy::ProbeOptions probes) {
  const auto own = [&](const char* name, std::optional<std::string>& value) {
    const auto set = request.variables.find(name);
    if (set != request.variables.end()) value = set->second;
  };
  own("CUDA_VISIBLE_DEVICES", probes.visible_gpus);
  own("CUDA_DEVICE_ORDER", probes.gpu_order);
  return probes;
}

class Run {
 public:
  Run(Created created, Preamble preamble, const RunnerOptions& options, Clock& clock, std::stop_token stop)
      : created_(std::move(created)),
        files_(created_.files),
        options_(options),
        clock_(clock),
        stop_(std::move(stop)),
        trace_(files_.trace()),
        telemetry_lines_(files_.telemetry()),
        events_(files_.events(), options.events_limit),
        metric_file_(metric_path(preamble.request)),
        sampler_(clock, energy::find_probes(probes_for(preamble.request, options.probes)),
                 {.interval = preamble.request.protocol.sample_interval,
                  .flush_every = seconds(1),
                  .on_chunk = [this](std::string_view chunk) { trace_.append(chunk); },
                  .forget_flushed = true}),
        telemetry_(clock, energy::gauge_sources(probes_for(preamble.request, options.probes)),
                   {options.telemetry_interval, [this](std::string_view line) { telemetry_lines_.append(line); }}) {
    evidence_.preamble = std::move(preamble);
    evidence_.events_limit = options.events_limit;
  }

  [[nodiscard]] Result<void> open_streams() {
    if (options_.streams == Streams::inherited) return {};
    auto opened = ChildOutput::open(files_, evidence_.preamble.request, options_.output_limit);
    if (!opened) return tl::unexpected(opened.error());
    output_.emplace(*std::move(opened));
    return {};
  }

  // From the first sample to the last: everything between is the run.
  [[nodiscard]] Result<void> measure() {
    const Descriptor nothing(::open("/dev/null", O_RDONLY | O_CLOEXEC));
    telemetry_.start();
    sampler_.start();
    auto guard = output_ ? GuardProcess::start(options_.program, files_, nothing.get(), output_->child_output(),
                                               output_->child_error())
                         : GuardProcess::start(options_.program, files_, 0, 1, 2);
    if (guard) {
      telemetry_.watch(guard->pid());
      if (output_) output_->close_child_ends();
      watch({evidence_.preamble.request, *guard, output_ ? &*output_ : nullptr, events_, sampler_}, options_, clock_,
            stop_);
      guard->wait();
    }
    (void)sampler_.stop();  // the file has it all
    evidence_.telemetry = telemetry_.stop();
    if (!guard) return tl::unexpected(guard.error());
    if (auto written = trace_.check(); !written) return written;
    if (auto written = telemetry_lines_.check(); !written) return written;
    return read_trace();
  }

  [[nodiscard]] Result<record::Attempt> conclude() {
    if (output_) {
      if (auto done = output_->finish(clock_); !done) return tl::unexpected(done.error());
      evidence_.lines.assign(output_->lines().begin(), output_->lines().end());
      if (output_->shortened()) evidence_.flags.emplace_back("output shortened");
      evidence_.last_error_line = last_line(shortened_text(files_.error(), StreamFile::kTail));
    }
    auto report = read_report(files_);
    if (!report) return fail(ErrorKind::environment, "the guard did not start: " + report.error().message);
    evidence_.guard = *std::move(report);
    if (!evidence_.guard.complete) end_leftovers(files_, evidence_.preamble.boot, evidence_.guard);
    events_.take();
    judge_event_size();
    evidence_.events = events_.reader();
    const Preamble& preamble = evidence_.preamble;
    evidence_.clock = {preamble.boot, preamble.boot_offset, clock_.boot() - clock_.monotonic()};
    read_metric_file();
    record::Record record = assemble(evidence_);
    const std::string text = record::to_json(record).dump(1, ' ', false, nlohmann::json::error_handler_t::replace);
    // A run that was quick is quickly repeated; waiting for the disk would take longer than it did.
    const bool synced = options_.durable && record.duration.value_or(kWorthSyncing) >= kWorthSyncing;
    if (auto written = write_result(files_, text, synced); !written) return tl::unexpected(written.error());
    return with_raw_material(std::move(record), files_);
  }

 private:
  [[nodiscard]] Result<void> read_trace() {
    const auto bytes = read_text(files_.trace());
    if (!bytes) return tl::unexpected(bytes.error());
    auto decoded = energy::decode_trace(*bytes);
    if (!decoded) return tl::unexpected(decoded.error());
    evidence_.trace = std::move(decoded->trace);
    return {};
  }

  static bool has_metric_file(const study::RunRequest& request) {
    return request.metric.source == study::MetricSource::csv_file ||
           request.metric.source == study::MetricSource::json_lines;
  }

  [[nodiscard]] fs::path metric_path(const study::RunRequest& request) const {
    if (!has_metric_file(request)) return {};
    return fs::path(request.working_directory) / with_run_dir(request.metric.file, files_);
  }

  void read_metric_file() {
    const study::RunRequest& request = evidence_.preamble.request;
    if (!has_metric_file(request)) return;
    auto points = metric_file_.read(request.metric);
    if (points) {
      evidence_.file_metrics = *std::move(points);
    } else {
      evidence_.file_error = points.error().message;
    }
  }

  // A flood may end before the watch has seen it.
  void judge_event_size() {
    if (events_.too_large() && evidence_.guard.cause == Cause::none) evidence_.guard.cause = Cause::events;
  }

  Created created_;
  AttemptFiles files_;
  const RunnerOptions& options_;
  Clock& clock_;
  std::stop_token stop_;
  GrowingFile trace_;
  GrowingFile telemetry_lines_;
  EventFile events_;
  MetricFile metric_file_;
  energy::Sampler sampler_;
  energy::Telemetry telemetry_;
  std::optional<ChildOutput> output_;
  Evidence evidence_;
};

}  // namespace

Result<record::Attempt> run_once(const study::RunRequest& request, int attempt, const fs::path& directory,
                                 const RunnerOptions& options, Clock& clock, std::stop_token stop) {
  // The guard reads the request back: one that JSON cannot carry is refused here, with the reason.
  if (auto carried = study::request_from_json(study::to_json(request)); !carried) {
    return tl::unexpected(carried.error());
  }
  Preamble preamble{request,
                    attempt,
                    clock.wall(),
                    clock.boot() - clock.monotonic(),
                    boot_id(),
                    record::machine_fingerprint(options.probes.sysroot),
                    {}};
  if (options.streams == Streams::captured) preamble.variables = output_variables(request);
  auto created = create_attempt(directory, preamble, options.durable);
  if (!created) return tl::unexpected(created.error());
  const AttemptFiles files = created->files;
  Run run(*std::move(created), std::move(preamble), options, clock, std::move(stop));
  Result<void> done = run.open_streams();
  if (done) done = run.measure();
  if (done) return run.conclude();
  // Where nothing has been started there was no attempt.
  std::error_code error;
  if (!fs::exists(files.guard(), error)) fs::remove_all(files.root, error);
  return tl::unexpected(done.error());
}

}  // namespace wattle::run
