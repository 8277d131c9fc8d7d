#include "base/clock.h"

#include <linux/futex.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <atomic>
#include <climits>
#include <ctime>

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

// A futex waits to an absolute instant of CLOCK_MONOTONIC and costs what clock_nanosleep does, a third less than a
// condition variable; a sampler does little else.
bool SystemClock::sleep_until(Nanoseconds monotonic_instant, const std::stop_token& stop) {
  std::atomic<std::uint32_t> stopped{0};
  const std::stop_callback wake(stop, [&stopped] {
    stopped.store(1);
    ::syscall(SYS_futex, &stopped, FUTEX_WAKE_PRIVATE, INT_MAX, nullptr, nullptr, 0);
  });
  const timespec deadline{monotonic_instant.value / 1'000'000'000, monotonic_instant.value % 1'000'000'000};
  while (stopped.load() == 0 && monotonic() < monotonic_instant) {
    ::syscall(SYS_futex, &stopped, FUTEX_WAIT_BITSET_PRIVATE, 0, &deadline, nullptr, FUTEX_BITSET_MATCH_ANY);
  }
  return stopped.load() == 0;
}

bool ScriptedClock::sleep_until(Nanoseconds monotonic_instant, const std::stop_token& stop) {
  if (stop.stop_requested()) return false;
  if (monotonic_instant > monotonic_) monotonic_ = monotonic_instant;
  return true;
}

}  // namespace wattle
