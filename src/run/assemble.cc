#include "run/assemble.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <cstring>

#include "base/text.h"
#include "energy/counter_check.h"
#include "record/until_epoch.h"

namespace wattle::run {
namespace {

using record::EndState;
using record::Record;

struct Verdict {
  EndState end;
  std::string reason;
};

// The run by its main process's begin and end; where nobody saw the end, up to the last sample.
energy::Window run_window(const Evidence& evidence) {
  energy::Window run{energy::WindowKind::run, "run", {}, evidence.guard.child_started, evidence.guard.child_started};
  if (evidence.guard.child_ended) {
    run.end = *evidence.guard.child_ended;
  } else {
    for (const energy::Series& series : evidence.trace.series) {
      if (!series.samples.empty()) run.end = std::max(run.end, series.samples.back().time);
    }
  }
  if (run.begin.value == 0) run.begin = run.end;  // not even the guard had begun
  return run;
}

std::string signal_text(int signal) {
  const char* name = ::sigdescr_np(signal);
  std::string text = name == nullptr ? "unknown" : name;
  if (!text.empty()) text.front() = static_cast<char>(std::tolower(static_cast<unsigned char>(text.front())));
  return fmt::format("killed by signal {} ({})", signal, text);
}

std::string with_detail(const std::string& reason, const std::string& detail) {
  return detail.empty() ? reason : reason + ": " + detail;
}

// An end that was brought about from outside, or a start that never was.
std::optional<Verdict> judge_outside(const Evidence& evidence) {
  const study::Protocol& protocol = evidence.preamble.request.protocol;
  switch (evidence.guard.cause) {
    case Cause::stop:
      return Verdict{EndState::interrupted, "stopped on request"};
    case Cause::orphaned:
      return Verdict{EndState::interrupted, "the process that watched the run was killed"};
    case Cause::time_limit:
      return Verdict{EndState::failed, "time limit of " + human(to_seconds(protocol.time_limit))};
    case Cause::silence:
      return Verdict{EndState::failed, "silent for " + human(to_seconds(protocol.silence_limit))};
    case Cause::events:
      return Verdict{EndState::failed, fmt::format("its event file grew beyond {} MiB", evidence.events_limit >> 20U)};
    case Cause::partner_ended:
      return Verdict{EndState::censored, "ended with the run that it accompanied"};
    case Cause::none:
      break;
  }
  if (!evidence.guard.start_error.empty()) {
    return Verdict{evidence.guard.infeasible ? EndState::infeasible : EndState::failed, evidence.guard.start_error};
  }
  if (!evidence.guard.complete)
    return Verdict{EndState::failed, "the guard of the run was killed, and the run with it"};
  return std::nullopt;
}

std::optional<Verdict> judge_divergence(const Evidence& evidence, const Events& events, const Record& record) {
  if (!events.divergence.empty()) return Verdict{EndState::diverged, events.divergence};
  if (events.done == "diverged") return Verdict{EndState::diverged, with_detail("diverged", events.done_reason)};
  static constexpr int kDivergedExit = 4;  // of wattle-train, docs/trainer_protocol.md
  if (events.program == "wattle-train" && evidence.guard.exit_code == kDivergedExit) {
    return Verdict{EndState::diverged, with_detail("diverged", evidence.last_error_line)};
  }
  const auto performance = record::performance(record);
  if (!performance || std::isfinite(performance->value)) return std::nullopt;
  return Verdict{EndState::diverged,
                 fmt::format("metric `{}` is {}", record.request.metric.name, shortest(performance->value))};
}

// Memory that was not there, as PyTorch, CUDA, Python and C++ say it; and what wattle-train's exit codes mean
// (docs/trainer_protocol.md).
bool lacked_something(const Evidence& evidence, const Events& events) {
  static constexpr int kMachineExit = 3;
  static constexpr int kMemoryExit = 5;
  const int code = evidence.guard.exit_code.value_or(0);
  if (events.program == "wattle-train") return code == kMachineExit || code == kMemoryExit;
  std::string line = evidence.last_error_line;
  std::transform(line.begin(), line.end(), line.begin(), [](unsigned char c) { return std::tolower(c); });
  return code != 0 && (line.find("out of memory") != std::string::npos || line.starts_with("memoryerror") ||
                       line.find("can't allocate memory") != std::string::npos);
}

std::string why_metric_missing(const Evidence& evidence, const Events& events) {
  if (!evidence.file_error.empty()) return evidence.file_error;
  const std::string reason = fmt::format("metric `{}` never came", printable(evidence.preamble.request.metric.name));
  switch (evidence.preamble.request.metric.source) {
    case study::MetricSource::output:
      return reason + " (no line of the output matched)";
    case study::MetricSource::events:
      if (events.hello) return reason;
      return reason + (events.foreign_lines > 0 ? " (its events lack a first `hello`)" : " (it wrote no events)");
    case study::MetricSource::csv_file:
    case study::MetricSource::json_lines:
      break;
  }
  return reason + " (no row of the metric file has it)";
}

Verdict judge(const Evidence& evidence, const Events& events, const Record& record) {
  if (auto verdict = judge_outside(evidence)) return *verdict;
  if (auto verdict = judge_divergence(evidence, events, record)) return *verdict;
  const GuardReport& guard = evidence.guard;
  if (guard.signal) return {EndState::failed, with_detail(signal_text(*guard.signal), evidence.last_error_line)};
  if (guard.exit_code.value_or(0) != 0) {
    return {lacked_something(evidence, events) ? EndState::infeasible : EndState::failed,
            with_detail(fmt::format("exit code {}", *guard.exit_code), evidence.last_error_line)};
  }
  if (events.done == "failed") {
    return {EndState::failed, with_detail("the program reported that it failed", events.done_reason)};
  }
  if (!record.request.metric.name.empty() && !record::performance(record)) {
    return {EndState::failed, why_metric_missing(evidence, events)};
  }
  return {EndState::completed, {}};
}

bool oversubscribed(const Preamble& preamble) {
  const auto cores = preamble.fingerprint.find("cores_allowed");
  const auto count = cores == preamble.fingerprint.end() ? std::nullopt : parse_integer(cores->second);
  return count && preamble.request.configuration.environment.threads > *count;
}

// Others used more of the machine's CPU time than the protocol stands. Beside partners nobody can tell them from
// others.
bool foreign_load(const Evidence& evidence) {
  const study::RunRequest& request = evidence.preamble.request;
  if (!request.group.empty()) return false;
  const auto measures = energy::measures_in(evidence.telemetry, run_window(evidence));
  return std::any_of(measures.begin(), measures.end(), [&](const energy::Measure& one) {
    return one.name == "others_cpu_utilisation" && one.mean > request.protocol.foreign_load;
  });
}

std::vector<std::string> flags_of(const Evidence& evidence, const Events& events) {
  static constexpr Nanoseconds kSuspend = milliseconds(100);
  static constexpr double kMostDropped = 0.01;
  std::vector<std::string> flags = evidence.preamble.flags;
  flags.insert(flags.end(), evidence.flags.begin(), evidence.flags.end());
  const auto flag = [&](bool raised, const char* name) {
    if (raised) flags.emplace_back(name);
  };
  const energy::Trace& trace = evidence.trace;
  flag(oversubscribed(evidence.preamble), "oversubscribed");
  flag(foreign_load(evidence), record::kForeignLoad);
  flag(evidence.guard.strays > 0, "strays");
  flag(evidence.guard.survivors > 0, "survivors");
  flag(events.bad_lines > 0, "bad event lines");
  flag(events.missing_lines > 0, "missing event lines");
  flag(events.shortened, "events shortened");
  flag(evidence.clock.offset_after - evidence.clock.offset_before > kSuspend, "suspended");
  const auto checks = energy::check_counters(trace.series, run_window(evidence));
  flag(std::any_of(checks.begin(), checks.end(), [](const auto& check) { return check.suspicious; }),
       "counter and power differ");
  flag(static_cast<double>(trace.dropped) > kMostDropped * static_cast<double>(trace.reads), "late samples");
  return flags;
}

void add_cuts(const std::vector<Cut>& cuts, std::vector<energy::Window>& windows, std::vector<std::string>& reasons) {
  for (const Cut& cut : cuts) {
    windows.push_back(cut.window);
    reasons.push_back(cut.void_reason);
  }
}

// From the run's begin to the end of each epoch that told a validation metric.
void add_until_epochs(const Record& record, const energy::Window& run, std::vector<energy::Window>& windows,
                      std::vector<std::string>& reasons) {
  const std::size_t known = windows.size();
  for (std::size_t i = 1; i < known; ++i) {
    const energy::Window epoch = windows[i];
    if (epoch.kind != energy::WindowKind::epoch || !epoch.epoch) continue;
    const bool validated = std::any_of(record.metrics.begin(), record.metrics.end(), [&](const auto& point) {
      return point.epoch == epoch.epoch && point.split == record::Split::validation;
    });
    if (!validated) continue;
    windows.push_back({energy::WindowKind::phase, record::kUntilEpoch, epoch.epoch, run.begin, epoch.end});
    reasons.push_back(reasons[i]);
  }
}

// A void window's energies are absent, with its reason: nothing downstream can use them by oversight.
void void_energies(record::MeasuredWindow& window, const std::string& reason) {
  window.void_reason = reason;
  for (energy::WindowEnergy& one : window.energies) one = {{}, reason, 0.0, 0.0};
}

void measure(const Evidence& evidence, const Events& events, Record& record) {
  const energy::Window run = run_window(evidence);
  std::vector<energy::Window> windows{run};
  std::vector<std::string> reasons{{}};
  const bool told_epochs = std::any_of(events.windows.begin(), events.windows.end(),
                                       [](const Cut& cut) { return cut.window.kind == energy::WindowKind::epoch; });
  add_cuts(events.windows, windows, reasons);
  if (!told_epochs) add_cuts(epochs_from(evidence.lines, run), windows, reasons);
  add_until_epochs(record, run, windows, reasons);
  record::Metered metered = record::meter(evidence.trace, windows);
  for (std::size_t i = 1; i < metered.windows.size(); ++i) {
    if (!reasons[i].empty()) void_energies(metered.windows[i], reasons[i]);
  }
  std::stable_sort(metered.windows.begin() + 1, metered.windows.end(),
                   [](const auto& a, const auto& b) { return a.window.begin < b.window.begin; });
  record.domains = std::move(metered.domains);
  record.windows = std::move(metered.windows);
  record.measured = std::move(metered.measured);
  record.estimated = std::move(metered.estimated);
  record.missing_domains = std::move(metered.missing_domains);
  record.simulated = metered.simulated;
}

}  // namespace

Record assemble(const Evidence& evidence) {
  Record record;
  record.request = evidence.preamble.request;
  record.attempt = evidence.preamble.attempt;
  record.started_wall = evidence.preamble.started_wall;
  record.fingerprint = evidence.preamble.fingerprint;
  record.exit_code = evidence.guard.exit_code;
  record.signal = evidence.guard.signal;
  record.resources = evidence.guard.resources;
  if (evidence.guard.child_ended) record.duration = *evidence.guard.child_ended - evidence.guard.child_started;
  const Events events = evidence.events.finish(run_window(evidence), evidence.clock);
  record.metrics = events.metrics;
  const std::string& name = record.request.metric.name;
  const auto add = [&](const std::vector<record::MetricPoint>& points) {
    record.metrics.insert(record.metrics.end(), points.begin(), points.end());
  };
  if (record.request.metric.source == study::MetricSource::output) add(metrics_from(evidence.lines, name));
  add(evidence.file_metrics);
  measure(evidence, events, record);
  record.measures = energy::measures_in(evidence.telemetry, run_window(evidence));
  record.flags = flags_of(evidence, events);
  const Verdict verdict = judge(evidence, events, record);
  record.end = verdict.end;
  record.reason = verdict.reason;
  return record;
}

}  // namespace wattle::run
