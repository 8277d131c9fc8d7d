// Doing one run: attempt directory, guard, child, sampler, events, record. Everything a run was and did stands in its
// attempt directory, which is the truth until a store has ingested it:
//
//   request.json   written and synced before the child starts       trace.zst    appended every second
//   telemetry.jsonl  gauges of machine, processes and GPUs, a line a second
//   events.jsonl   written by the child (WATTLE_EVENTS)              stdout, stderr
//   lines.jsonl    arrival times of the output lines that matched    guard.json   what the guard saw: exit, CPU time,
//   strays result.json    the Record, written last                          files/       {run_dir}: the child's own
#pragma once

#include <filesystem>
#include <functional>
#include <map>
#include <optional>
#include <span>
#include <stop_token>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/result.h"
#include "energy/probe.h"
#include "record/record.h"
#include "study/plan.h"

namespace wattle::run {

// What a person watching wants to know, about four times a second and at every epoch.
struct Progress {
  Nanoseconds elapsed;
  std::optional<int> epoch;
  std::optional<double> metric;  // last value of the workload's metric
  std::optional<Watts> power;
  Microjoules energy;
  bool estimated = false;
};

enum class Streams {
  captured,   // stdout and stderr go to files of the attempt directory
  inherited,  // passed through untouched (`wattle measure`); no metrics are read from them
};

class GuardHost;

struct RunnerOptions {
  std::filesystem::path program;  // this wattle's own executable: it is started again as the guard
  GuardHost* guards = nullptr;    // makes guards at less cost, where many runs are to follow; must outlive them
  energy::ProbeOptions probes;
  Streams streams = Streams::captured;
  std::size_t output_limit = 64U << 20U;  // bytes kept of each stream; the rest is counted and dropped
  std::size_t events_limit = 64U << 20U;  // a larger event file makes the run a failure
  // The request is on the disk before the child starts, so that a power cut does not hide that it ran. Not for what
  // nobody will ever continue.
  bool durable = true;
  // Whether a request's power cap may be set. Without, one that asks for it is an Error.
  bool allow_power_cap = false;
  // What the machine draws when nothing runs, by domain, where somebody has listened: idle energy is nobody's share.
  std::map<std::string, Watts> idle_power;
  std::vector<std::string> flags;  // that the record gets: what was known before it began
  Nanoseconds telemetry_interval = seconds(1);
  std::function<void(const Progress&)> on_progress;
};

// Runs the request in `directory`, which is created and must not exist. Returns when no process of the run is left. A
// failed run is a value, not an Error; an Error means that the run could not be attempted or recorded (no space, no
// permission), kind environment. When `stop` is requested the child is ended (SIGTERM, grace, SIGKILL) and the attempt
// comes back as interrupted.
[[nodiscard]] Result<record::Attempt> run_once(const study::RunRequest& request, int attempt,
                                               const std::filesystem::path& directory, const RunnerOptions& options,
                                               Clock& clock, const std::stop_token& stop);

// One of those that train side by side.
struct GroupMember {
  study::RunRequest request;
  int attempt = 1;
};
// Where an attempt is to be made.
using DirectoryOf = std::function<std::filesystem::path(const study::RunRequest& request, int attempt)>;

// Runs them side by side, all begun at once, under one measurement. In the background mode all but the first run again
// and again, each time as a further attempt, for as long as the first lives. Returns when no process is left: the
// attempts in the order of the members, further ones of partners behind them. What the machine used for all of them and
// whose part is whose stands in Record::group; the records' own energy is that part, attributed.
//
// Cores: where the requests ask for it, each gets a slice of what this process may use, or of the CPUs its environment
// names. on_progress tells of the first member.
[[nodiscard]] Result<std::vector<record::Attempt>> run_group(std::span<const GroupMember> members,
                                                             const DirectoryOf& directory, const RunnerOptions& options,
                                                             Clock& clock, const std::stop_token& stop);

// The attempt that a directory holds. One without result.json (the parent was killed) is recovered: its guard's
// processes that still live are ended first (known by pid, start time and boot id), its joules are read from the trace
// chunks that were flushed, and it comes back as interrupted.
[[nodiscard]] Result<record::Attempt> load_attempt(const std::filesystem::path& directory);

// The hidden subcommand `wattle guard DIRECTORY`: runs the child that DIRECTORY/request.json asks for. Returns its exit
// code. For the directory `-` it is a host of guards (run/guard_host.h).
[[nodiscard]] int guard_main(const std::filesystem::path& directory);

}  // namespace wattle::run
