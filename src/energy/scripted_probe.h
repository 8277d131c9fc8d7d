// A probe that says what a function says: for tests of whatever reads probes, on a scripted clock. Its domains are
// marked simulated.
#pragma once

#include <functional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "energy/probe.h"

namespace wattle::energy {

class ScriptedProbe final : public Probe {
 public:
  using Script = std::function<void(Nanoseconds now, std::span<Reading> out)>;

  ScriptedProbe(std::vector<Domain> domains, Script script) : domains_(std::move(domains)), script_(std::move(script)) {
    for (Domain& domain : domains_) domain.simulated = true;
  }
  [[nodiscard]] const std::vector<Domain>& domains() const override { return domains_; }
  void read(Nanoseconds now, std::span<Reading> out) override { script_(now, out); }

  // As the sampler takes it.
  [[nodiscard]] static std::vector<Found> found(std::vector<Domain> domains, Script script) {
    std::vector<Found> all(1);
    all.front().name = "scripted";
    all.front().status = Found::Status::found;
    all.front().proven = "simulated";
    all.front().probe = std::make_unique<ScriptedProbe>(std::move(domains), std::move(script));
    return all;
  }

 private:
  std::vector<Domain> domains_;
  Script script_;
};

}  // namespace wattle::energy
