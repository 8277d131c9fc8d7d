#include "meter/measure.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <filesystem>

#include "base/text.h"
#include "meter/one_off.h"
#include "run/ledger_entry.h"
#include "stats/descriptive.h"

namespace wattle::meter {
namespace {

constexpr double kNormal95 = 1.96;

DomainEnergy domain_energy(const energy::Series& series, const energy::Window& window,
                           const std::optional<Idle>& idle) {
  DomainEnergy domain;
  domain.domain = series.domain;
  domain.gross = energy::energy_in(series, window);
  if (!domain.gross.energy) return domain;
  const Seconds duration = to_seconds(window.end - window.begin);
  const Joules gross = to_joules(*domain.gross.energy);
  domain.mean = gross / duration;
  domain.peak = energy::peak_power(series, window);
  const IdlePower* power = idle ? idle->of(series.domain.name) : nullptr;
  if (power == nullptr) return domain;
  domain.idle = power->mean * duration;
  domain.net = gross - *domain.idle;
  // The gain of a source is the same in both, so it scales the net; the rest of gross's uncertainty is its own.
  const double gain = series.domain.gain_uncertainty;
  const double own = std::sqrt(std::max(0.0, domain.gross.uncertainty * domain.gross.uncertainty - gain * gain));
  const double idle_error = kNormal95 * power->sigma.value / std::sqrt(std::max(1, power->windows)) * duration.value;
  domain.net_uncertainty = Joules{std::hypot(gain * domain.net->value, own * gross.value, idle_error)};
  return domain;
}

bool of_a_processor(energy::DomainKind kind) {
  return kind == energy::DomainKind::package || kind == energy::DomainKind::core ||
         kind == energy::DomainKind::cpu_model;
}

// Idle energy stays nobody's: whoever rents the machine pays for it, whatever runs.
void attribute_domains(Measurement& measurement, const energy::Window& window) {
  const record::Resources& resources = measurement.record.resources;
  const Nanoseconds total = to_nanoseconds(resources.user_cpu + resources.system_cpu);
  const std::vector<energy::Use> cpu_uses = energy::cpu_uses(measurement.telemetry, window, total);
  for (std::size_t i = 0; i < measurement.domains.size(); ++i) {
    DomainEnergy& domain = measurement.domains[i];
    const bool gpu = domain.domain.kind == energy::DomainKind::gpu;
    if ((!gpu && !of_a_processor(domain.domain.kind)) || !domain.gross.energy) continue;
    const std::vector<energy::Use> gpu_uses =
        gpu ? energy::gpu_uses(measurement.telemetry, domain.domain.name, window) : std::vector<energy::Use>{};
    if (gpu && gpu_uses.empty()) continue;  // no GPU of NVML's, or one that does not tell who uses it
    const Seconds duration = to_seconds(window.end - window.begin);
    const Watts idle = domain.idle ? *domain.idle / duration : Watts{};
    domain.attribution =
        energy::attribute(measurement.trace.series[i], gpu ? gpu_uses : cpu_uses, window, idle, energy::IdleRule::kept);
  }
}

TotalEnergy total_energy(const record::Total& gross, const std::vector<std::size_t>& parts,
                         const std::vector<DomainEnergy>& domains, Seconds duration) {
  TotalEnergy total{.gross = gross, .idle = {}, .net = {}, .mean = {}};
  if (!gross.energy) return total;
  if (duration.value > 0.0) total.mean = to_joules(*gross.energy) / duration;
  Joules idle{};
  for (const std::size_t part : parts) {
    if (!domains[part].idle) return total;
    idle += *domains[part].idle;
  }
  total.idle = idle;
  total.net = to_joules(*gross.energy) - idle;
  return total;
}

}  // namespace

Result<Measurement> measurement_of(record::Attempt attempt, const std::optional<Idle>& idle) {
  auto decoded = energy::decode_trace(attempt.trace);
  if (!decoded) return tl::unexpected(decoded.error());
  Measurement measurement;
  measurement.trace = std::move(decoded->trace);
  measurement.ledger = run::ledger_entry(attempt);
  measurement.record = std::move(attempt.record);
  const record::Record& record = measurement.record;
  if (record.windows.empty()) return measurement;
  const energy::Window& window = record.windows.front().window;
  for (const energy::Series& series : measurement.trace.series) {
    measurement.domains.push_back(domain_energy(series, window, idle));
  }
  for (energy::CounterCheck& check : energy::check_counters(measurement.trace.series, window)) {
    const auto domain = std::find_if(measurement.domains.begin(), measurement.domains.end(),
                                     [&](const DomainEnergy& one) { return one.domain.name == check.domain; });
    if (domain != measurement.domains.end()) domain->check = std::move(check);
  }
  if (auto table = energy::decode_telemetry(attempt.telemetry)) measurement.telemetry = *std::move(table);
  attribute_domains(measurement, window);
  const energy::Cover cover = energy::cover(measurement.trace.series);
  const Seconds duration = to_seconds(window.end - window.begin);
  measurement.measured = total_energy(record.measured, cover.measured, measurement.domains, duration);
  measurement.estimated = total_energy(record.estimated, cover.estimated, measurement.domains, duration);
  return measurement;
}

Result<std::vector<Measurement>> measure(const std::vector<std::string>& arguments, const MeasureOptions& options,
                                         Clock& clock, const std::stop_token& stop, const OnRun& on_run) {
  OneOff what;
  what.arguments = arguments;
  what.interval = options.interval;
  run::RunnerOptions runner = options.runner;
  runner.streams = run::Streams::inherited;
  std::vector<Measurement> measurements;
  const std::string lost = daemon_client(arguments);
  for (int number = 1 - options.warm_ups; number <= options.repetitions; ++number) {
    auto attempt = run_one_off(what, runner, clock, stop);
    if (!attempt) return tl::unexpected(attempt.error());
    auto measurement = measurement_of(*std::move(attempt), options.idle);
    if (!measurement) return tl::unexpected(measurement.error());
    measurement->lost = lost;
    const bool warm_up = number < 1;
    const bool ended_well = record::successful(measurement->record.end);
    if (on_run) on_run(*measurement, warm_up ? number + options.warm_ups : number, warm_up);
    if (!warm_up || !ended_well) measurements.push_back(*std::move(measurement));
    if (!ended_well || stop.stop_requested()) break;
  }
  return measurements;
}

std::string daemon_client(const std::vector<std::string>& arguments) {
  // What each of them hands the work to.
  static constexpr std::array<std::pair<std::string_view, std::string_view>, 11> kClients{
      {{"docker", "the Docker daemon"},
       {"nerdctl", "containerd"},
       {"ctr", "containerd"},
       {"kubectl", "a Kubernetes node"},
       {"srun", "Slurm's daemon"},
       {"sbatch", "Slurm's daemon"},
       {"systemd-run", "systemd"},
       {"machinectl", "systemd"},
       {"ssh", "another machine"},
       {"lxc", "the LXD daemon"},
       {"at", "the at daemon"}}};
  for (const std::string& argument : arguments) {
    const std::string name = std::filesystem::path(argument).filename().string();
    const auto* client =
        std::find_if(kClients.begin(), kClients.end(), [&](const auto& known) { return known.first == name; });
    if (client != kClients.end()) {
      return fmt::format(
          "`{}` hands its work to {}, so its processes are not the command's own: the machine's energy is "
          "whole, but CPU time, memory, shares and ending the run on ^C are those of `{}` alone",
          client->first, client->second, client->first);
    }
    // Behind these stands the command itself.
    if (name != "sudo" && name != "env" && name != "nice" && name != "time" && name != "taskset") break;
  }
  return {};
}

Repeated repeated(const std::vector<double>& values) {
  return {.n = static_cast<int>(values.size()),
          .mean = stats::mean(values).value_or(0.0),
          .standard_deviation = stats::standard_deviation(values),
          .half_width = stats::mean_half_width(values)};
}

std::string trace_csv(const energy::Trace& trace) {
  Nanoseconds begin{};
  bool any = false;
  for (const energy::Series& series : trace.series) {
    if (series.samples.empty()) continue;
    begin = any ? std::min(begin, series.samples.front().time) : series.samples.front().time;
    any = true;
  }
  std::string csv = "time_s,domain,energy_j\n";
  for (const energy::Series& series : trace.series) {
    for (const energy::Sample& sample : series.samples) {
      // An empty cell is a gap, as the replay reads it.
      if (sample.gap_before) {
        csv += fmt::format("{:.9f},{},\n", to_seconds(sample.time - begin).value - 1e-9, series.domain.name);
      }
      csv += fmt::format("{:.9f},{},{:.6f}\n", to_seconds(sample.time - begin).value, series.domain.name,
                         to_joules(sample.cumulative).value);
    }
  }
  return csv;
}

}  // namespace wattle::meter
