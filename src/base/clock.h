// The one source of time. Everything that measures or waits is given a Clock, so tests are exact and never
// sleep. All instants are nanoseconds on the named Linux clock.
#pragma once

#include <stop_token>

#include "base/units.h"

namespace wattle {

class Clock {
 public:
  Clock() = default;
  Clock(const Clock&) = delete;
  Clock& operator=(const Clock&) = delete;
  virtual ~Clock() = default;

  // CLOCK_MONOTONIC: every sample and event is stamped with it. Stands still while the machine is suspended.
  [[nodiscard]] virtual Nanoseconds monotonic() const = 0;
  // CLOCK_BOOTTIME: like monotonic, but runs on during suspend; a jump between the two is a suspend gap.
  [[nodiscard]] virtual Nanoseconds boot() const = 0;
  // CLOCK_REALTIME, since 1970 UTC: for people only, never for a difference.
  [[nodiscard]] virtual Nanoseconds wall() const = 0;
  // Sleeps until the monotonic instant, or until stop is requested. Returns false when it was stopped.
  virtual bool sleep_until(Nanoseconds monotonic_instant, const std::stop_token& stop) = 0;
};

// The machine's clocks. Thread-safe; sleeps to absolute time, so a late wake-up does not shift the next one.
class SystemClock final : public Clock {
 public:
  [[nodiscard]] Nanoseconds monotonic() const override;
  [[nodiscard]] Nanoseconds boot() const override;
  [[nodiscard]] Nanoseconds wall() const override;
  bool sleep_until(Nanoseconds monotonic_instant, const std::stop_token& stop) override;
};

// A clock that a script moves: sleeping sets it to the instant slept for, at once. Used by tests and by the
// replay of recorded machines. Not thread-safe.
class ScriptedClock final : public Clock {
 public:
  explicit ScriptedClock(Nanoseconds start = seconds(1000)) : monotonic_(start) {}

  [[nodiscard]] Nanoseconds monotonic() const override { return monotonic_; }
  [[nodiscard]] Nanoseconds boot() const override { return monotonic_ + suspended_; }
  [[nodiscard]] Nanoseconds wall() const override { return monotonic_ + suspended_ + wall_offset_; }
  bool sleep_until(Nanoseconds monotonic_instant, const std::stop_token& stop) override;

  void advance(Nanoseconds by) { monotonic_ += by; }
  void suspend(Nanoseconds by) { suspended_ += by; }
  void step_wall(Nanoseconds by) { wall_offset_ += by; }

 private:
  Nanoseconds monotonic_;
  Nanoseconds suspended_{};
  Nanoseconds wall_offset_{1'700'000'000'000'000'000};
};

}  // namespace wattle
