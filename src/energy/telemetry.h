// What the machine and the run's processes were doing while energy was measured: gauges and rates beside the trace, at
// a rate of their own. They explain joules and are no energy themselves.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <functional>
#include <limits>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <stop_token>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "base/clock.h"
#include "energy/probe.h"
#include "energy/trace.h"

namespace wattle::energy {

// One column. A gauge cannot exist without a unit and a meaning; docs/metrics.md is made from them.
struct Gauge {
  std::string name;     // "cpu_utilisation", "gpu-0_temperature": unique in a table
  std::string unit;     // "1", "Hz", "B", "degC", "W", "B/s"
  std::string meaning;  // one line
};

inline constexpr double kNotTold = std::numeric_limits<double>::quiet_NaN();
// The kernel counts CPU time in ticks of 10 ms: over less than five of them a rate is noise.
inline constexpr Nanoseconds kShortestRate = milliseconds(50);

// One place where gauges are read. Implementations stand one to a file and are listed in gauges.cc only.
class GaugeSource {
 public:
  GaugeSource() = default;
  GaugeSource(const GaugeSource&) = delete;
  GaugeSource& operator=(const GaugeSource&) = delete;
  virtual ~GaugeSource() = default;

  [[nodiscard]] virtual const std::vector<Gauge>& gauges() const = 0;  // fixed for its life
  // Fills `out`, one per gauge, all kNotTold before; what is not told now stays so. `root`: the process whose tree is
  // the run's, 0 before it is known. Rates are over the time since they were last told, and not told over less than
  // kShortestRate. Called by one thread at a time; may take milliseconds.
  virtual void read(Nanoseconds now, pid_t root, std::span<double> out) = 0;
};

struct TelemetryRow {
  Nanoseconds time;  // CLOCK_MONOTONIC
  std::vector<double> values;
};
struct TelemetryTable {
  std::vector<Gauge> gauges;
  std::vector<TelemetryRow> rows;  // in time order
};
// Where a gauge stands in each row; the number of gauges if it is none of the table's.
[[nodiscard]] std::size_t column_of(const TelemetryTable& table, std::string_view gauge);

// A gauge over a window: over the rows inside it (both edges included), each weighted by the time it stands for, which
// is the time since the row before it, as far as that lies in the window. Where that is no time at all, all weigh the
// same. In the order of the table; absent where no row in the window told it.
struct Measure {
  std::string name;
  std::string unit;
  double mean = 0.0;
  double maximum = 0.0;
  std::int64_t readings = 0;
};
[[nodiscard]] std::vector<Measure> measures_in(const TelemetryTable& table, const Window& window);

// As JSON lines, each with its newline:
//   {"gauges":[{"name":"cpu_utilisation","unit":"1","meaning":"..."}]}    first
//   {"t":1000000000,"values":[0.5,null]}                                  a row: t in ns of CLOCK_MONOTONIC
// What is not told (NaN, infinities) is null. Values survive the trip to the last bit. Text without a valid first line
// is bad_input; after it, the first line that is torn, damaged or earlier than the one before ends the reading.
[[nodiscard]] std::string encode_gauges(const std::vector<Gauge>& gauges);
[[nodiscard]] std::string encode_row(const TelemetryRow& row);
[[nodiscard]] Result<TelemetryTable> decode_telemetry(std::string_view text);

struct TelemetryOptions {
  Nanoseconds interval = seconds(1);              // at least 10 ms
  std::function<void(std::string_view)> on_line;  // each encoded line with its newline, on the reading thread
};

// Reads the sources on a thread of its own: at once when started, then once an interval, and once more at the end. The
// schedule is absolute; rounds that were slept through are left out. Rows in memory are bounded: beyond kMostRows every
// second one is thinned out, so a maximum over old rows may be missed (all of them go to on_line). A source that throws
// has told nothing; one that hangs holds up stop(), so one that may is wrapped by patient(). start, sample and stop
// from one thread; `clock` must outlive it.
class Telemetry {
 public:
  Telemetry(Clock& clock, std::vector<std::unique_ptr<GaugeSource>> sources, TelemetryOptions options);
  Telemetry(const Telemetry&) = delete;
  Telemetry& operator=(const Telemetry&) = delete;
  ~Telemetry() = default;

  void start(bool threaded = true);  // not threaded: the first row is read here, the others by sample()
  void watch(pid_t root);            // from any thread
  void sample();                     // by hand, where not threaded
  [[nodiscard]] TelemetryTable stop();
  [[nodiscard]] std::optional<TelemetryRow> latest() const;  // from any thread
  [[nodiscard]] const std::vector<Gauge>& gauges() const { return gauges_; }

  static constexpr std::size_t kMostRows = 200'000;

 private:
  void loop(const std::stop_token& stop);
  void keep(TelemetryRow row);

  Clock& clock_;
  std::vector<std::unique_ptr<GaugeSource>> sources_;
  TelemetryOptions options_;
  std::vector<Gauge> gauges_;
  mutable std::mutex mutex_;  // guards root_ and rows_
  pid_t root_ = 0;
  std::vector<TelemetryRow> rows_;
  std::jthread thread_;  // last: joined before what it uses is gone
};

// A source around one that may hang, which is read on a thread of its own: what it does not answer within `patience` is
// not told, and then it is waited for no more until it has answered. Destroying it waits for nothing.
[[nodiscard]] std::unique_ptr<GaugeSource> patient(std::unique_ptr<GaugeSource> source,
                                                   Nanoseconds patience = milliseconds(500));  // patient_gauges.cc

// All sources of this machine, in the order of their columns: machine, process tree, GPUs.
[[nodiscard]] std::vector<std::unique_ptr<GaugeSource>> gauge_sources(const ProbeOptions& options);
// Every gauge there can be, those of GPUs as "gpu-N_…", whatever this machine has.
[[nodiscard]] std::vector<Gauge> known_gauges();
// One file each:
[[nodiscard]] std::unique_ptr<GaugeSource> machine_gauges(const ProbeOptions& options);  // machine_gauges.cc
[[nodiscard]] std::unique_ptr<GaugeSource> process_gauges(const ProbeOptions& options);  // process_gauges.cc
// What NVML knows of the GPUs and of who uses them. Null where it knows none.
[[nodiscard]] std::unique_ptr<GaugeSource> gpu_gauges(const ProbeOptions& options);  // nvml_gauges.cc
[[nodiscard]] std::vector<Gauge> gpu_gauge_columns(std::string_view gpu);            // of one: "gpu-0"

}  // namespace wattle::energy
