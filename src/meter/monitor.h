// The machine's power and energy as they go on, for as long as somebody watches: what `wattle monitor` shows.
//
// It keeps a minute of samples and the sums, so that it may run for years; a Sampler keeps all samples, for a run ends
// and windows are asked of it afterwards.
#pragma once

#include <memory>
#include <mutex>
#include <optional>
#include <stop_token>
#include <string>
#include <thread>
#include <vector>

#include "base/clock.h"
#include "energy/accumulator.h"
#include "energy/probe.h"
#include "energy/trace.h"

namespace wattle::meter {

struct DomainNow {
  energy::Domain domain;
  std::optional<Microjoules> energy{};         // since start; absent before the first valid reading
  std::optional<Watts> power{};                // mean of the last second, or interval; absent where it is not known now
  std::vector<std::optional<Watts>> minute{};  // mean power of each of kMinuteSteps parts of the last minute
  std::int64_t failures = 0;                   // readings that gave nothing
  std::string last_failure{};                  // what the last of them said
};

// The non-overlapping sum of all measured, or all estimated, domains (energy::cover).
struct TotalNow {
  Microjoules energy;
  std::optional<Watts> power;  // absent where that of a part is
};

struct MonitorNow {
  Nanoseconds elapsed;
  std::vector<DomainNow> domains;
  std::optional<TotalNow> measured;
  std::optional<TotalNow> estimated;
  std::vector<std::string> missing;  // probes and domains that cannot be read, with the reason
  std::int64_t reads = 0;            // of probes, all together
  std::int64_t dropped = 0;          // reads that came more than one period late
  std::size_t samples = 0;           // held in memory: bounded
};

inline constexpr Nanoseconds kShortestInterval = milliseconds(100);
inline constexpr Nanoseconds kMinute = seconds(60);
inline constexpr int kMinuteSteps = 20;

// Reads each probe on a thread of its own, every `interval` or in the period that the probe names, so that a slow one
// holds nobody up. Owns the probes; the clock must outlive it and be thread-safe where threads are used. start() and
// sample() from one thread, now() from any.
class Monitor {
 public:
  Monitor(Clock& clock, std::vector<energy::Found> probes, Nanoseconds interval);
  Monitor(const Monitor&) = delete;
  Monitor& operator=(const Monitor&) = delete;
  ~Monitor() = default;

  // Reads each probe once, then goes on by itself; with `threaded` false sample() reads all by hand (tests).
  void start(bool threaded = true);
  void sample();
  [[nodiscard]] MonitorNow now() const;
  [[nodiscard]] bool empty() const { return sources_.empty(); }

 private:
  struct Source {
    std::unique_ptr<energy::Probe> probe;
    Nanoseconds period;
    std::size_t first = 0;  // of its domains in series_
    std::vector<energy::Reading> readings;
    std::vector<energy::Accumulator> accumulators;
    std::optional<Nanoseconds> sleep_offset;  // CLOCK_BOOTTIME − CLOCK_MONOTONIC at the read before
  };
  void add(std::unique_ptr<energy::Probe> probe, Nanoseconds interval);
  void loop(Source& source, const std::stop_token& stop);
  void read(Source& source);
  [[nodiscard]] bool suspended(Source& source) const;
  [[nodiscard]] DomainNow domain_now(std::size_t index, Nanoseconds now) const;
  [[nodiscard]] std::optional<TotalNow> total(const std::vector<std::size_t>& parts, const MonitorNow& now) const;

  struct Health {
    bool readable = false;  // the last reading was valid
    Nanoseconds period;
    std::int64_t failures = 0;
    std::string last_failure;
  };

  Clock& clock_;
  Nanoseconds started_{};
  std::vector<std::unique_ptr<Source>> sources_;
  std::vector<std::string> missing_;
  mutable std::mutex mutex_;  // guards what follows
  std::vector<energy::Series> series_;
  std::vector<Health> health_;
  std::int64_t reads_ = 0;
  std::int64_t dropped_ = 0;
  std::vector<std::jthread> threads_;  // last, so that they end before what they use
};

}  // namespace wattle::meter
