#include "run/recovery.h"

#include <signal.h>

#include <nlohmann/json.hpp>

#include "base/clock.h"
#include "base/text.h"
#include "run/assemble.h"
#include "run/event_file.h"
#include "run/power_cap.h"
#include "run/runner.h"
#include "run/stream.h"

namespace wattle::run {
namespace {

// Longer than the guard gives to processes that do not want to end.
constexpr int kGuardPatienceMs = 15'000;
constexpr int kKillPatienceMs = 1'000;
constexpr int kMostSweeps = 100;
constexpr std::size_t kKeptOutput = 256U << 10U;
constexpr std::size_t kKeptEvents = 64U << 20U;

ClockReference clock_of(const Preamble& preamble) {
  ClockReference reference{preamble.boot, preamble.boot_offset, preamble.boot_offset};
  const SystemClock clock;
  if (preamble.boot == boot_id()) reference.offset_after = clock.boot() - clock.monotonic();
  return reference;
}

// One frame after the other as the sampler flushed them; a torn end loses the last.
energy::Trace flushed_trace(const AttemptFiles& files, std::vector<std::string>& flags) {
  const auto bytes = read_text(files.trace());
  if (!bytes) return {};
  auto decoded = energy::decode_trace(*bytes);
  if (!decoded) {
    flags.emplace_back("trace damaged");
    return {};
  }
  if (decoded->damaged) flags.emplace_back("trace damaged");
  return std::move(decoded->trace);
}

// The guard's report of what it saw. Where it is damaged, its child had begun by the first sample: what the machine
// used from then on is not lost.
GuardReport seen_by_guard(const AttemptFiles& files, const energy::Trace& trace) {
  if (auto report = read_report(files)) return *std::move(report);
  GuardReport report;
  std::error_code error;
  if (!std::filesystem::exists(files.guard(), error)) return report;
  for (const energy::Series& series : trace.series) {
    if (series.samples.empty()) continue;
    const Nanoseconds first = series.samples.front().time;
    if (report.child_started.value == 0 || first < report.child_started) report.child_started = first;
  }
  return report;
}

Result<record::Attempt> recover(const AttemptFiles& files) {
  const auto lock = lock_attempt(files);
  if (!lock) return tl::unexpected(lock.error());
  Evidence evidence;
  auto preamble = read_preamble(files);
  if (!preamble) return tl::unexpected(preamble.error());
  evidence.preamble = *std::move(preamble);
  end_leftovers(files, evidence.preamble.boot, read_report(files).value_or(GuardReport{}));
  evidence.trace = flushed_trace(files, evidence.flags);
  evidence.guard = seen_by_guard(files, evidence.trace);
  if (const auto lines = read_text(files.telemetry())) {
    if (auto table = energy::decode_telemetry(*lines)) evidence.telemetry = *std::move(table);
  }
  EventFile events(files.events(), kKeptEvents);
  events.take();
  evidence.events = events.reader();
  evidence.clock = clock_of(evidence.preamble);
  evidence.lines = read_output_lines(files.lines());
  record::Record record = assemble(evidence);
  record.end = record::EndState::interrupted;
  record.reason = "the process that watched the run was killed";
  return with_raw_material(std::move(record), files);
}

}  // namespace

void end_leftovers(const AttemptFiles& files, const std::string& boot, const GuardReport& report) {
  if (boot != boot_id()) return;
  if (report.guard.pid > 0 && !wait_until_gone(report.guard, kGuardPatienceMs)) {
    signal_process(report.guard, SIGKILL);
    (void)wait_until_gone(report.guard, kKillPatienceMs);
  }
  const std::string mark = "WATTLE_EVENTS=" + files.events().string();
  for (int sweep = 0; sweep < kMostSweeps; ++sweep) {
    const auto left = with_environment(mark);
    if (left.empty()) break;
    for (const ProcessId& process : left) signal_process(process, SIGKILL);
    for (const ProcessId& process : left) (void)wait_until_gone(process, kKillPatienceMs);
  }
  (void)restore_power_cap(files.power_cap());
}

record::Attempt with_raw_material(record::Record record, const AttemptFiles& files) {
  record::Attempt attempt;
  attempt.record = std::move(record);
  attempt.trace = read_text(files.trace()).value_or(std::string());
  attempt.telemetry = read_text(files.telemetry()).value_or(std::string());
  attempt.events = shortened_text(files.events(), kKeptEvents);
  attempt.output = shortened_text(files.output(), kKeptOutput);
  attempt.error = shortened_text(files.error(), kKeptOutput);
  return attempt;
}

Result<record::Attempt> load_attempt(const std::filesystem::path& directory) {
  std::error_code error;
  const AttemptFiles files{std::filesystem::absolute(directory, error)};
  const auto text = read_text(files.result());
  if (text) {
    auto record = record::record_from_json(nlohmann::json::parse(*text, nullptr, false));
    if (record) return with_raw_material(*std::move(record), files);
  }
  return recover(files);
}

}  // namespace wattle::run
