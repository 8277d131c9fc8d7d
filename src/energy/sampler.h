// Reads probes on its own thread and turns readings into a Trace.
#pragma once

#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <stop_token>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "base/clock.h"
#include "energy/accumulator.h"
#include "energy/background.h"
#include "energy/probe.h"
#include "energy/trace.h"

namespace wattle::energy {

struct SamplerOptions {
  Nanoseconds interval = milliseconds(20);  // at least 100 µs
  Nanoseconds flush_every = seconds(1);     // at most; earlier in the first second, at doubling distances
  // Receives each encoded chunk, on the sampling thread; must not throw. Empty: nothing is flushed.
  std::function<void(std::string_view)> on_chunk;
  // Memory stays as it is however long it takes: what has been flushed is forgotten, but for the last seconds, and the
  // whole trace is what on_chunk was given. Otherwise stop() gives the whole trace.
  bool forget_flushed = false;
};

// One sampler, one measurement. Reads once at start() and once more in stop(), so the run's own edges are sampled. A
// sample is stamped with the middle of its read; the schedule is absolute, so a late round does not shift the next.
// Owns its probes; `clock` must outlive it. start, sample and stop from one thread; now() from any. A probe that throws
// has given an absent reading. Probes that may block (Probe::own_period) are read on threads of their own; a source
// that hangs costs its own readings, and start() and stop() half a second each, no more. A domain whose readings failed
// is named in Trace::missing with how often and why.
class Sampler {
 public:
  Sampler(Clock& clock, std::vector<Found> probes, SamplerOptions options);
  Sampler(const Sampler&) = delete;
  Sampler& operator=(const Sampler&) = delete;
  ~Sampler() = default;

  // First reading (and a first chunk that names the domains) on the calling thread, then samples on its own. With
  // `threaded` false nothing runs by itself and sample() is called by hand (tests on a scripted clock).
  void start(bool threaded = true);
  void sample();
  // Last reading, last flush; the trace is final. A second call gives an empty trace.
  [[nodiscard]] Trace stop();

  struct Now {
    std::optional<Watts> power;  // mean over about the last second, of the cover (measured if any, else estimated)
    Microjoules energy;          // since start, same cover
    bool estimated = false;
  };
  [[nodiscard]] Now now() const;

 private:
  struct Source {
    std::unique_ptr<Probe> probe;
    std::size_t first_series = 0;  // of this probe's domains in the trace; they stand side by side
    std::vector<Reading> readings;
    std::vector<Accumulator> accumulators;
    std::vector<Nanoseconds> seen;     // stamps of the readings taken last, where the source stamps them itself
    Background* background = nullptr;  // the probe, where it is read on a thread of its own
  };
  void add_source(std::unique_ptr<Probe> probe);
  void loop(const std::stop_token& stop);
  void round();
  void read(Source& source, bool suspended);
  [[nodiscard]] bool suspended_since_last();
  void read_slow_ones_aside();
  void flush();
  void forget();
  void note_failures();

  Clock& clock_;
  SamplerOptions options_;
  std::vector<Source> sources_;
  Nanoseconds due_{};  // of the next round
  Nanoseconds started_{};
  Nanoseconds flush_due_{};
  std::optional<Nanoseconds> sleep_offset_;  // CLOCK_BOOTTIME − CLOCK_MONOTONIC at the round before
  Flushed flushed_;
  mutable std::mutex mutex_;  // guards trace_: written by whoever samples, read by now()
  Trace trace_;
  std::jthread thread_;  // last, so that it ends before what it uses
};

}  // namespace wattle::energy
