// A power that somebody states: for parts that nothing else covers (fans, disks, a switch), as an estimate.
#pragma once

#include <string>

#include "energy/probe.h"

namespace wattle::energy {

// `words` is WATTS or WATTS:NAME ("15", "8.5:fans"): a number above 0 and up to a megawatt, and a name of letters,
// digits and "-_." beginning with a letter or digit. One domain of kind other, "other" or "other-NAME", with the
// uncertainty of a model; estimated, so it never joins a measured total. Anything else is absent, with the reason.
[[nodiscard]] Found find_constant(const std::string& words);

}  // namespace wattle::energy
