// CPU time used so far: by one consumer of energy, for attribution, and by the machine as a whole.
#pragma once

#include <sys/types.h>

#include <filesystem>
#include <optional>
#include <string>
#include <string_view>

#include "base/units.h"
#include "energy/kept_file.h"
#include "energy/model_probe.h"
#include "energy/process_tree.h"

namespace wattle::energy {

// --- A consumer -----------------------------------------------------------------------------------------

enum class CpuUseSource {
  cgroup_v2,  // cpu.stat, usage_usec (Documentation/admin-guide/cgroup-v2.rst): exact, µs
  cgroup_v1,  // cpuacct.usage (Documentation/admin-guide/cgroup-v1/cpuacct.rst): exact, ns
  processes,  // /proc, by ProcessTree: ticks of 10 ms by the process, and what its header leaves out
};
[[nodiscard]] std::string_view to_string(CpuUseSource source);

// CPU time of the process tree below `root`. A cgroup tells it best, where the tree has one of its own: one that is not
// the hierarchy's top, that holds every process of the tree and, with the groups below it, no other. That is looked at
// once, at the beginning; whoever moves processes between groups later makes it wrong. Not thread-safe.
class CpuUse {
 public:
  // `now`: CLOCK_MONOTONIC. The root should be running.
  CpuUse(const std::filesystem::path& sysroot, pid_t root, Nanoseconds now);

  [[nodiscard]] CpuUseSource source() const { return source_; }
  // Cumulative, since some moment before the beginning: only differences mean something. Never falls. Absent where it
  // cannot be read now.
  [[nodiscard]] std::optional<Nanoseconds> read(Nanoseconds now);

 private:
  CpuUseSource source_ = CpuUseSource::processes;
  ProcessTree tree_;
  KeptFile file_;  // of the cgroup
  std::string buffer_;
  Nanoseconds last_{};
};

// --- The machine ----------------------------------------------------------------------------------------

// /proc/stat, kept open.
class MachineCpu {
 public:
  explicit MachineCpu(const std::filesystem::path& sysroot);
  [[nodiscard]] std::optional<CpuTime> read();

 private:
  KeptFile file_;
  std::string buffer_;
};

// Time that all CPUs together were busy since boot, in steps of a tick: Use::all of a package.
[[nodiscard]] Nanoseconds busy_time(const CpuTime& time);

// Where the CPU time between two readings went, of what there was to be had (busy + idle + steal of the online CPUs).
struct CpuShares {
  double busy = 0.0;   // 0…1
  double steal = 0.0;  // 0…1
  Nanoseconds time;    // what there was to be had
};
// Absent where nothing passed, or busy time or steal fell.
[[nodiscard]] std::optional<CpuShares> cpu_shares(const CpuTime& before, const CpuTime& now);

}  // namespace wattle::energy
