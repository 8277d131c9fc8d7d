// Whose joules: the energy of a domain split among processes that ran side by side. Every share is *attributed*, an
// estimate of its own kind beside the measured total, and the parts add up to the total to the last microjoule.
#pragma once

#include <string>
#include <vector>

#include "energy/trace.h"

namespace wattle::energy {

// How much of a domain the consumers used, cumulative, at one moment: CPU time for a package (cgroup cpu.stat or
// /proc), busy time (SM % · Δt) for a GPU. `all` counts everybody's use, the consumers' included; what it holds beyond
// their sum is the others'.
struct Use {
  Nanoseconds time;                    // CLOCK_MONOTONIC
  std::vector<Nanoseconds> consumers;  // one each; never falls
  Nanoseconds all;
};

struct Share {
  Microjoules active;  // by its use
  Microjoules idle;    // its part of the idle energy, by the rule
};

// Idle energy (idle power by time, never more than there is) is nobody's use. `kept` leaves it as a part of its own;
// `equally` gives each consumer the same; `by_use` shares it as the active part is shared, others included.
enum class IdleRule { kept, equally, by_use };

struct Attribution {
  Microjoules total;             // of the window: exactly consumers + others + idle
  std::vector<Share> consumers;  // in the order of Use::consumers
  Share others;                  // everything else that ran
  Microjoules idle;              // that the rule gives to nobody
  double coverage = 0.0;         // of the window for which use is known
  std::string why_absent;        // not empty: nothing can be said
};

// Between two instants of use the active energy is split in proportion to what each used there; where nobody did, it is
// the others'. Shares are rounded by largest remainder over the whole window, so nothing is lost. Pure.
[[nodiscard]] Attribution attribute(const Series& series, const std::vector<Use>& uses, const Window& window,
                                    Watts idle, IdleRule rule);

}  // namespace wattle::energy
