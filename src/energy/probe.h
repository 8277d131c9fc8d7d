// One source of energy readings. Implementations stand one to a file and are listed in probes.cc only.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "base/result.h"
#include "base/units.h"
#include "energy/domain.h"

namespace wattle::energy {

inline constexpr std::uint64_t kNeverWraps = ~std::uint64_t{0};

// What one domain said at one moment.
struct Reading {
  enum class Kind {
    counter,  // value: energy counter in µJ, modulo `modulus` (0: its range is not known)
    power,    // value: instantaneous power in µW
    absent,   // nothing this time, `reason` says why: power has a gap, a counter is asked again later
    gap,      // nothing, and what the source will show next says nothing of the time before: a gap for counters too
  };
  Kind kind = Kind::absent;
  std::uint64_t value = 0;
  std::uint64_t modulus = 0;
  std::string reason;
  // CLOCK_MONOTONIC at the moment that the value stands for, where the source tells it itself; 0: the middle of the
  // read.
  Nanoseconds time{};
};

class Probe {
 public:
  Probe() = default;
  Probe(const Probe&) = delete;
  Probe& operator=(const Probe&) = delete;
  virtual ~Probe() = default;

  // Fixed for the probe's life.
  [[nodiscard]] virtual const std::vector<Domain>& domains() const = 0;
  // Fills `out` (one per domain, same order; all absent without a reason before). Called from one thread.
  virtual void read(Nanoseconds now, std::span<Reading> out) = 0;
  // 0: a read takes microseconds and never blocks, so it is read with every round of the sampler. Otherwise a read may
  // take long or hang (a driver, a bus, a network): it gets a thread of its own, which reads once in this time.
  [[nodiscard]] virtual Nanoseconds own_period() const { return {}; }
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
  bool asked_for = false;            // by name: its absence is a hole
  std::vector<std::string> missing;  // domains that exist but could not be read, with the reason
};

struct ProbeOptions {
  std::filesystem::path sysroot = "/";  // prefix of /sys and /proc
  // Empty: every measuring probe there is, and the model where none measures the processors. Otherwise only these, by
  // name; "replay:FILE" replays a recorded trace file, "plug:HOST[:PORT]" asks a smart plug, "constant:WATTS[:NAME]" is
  // a fixed power.
  std::vector<std::string> wanted{};
  std::string nvml_library = "libnvidia-ml.so.1";  // as dlopen takes it
  // The GPUs that the program will see, in the words of CUDA_VISIBLE_DEVICES; absent: all of them.
  std::optional<std::string> visible_gpus{};
  std::optional<std::string> gpu_order{};  // CUDA_DEVICE_ORDER, which says what an index in visible_gpus means
  std::filesystem::path calibration{};     // of the model (calibration.h); empty, or no such file: its table
  std::string machine{};                   // this machine, as its calibration names it; another's is not used
  // GET http://HOST[:PORT]/PATH, answered within the time; empty: nothing on the network is asked. Given from outside,
  // so that whoever measures without a network does not load one.
  std::function<Result<std::string>(const std::string& url, Nanoseconds time)> http_get{};
  // Domains that a better probe reads already: the same joules are not read a second time. Filled by find_probes.
  std::vector<Domain> taken{};
};

// Looks for every probe (or those wanted), in order of trust. perf and powercap show the same counters: where nobody
// asked for both, each domain is read by the first that can. The model joins where nothing measures the processors.
// Never fails: absence is an answer. An unknown name or an
// unreadable replay file is reported as absent with the reason.
[[nodiscard]] std::vector<Found> find_probes(const ProbeOptions& options);
[[nodiscard]] std::vector<std::string> probe_names();

}  // namespace wattle::energy
