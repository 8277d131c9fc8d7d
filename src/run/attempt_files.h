// The attempt directory: where its files are, and what request.json and guard.json hold.
#pragma once

#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "base/units.h"
#include "record/record.h"
#include "run/descriptor.h"
#include "run/power_cap.h"
#include "run/process.h"
#include "study/plan.h"

namespace wattle::run {

struct AttemptFiles {
  std::filesystem::path root;  // absolute

  [[nodiscard]] std::filesystem::path request() const { return root / "request.json"; }
  [[nodiscard]] std::filesystem::path events() const { return root / "events.jsonl"; }
  [[nodiscard]] std::filesystem::path trace() const { return root / "trace.zst"; }
  [[nodiscard]] std::filesystem::path telemetry() const { return root / "telemetry.jsonl"; }
  [[nodiscard]] std::filesystem::path output() const { return root / "stdout"; }
  [[nodiscard]] std::filesystem::path error() const { return root / "stderr"; }
  [[nodiscard]] std::filesystem::path lines() const { return root / "lines.jsonl"; }
  [[nodiscard]] std::filesystem::path guard() const { return root / "guard.json"; }
  [[nodiscard]] std::filesystem::path result() const { return root / "result.json"; }
  [[nodiscard]] std::filesystem::path power_cap() const { return root / "power_cap.json"; }
  [[nodiscard]] std::filesystem::path run_dir() const { return root / "files"; }
};

// request.json: written and synced before anything is started, never changed.
struct Preamble {
  study::RunRequest request;
  int attempt = 1;
  Nanoseconds started_wall;
  Nanoseconds boot_offset;  // CLOCK_BOOTTIME − CLOCK_MONOTONIC, when it was written
  std::string boot;         // boot id
  std::map<std::string, std::string> fingerprint;
  std::map<std::string, std::string> variables;  // for the child, below those of the request
  std::string cpus;                              // that the child gets, as a CPU list; empty: the guard's own
  std::optional<PowerCapOrder> power_cap;
  std::vector<std::string> flags;  // of the record, known before it began
  bool held = false;               // the guard awaits a word before it starts the child: all of a group begin at once
};
[[nodiscard]] Result<Preamble> read_preamble(const AttemptFiles& files);

// Why the guard ended a tree that would have gone on.
enum class Cause { none, time_limit, silence, events, stop, orphaned, partner_ended };
[[nodiscard]] std::string_view to_string(Cause cause);
[[nodiscard]] std::optional<Cause> cause(std::string_view name);

// guard.json: written by the guard before it starts the child, and once more at its end.
struct GuardReport {
  ProcessId guard;
  std::string boot;
  bool complete = false;      // the guard saw the end of the tree
  std::string start_error;    // why the child could not be started, or empty
  bool infeasible = false;    // that is because this machine cannot give what the environment asks for
  Nanoseconds child_started;  // CLOCK_MONOTONIC
  std::optional<Nanoseconds> child_ended;
  std::optional<int> exit_code;
  std::optional<int> signal;
  Cause cause = Cause::none;
  record::Resources resources;
  int strays = 0;     // processes that the main process left behind, ended by the guard
  int survivors = 0;  // processes that could not be ended
};
// Replaced in one step, not synced: a power cut ends the processes too.
[[nodiscard]] Result<void> write_report(const AttemptFiles& files, const GuardReport& report);
[[nodiscard]] Result<GuardReport> read_report(const AttemptFiles& files);

// result.json, replaced in one step. `synced`: it survives a power cut from now on; otherwise one may cost it, and the
// attempt is then recovered as interrupted.
[[nodiscard]] Result<void> write_result(const AttemptFiles& files, std::string_view text, bool synced);

// Creates the directory with request.json and everything that must stand before the child starts. The descriptor holds
// the attempt's lock: while it is open the attempt is being run, and nobody recovers it. Fails with kind environment;
// what was created of the directory is removed again.
struct Created {
  AttemptFiles files;
  Descriptor lock;
};
// `durable`: on the disk, through a power cut.
[[nodiscard]] Result<Created> create_attempt(const std::filesystem::path& directory, const Preamble& preamble,
                                             bool durable = true);
// The lock of an attempt that nobody runs; fails where somebody does.
[[nodiscard]] Result<Descriptor> lock_attempt(const AttemptFiles& files);

// The text with {run_dir} filled in.
[[nodiscard]] std::string with_run_dir(std::string text, const AttemptFiles& files);

}  // namespace wattle::run
