#include "run/group_share.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "base/text.h"
#include "energy/attribution.h"

namespace wattle::run {
namespace {

using energy::DomainKind;

const energy::Window& run_of(const GroupAttempt& attempt) { return attempt.record.windows.front().window; }

energy::Window whole(const std::vector<GroupAttempt>& attempts) {
  energy::Window window{energy::WindowKind::run, "group", {}, run_of(attempts.front()).begin, {}};
  for (const GroupAttempt& attempt : attempts) {
    window.begin = std::min(window.begin, run_of(attempt).begin);
    window.end = std::max(window.end, run_of(attempt).end);
  }
  return window;
}

std::string name_of(const record::Record& record) {
  const study::Configuration& configuration = record.request.configuration;
  return configuration.workload + "/" + configuration.label;
}

// Part of the one's time during which some attempt of the other member ran.
double covered(const energy::Window& one, const std::vector<const GroupAttempt*>& other) {
  Nanoseconds together{};
  for (const GroupAttempt* attempt : other) {
    const energy::Window& run = run_of(*attempt);
    together += std::max(Nanoseconds{}, std::min(one.end, run.end) - std::max(one.begin, run.begin));
  }
  return one.end > one.begin ? together / (one.end - one.begin) : 0.0;
}

// By member: repetitions of a partner are one.
std::map<int, std::vector<const GroupAttempt*>> by_member(const std::vector<GroupAttempt>& attempts) {
  std::map<int, std::vector<const GroupAttempt*>> members;
  for (const GroupAttempt& attempt : attempts) {
    members[attempt.record.request.configuration.colocation.member].push_back(&attempt);
  }
  return members;
}

double overlap_of(const GroupAttempt& attempt, const std::vector<GroupAttempt>& attempts) {
  double least = 1.0;
  for (const auto& [member, others] : by_member(attempts)) {
    if (member == attempt.record.request.configuration.colocation.member) continue;
    least = std::min(least, covered(run_of(attempt), others));
  }
  return least;
}

bool used_a_gpu(const GroupAttempt& attempt) {
  return std::any_of(attempt.record.measures.begin(), attempt.record.measures.end(), [](const energy::Measure& one) {
    return one.name.ends_with("_run_busy_time") && one.maximum > 0.0;
  });
}

std::string why_invalid(const std::vector<GroupAttempt>& attempts) {
  for (const GroupAttempt& attempt : attempts) {
    const record::Record& record = attempt.record;
    if (!record::successful(record.end))
      return fmt::format("{} {}: {}", name_of(record), to_string(record.end), record.reason);
  }
  for (const auto& [member, all] : by_member(attempts)) {
    Seconds worked{};
    Seconds lived{};
    for (const GroupAttempt* attempt : all) {
      worked += attempt->record.resources.user_cpu + attempt->record.resources.system_cpu;
      lived += to_seconds(run_of(*attempt).end - run_of(*attempt).begin);
    }
    const bool idle = worked.value < kLeastWork * lived.value;
    if (idle && !std::any_of(all.begin(), all.end(), [](const auto* one) { return used_a_gpu(*one); })) {
      return fmt::format("{} hardly worked: {} of CPU time in {}", name_of(all.front()->record), human(worked),
                         human(lived));
    }
  }
  return {};
}

// One list a consumer, for attribute(); empty where nothing is told of this kind of domain.
std::vector<energy::Use> uses_for(const energy::Domain& domain, const std::vector<GroupAttempt>& attempts) {
  std::vector<std::vector<energy::Use>> each;
  for (const GroupAttempt& attempt : attempts) {
    const energy::Window& run = run_of(attempt);
    if (domain.kind == DomainKind::gpu) {
      each.push_back(energy::gpu_uses(attempt.telemetry, domain.name, run));
      continue;
    }
    const record::Resources& resources = attempt.record.resources;
    each.push_back(energy::cpu_uses(attempt.telemetry, run, to_nanoseconds(resources.user_cpu + resources.system_cpu)));
  }
  return energy::at_common_instants(each);
}

bool is_static(DomainKind kind) { return kind == DomainKind::ram_model || kind == DomainKind::other; }

struct Parts {
  std::vector<energy::Share> own;
  Microjoules idle;
  Microjoules others;
  Microjoules unknown;
};

void add(const energy::Series& series, const std::vector<GroupAttempt>& attempts, const energy::Window& window,
         const std::map<std::string, Watts>& idle_power, Parts& parts) {
  if (is_static(series.domain.kind)) {
    parts.idle += energy::energy_in(series, window).energy.value_or(Microjoules{});
    return;
  }
  const auto idle = idle_power.find(series.domain.name);
  const energy::Attribution shares =
      energy::attribute(series, uses_for(series.domain, attempts), window,
                        idle == idle_power.end() ? Watts{} : idle->second, energy::IdleRule::kept);
  parts.idle += shares.idle;
  parts.others += shares.others.active;
  parts.unknown += shares.unknown;
  for (std::size_t i = 0; i < shares.consumers.size(); ++i) {
    parts.own[i].active += shares.consumers[i].active;
    parts.own[i].least += shares.consumers[i].least;
    parts.own[i].most += shares.consumers[i].most;
  }
}

record::Total attributed(const energy::Share& share, const record::Total& of) {
  record::Total own{share.active, {}, of.coverage, of.uncertainty};
  const double active = to_joules(share.active).value;
  const double away = std::max(to_joules(share.most).value - active, active - to_joules(share.least).value);
  if (active > 0.0) own.uncertainty = std::hypot(of.uncertainty, away / active);
  return own;
}

}  // namespace

void share_out(std::vector<GroupAttempt>& attempts, const energy::Trace& trace,
               const std::map<std::string, Watts>& idle_power) {
  // An attempt that nobody saw begin has no window, and the group no edges.
  const bool known = !attempts.empty() && std::all_of(attempts.begin(), attempts.end(),
                                                      [](const auto& one) { return !one.record.windows.empty(); });
  if (!known) return;
  const energy::Window window = whole(attempts);
  const record::Metered metered = record::meter(trace, {window});
  const energy::Cover cover = energy::cover(trace.series);
  const bool measured = metered.measured.energy.has_value();
  const record::Total& total = measured ? metered.measured : metered.estimated;
  Parts parts{std::vector<energy::Share>(attempts.size()), {}, {}, {}};
  for (const std::size_t i : measured ? cover.measured : cover.estimated) {
    add(trace.series[i], attempts, window, idle_power, parts);
  }
  const std::string invalid = why_invalid(attempts);
  for (std::size_t i = 0; i < attempts.size(); ++i) {
    record::Record& record = attempts[i].record;
    record::GroupShare share{.members = static_cast<int>(attempts.size()),
                             .overlap = overlap_of(attempts[i], attempts),
                             .invalid = invalid,
                             .measured = metered.measured,
                             .estimated = metered.estimated,
                             .own = {},
                             .least = parts.own[i].least,
                             .most = parts.own[i].most,
                             .idle = parts.idle,
                             .others = parts.others,
                             .unknown = parts.unknown};
    if (total.energy) share.own = parts.own[i].active;
    record.measured = {{}, "it ran beside others: its part is attributed", 0.0, 0.0};
    record.estimated = total.energy ? attributed(parts.own[i], total) : record::Total{{}, total.why_absent, 0.0, 0.0};
    record.group = std::move(share);
    if (!invalid.empty()) record.flags.emplace_back("group invalid");
  }
}

}  // namespace wattle::run
