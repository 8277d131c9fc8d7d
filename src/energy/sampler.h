// Reads probes on its own thread and turns readings into a Trace.
#pragma once

#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "base/clock.h"
#include "energy/probe.h"
#include "energy/trace.h"

namespace wattle::energy {

// Turns the readings of one domain into samples: differences counters modulo their range (a wrap adds up, a reset is
// a gap), integrates power by trapezoid. Owns nothing but numbers; the sampler and tests drive it.
class Accumulator {
 public:
  explicit Accumulator(Domain domain);
  // `time` is the middle of the read, strictly after the one before. `suspended` marks a suspend gap since then.
  void add(Nanoseconds time, const Reading& reading, bool suspended);
  [[nodiscard]] const Series& series() const { return series_; }

 private:
  Series series_;
  Reading last_;
  Nanoseconds last_time_{};
  double remainder_uj_ = 0.0;  // what rounding to whole microjoules has left over
};

struct SamplerOptions {
  Nanoseconds interval = milliseconds(20);  // 50 Hz at most
  Nanoseconds flush_every = seconds(1);
  // Receives each encoded chunk, on the sampler's thread; empty: nothing is flushed.
  std::function<void(std::string_view)> on_chunk;
};

// One sampler, one measurement. Reads once at start() and once more in stop(), so the run's own edges are sampled.
// Owns its probes. start and stop from one thread; now() from any.
class Sampler {
 public:
  Sampler(Clock& clock, std::vector<Found> probes, SamplerOptions options);
  Sampler(const Sampler&) = delete;
  Sampler& operator=(const Sampler&) = delete;
  ~Sampler();

  // First reading on the calling thread, then samples on its own. With `threaded` false nothing runs by itself and
  // sample() is called by hand (tests on a scripted clock).
  void start(bool threaded = true);
  void sample();
  // Last reading, last flush; the trace is final.
  [[nodiscard]] Trace stop();

  struct Now {
    std::optional<Watts> power;  // mean over about the last second, of the cover (measured if any, else estimated)
    Microjoules energy;          // since start, same cover
    bool estimated = false;
  };
  [[nodiscard]] Now now() const;

 private:
  struct Source;
  void loop(const std::stop_token& stop);
  void flush();

  Clock& clock_;
  SamplerOptions options_;
  std::vector<Source> sources_;
  std::vector<std::string> missing_;
  mutable std::mutex mutex_;
  Trace trace_;
  std::jthread thread_;
};

}  // namespace wattle::energy
