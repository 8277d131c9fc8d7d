// Energy counters of the kernel's perf subsystem: the PMU `power`, which shows Intel's and AMD's RAPL registers as
// events that are counted in 64 bits, so that they neither wrap nor need polling.
//
// ABI: arch/x86/events/rapl.c and Documentation/ABI/testing/sysfs-bus-event_source-devices-events. Below
// <sysroot>/sys/bus/event_source/devices/power: `type`, `cpumask` (one CPU of each package or die, "0,18" or "0-1"),
// and for each of pkg, cores, gpu, ram, psys `events/energy-X` ("event=0x02"), `.scale` (joules a count, 2^-32) and
// `.unit`
// ("Joules"). Each event is opened on each of those CPUs by perf_event_open(2) and kept open. Needs CAP_PERFMON or
// kernel.perf_event_paranoid ≤ 0.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include "energy/probe.h"

namespace wattle::energy {

// Domains are named, kept and contained as powercap's (powercap_probe.h), for they are the same joules: "package-0" or
// "package-0-die-1", "core-0", "uncore-0", "dram-0", "psys". On AMD and Hygon a package counts once, though Linux 6.9
// to 6.11 name a CPU of each of its dies (fixed by commit 8d72eba1cf8c). The psys of further packages is shown as a
// board. An event that was not counted all the time gives an absent reading.
[[nodiscard]] Found find_perf(const ProbeOptions& options);

// Joules a count, as the kernel writes it, in exact integers: µJ = count · (whole + fraction / 2^64). Over all of a 64
// bit counter the result is right to a microjoule.
class PerfScale {
 public:
  // A positive decimal such as "2.3283064365386962890625e-10", below 4 kJ a count; anything else is nothing.
  [[nodiscard]] static std::optional<PerfScale> parse(std::string_view joules);
  // Nothing where the result does not fit.
  [[nodiscard]] std::optional<std::uint64_t> microjoules(std::uint64_t count) const;

 private:
  std::uint64_t whole_ = 0;
  std::uint64_t fraction_ = 0;
};

// What one read(2) of an event gives (perf_event_open(2): read_format with both times).
struct PerfCount {
  std::uint64_t count = 0;
  std::uint64_t enabled_ns = 0;
  std::uint64_t running_ns = 0;  // less than enabled: other events had the counter for a while
};
[[nodiscard]] Reading perf_reading(const PerfCount& count, const PerfScale& scale);

}  // namespace wattle::energy
