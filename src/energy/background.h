// Reads a probe that may block on a thread of its own, so that nobody waits for it.
#pragma once

#include <condition_variable>
#include <memory>
#include <mutex>
#include <vector>

#include "base/clock.h"
#include "energy/probe.h"

namespace wattle::energy {

// A Probe around a Probe: read() gives at once what was read last, stamped with the middle of that read, and says so
// where the source has not answered for long. The inner probe is read at its own_period(). Destroying it never waits
// for a read in progress: the thread then ends, with the probe, when the source answers, and touches nothing else.
// `clock` must outlive it. One thread calls, as for any probe.
class Background final : public Probe {
 public:
  Background(Clock& clock, std::unique_ptr<Probe> probe);
  ~Background() override;

  [[nodiscard]] const std::vector<Domain>& domains() const override { return domains_; }
  void read(Nanoseconds now, std::span<Reading> out) override;

  // Waits for the first reading, and for one that begins from now on; both no longer than `patience`.
  void await_first(Nanoseconds patience);
  void refresh(Nanoseconds patience);

 private:
  struct State;
  static void work(const std::shared_ptr<State>& state);

  Clock& clock_;
  std::vector<Domain> domains_;
  Nanoseconds patience_;
  std::shared_ptr<State> state_;
};

}  // namespace wattle::energy
