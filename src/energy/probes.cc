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
  bool measures;  // false: a last resort, used by itself only where nothing measures
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

// A GPU's use alone is an estimate, beside which the processors' is wanted too.
bool measures(const Found& found) {
  if (found.status != Found::Status::found || !found.probe) return false;
  const std::vector<Domain>& domains = found.probe->domains();
  return std::any_of(domains.begin(), domains.end(), [](const Domain& domain) { return measured(domain.provenance); });
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

  bool measured_by_one = false;
  for (const Known& probe : kProbes) {
    if (!probe.measures && measured_by_one) continue;
    all.push_back(probe.find(options));
    measured_by_one |= probe.measures && measures(all.back());
  }
  return all;
}

}  // namespace wattle::energy
