// How well this machine measures, found by trying: what `wattle doctor` does beyond looking.
#pragma once

#include <functional>
#include <optional>
#include <stop_token>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/result.h"
#include "energy/counter_check.h"
#include "energy/probe.h"
#include "meter/idle.h"

namespace wattle::meter {

// One domain, read over and over: how often what it says changes, and what a read costs (of the whole probe it belongs
// to, which reads all of its domains at once).
struct SourceTiming {
  std::string domain;
  std::optional<Nanoseconds> update_period;  // median distance of changes; absent with fewer than three
  std::string why_absent;
  Nanoseconds read_cost;  // median
  int reads = 0;
};
[[nodiscard]] std::vector<SourceTiming> time_source(energy::Probe& probe, Clock& clock, Nanoseconds listening,
                                                    const std::stop_token& stop);

// The same work, done again and again, which a perfect machine would do for the same energy.
struct Repeatability {
  int runs = 0;
  std::optional<double> energy_sd;  // relative standard deviation; of what is measured, else of the estimate
  std::string why_absent;
  bool estimated = false;
  double time_sd = 0.0;
  Seconds length;                              // median of a run
  std::vector<energy::CounterCheck> counters;  // of the last run
};

struct ControlOptions {
  int runs = 10;
  Nanoseconds length = seconds(6);  // of a run, about: what a counter and its power need to be compared; the work is
                                    // sized by a first, untold one
  int threads = 1;
};
// Arithmetic on every thread, the same amount in every run. Fails (environment) where nothing can be read,
// (interrupted) where it is stopped.
[[nodiscard]] Result<Repeatability> control_workload(const energy::ProbeOptions& probes, const ControlOptions& options,
                                                     Clock& clock, const std::stop_token& stop);

// How many pairs of runs tell a relative difference of this size, at 5 % two-sided with 80 % power, if a program
// repeats as the control workload does: at best, for a training adds what its own seeds and data do.
struct Resolution {
  double difference = 0.0;   // 0.01
  std::optional<int> pairs;  // absent: more than a million, or the spread is not known
};
[[nodiscard]] std::vector<Resolution> resolutions(double relative_sd);

}  // namespace wattle::meter
