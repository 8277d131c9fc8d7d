// One source of energy readings. Implementations stand one to a file and are listed in probes.cc only.
#pragma once

#include <filesystem>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "base/result.h"
#include "base/units.h"
#include "energy/domain.h"

namespace wattle::energy {

// What one domain said at one moment.
struct Reading {
  enum class Kind {
    counter,  // value: energy counter in µJ, modulo `modulus` (0: never wraps)
    power,    // value: instantaneous power in µW
    absent,   // nothing this time; `reason` says why; the interval becomes a gap
  };
  Kind kind = Kind::absent;
  std::uint64_t value = 0;
  std::uint64_t modulus = 0;
  std::string reason;
};

class Probe {
 public:
  Probe() = default;
  Probe(const Probe&) = delete;
  Probe& operator=(const Probe&) = delete;
  virtual ~Probe() = default;

  // Fixed for the probe's life.
  [[nodiscard]] virtual const std::vector<Domain>& domains() const = 0;
  // Fills `out` (one per domain, same order). Called from one thread; must not block beyond one system call each.
  virtual void read(Nanoseconds now, std::span<Reading> out) = 0;
};

// What became of looking for one probe.
struct Found {
  enum class Status { found, denied, absent };
  std::string name;  // "powercap", "model"
  Status status = Status::absent;
  std::string reason;                // why not, or what was found
  std::string fix;                   // the exact command that would help, or empty
  std::string fix_lasting;           // the same beyond the next boot, or empty
  std::string proven;                // "verified on hardware (machine, date)" or "verified on a fake only"
  std::unique_ptr<Probe> probe;      // only when found
  std::vector<std::string> missing;  // domains that exist but could not be read, with the reason
};

struct ProbeOptions {
  std::filesystem::path sysroot = "/";  // prefix of /sys and /proc
  // Empty: every measuring probe there is, and the model where none measures. Otherwise only these, by name;
  // "replay:FILE" replays a recorded trace file.
  std::vector<std::string> wanted;
};

// Looks for every probe (or those wanted), in order of trust. Never fails: absence is an answer. An unknown name or an
// unreadable replay file is reported as absent with the reason.
[[nodiscard]] std::vector<Found> find_probes(const ProbeOptions& options);
[[nodiscard]] std::vector<std::string> probe_names();

}  // namespace wattle::energy
