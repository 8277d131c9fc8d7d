// A window that a run's own account cuts out of its trace, before it has energies.
#pragma once

#include <string>

#include "energy/trace.h"

namespace wattle::run {

struct Cut {
  energy::Window window;
  std::string void_reason;  // not empty: its edges cannot be trusted
};

// More windows or metric values than these are not kept of one run; a flag says so.
inline constexpr std::size_t kMostWindows = 10'000;
inline constexpr std::size_t kMostMetrics = 100'000;

}  // namespace wattle::run
