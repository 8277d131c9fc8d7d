// The meter inside somebody's own process: samples from its own threads and answers for any window while it runs. What
// wattle_meter.h offers to C.
#pragma once

#include <condition_variable>
#include <cstddef>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "base/clock.h"
#include "base/result.h"
#include "energy/probe.h"
#include "energy/sampler.h"
#include "energy/trace.h"
#include "record/record.h"

namespace wattle::meter {

struct LiveMeterOptions {
  energy::ProbeOptions probes;
  Nanoseconds interval = milliseconds(100);
  // About what all samples may take. Where it is reached, every second sample of the older half is given up: its energy
  // stays exact at those that are left, and windows of long ago get wider edges. Where that is not enough, sampling
  // ends: what was sampled stays known.
  std::size_t memory_bytes = std::size_t{256} << 20U;
};

// The energy per domain and both totals, and the domains that those add up.
struct LiveWindow {
  record::Metered metered;
  energy::Cover cover;
};

// All functions from any thread, except the destructor. A fork leaves the child without the threads: there nothing may
// be called, and the meter must be leaked.
class LiveMeter {
 public:
  // Sampling has begun when it returns. Fails (environment) where no source can be read, with every reason.
  [[nodiscard]] static Result<std::unique_ptr<LiveMeter>> start(const LiveMeterOptions& options);
  LiveMeter(const LiveMeter&) = delete;
  LiveMeter& operator=(const LiveMeter&) = delete;
  ~LiveMeter();

  [[nodiscard]] const std::vector<energy::Domain>& domains() const { return domains_; }
  // Sources and domains that exist and cannot be read, with the reason and what would help.
  [[nodiscard]] const std::vector<std::string>& missing() const { return missing_; }

  // Waits for a sample at its end, for a few intervals at most.
  // Absent, with the reason, is the energy of a window that is not over, is too short, or reaches beyond what memory
  // holds.
  [[nodiscard]] LiveWindow window(Nanoseconds begin, Nanoseconds end) const;
  // The totals just now; absent where nothing was read yet, or nothing is read any more.
  [[nodiscard]] std::optional<energy::Sampler::Now> now() const;
  [[nodiscard]] std::size_t samples() const;  // that are held, of all domains

 private:
  LiveMeter(const LiveMeterOptions& options, std::vector<energy::Found> probes, std::vector<std::string> missing);
  void run();
  void fill_up();
  void take(std::string_view chunk);
  void add(std::string_view chunk);
  void thin_out();
  void wait_for(std::unique_lock<std::mutex>& lock, Nanoseconds instant) const;
  [[nodiscard]] std::string why_unknown(Nanoseconds end) const;

  Nanoseconds patience_;  // longest wait for a sample
  std::size_t most_samples_;
  SystemClock clock_;
  std::vector<energy::Domain> domains_;
  std::vector<std::string> missing_;

  // Guards what follows: the sampling thread adds, everybody reads.
  mutable std::mutex mutex_;
  mutable std::condition_variable changed_;
  energy::Trace trace_;
  energy::Trace tail_;  // the last two samples of every series; of the sampling thread alone
  std::size_t samples_ = 0;
  Nanoseconds latest_{};
  bool started_ = false;
  bool stopping_ = false;
  bool full_ = false;  // and the sampler is, or is about to be, stopped
  bool stopped_ = false;

  energy::Sampler sampler_;
  std::jthread thread_;  // last: it ends before what it uses
};

}  // namespace wattle::meter
