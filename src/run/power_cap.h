// Power limits of the processors for the time of a run: the long-term constraint of every package, as in the kernel's
// Documentation/power/powercap/powercap.rst (constraint_0_power_limit_uw). What was set before is written down first,
// so that it comes back whatever becomes of the run: the guard restores it, and where the guard was killed, recovery
// does.
#pragma once

#include <filesystem>

#include "base/result.h"
#include "base/units.h"

namespace wattle::run {

struct PowerCapOrder {
  Watts watts;
  std::filesystem::path sysroot = "/";
};

// Sets it; `journal` then says what was there before. On failure (environment: no packages with limits here, no
// permission) nothing is left changed.
[[nodiscard]] Result<void> set_power_cap(const PowerCapOrder& order, const std::filesystem::path& journal);

// Puts back what the journal says and removes it. No journal: nothing was set. Fails (environment) where a limit cannot
// be written any more; the journal then stays.
[[nodiscard]] Result<void> restore_power_cap(const std::filesystem::path& journal);

}  // namespace wattle::run
