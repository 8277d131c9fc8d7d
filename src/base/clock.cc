#include "base/clock.h"

#include <chrono>
#include <condition_variable>
#include <ctime>
#include <mutex>

namespace wattle {
namespace {

Nanoseconds read_clock(clockid_t id) {
  timespec now{};
  clock_gettime(id, &now);
  return {static_cast<std::int64_t>(now.tv_sec) * 1'000'000'000 + now.tv_nsec};
}

}  // namespace

Nanoseconds SystemClock::monotonic() const { return read_clock(CLOCK_MONOTONIC); }
Nanoseconds SystemClock::boot() const { return read_clock(CLOCK_BOOTTIME); }
Nanoseconds SystemClock::wall() const { return read_clock(CLOCK_REALTIME); }

bool SystemClock::sleep_until(Nanoseconds monotonic_instant, const std::stop_token& stop) {
  // steady_clock is CLOCK_MONOTONIC in libstdc++, so the instants are the same number.
  const std::chrono::steady_clock::time_point deadline{std::chrono::nanoseconds(monotonic_instant.value)};
  std::mutex mutex;
  std::unique_lock lock(mutex);
  std::condition_variable_any wake;
  wake.wait_until(lock, stop, deadline, [] { return false; });
  return !stop.stop_requested();
}

bool ScriptedClock::sleep_until(Nanoseconds monotonic_instant, const std::stop_token& stop) {
  if (stop.stop_requested()) return false;
  if (monotonic_instant > monotonic_) monotonic_ = monotonic_instant;
  return true;
}

}  // namespace wattle
