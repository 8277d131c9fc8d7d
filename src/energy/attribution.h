// Whose joules: the energy of a domain split among processes that ran side by side. Every share is *attributed*, an
// estimate of its own kind beside the measured total, and the parts add up to the total to the last microjoule.
#pragma once

#include <string>
#include <vector>

#include "energy/telemetry.h"
#include "energy/trace.h"

namespace wattle::energy {

// How much of a domain the consumers used, cumulative, at one moment: CPU time for a package (cpu_use.h), busy time
// (SM % · Δt) for a GPU. `all` counts everybody's use, the consumers' included; what it holds beyond their sum is the
// others'. Where it holds less (two sources of different grain), others used nothing.
struct Use {
  Nanoseconds time;                    // CLOCK_MONOTONIC
  std::vector<Nanoseconds> consumers;  // one each; never falls
  Nanoseconds all;
};

// A second of CPU time is not the same energy in every program. On a core that two hardware threads share, both
// together draw about 1.15 times what one alone does (Weigell, Hornung and Bauer, "METRION", arXiv:2512.06806, 2025),
// so a second alone costs 2/1.15 = 1.74 times a second side by side. Instruction mix and clock come on top; 2 in all is
// our allowance, for GPUs too, where nobody published one. It agrees with what attribution blind to this was found to
// miss: 20.5 % on average, 31.5 % in the worst case (Zhai et al., "HaPPy", USENIX ATC 2014); 2 leaves ±33 % to a
// consumer of half. (METRION's own 4.2 % is of hardware counters by thread, and says nothing of CPU time.)
inline constexpr double kMostUnlike = 2.0;

struct Share {
  Microjoules active;  // by its use
  Microjoules idle;    // its part of the idle energy, by the rule
  // What `active` can really be if no second of use costs more than kMostUnlike times another: with the share s of the
  // use in an interval, from s/(s + r(1 − s)) to rs/(rs + 1 − s) of the active energy there. It is exact for one who
  // ran alone. How well total, idle power and use are known comes on top.
  Microjoules least;
  Microjoules most;
};

// The CPU time of the run's tree, the one consumer, beside that of the machine, as telemetry kept it. Before the run it
// was none, and after it `total`, where that is known.
[[nodiscard]] std::vector<Use> cpu_uses(const TelemetryTable& table, const Window& run,
                                        std::optional<Nanoseconds> total);
// How long the run's tree kept a GPU ("gpu-0") busy, beside everybody; before the run it had not. NVML tells late: a
// look that found nothing new soon after another is no instant of its own, so the last second may be unknown.
[[nodiscard]] std::vector<Use> gpu_uses(const TelemetryTable& table, const std::string& gpu, const Window& run);

// Several consumers, each told at instants of its own (`each` as the two functions above give them, one consumer a
// list), at the instants of all of them. Between its instants a consumer used evenly; before the first nothing and
// after the last nothing more. Everybody's use is taken from whoever was told at that instant.
[[nodiscard]] std::vector<Use> at_common_instants(const std::vector<std::vector<Use>>& each);

// Idle energy (idle power by time, never more than there is between two instants of use) is nobody's use. `kept` leaves
// it as a part of its own; `equally` gives each consumer the same, and what cannot be divided is left; `by_use` shares
// it as the active part is shared, others included.
enum class IdleRule { kept, equally, by_use };

struct Attribution {
  Microjoules total;             // of the window: exactly consumers + others + idle + unknown, active and idle
  std::vector<Share> consumers;  // in the order of Use::consumers
  Share others;                  // everything else that ran
  Microjoules idle;              // that the rule gives to nobody
  // Of the parts of the window for which use is not known, idle energy included. It could be anybody's, so it is no
  // part of anybody's interval.
  Microjoules unknown;
  double coverage = 0.0;   // of the window for which use is known, 0 to 1
  std::string why_absent;  // not empty: nothing can be said of the parts
};

// Between two instants of use the active energy is split in proportion to what each used there; where nobody did, it is
// the others'. Inside such an interval use is taken as even, so a window may begin and end anywhere. Use is not known
// before the first instant, after the last, and where a counter fell between two. A counter that jumps takes at most
// the active energy of its interval.
//
// Shares are rounded by largest remainder over the whole window, so nothing is lost; a microjoule that equal remainders
// cannot divide is the others', so the order of consumers changes nothing. Absent where energy_in() is, and where the
// uses are not in order of time or not of the same consumers. Pure.
[[nodiscard]] Attribution attribute(const Series& series, const std::vector<Use>& uses, const Window& window,
                                    Watts idle, IdleRule rule);

}  // namespace wattle::energy
