#include "meter/idle.h"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "base/text.h"
#include "energy/cpu_use.h"
#include "energy/sampler.h"
#include "record/record.h"
#include "stats/descriptive.h"

namespace wattle::meter {
namespace {

using nlohmann::json;

constexpr Nanoseconds kShortestWindow = seconds(1);
constexpr int kVersion = 1;

IdlePower idle_of(const energy::Series& series) {
  IdlePower idle{.domain = series.domain.name, .mean = {}, .sigma = {}, .windows = 0};
  if (series.samples.size() < 2) return idle;
  const Nanoseconds length =
      std::max(kShortestWindow, series.domain.update_period * std::int64_t{energy::kMinimumSamples});
  std::vector<double> powers;
  Nanoseconds begin = series.samples.front().time;
  for (; begin + length <= series.samples.back().time; begin += length) {
    const auto energy =
        energy::energy_in(series, {energy::WindowKind::run, "idle", std::nullopt, begin, begin + length});
    if (energy.energy && energy.coverage >= 1.0) {
      powers.push_back((to_joules(*energy.energy) / to_seconds(length)).value);
    }
  }
  idle.windows = static_cast<int>(powers.size());
  idle.mean = Watts{stats::mean(powers).value_or(0.0)};
  idle.sigma = Watts{stats::standard_deviation(powers).value_or(0.0)};
  return idle;
}

}  // namespace

const IdlePower* Idle::of(const std::string& domain) const {
  const auto found =
      std::find_if(domains.begin(), domains.end(), [&](const IdlePower& one) { return one.domain == domain; });
  return found == domains.end() ? nullptr : &*found;
}

Idle idle_in(const energy::Trace& trace) {
  Idle idle;
  for (const energy::Series& series : trace.series) {
    const IdlePower one = idle_of(series);
    if (one.windows > 0) idle.domains.push_back(one);
    if (series.samples.size() > 1) {
      idle.listened = std::max(idle.listened, series.samples.back().time - series.samples.front().time);
    }
  }
  return idle;
}

Result<Idle> measure_idle(const energy::ProbeOptions& probes, Clock& clock, Nanoseconds listening,
                          const std::stop_token& stop) {
  energy::SamplerOptions options;
  options.interval = milliseconds(100);
  energy::Sampler sampler(clock, energy::find_probes(probes), options);
  energy::MachineCpu machine(probes.sysroot);
  const auto before = machine.read();
  sampler.start();
  const bool whole = clock.sleep_until(clock.monotonic() + listening, stop);
  Idle idle = idle_in(sampler.stop());
  const auto after = machine.read();
  const auto shares = before && after ? energy::cpu_shares(*before, *after) : std::nullopt;
  if (shares) idle.busy = shares->busy;
  if (!whole) return fail(ErrorKind::interrupted, "interrupted while listening to the idle machine");
  if (idle.domains.empty()) {
    return fail(
        ErrorKind::environment,
        fmt::format("no idle power: no source could be read for {} without a gap", human(to_seconds(listening))),
        "wattle doctor says what can be read here");
  }
  idle.measured_wall = clock.wall();
  return idle;
}

Result<void> save_idle(const std::filesystem::path& file, const Idle& idle,
                       const std::map<std::string, std::string>& fingerprint) {
  if (idle.disturbed()) {
    return fail(ErrorKind::failed,
                fmt::format("the machine was {:.0f} % busy while it was listened to", 100.0 * *idle.busy),
                "end what else runs and listen again");
  }
  json domains = json::array();
  for (const IdlePower& one : idle.domains) {
    domains.push_back(
        {{"domain", one.domain}, {"power_w", one.mean.value}, {"sigma_w", one.sigma.value}, {"windows", one.windows}});
  }
  const json all{{"idle", kVersion},
                 {"machine", record::machine_identity(fingerprint)},
                 {"measured_wall_ns", idle.measured_wall.value},
                 {"listened_ns", idle.listened.value},
                 {"domains", domains}};
  std::error_code code;
  std::filesystem::create_directories(file.parent_path(), code);
  return write_text(file, all.dump(1, ' ', false, json::error_handler_t::replace) + "\n");
}

Result<Idle> load_idle(const std::filesystem::path& file, const std::map<std::string, std::string>& fingerprint) {
  const auto text = read_text(file, 1U << 20U);
  if (!text) return tl::unexpected(text.error());
  try {
    const json all = json::parse(*text);
    if (all.at("idle") != kVersion) return fail(ErrorKind::bad_input, "an idle file of another version");
    if (all.at("machine") != record::machine_identity(fingerprint))
      return fail(ErrorKind::bad_input, "of another machine");
    Idle idle;
    idle.measured_wall = {all.at("measured_wall_ns").get<std::int64_t>()};
    idle.listened = {all.at("listened_ns").get<std::int64_t>()};
    for (const json& one : all.at("domains")) {
      idle.domains.push_back({one.at("domain").get<std::string>(),
                              {one.at("power_w").get<double>()},
                              {one.at("sigma_w").get<double>()},
                              one.at("windows").get<int>()});
    }
    return idle;
  } catch (const json::exception& error) {
    return fail(ErrorKind::bad_input, fmt::format("{} is no idle file: {}", file.string(), error.what()),
                "wattle doctor writes a new one");
  }
}

}  // namespace wattle::meter
