// What the machine draws when nothing runs: the part of a measurement that would have been used anyway.
#pragma once

#include <filesystem>
#include <map>
#include <optional>
#include <stop_token>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/result.h"
#include "energy/probe.h"
#include "energy/trace.h"

namespace wattle::meter {

// Mean power of one domain over the listening, and its spread between windows of a second. The least power seen is not
// idle power: it is noise.
struct IdlePower {
  std::string domain;
  Watts mean;
  Watts sigma;  // of the windows; the mean's own standard error is sigma / √windows where they are independent
  int windows = 0;
};

struct Idle {
  std::vector<IdlePower> domains;
  Nanoseconds listened;       // how long
  Nanoseconds measured_wall;  // when, since 1970 UTC
  // Part of the machine's CPU time that something used meanwhile, 0 to 1: what was busy was not idle. Absent where the
  // machine does not tell.
  std::optional<double> busy{};
  [[nodiscard]] bool disturbed() const { return busy.value_or(0.0) > kMostBusy; }
  static constexpr double kMostBusy = 0.05;
  [[nodiscard]] const IdlePower* of(const std::string& domain) const;
};

inline constexpr Nanoseconds kIdleListening = seconds(30);  // at least, for a figure anyone should quote

// From a trace in which nothing ran: whole windows of a second (or of 20 updates of the source, where that is longer)
// without a gap.
[[nodiscard]] Idle idle_in(const energy::Trace& trace);
// Listens. Fails (environment) where nothing can be read, (interrupted) where it is stopped.
[[nodiscard]] Result<Idle> measure_idle(const energy::ProbeOptions& probes, Clock& clock, Nanoseconds listening,
                                        const std::stop_token& stop);

// Kept for later measurements on the same machine, known by its fingerprint: another's is bad_input. What was heard of
// a busy machine is nobody's idle power and is refused (failed).
[[nodiscard]] Result<void> save_idle(const std::filesystem::path& file, const Idle& idle,
                                     const std::map<std::string, std::string>& fingerprint);
[[nodiscard]] Result<Idle> load_idle(const std::filesystem::path& file,
                                     const std::map<std::string, std::string>& fingerprint);

}  // namespace wattle::meter
