#include "meter/calibrate.h"

#include <fmt/format.h>
#include <time.h>

#include <algorithm>
#include <cmath>
#include <memory>
#include <utility>

#include "base/text.h"
#include "energy/background.h"
#include "energy/sampler.h"
#include "energy/trace.h"

namespace wattle::meter {
namespace {

using energy::DomainKind;

constexpr Nanoseconds kInterval = milliseconds(50);  // of sampling
constexpr Nanoseconds kPatience = seconds(2);        // for the first answer of a source that is read aside
constexpr double kLeastCoverage = 0.9;               // of a level
constexpr const char* kSources =
    "RAPL counters, a wall plug or a battery can be calibrated against; `wattle doctor --quick` says what is missing "
    "here";

bool processors(const energy::Domain& domain) {
  return energy::measured(domain.provenance) &&
         (domain.kind == DomainKind::wall || domain.kind == DomainKind::psys || domain.kind == DomainKind::package);
}

bool memory(const energy::Domain& domain) {
  return domain.kind == DomainKind::wall || domain.kind == DomainKind::psys || domain.kind == DomainKind::dram;
}

// What holds the joules that are fitted: the best cover without GPUs.
std::vector<const energy::Series*> fitted_series(const energy::Trace& trace) {
  std::vector<const energy::Series*> fitted;
  for (const std::size_t index : energy::cover(trace.series).measured) {
    const energy::Series& series = trace.series[index];
    if (processors(series.domain) || series.domain.kind == DomainKind::dram) fitted.push_back(&series);
  }
  return fitted;
}

Result<void> can_calibrate(const std::vector<energy::Found>& probes, const CalibrateOptions& options) {
  bool measures = false;
  std::vector<std::string> why;
  std::string fix;
  for (const energy::Found& found : probes) {
    if (!found.probe) {
      why.push_back(fmt::format("{}: {}", found.name, found.reason));
      if (fix.empty()) fix = found.fix;
      continue;
    }
    for (const energy::Domain& domain : found.probe->domains()) {
      if (!processors(domain)) continue;
      measures = true;
      const Nanoseconds needed = domain.update_period * std::int64_t{energy::kMinimumSamples} * 5 / 4;
      if (needed > options.hold) {
        return fail(ErrorKind::bad_input,
                    fmt::format("{} is new every {} only, so levels of {} are too short", domain.name,
                                human(to_seconds(domain.update_period)), human(to_seconds(options.hold))),
                    fmt::format("--hold {}s", (needed.value + 999'999'999) / 1'000'000'000));
      }
    }
  }
  if (measures) return {};
  const std::string reasons = why.empty() ? "" : " (" + join(why, "; ") + ")";
  return fail(ErrorKind::environment,
              "nothing measures the processors here, so there is nothing to calibrate against" + reasons,
              fix.empty() ? kSources : fix);
}

// --- Climbing -----------------------------------------------------------------------------------------------

struct Mark {
  Nanoseconds time;
  energy::CpuTime cpu;
  Nanoseconds own;
};

struct Held {
  LoadLevel load;
  Mark begin;
  Mark end;
};

// Busy share of all online CPUs. A tick at either edge may be one of the time beyond.
double use_of(const Held& held) {
  const Nanoseconds busy = energy::busy_time(held.end.cpu) - energy::busy_time(held.begin.cpu);
  const auto online = static_cast<double>(held.end.cpu.online);
  return std::clamp(busy / (held.end.time - held.begin.time) / online, 0.0, 1.0);
}

class Climb {
 public:
  Climb(std::vector<energy::Found> probes, const CalibrateOptions& options, LoadedMachine& machine, Clock& clock,
        const std::stop_token& stop)
      : options_(options),
        machine_(machine),
        clock_(clock),
        stop_(stop),
        sampler_(clock, aside(clock, std::move(probes)),
                 {.interval = kInterval, .flush_every = seconds(1), .on_chunk = {}}) {}

  Result<std::vector<Held>> all(const std::vector<LoadLevel>& levels, const OnLevel& on_level) {
    sampler_.start(false);
    Nanoseconds begin = clock_.monotonic();
    std::vector<Held> held;
    for (std::size_t i = 0; i < levels.size(); ++i, begin += options_.hold) {
      const auto left = options_.hold * static_cast<std::int64_t>(levels.size() - i);
      if (on_level) on_level(levels[i], static_cast<int>(i + 1), static_cast<int>(levels.size()), left);
      auto one = hold(levels[i], begin);
      if (!one) return tl::unexpected(one.error());
      if (const auto alone = undisturbed(*one); !alone) return tl::unexpected(alone.error());
      held.push_back(*one);
    }
    return held;
  }

  [[nodiscard]] energy::Trace stop() { return sampler_.stop(); }

 private:
  // A source that blocks would hold up the ladder.
  static std::vector<energy::Found> aside(Clock& clock, std::vector<energy::Found> probes) {
    for (energy::Found& found : probes) {
      if (!found.probe || found.probe->own_period().value <= 0) continue;
      auto background = std::make_unique<energy::Background>(clock, std::move(found.probe));
      background->await_first(kPatience);
      found.probe = std::move(background);
    }
    return probes;
  }

  Result<Held> hold(const LoadLevel& level, Nanoseconds begin) {
    machine_.load(level);
    if (!sample_until(begin + options_.hold / 5)) return interrupted();
    const auto first = mark();
    if (!sample_until(begin + options_.hold)) return interrupted();
    const auto last = mark();
    if (!first || !last) return fail(ErrorKind::environment, "/proc/stat cannot be read");
    return Held{level, *first, *last};
  }

  bool sample_until(Nanoseconds instant) {
    while (clock_.monotonic() < instant) {
      if (!clock_.sleep_until(std::min(instant, clock_.monotonic() + kInterval), stop_)) return false;
      sampler_.sample();
    }
    return true;
  }

  std::optional<Mark> mark() {
    const auto cpu = machine_.cpu_time();
    if (!cpu) return std::nullopt;
    return Mark{clock_.monotonic(), *cpu, machine_.own_cpu_time()};
  }

  // Other programs' work is of another kind, and what another virtual machine draws is in no CPU's use.
  Result<void> undisturbed(const Held& held) const {
    const auto shares = energy::cpu_shares(held.begin.cpu, held.end.cpu);
    if (held.begin.cpu.online != held.end.cpu.online) {
      return fail(ErrorKind::environment, "CPUs came or went during the calibration");
    }
    const double own =
        (held.end.own - held.begin.own) / (held.end.time - held.begin.time) / static_cast<double>(held.end.cpu.online);
    const double others = use_of(held) - own;
    const double steal = shares ? shares->steal : 0.0;
    if (others <= options_.others && steal <= options_.others) return {};
    const bool programs = others > options_.others;
    return fail(
        ErrorKind::environment,
        fmt::format("disturbed: {} used {:.0f} % of the CPUs' time while the load was {}",
                    programs ? "other programs" : "other virtual machines", 100.0 * (programs ? others : steal),
                    describe(held.load)),
        fmt::format("calibrate when nothing else runs (at most {:.0f} % are let pass)", 100.0 * options_.others));
  }

  static tl::unexpected<Error> interrupted() {
    return fail(ErrorKind::interrupted, "interrupted during the calibration");
  }

  const CalibrateOptions& options_;
  LoadedMachine& machine_;
  Clock& clock_;
  const std::stop_token& stop_;
  energy::Sampler sampler_;
};

// --- What it gave -------------------------------------------------------------------------------------------

// Mean power of the series together over one level.
Result<MeasuredLevel> measured_level(const Held& held, const std::vector<const energy::Series*>& fitted) {
  MeasuredLevel level{.load = held.load, .use = use_of(held), .power = {}, .measured = {}};
  const energy::Window window{energy::WindowKind::run, "level", std::nullopt, held.begin.time, held.end.time};
  const Seconds length = to_seconds(window.end - window.begin);
  level.measured = length;
  for (const energy::Series* series : fitted) {
    const energy::WindowEnergy energy = energy::energy_in(*series, window);
    if (!energy.energy || energy.coverage < kLeastCoverage) {
      const std::string why =
          energy.energy ? fmt::format("{:.0f} % of it was seen", 100.0 * energy.coverage) : energy.why_absent;
      return fail(ErrorKind::environment, fmt::format("{} was not measured while the load was {}: {}",
                                                      series->domain.name, describe(held.load), why));
    }
    const Seconds seen = length * energy.coverage;
    level.power += to_joules(*energy.energy) / seen;
    level.measured = std::min(level.measured, seen);
  }
  return level;
}

Result<Calibrated> calibrated(const energy::Trace& trace, const std::vector<Held>& held,
                              const CalibrateOptions& options) {
  Calibrated result;
  const auto fitted = fitted_series(trace);
  if (fitted.empty())
    return fail(ErrorKind::environment, "no source could be read: " + join(trace.missing, "; "), kSources);
  std::vector<energy::LoadPoint> points;
  for (const Held& one : held) {
    auto level = measured_level(one, fitted);
    if (!level) return tl::unexpected(level.error());
    points.push_back({level->use, level->power, level->measured.value});
    result.levels.push_back(*std::move(level));
  }
  auto fit = energy::fit(points);
  if (!fit) return tl::unexpected(fit.error());
  energy::Calibration& calibration = result.calibration;
  calibration.machine = options.machine;
  calibration.fit = *fit;
  std::vector<std::string> sources;
  for (const energy::Series* series : fitted) {
    const energy::Domain& domain = series->domain;
    // A recording may name them as it likes.
    const std::string source = domain.source.empty() ? "unnamed source" : printable(domain.source);
    if (std::find(sources.begin(), sources.end(), source) == sources.end()) sources.push_back(source);
    calibration.domains.push_back(printable(domain.name));
    calibration.covers_memory |= memory(domain);
    calibration.simulated |= domain.simulated;
    calibration.source_gain = std::max(calibration.source_gain, domain.gain_uncertainty);
  }
  calibration.against = join(sources, " and ");
  return result;
}

}  // namespace

Nanoseconds ThisMachine::own_cpu_time() const {
  timespec time{};
  ::clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time);
  return seconds(time.tv_sec) + Nanoseconds{time.tv_nsec};
}

Result<Calibrated> calibrate(std::vector<energy::Found> probes, const CalibrateOptions& options, LoadedMachine& machine,
                             Clock& clock, const std::stop_token& stop, const OnLevel& on_level) {
  if (const auto can = can_calibrate(probes, options); !can) return tl::unexpected(can.error());
  const auto cpu = machine.cpu_time();
  if (!cpu) return fail(ErrorKind::environment, "/proc/stat cannot be read");
  Climb climb(std::move(probes), options, machine, clock, stop);
  const auto held = climb.all(ladder(options.steps, static_cast<int>(cpu->online)), on_level);
  machine.load({});
  const energy::Trace trace = climb.stop();
  if (!held) return tl::unexpected(held.error());
  auto result = calibrated(trace, *held, options);
  if (result) result->calibration.fitted_wall = clock.wall();
  return result;
}

}  // namespace wattle::meter
