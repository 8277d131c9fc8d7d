// What the protocol asks for between runs: warmth, coolness, quiet.
#pragma once

#include <optional>
#include <stop_token>
#include <string>
#include <vector>

#include "base/clock.h"
#include "campaign/campaign.h"

namespace wattle::campaign {

// Rests for the protocol's cool_down, then until temperature and power are as low as it wants them, looked at once a
// second, for cool_down_limit at most. Gives a flag for what was not reached or cannot be told here; nothing where all
// is well or `stop` came. `idle`: what the machine draws when nothing runs.
[[nodiscard]] std::vector<std::string> cool_down(const study::Protocol& protocol, const Conditions& conditions,
                                                 std::optional<Watts> idle, Clock& clock, const std::stop_token& stop);

}  // namespace wattle::campaign
