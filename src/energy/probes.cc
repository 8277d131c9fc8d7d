// The one list of probes, in order of trust.
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <string_view>

#include "base/text.h"
#include "energy/battery_probe.h"
#include "energy/constant_probe.h"
#include "energy/hwmon_probe.h"
#include "energy/model_probe.h"
#include "energy/nvml_probe.h"
#include "energy/perf_probe.h"
#include "energy/plug_probe.h"
#include "energy/powercap_probe.h"
#include "energy/probe.h"
#include "energy/replay_probe.h"

namespace wattle::energy {
namespace {

struct Known {
  std::string_view name;
  Found (*find)(const ProbeOptions& options);
  bool measures;  // false: a last resort, used by itself only where nothing measures the processors
};

constexpr std::array<Known, 6> kProbes{{{"perf", find_perf, true},
                                        {"powercap", find_powercap, true},
                                        {"nvml", find_nvml, true},
                                        {"hwmon", find_hwmon, true},
                                        {"battery", find_battery, true},
                                        {"model", find_model, false}}};

// Probes that take words of their own: "replay:FILE".
struct Worded {
  std::string_view prefix;
  std::string_view words;  // for people
  Found (*find)(const std::string& words, const ProbeOptions& options);
};

constexpr std::array<Worded, 3> kWorded{
    {{"replay:", "FILE", [](const std::string& words, const ProbeOptions&) { return find_replay(words); }},
     {"plug:", "HOST[:PORT]", find_plug},
     {"constant:", "WATTS[:NAME]",
      [](const std::string& words, const ProbeOptions&) { return find_constant(words); }}}};

Found unknown(const std::string& name) {
  Found found;
  found.name = name;
  std::vector<std::string> names = probe_names();
  const auto meant = nearest(name, names);
  for (const Worded& probe : kWorded) names.push_back(fmt::format("{}{}", probe.prefix, probe.words));
  found.reason = meant ? fmt::format("there is no probe of this name; did you mean `{}`?", *meant)
                       : fmt::format("there is no probe of this name; there are {}", join(names, ", "));
  return found;
}

Found find_named(const std::string& name, const ProbeOptions& options) {
  for (const Worded& probe : kWorded) {
    if (name.starts_with(probe.prefix)) return probe.find(name.substr(probe.prefix.size()), options);
  }
  for (const Known& probe : kProbes) {
    if (probe.name == name) return probe.find(options);
  }
  return unknown(name);
}

bool measures_processors(const Domain& domain) {
  return measured(domain.provenance) &&
         (domain.kind == DomainKind::wall || domain.kind == DomainKind::psys || domain.kind == DomainKind::package);
}

// perf and powercap open one door each to the same counters; that one is locked takes nothing away.
void forgive_perf(std::vector<Found>& all) {
  const auto named = [&](std::string_view name) {
    return std::find_if(all.begin(), all.end(), [&](const Found& found) { return found.name == name; });
  };
  const auto perf = named("perf");
  const auto powercap = named("powercap");
  if (perf == all.end() || powercap == all.end() || perf->status != Found::Status::denied || !powercap->probe) return;
  perf->status = Found::Status::absent;
  perf->reason += "; not needed, powercap reads the same counters";
  perf->missing.clear();
}

}  // namespace

std::vector<std::string> probe_names() {
  std::vector<std::string> names;
  names.reserve(kProbes.size());
  for (const Known& probe : kProbes) names.emplace_back(probe.name);
  return names;
}

std::vector<Found> find_probes(const ProbeOptions& options) {
  std::vector<Found> all;
  for (const std::string& name : options.wanted) {
    all.push_back(find_named(name, options));
    all.back().asked_for = true;
  }
  if (!options.wanted.empty()) return all;

  ProbeOptions narrowed = options;
  for (const Known& probe : kProbes) {
    const bool covered = std::any_of(narrowed.taken.begin(), narrowed.taken.end(), measures_processors);
    if (!probe.measures && covered) continue;
    all.push_back(probe.find(narrowed));
    if (!all.back().probe) continue;
    const std::vector<Domain>& domains = all.back().probe->domains();
    narrowed.taken.insert(narrowed.taken.end(), domains.begin(), domains.end());
  }
  forgive_perf(all);
  return all;
}

}  // namespace wattle::energy
