#include "energy/attribution.h"

#include <algorithm>
#include <cmath>
#include <iterator>
#include <limits>
#include <map>
#include <numeric>
#include <optional>
#include <utility>

#include "energy/exact.h"

namespace wattle::energy {
namespace {

// Shares are summed in 2^-62 µJ: an interval loses less than that, and the largest remainder gives it back.
constexpr int kFraction = 62;
constexpr Int128 kOne = Int128{1} << kFraction;
// CPU time of all in one interval; 146 years are no use, and up to here no product overflows.
constexpr Int128 kMostUse = kOne;
constexpr double kHighestIdle = 1e9;    // W
constexpr double kMostEnergy = 9.2e18;  // µJ that an int64 holds

// One consumer's part, or the others', so far.
struct Part {
  Int128 active = 0;  // 2^-62 µJ
  Int128 idle = 0;
  double least = 0.0;  // µJ
  double most = 0.0;
};

// What each used between two instants, others last; nothing where that is not known.
struct Used {
  std::vector<Int128> parts;
  Int128 all = 0;
};

Int128 between(Nanoseconds before, Nanoseconds after) { return static_cast<Int128>(after.value) - before.value; }

std::optional<Used> used(const Use& before, const Use& after) {
  Used result;
  Int128 known = 0;
  for (std::size_t i = 0; i < after.consumers.size(); ++i) {
    result.parts.push_back(between(before.consumers[i], after.consumers[i]));
    if (result.parts.back() < 0) return std::nullopt;
    known += result.parts.back();
  }
  const Int128 all = between(before.all, after.all);
  result.all = std::max(all, known);
  if (all < 0 || result.all > kMostUse) return std::nullopt;
  result.parts.push_back(result.all - known);
  if (result.all == 0) result.all = result.parts.back() = 1;  // nobody did: the others
  return result;
}

Int128 share_of(Int128 energy, Int128 part, Int128 all) {
  const Int128 product = energy * part;
  return product / all * kOne + product % all * kOne / all;
}

void split(std::vector<Part>& parts, const Used& use, Int128 active, Int128 idle) {
  const auto energy = static_cast<double>(active);
  for (std::size_t i = 0; i < parts.size(); ++i) {
    Part& part = parts[i];
    part.active += share_of(active, use.parts[i], use.all);
    part.idle += share_of(idle, use.parts[i], use.all);
    const auto own = static_cast<double>(use.parts[i]);
    const auto rest = static_cast<double>(use.all - use.parts[i]);
    part.least += energy * own / (own + kMostUnlike * rest);
    part.most += energy * kMostUnlike * own / (kMostUnlike * own + rest);
  }
}

// Idle power by the time that was really sampled: a gap has no energy, idle or other.
std::int64_t idle_energy(Watts idle, Nanoseconds time, std::int64_t energy) {
  const double watts = std::isnan(idle.value) ? 0.0 : std::clamp(idle.value, 0.0, kHighestIdle);
  const Int128 microwatts = std::llround(watts * 1e6);
  const Int128 microjoules = (microwatts * time.value + 500'000'000) / 1'000'000'000;
  return microjoules < energy ? static_cast<std::int64_t>(microjoules) : energy;
}

// Whole microjoules that add up to the total: floors, and what is left to the largest remainders. Equal ones get it
// together or leave it to the last part.
std::vector<std::int64_t> rounded(const std::vector<Int128>& parts, std::int64_t total) {
  std::vector<std::int64_t> whole;
  whole.reserve(parts.size());
  for (const Int128 part : parts) whole.push_back(static_cast<std::int64_t>(part / kOne));
  std::int64_t left = total - std::accumulate(whole.begin(), whole.end(), std::int64_t{0});
  const auto remainder = [&](std::size_t i) { return parts[i] % kOne; };
  std::vector<std::size_t> order(parts.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) { return remainder(a) > remainder(b); });
  for (auto first = order.begin(); first != order.end() && remainder(*first) > 0;) {
    const auto last =
        std::find_if(first, order.end(), [&](std::size_t i) { return remainder(i) != remainder(*first); });
    if (last - first > left) break;
    left -= last - first;
    for (; first != last; ++first) ++whole[*first];
  }
  whole.back() += left;
  return whole;
}

std::string fault_in(const std::vector<Use>& uses) {
  for (std::size_t i = 1; i < uses.size(); ++i) {
    if (uses[i].time <= uses[i - 1].time) return "the instants of use are not in order";
    if (uses[i].consumers.size() != uses[0].consumers.size()) return "the instants of use name different consumers";
  }
  return {};
}

// What the one consumer of the list had used at that instant.
Nanoseconds used_until(const std::vector<Use>& uses, Nanoseconds time) {
  const auto after = std::find_if(uses.begin(), uses.end(), [&](const Use& use) { return use.time >= time; });
  if (after == uses.end()) return uses.empty() ? Nanoseconds{} : uses.back().consumers.front();
  if (after == uses.begin() || after->time == time) return after->consumers.front();
  const Use& before = *std::prev(after);
  const double part = (time - before.time) / (after->time - before.time);
  const auto more = static_cast<double>((after->consumers.front() - before.consumers.front()).value);
  return before.consumers.front() + Nanoseconds{std::llround(part * more)};
}

// What the window's known intervals add up to.
struct Sum {
  std::vector<Part> parts;  // others last
  std::int64_t active = 0;  // µJ
  std::int64_t idle = 0;
  Nanoseconds known{};
};

Sum add_up(const Series& series, const std::vector<Use>& uses, const Window& window, Watts idle) {
  Sum sum{.parts = std::vector<Part>(uses.empty() ? 1 : uses[0].consumers.size() + 1)};
  for (std::size_t i = 1; i < uses.size(); ++i) {
    const Nanoseconds begin = std::max(uses[i - 1].time, window.begin);
    const Nanoseconds end = std::min(uses[i].time, window.end);
    if (begin >= end) continue;
    const auto use = used(uses[i - 1], uses[i]);
    if (!use) continue;
    sum.known += end - begin;
    const WindowEnergy told =
        energy_in(series, {.kind = WindowKind::run, .name = {}, .epoch = {}, .begin = begin, .end = end});
    const std::int64_t energy = (cumulative_at(series, end) - cumulative_at(series, begin)).value;
    const Nanoseconds sampled = to_nanoseconds(to_seconds(end - begin) * told.coverage);
    const std::int64_t idle_part = idle_energy(idle, sampled, energy);
    sum.idle += idle_part;
    sum.active += energy - idle_part;
    split(sum.parts, *use, energy - idle_part, idle_part);
  }
  return sum;
}

std::int64_t in_microjoules(double value) { return static_cast<std::int64_t>(std::min(value, kMostEnergy)); }

void share_active(const Sum& sum, Attribution& result) {
  std::vector<Int128> exact;
  for (const Part& part : sum.parts) exact.push_back(part.active);
  const std::vector<std::int64_t> whole = rounded(exact, sum.active);
  for (std::size_t i = 0; i < whole.size(); ++i) {
    Share& share = i < result.consumers.size() ? result.consumers[i] : result.others;
    share.active = {whole[i]};
    // Rounding must not put the share outside of its own interval.
    share.least = {std::min(whole[i], in_microjoules(std::floor(sum.parts[i].least)))};
    share.most = {std::max(whole[i], std::min(sum.active, in_microjoules(std::ceil(sum.parts[i].most))))};
  }
}

void share_idle(const Sum& sum, IdleRule rule, Attribution& result) {
  result.idle = {sum.idle};
  const auto count = static_cast<std::int64_t>(result.consumers.size());
  if (rule == IdleRule::equally && count > 0) {
    for (Share& share : result.consumers) share.idle = {sum.idle / count};
    result.idle = {sum.idle % count};
  }
  if (rule == IdleRule::by_use) {
    std::vector<Int128> exact;
    for (const Part& part : sum.parts) exact.push_back(part.idle);
    const std::vector<std::int64_t> whole = rounded(exact, sum.idle);
    for (std::size_t i = 0; i < result.consumers.size(); ++i) result.consumers[i].idle = {whole[i]};
    result.others.idle = {whole.back()};
    result.idle = {};
  }
}

}  // namespace

std::vector<Use> at_common_instants(const std::vector<std::vector<Use>>& each) {
  std::map<Nanoseconds, Nanoseconds> everybody;
  for (const std::vector<Use>& uses : each) {
    for (const Use& use : uses) everybody.emplace(use.time, use.all);
  }
  std::vector<Use> common;
  Nanoseconds highest{std::numeric_limits<std::int64_t>::min()};
  for (const auto& [time, all] : everybody) {
    highest = std::max(highest, all);  // two readers a moment apart may be told in the other order
    Use use{.time = time, .consumers = {}, .all = highest};
    for (const std::vector<Use>& uses : each) use.consumers.push_back(used_until(uses, time));
    common.push_back(std::move(use));
  }
  return common;
}

Attribution attribute(const Series& series, const std::vector<Use>& uses, const Window& window, Watts idle,
                      IdleRule rule) {
  Attribution result;
  const WindowEnergy whole = energy_in(series, window);
  result.why_absent = whole.energy ? fault_in(uses) : whole.why_absent;
  if (whole.energy) result.total = result.unknown = *whole.energy;
  if (!result.why_absent.empty()) return result;
  const Sum sum = add_up(series, uses, window, idle);
  if (sum.known.value == 0) {
    result.why_absent = "nobody's use is known in the window";
    return result;
  }
  result.consumers.resize(sum.parts.size() - 1);
  share_active(sum, result);
  share_idle(sum, rule, result);
  result.unknown = result.total - Microjoules{sum.active + sum.idle};
  result.coverage = sum.known / (window.end - window.begin);
  return result;
}

}  // namespace wattle::energy
