#include "energy/accumulator.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "base/text.h"
#include "energy/exact.h"

namespace wattle::energy {
namespace {

// Trapezoid: (p₀ + p₁)/2 µW over Δt ns is (p₀ + p₁)·Δt / (2·10⁹) µJ.
constexpr std::int64_t kTrapezoidDenominator = 2'000'000'000;
// Above this a power reading is a sentinel or garbage for any kind of domain (100 MW in µW).
constexpr std::uint64_t kMaximumPower = 100'000'000'000'000;

// Between two looks at power that far apart anything may have happened.
constexpr Nanoseconds kShortestHole = seconds(1);
constexpr std::int64_t kMissedReadings = 10;
// A counter whose range is not told may have the smallest one known, 65.5 kJ.
constexpr std::uint64_t kSmallestRange = 65'500'000'000;

// The longest time in which a counter cannot wrap twice: its range at twice the power that is plausible.
Seconds longest_unseen(std::uint64_t modulus, Watts plausible) {
  const double range = static_cast<double>(modulus > 0 ? modulus : kSmallestRange) * 1e-6;
  return Seconds{range / (2.0 * plausible.value)};
}

// (new − old) modulo the counter's range; nothing where the counter fell and no range is known.
std::optional<std::uint64_t> counted(const Reading& from, const Reading& to) {
  if (to.value >= from.value) return to.value - from.value;
  if (to.modulus == 0 || from.value > to.modulus) return std::nullopt;
  return to.modulus - from.value + to.value;
}

}  // namespace

Watts plausible_power(DomainKind kind) {
  switch (kind) {
    case DomainKind::wall:
    case DomainKind::psys:
    case DomainKind::board:
      return Watts{30'000.0};
    case DomainKind::gpu:
      return Watts{4'000.0};
    case DomainKind::cpu_model:
    case DomainKind::ram_model:
    case DomainKind::gpu_model:
    case DomainKind::other:
      return Watts{std::numeric_limits<double>::infinity()};
    case DomainKind::package:
    case DomainKind::core:
    case DomainKind::uncore:
    case DomainKind::dram:
      break;
  }
  return Watts{2'000.0};
}

void Accumulator::failed(std::string why) {
  ++failures_;
  last_failure_ = std::move(why);
}

Accumulator::Accumulator(Domain domain, Nanoseconds interval)
    : domain_(std::move(domain)),
      longest_hole_(std::max(kShortestHole, std::max(interval, domain_.update_period) * kMissedReadings)) {}

std::optional<std::int64_t> Accumulator::integral(Nanoseconds passed, const Reading& reading) {
  if (passed > longest_hole_) {
    failed(fmt::format("not read for {}", human(to_seconds(passed))));
    return std::nullopt;
  }
  const Int128 sum = static_cast<Int128>(last_->value + reading.value) * passed.value + remainder_;
  remainder_ = static_cast<std::int64_t>(sum % kTrapezoidDenominator);
  return static_cast<std::int64_t>(sum / kTrapezoidDenominator);
}

std::optional<std::int64_t> Accumulator::difference(Nanoseconds passed, const Reading& reading) {
  const Watts plausible = plausible_power(domain_.kind);
  const bool late = passed > longest_hole_ && std::isfinite(plausible.value);
  if (late && to_seconds(passed) > longest_unseen(reading.modulus, plausible)) {
    failed(fmt::format("not read for {}: the counter may have wrapped unseen", human(to_seconds(passed))));
    return std::nullopt;
  }
  const std::optional<std::uint64_t> counts = counted(*last_, reading);
  // A counter that is refreshed seldom may show a whole period's energy at once.
  const Joules most = plausible * to_seconds(passed + domain_.update_period);
  const auto limit = static_cast<double>(std::numeric_limits<std::int64_t>::max() / 2);
  if (!counts || static_cast<double>(*counts) > std::min(most.value * 1e6, limit)) {
    failed("the counter was reset");
    return std::nullopt;
  }
  return static_cast<std::int64_t>(*counts);
}

std::optional<std::int64_t> Accumulator::energy_since_last(Nanoseconds time, const Reading& reading) {
  if (reading.kind != last_->kind) {
    failed("the source changed between counter and power");
    return std::nullopt;
  }
  const Nanoseconds passed = time - last_time_;
  return reading.kind == Reading::Kind::power ? integral(passed, reading) : difference(passed, reading);
}

std::optional<Sample> Accumulator::add(Nanoseconds time, const Reading& reading, bool suspended) {
  if (last_ && time <= last_time_) return std::nullopt;
  if (suspended && last_) gap_ = true;
  if (reading.kind == Reading::Kind::absent || reading.kind == Reading::Kind::gap) {
    gap_ = gap_ || reading.kind == Reading::Kind::gap || (last_ && last_->kind == Reading::Kind::power);
    failed(reading.reason);
    return std::nullopt;
  }
  const bool out_of_range = reading.kind == Reading::Kind::counter
                                ? reading.modulus > 0 && reading.value > reading.modulus
                                : reading.value > kMaximumPower;
  if (out_of_range) {
    gap_ = gap_ || reading.kind == Reading::Kind::power;
    failed("the value is out of the source's range");
    return std::nullopt;
  }
  Sample sample{.time = time, .cumulative = cumulative_, .gap_before = false};
  if (last_) {
    const auto energy = gap_ ? std::nullopt : energy_since_last(time, reading);
    if (energy) cumulative_.value += *energy;
    sample = {.time = time, .cumulative = cumulative_, .gap_before = !energy};
  }
  gap_ = false;
  last_ = reading;
  last_time_ = time;
  return sample;
}

}  // namespace wattle::energy
