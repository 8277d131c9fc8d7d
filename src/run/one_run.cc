#include "run/one_run.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <nlohmann/json.hpp>

#include "base/text.h"
#include "run/recovery.h"
#include "run/watch.h"

namespace wattle::run {
namespace {

namespace fs = std::filesystem;

constexpr Nanoseconds kWorthSyncing = seconds(1);

// What makes an ordinary program write its lines when it prints them, and plain ones.
std::map<std::string, std::string> output_variables(const study::RunRequest& request) {
  if (request.use_terminal) return {{"TERM", "dumb"}, {"NO_COLOR", "1"}};
  if (request.metric.source == study::MetricSource::output) return {{"PYTHONUNBUFFERED", "1"}};
  return {};
}

// What the program inherits and nobody asked for, yet makes it faster or slower: "env LD_PRELOAD" and its like. None of
// these names holds a secret.
void add_inherited(const study::RunRequest& request, std::map<std::string, std::string>& fingerprint) {
  static constexpr std::array<std::string_view, 14> kBeginnings{
      "OMP_",       "GOMP_",          "KMP_",  "MKL_",    "OPENBLAS_",           "MALLOC_", "TCMALLOC_",
      "LD_PRELOAD", "GLIBC_TUNABLES", "DNNL_", "ONEDNN_", "ATEN_CPU_CAPABILITY", "CUDA_",   "PYTORCH_"};
  static constexpr std::size_t kLongest = 200;
  for (char** variable = ::environ; variable != nullptr && *variable != nullptr; ++variable) {
    const std::string_view text(*variable);
    const auto equals = text.find('=');
    if (equals == std::string_view::npos) continue;
    const std::string name(text.substr(0, equals));
    const bool matters = std::any_of(kBeginnings.begin(), kBeginnings.end(),
                                     [&](std::string_view beginning) { return name.starts_with(beginning); });
    if (!matters || request.variables.contains(name)) continue;
    fingerprint["env " + name] = printable(text.substr(equals + 1, kLongest));
  }
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

bool has_metric_file(const study::RunRequest& request) {
  return request.metric.source == study::MetricSource::csv_file ||
         request.metric.source == study::MetricSource::json_lines;
}

}  // namespace

GrowingFile::GrowingFile(const fs::path& path)
    : path_(path), file_(::open(path.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644)) {
  if (!file_.valid()) error_ = errno;
}

void GrowingFile::append(std::string_view chunk) {
  if (error_ == 0 && !write_all(file_.get(), chunk)) error_ = errno;
}

Result<void> GrowingFile::check() const {
  if (error_ == 0) return {};
  return fail(ErrorKind::environment, fmt::format("cannot write {}: {}", path_.string(), std::strerror(error_)));
}

Meter::Meter(const study::RunRequest& request, const fs::path& trace, const RunnerOptions& options, Clock& clock)
    : path_(trace),
      file_(trace),
      sampler_(clock, energy::find_probes(probes_for(request, options.probes)),
               {.interval = request.protocol.sample_interval,
                .flush_every = seconds(1),
                .on_chunk = [this](std::string_view chunk) { file_.append(chunk); },
                .forget_flushed = true}) {}

Result<energy::Trace> Meter::stop() {
  (void)sampler_.stop();
  if (auto written = file_.check(); !written) return tl::unexpected(written.error());
  const auto bytes = read_text(path_);
  if (!bytes) return fail(ErrorKind::failed, "its attempt directory was removed: " + bytes.error().message);
  auto decoded = energy::decode_trace(*bytes);
  if (!decoded) return fail(ErrorKind::failed, "its attempt's trace was overwritten: " + decoded.error().message);
  return std::move(decoded->trace);
}

Result<std::unique_ptr<Run>> Run::create(const study::RunRequest& request, int attempt, const fs::path& directory,
                                         const Place& place, const RunnerOptions& options, Clock& clock) {
  // The guard reads the request back: one that JSON cannot carry is refused here, with the reason.
  if (auto carried = study::request_from_json(study::to_json(request)); !carried) {
    return tl::unexpected(carried.error());
  }
  const study::Environment& environment = request.configuration.environment;
  if (environment.power_cap && !options.allow_power_cap) {
    return fail(ErrorKind::environment, "the run asks for a power cap, and none is allowed",
                "allow it with --allow-power-cap");
  }
  Preamble preamble{request,      attempt,
                    clock.wall(), clock.boot() - clock.monotonic(),
                    boot_id(),    record::machine_fingerprint(options.probes.sysroot),
                    {},           place.cpus.empty() ? environment.cpus : place.cpus,
                    {},           options.flags,
                    place.held};
  add_inherited(request, preamble.fingerprint);
  if (environment.power_cap) preamble.power_cap = {*environment.power_cap, options.probes.sysroot};
  if (options.streams == Streams::captured) preamble.variables = output_variables(request);
  auto created = create_attempt(directory, preamble, options.durable);
  if (!created) return tl::unexpected(created.error());
  auto run = std::make_unique<Run>(*std::move(created), std::move(preamble), options, clock);
  if (options.streams == Streams::inherited) return run;
  auto opened = ChildOutput::open(run->files_, request, options.output_limit);
  if (!opened) {
    run->forget();
    return tl::unexpected(opened.error());
  }
  run->output_.emplace(*std::move(opened));
  return run;
}

Run::Run(Created created, Preamble preamble, const RunnerOptions& options, Clock& clock)
    : created_(std::move(created)),
      files_(created_.files),
      options_(options),
      clock_(clock),
      telemetry_lines_(files_.telemetry()),
      events_(files_.events(), options.events_limit),
      metric_file_(metric_path(preamble.request)),
      telemetry_(clock, energy::gauge_sources(probes_for(preamble.request, options.probes)),
                 {options.telemetry_interval, [this](std::string_view line) { telemetry_lines_.append(line); }}) {
  evidence_.preamble = std::move(preamble);
  evidence_.events_limit = options.events_limit;
}

Result<void> Run::begin() {
  const Descriptor nothing(::open("/dev/null", O_RDONLY | O_CLOEXEC));
  telemetry_.start();
  const std::array<int, 3> streams =
      output_ ? std::array{nothing.get(), output_->child_output(), output_->child_error()} : std::array{0, 1, 2};
  auto guard = GuardProcess::start(options_.program, options_.guards, files_, streams);
  if (!guard) return tl::unexpected(guard.error());
  guard_.emplace(*std::move(guard));
  telemetry_.watch(guard_->pid());
  if (output_) output_->close_child_ends();
  return {};
}

void Run::go() const {
  if (guard_) guard_->go();
}

void Run::watch(const Meter& meter, const std::stop_token& stop, const std::stop_token& partner_ended) {
  if (!guard_) return;
  run::watch({evidence_.preamble.request, *guard_, output_ ? &*output_ : nullptr, events_, meter.sampler()}, options_,
             clock_, stop, partner_ended);
  guard_->wait();
}

Result<void> Run::end() {
  evidence_.telemetry = telemetry_.stop();
  return telemetry_lines_.check();
}

Result<record::Record> Run::assembled(energy::Trace trace) {
  evidence_.trace = std::move(trace);
  if (output_) {
    if (auto done = output_->finish(clock_); !done) return tl::unexpected(done.error());
    evidence_.lines.assign(output_->lines().begin(), output_->lines().end());
    if (output_->shortened()) evidence_.flags.emplace_back("output shortened");
    evidence_.last_error_line = last_line(shortened_text(files_.error(), StreamFile::kTail));
  }
  auto report = read_report(files_);
  if (!report) {
    std::error_code error;
    if (fs::exists(files_.request(), error)) {
      return fail(ErrorKind::environment, "the guard did not start: " + report.error().message);
    }
    return fail(ErrorKind::failed, "its attempt directory was removed: " + report.error().message);
  }
  evidence_.guard = *std::move(report);
  if (!evidence_.guard.complete) end_leftovers(files_, evidence_.preamble.boot, evidence_.guard);
  events_.take();
  judge_event_size();
  evidence_.events = events_.reader();
  const Preamble& preamble = evidence_.preamble;
  evidence_.clock = {preamble.boot, preamble.boot_offset, clock_.boot() - clock_.monotonic()};
  read_metric_file();
  return assemble(evidence_);
}

Result<record::Attempt> Run::written(record::Record record) const {
  const std::string text = record::to_json(record).dump(1, ' ', false, nlohmann::json::error_handler_t::replace);
  // A run that was quick is quickly repeated; waiting for the disk would take longer than it did.
  const bool synced = options_.durable && record.duration.value_or(kWorthSyncing) >= kWorthSyncing;
  if (auto done = write_result(files_, text, synced); !done) return tl::unexpected(done.error());
  return with_raw_material(std::move(record), files_);
}

record::Attempt Run::lost(const std::string& reason) {
  evidence_.guard = read_report(files_).value_or(GuardReport{});
  evidence_.flags.emplace_back("trace damaged");
  record::Record record = assemble(evidence_);
  record.end = record::EndState::failed;
  record.reason = reason;
  auto attempt = with_raw_material(std::move(record), files_);
  attempt.trace.clear();
  return attempt;
}

void Run::forget() const {
  // Where nothing has been started there was no attempt.
  std::error_code error;
  if (!fs::exists(files_.guard(), error)) fs::remove_all(files_.root, error);
}

fs::path Run::metric_path(const study::RunRequest& request) const {
  if (!has_metric_file(request)) return {};
  return fs::path(request.working_directory) / with_run_dir(request.metric.file, files_);
}

void Run::read_metric_file() {
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
void Run::judge_event_size() {
  if (events_.too_large() && evidence_.guard.cause == Cause::none) evidence_.guard.cause = Cause::events;
}

}  // namespace wattle::run
