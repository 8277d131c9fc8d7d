#include "meter/conditions.h"

#include <cmath>

#include "energy/sampler.h"
#include "energy/telemetry.h"

namespace wattle::meter {

std::optional<double> processor_temperature(const energy::ProbeOptions& probes) {
  const auto source = energy::machine_gauges(probes);
  std::vector<double> values(source->gauges().size(), energy::kNotTold);
  source->read(Nanoseconds{}, 0, values);
  const energy::TelemetryTable table{.gauges = source->gauges(), .rows = {}};
  const std::size_t column = energy::column_of(table, "cpu_temperature");
  if (column >= values.size() || !std::isfinite(values[column])) return std::nullopt;
  return values[column];
}

Result<Heard> listen(const energy::ProbeOptions& probes, Clock& clock, Nanoseconds duration,
                     const std::stop_token& stop) {
  energy::SamplerOptions options;
  options.interval = milliseconds(50);
  energy::Sampler sampler(clock, energy::find_probes(probes), options);
  sampler.start();
  const energy::Window window{
      energy::WindowKind::run, "listening", {}, clock.monotonic(), clock.monotonic() + duration};
  const bool whole = clock.sleep_until(window.end, stop);
  const energy::Trace trace = sampler.stop();
  if (!whole) return fail(ErrorKind::interrupted, "interrupted while listening to the machine");
  const Seconds time = to_seconds(duration);
  Heard heard;
  std::vector<std::optional<Watts>> means;
  for (const energy::Series& series : trace.series) {
    const energy::WindowEnergy told = energy::energy_in(series, window);
    means.push_back(told.energy ? std::optional(to_joules(*told.energy) / time) : std::nullopt);
    if (means.back()) heard.domains[series.domain.name] = *means.back();
  }
  const energy::Cover cover = energy::cover(trace.series);
  const auto& parts = cover.measured.empty() ? cover.estimated : cover.measured;
  if (parts.empty()) return fail(ErrorKind::environment, "nothing here tells the machine's power");
  for (const std::size_t part : parts) {
    if (!means[part]) return fail(ErrorKind::environment, "the machine's power could not be told");
    heard.total += *means[part];
  }
  return heard;
}

}  // namespace wattle::meter
