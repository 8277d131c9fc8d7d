// Work that keeps a chosen part of the machine's CPUs busy, to calibrate by.
#pragma once

#include <atomic>
#include <cstdint>
#include <string>
#include <thread>
#include <vector>

#include "base/units.h"

namespace wattle::meter {

// Programs draw different power at the same CPU use; these two are far apart.
enum class Work {
  arithmetic,  // dependent integer steps in registers
  memory,      // floating point over 8 MiB a thread, beyond most second-level caches
};

struct LoadLevel {
  int threads = 0;    // none: at rest
  double duty = 1.0;  // share of the time that each of them works
  Work work = Work::arithmetic;

  [[nodiscard]] double use(int cpus) const;  // what it aims at, of a machine of so many CPUs
};
[[nodiscard]] std::string describe(const LoadLevel& level);  // "2 threads, 50 % of the time, memory", "at rest"

// A ladder from rest to full use and back to rest: `steps` busy uses, evenly spaced, each with both kinds of work.
// Every other use is made by whole threads where their number can make it, the others by all CPUs with a duty cycle.
[[nodiscard]] std::vector<LoadLevel> ladder(int steps, int cpus);

// Holds one level at a time on threads of its own; at rest when made, and destroyed. One thread calls.
class Load {
 public:
  Load() = default;
  Load(const Load&) = delete;
  Load& operator=(const Load&) = delete;
  ~Load() = default;

  // A working thread's period of work and rest. About energy::CurveIntegral::kUseStretch, so that the curve is fitted
  // on the use that it will be given; and no multiple of a timer tick (1 to 10 ms), for the kernel counts use in ticks
  // and would miss or find the same part of every period.
  static constexpr Nanoseconds kPeriod{107'300'000};

  void set(const LoadLevel& level);

 private:
  std::atomic<std::uint64_t> result_ = 0;  // so that the work is not left out
  std::vector<std::jthread> threads_;      // last, so that they end before what they use
};

}  // namespace wattle::meter
