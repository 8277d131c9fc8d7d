// What this machine can measure, and what about it disturbs measuring: what `wattle doctor` tells.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "base/clock.h"
#include "energy/probe.h"

namespace wattle::meter {

struct ProbeReport {
  std::string name;
  energy::Found::Status status = energy::Found::Status::absent;
  std::string reason;
  std::string fix;     // the command that would help, or empty
  std::string proven;  // where the probe was verified
  std::vector<energy::Domain> domains;
  std::vector<std::string> missing;
};

struct MachineFact {
  enum class Verdict { good, disturbs, unknown };
  std::string name;   // "governor", "turbo", "swap", …
  std::string value;  // for people; "not told by this machine" where unknown
  Verdict verdict = Verdict::unknown;
  std::string advice;  // empty when good
};

struct Diagnosis {
  std::vector<ProbeReport> probes;
  std::vector<MachineFact> machine;
  bool measures = false;  // some domain is measured, not estimated
  std::string verdict;    // one sentence
};

// Looks, without waiting: probes, governor, turbo, SMT, swap, and load and steal over `listening` of the clock.
[[nodiscard]] Diagnosis diagnose(const energy::ProbeOptions& options, Clock& clock, Nanoseconds listening);

}  // namespace wattle::meter
