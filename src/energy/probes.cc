// The one list of probes, in order of trust.
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <string_view>

#include "base/text.h"
#include "energy/model_probe.h"
#include "energy/nvml_probe.h"
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

constexpr std::array<Known, 3> kProbes{
    {{"powercap", find_powercap, true}, {"nvml", find_nvml, true}, {"model", find_model, false}}};
constexpr std::string_view kReplay = "replay:";

Found unknown(const std::string& name) {
  Found found;
  found.name = name;
  const std::vector<std::string> names = probe_names();
  const auto meant = nearest(name, names);
  found.reason = meant ? fmt::format("there is no probe of this name; did you mean `{}`?", *meant)
                       : fmt::format("there is no probe of this name; there are {}, replay:FILE", join(names, ", "));
  return found;
}

// Whether the processors are measured: beside a measured GPU alone their model is still wanted. The two stay apart.
bool measures_processors(const Found& found) {
  if (found.status != Found::Status::found || !found.probe) return false;
  const std::vector<Domain>& domains = found.probe->domains();
  return std::any_of(domains.begin(), domains.end(), [](const Domain& domain) {
    const bool holds_them =
        domain.kind == DomainKind::wall || domain.kind == DomainKind::psys || domain.kind == DomainKind::package;
    return holds_them && measured(domain.provenance);
  });
}

Found find_named(const std::string& name, const ProbeOptions& options) {
  if (name.starts_with(kReplay)) return find_replay(name.substr(kReplay.size()));
  for (const Known& probe : kProbes) {
    if (probe.name == name) return probe.find(options);
  }
  return unknown(name);
}

}  // namespace

std::vector<std::string> probe_names() {
  std::vector<std::string> names;
  for (const Known& probe : kProbes) names.emplace_back(probe.name);
  return names;
}

std::vector<Found> find_probes(const ProbeOptions& options) {
  std::vector<Found> all;
  for (const std::string& name : options.wanted) all.push_back(find_named(name, options));
  if (!options.wanted.empty()) return all;

  bool processors_measured = false;
  for (const Known& probe : kProbes) {
    if (!probe.measures && processors_measured) continue;
    all.push_back(probe.find(options));
    processors_measured |= probe.measures && measures_processors(all.back());
  }
  return all;
}

}  // namespace wattle::energy
