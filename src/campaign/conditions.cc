#include "campaign/conditions.h"

#include <fmt/format.h>

namespace wattle::campaign {
namespace {

constexpr Nanoseconds kLook = seconds(1);

// Why it is still too warm: the flag that a run gets that begins so; empty: it is cool.
std::string too_warm(const study::Protocol& protocol, const Conditions& conditions, std::optional<Watts> idle,
                     const std::stop_token& stop) {
  if (protocol.cool_to_temperature) {
    const auto temperature = conditions.temperature ? conditions.temperature() : std::nullopt;
    if (!temperature) return "temperature not told";
    if (*temperature > *protocol.cool_to_temperature) return "not cool";
  }
  if (protocol.cool_to_power) {
    const auto power = conditions.power ? conditions.power(kLook, stop) : Result<Watts>(Watts{});
    if (!conditions.power || !power || !idle) return "idle power not told";
    if (power->value > idle->value * (1.0 + *protocol.cool_to_power)) return "not idle";
  }
  return {};
}

}  // namespace

std::vector<std::string> cool_down(const study::Protocol& protocol, const Conditions& conditions,
                                   std::optional<Watts> idle, Clock& clock, const std::stop_token& stop) {
  const Nanoseconds begin = clock.monotonic();
  clock.sleep_until(begin + protocol.cool_down, stop);
  while (!stop.stop_requested()) {
    std::string why = too_warm(protocol, conditions, idle, stop);
    if (why.empty()) return {};
    const bool untold = why.ends_with("not told");
    if (untold || clock.monotonic() - begin >= protocol.cool_down + protocol.cool_down_limit) return {std::move(why)};
    clock.sleep_until(clock.monotonic() + kLook, stop);
  }
  return {};
}

}  // namespace wattle::campaign
