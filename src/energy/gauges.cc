// The one list of gauge sources.
#include "energy/telemetry.h"

namespace wattle::energy {

std::vector<std::unique_ptr<GaugeSource>> gauge_sources(const ProbeOptions& options) {
  std::vector<std::unique_ptr<GaugeSource>> sources;
  sources.push_back(machine_gauges(options));
  sources.push_back(process_gauges(options));
  if (auto gpus = gpu_gauges(options)) sources.push_back(patient(std::move(gpus)));  // a driver may hang
  return sources;
}

std::vector<Gauge> known_gauges() {
  std::vector<Gauge> all;
  const ProbeOptions nowhere{.sysroot = "/nonexistent"};
  for (const auto& source :
       {machine_gauges(nowhere)->gauges(), process_gauges(nowhere)->gauges(), gpu_gauge_columns("gpu-N")}) {
    all.insert(all.end(), source.begin(), source.end());
  }
  return all;
}

}  // namespace wattle::energy
