#include <algorithm>

#include "campaign/campaign.h"

namespace wattle::campaign {
namespace {

std::optional<double> median(std::vector<double> values) {
  if (values.empty()) return std::nullopt;
  const auto middle = values.begin() + static_cast<std::ptrdiff_t>(values.size() / 2);
  std::nth_element(values.begin(), middle, values.end());
  return *middle;
}

}  // namespace

void Costs::add(const record::Summary& past) {
  if (!record::successful(past.end)) return;
  for (Samples* samples : {&configurations_[past.configuration], &workloads_[past.workload]}) {
    if (past.duration) samples->seconds.push_back(past.duration->value);
    const auto energy = past.measured_energy ? past.measured_energy : past.estimated_energy;
    if (!energy) continue;
    samples->joules.push_back(energy->value);
    energy_estimated_ = energy_estimated_ || !past.measured_energy;
  }
}

Estimate Costs::of(std::span<const study::RunRequest> requests) const {
  struct Cost {
    std::optional<double> seconds;
    std::optional<double> joules;
  };
  const auto cost_of = [&](const study::Configuration& configuration) {
    Cost cost;
    if (const auto own = configurations_.find(configuration.id); own != configurations_.end()) {
      cost = {median(own->second.seconds), median(own->second.joules)};
    }
    if (const auto shared = workloads_.find(configuration.workload); shared != workloads_.end()) {
      if (!cost.seconds) cost.seconds = median(shared->second.seconds);
      if (!cost.joules) cost.joules = median(shared->second.joules);
    }
    return cost;
  };
  // One look-up a configuration, not a run: a plan may hold thousands of repetitions.
  std::map<std::string_view, Cost> known;
  Estimate total{Seconds{}, Joules{}, energy_estimated_};
  for (const study::RunRequest& request : requests) {
    const auto [entry, fresh] = known.try_emplace(request.configuration.id);
    if (fresh) entry->second = cost_of(request.configuration);
    const Cost& cost = entry->second;
    if (!cost.seconds) total.time.reset();
    if (!cost.joules) total.energy.reset();
    if (total.time && cost.seconds) *total.time += Seconds{*cost.seconds};
    if (total.energy && cost.joules) *total.energy += Joules{*cost.joules};
  }
  return total;
}

}  // namespace wattle::campaign
