// What this machine can measure, and what about it disturbs measuring: what `wattle doctor` tells.
#pragma once

#include <filesystem>
#include <functional>
#include <optional>
#include <stop_token>
#include <string>
#include <vector>

#include "base/clock.h"
#include "energy/probe.h"
#include "meter/examination.h"
#include "meter/idle.h"

namespace wattle::meter {

struct ProbeReport {
  std::string name;
  energy::Found::Status status = energy::Found::Status::absent;
  std::string reason;
  std::string fix;          // the command that would help, or empty
  std::string fix_lasting;  // the same beyond the next boot, or empty
  std::string proven;       // where the probe was verified
  std::vector<energy::Domain> domains;
  std::vector<std::string> missing;
  std::vector<SourceTiming> timings;  // of what was listened to
};

struct MachineFact {
  enum class Verdict { good, disturbs, unknown };
  std::string name;   // "governor", "turbo", "swap", …
  std::string value;  // for people; "not told by this machine" where unknown
  Verdict verdict = Verdict::unknown;
  std::string advice;  // empty when good
};

struct Diagnosis {
  std::vector<ProbeReport> probes;
  std::vector<MachineFact> machine;
  bool measures = false;  // some domain is measured, not estimated
  // Only where it was examined:
  std::optional<Idle> idle;
  std::optional<Repeatability> control;
  std::vector<Resolution> resolutions;  // empty where nothing is measured
  std::string verdict;                  // one sentence or two
};

// Looks, without waiting: probes, governor, turbo, SMT, swap, and load and steal over `listening` of the clock.
[[nodiscard]] Diagnosis diagnose(const energy::ProbeOptions& options, Clock& clock, Nanoseconds listening);

// And tries: times every source that was found, listens to the idle machine, repeats a control workload. A minute.
// `tell` is given a line of what is being done. Fails only where it is stopped or nothing can be read at all.
struct ExaminationOptions {
  Nanoseconds timing = seconds(2);  // of each source
  Nanoseconds idle = kIdleListening;
  ControlOptions control;
};
[[nodiscard]] Result<Diagnosis> examine(const energy::ProbeOptions& options, const ExaminationOptions& how,
                                        Clock& clock, const std::stop_token& stop,
                                        const std::function<void(const std::string&)>& tell = {});

}  // namespace wattle::meter
