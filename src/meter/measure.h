// Commands under measurement, without a study: what `wattle measure` does.
#pragma once

#include <functional>
#include <optional>
#include <stop_token>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/result.h"
#include "energy/attribution.h"
#include "energy/counter_check.h"
#include "energy/trace.h"
#include "meter/idle.h"
#include "record/record.h"
#include "run/runner.h"

namespace wattle::meter {

struct MeasureOptions {
  run::RunnerOptions runner;
  Nanoseconds interval = milliseconds(100);
  int repetitions = 1;
  int warm_ups = 0;          // runs before them, whose energy is not told
  std::optional<Idle> idle;  // what the machine draws anyway; absent: idle and net are not told
};

// One domain over one run of the command. Idle is the idle power by the run's time, net is gross less idle; both absent
// where no idle power is known of the domain.
struct DomainEnergy {
  energy::Domain domain;
  energy::WindowEnergy gross;
  std::optional<Joules> idle;
  std::optional<Joules> net;
  Joules net_uncertainty;  // half-width of ~95 %, of net: gross's own and that of the idle power
  std::optional<Watts> mean;
  std::optional<Watts> peak;
  // Whose joules they are: the run's (attributed), others', nobody's (idle). Of a processor's domain by CPU time, of a
  // GPU's by how long NVML says that each process kept it busy.
  std::optional<energy::Attribution> attribution;
  std::optional<energy::CounterCheck> check;  // where the source tells power beside its counter
};

// The sum over a cover, with what of it is idle.
struct TotalEnergy {
  record::Total gross;
  std::optional<Joules> idle;
  std::optional<Joules> net;
  std::optional<Watts> mean;
};

struct Measurement {
  record::Record record;
  energy::Trace trace;
  std::vector<DomainEnergy> domains;
  TotalEnergy measured;
  TotalEnergy estimated;
  energy::TelemetryTable telemetry;
  study::LedgerEntry ledger;  // what weights that the command made cost
  std::string lost;           // what of the command's own doings escapes, or empty: see daemon_client
};

// A run that was made, warm-ups included (`warm_up`), for whoever shows progress.
using OnRun = std::function<void(const Measurement& measurement, int number, bool warm_up)>;

// Runs the argument vector with the caller's own streams, warm-ups first. A command that fails ends the series and is
// the last Measurement; an Error means that nothing could be measured or started.
[[nodiscard]] Result<std::vector<Measurement>> measure(const std::vector<std::string>& arguments,
                                                       const MeasureOptions& options, Clock& clock,
                                                       const std::stop_token& stop, const OnRun& on_run = {});

// One attempt's domains and totals.
[[nodiscard]] Result<Measurement> measurement_of(record::Attempt attempt, const std::optional<Idle>& idle);

// Whether the command hands its work to a daemon (docker, kubectl, srun, ssh …): its processes are then none of its
// tree. Says what is lost, or nothing.
[[nodiscard]] std::string daemon_client(const std::vector<std::string>& arguments);

// One figure over repetitions: mean, standard deviation and the 95 % interval of the mean (Student's t).
struct Repeated {
  int n = 0;
  double mean = 0.0;
  std::optional<double> standard_deviation;
  std::optional<double> half_width;
};
[[nodiscard]] Repeated repeated(const std::vector<double>& values);

// The trace as CSV, `time_s,domain,energy_j` with times from its first sample: what `--probe replay:FILE` reads.
[[nodiscard]] std::string trace_csv(const energy::Trace& trace);

}  // namespace wattle::meter
