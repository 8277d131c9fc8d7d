// What is known of one attempt at a run: the value that the store keeps and everything downstream reads.
#pragma once

#include <filesystem>
#include <map>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "base/units.h"
#include "energy/telemetry.h"
#include "energy/trace.h"
#include "study/plan.h"

namespace wattle::record {

// How an attempt ended. The first four answer the run's question; `failed`, `diverged` and `infeasible` are results too
// (a mutant that fails has lost); `interrupted` is no result: the run is done again, its joules are the campaign's
// waste.
enum class EndState {
  completed,  // all epochs done, no target was asked for
  reached,    // first epoch whose validation metric reaches the target
  censored,   // a limit or a cap set before the run came first; `reason` says which
  stopped,    // stopped by prediction: informative, never in Kaplan-Meier
  failed,
  diverged,    // the loss is not a number: never reaches, not censored
  infeasible,  // this machine cannot: out of memory, CPUs that are not there, a power cap that may not be set
  interrupted,
};
[[nodiscard]] std::string_view to_string(EndState state);
[[nodiscard]] std::optional<EndState> end_state(std::string_view name);
// A finished run is never repeated by itself.
[[nodiscard]] constexpr bool finished(EndState state) { return state != EndState::interrupted; }
[[nodiscard]] constexpr bool successful(EndState state) {
  return state == EndState::completed || state == EndState::reached || state == EndState::censored;
}

// It has no performance to speak of: where the original did well, it did worse.
[[nodiscard]] constexpr bool lost(EndState state) {
  return finished(state) && !successful(state) && state != EndState::stopped;
}

// The flag of a run during which something else kept the machine busy.
inline constexpr const char* kForeignLoad = "foreign load";

enum class Split { train, validation, test };
[[nodiscard]] std::string_view to_string(Split split);
[[nodiscard]] std::optional<Split> split(std::string_view name);

struct MetricPoint {
  std::string name;
  Split split = Split::validation;
  std::optional<int> epoch;         // 1-based; absent for a metric of the whole run
  double value = 0.0;               // may be NaN or infinite: that is what the trainer said
  std::optional<Nanoseconds> time;  // CLOCK_MONOTONIC; absent where only a file left behind tells
};

// One window with its energy per domain, in the order of Record::domains.
struct MeasuredWindow {
  energy::Window window;
  std::string void_reason;  // not empty: its edges cannot be trusted, no energy is told
  std::vector<energy::WindowEnergy> energies;
};

// The sum over a cover, or why there is none. Measured and estimated never share one.
struct Total {
  std::optional<Microjoules> energy;
  std::string why_absent;
  double coverage = 0.0;
  double uncertainty = 0.0;  // relative half-width of ~95 %
};

struct Resources {  // of the whole process tree that was reaped
  Seconds user_cpu;
  Seconds system_cpu;
  std::int64_t peak_resident_bytes = 0;  // of the largest process
};

// A run beside others (RunRequest::group): what the machine used for all of them, which is measured, and this one's
// part, which is attributed. Over the members, parts and idle, others and unknown add up to the whole to the
// microjoule.
struct GroupShare {
  int members = 0;       // with every repetition of a background partner
  double overlap = 0.0;  // part of this run's time during which every other workload of the group trained too, 0 to 1
  std::string invalid;   // not empty: why nothing can be said of training side by side (a partner died, or idled)
  Total measured;        // of the whole group, from the first begin to the last end
  Total estimated;
  // Of the measured total where there is one, else of the estimated: this run's active energy, what it can really be
  // (energy::Share), and the parts that belong to no member.
  std::optional<Microjoules> own;
  Microjoules least;
  Microjoules most;
  Microjoules idle;
  Microjoules others;
  Microjoules unknown;
};

struct Record {
  study::RunRequest request;
  int attempt = 1;
  EndState end = EndState::interrupted;
  std::string reason;            // for failed, diverged, censored, interrupted: one sentence
  std::optional<int> exit_code;  // of the main process
  std::optional<int> signal;
  Nanoseconds started_wall;             // since 1970 UTC
  std::optional<Nanoseconds> duration;  // start of the child to its end; absent when nobody saw the end
  Resources resources;
  std::vector<MetricPoint> metrics;
  std::vector<energy::Domain> domains;
  std::vector<MeasuredWindow> windows;  // the run first, then phases and epochs in time order
  // The run's own. Beside others nothing of its own is measured: its attributed part stands in `estimated`.
  Total measured;
  Total estimated;
  std::optional<GroupShare> group;
  std::vector<energy::Measure> measures;           // what telemetry told of the run, in the order of its gauges
  std::vector<std::string> missing_domains;        // with the reason
  std::vector<std::string> flags;                  // "oversubscribed", "suspended", "other build": shown, never hidden
  std::map<std::string, std::string> fingerprint;  // machine and build, name -> value
  bool simulated = false;                          // energy came from a replay
};

// The performance of the run: the last test value of the metric, or, where the program reports no test value, the last
// validation value. `split` says which. Absent when the metric never came.
struct Performance {
  double value = 0.0;
  Split split = Split::test;
};
[[nodiscard]] std::optional<Performance> performance(const Record& record);

// Whole-run energy that findings use: measured where anything is, else estimated.
struct RunEnergy {
  Joules energy;
  bool estimated = false;
};
[[nodiscard]] std::optional<RunEnergy> run_energy(const Record& record);

// Windows with their energies and the two totals, from a trace. `windows` begins with the run.
struct Metered {
  std::vector<energy::Domain> domains;
  std::vector<MeasuredWindow> windows;
  Total measured;
  Total estimated;
  std::vector<std::string> missing_domains;
  bool simulated = false;
};
[[nodiscard]] Metered meter(const energy::Trace& trace, const std::vector<energy::Window>& windows);

// An attempt as its directory holds it: the record and the raw material it was made from.
struct Attempt {
  Record record;
  std::string trace;      // encoded, see energy::decode_trace
  std::string telemetry;  // encoded, see energy::decode_telemetry
  std::string events;     // JSON lines, as they came
  std::string output;     // standard output, shortened in the middle where huge
  std::string error;      // standard error, likewise
};

[[nodiscard]] nlohmann::json to_json(const Record& record);
[[nodiscard]] Result<Record> record_from_json(const nlohmann::json& json);

// Name -> value of what this machine and build are: cpu, cores, memory, kernel, hostname, wattle version, compiler.
[[nodiscard]] std::map<std::string, std::string> machine_fingerprint(const std::filesystem::path& sysroot);
// What of it makes it the same machine: host, processor, cores and memory. A new kernel or a hot day is the same
// machine.
[[nodiscard]] std::string machine_identity(const std::map<std::string, std::string>& fingerprint);

}  // namespace wattle::record
