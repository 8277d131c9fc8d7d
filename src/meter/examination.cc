#include "meter/examination.h"

#include <fmt/format.h>

#include <algorithm>
#include <atomic>
#include <cmath>
#include <thread>

#include "energy/sampler.h"
#include "record/record.h"
#include "stats/descriptive.h"
#include "stats/sample_size.h"

namespace wattle::meter {
namespace {

constexpr Nanoseconds kBetweenReads{100'000};
constexpr int kFewestChanges = 3;
constexpr double kTwoSided = 0.025;  // pairs_needed is one-sided

struct Changes {
  std::uint64_t value = 0;
  bool seen = false;
  std::optional<Nanoseconds> last;
  std::vector<double> distances;  // ns
  std::string reason;

  void take(Nanoseconds time, const energy::Reading& reading) {
    if (reading.kind == energy::Reading::Kind::absent || reading.kind == energy::Reading::Kind::gap) {
      reason = reading.reason;
      return;
    }
    if (seen && reading.value != value) {
      if (last) distances.push_back(static_cast<double>((time - *last).value));
      last = time;
    }
    seen = true;
    value = reading.value;
  }
};

Nanoseconds median_of(const std::vector<double>& values) {
  return {static_cast<std::int64_t>(stats::median(values).value_or(0.0))};
}

// Work that neither memory nor the compiler can shorten: xorshift steps that depend on each other.
std::uint64_t work(std::uint64_t steps, std::uint64_t state, const std::stop_token& stop) {
  static constexpr std::uint64_t kBetweenLooks = 1U << 16U;
  for (std::uint64_t i = 0; i < steps; ++i) {
    state ^= state << 13U;
    state ^= state >> 7U;
    state ^= state << 17U;
    if (i % kBetweenLooks == 0 && stop.stop_requested()) break;
  }
  return state;
}

struct ControlRun {
  Seconds duration;
  record::Metered metered;
  energy::Trace trace;
};

class Control {
 public:
  Control(const energy::ProbeOptions& probes, const ControlOptions& options, Clock& clock, const std::stop_token& stop)
      : probes_(probes), options_(options), clock_(clock), stop_(stop) {}

  // Doubles the work until a run is long enough to be scaled.
  void size_up() {
    for (steps_ = 1U << 20U; !stop_.stop_requested(); steps_ *= 2) {
      const Nanoseconds begin = clock_.monotonic();
      on_all_threads();
      const Nanoseconds took = clock_.monotonic() - begin;
      if (took * 16 < options_.length) continue;
      steps_ = static_cast<std::uint64_t>(static_cast<double>(steps_) * (options_.length / std::max(took, {1})));
      return;
    }
  }

  [[nodiscard]] ControlRun run() {
    energy::Sampler sampler(clock_, energy::find_probes(probes_), {});
    sampler.start();
    const Nanoseconds begin = clock_.monotonic();
    on_all_threads();
    const Nanoseconds end = clock_.monotonic();
    ControlRun result;
    result.trace = sampler.stop();
    result.duration = to_seconds(end - begin);
    result.metered = record::meter(result.trace, {{energy::WindowKind::run, "control", std::nullopt, begin, end}});
    return result;
  }

 private:
  void on_all_threads() {
    std::vector<std::jthread> threads;
    for (int i = 0; i < options_.threads; ++i) {
      threads.emplace_back(
          [this, i] { result_ ^= work(steps_, 0x9E3779B97F4A7C15ULL + static_cast<unsigned>(i), stop_); });
    }
  }

  const energy::ProbeOptions& probes_;
  const ControlOptions& options_;
  Clock& clock_;
  const std::stop_token& stop_;
  std::uint64_t steps_ = 0;
  std::atomic<std::uint64_t> result_ = 0;  // so that the work is not left out
};

std::optional<double> relative_sd(const std::vector<double>& values) {
  const auto mean = stats::mean(values);
  const auto spread = stats::standard_deviation(values);
  if (!mean || !spread || !(*mean > 0.0)) return std::nullopt;
  return *spread / *mean;
}

}  // namespace

std::vector<SourceTiming> time_source(energy::Probe& probe, Clock& clock, Nanoseconds listening,
                                      const std::stop_token& stop) {
  const auto& domains = probe.domains();
  std::vector<energy::Reading> readings(domains.size());
  std::vector<Changes> changes(domains.size());
  std::vector<double> costs;
  const Nanoseconds end = clock.monotonic() + listening;
  for (Nanoseconds now = clock.monotonic(); now < end && !stop.stop_requested(); now = clock.monotonic()) {
    std::fill(readings.begin(), readings.end(), energy::Reading{});
    probe.read(now, readings);
    const Nanoseconds after = clock.monotonic();
    costs.push_back(static_cast<double>((after - now).value));
    for (std::size_t i = 0; i < changes.size(); ++i) changes[i].take(now + (after - now) / 2, readings[i]);
    clock.sleep_until(after + kBetweenReads, stop);
  }
  std::vector<SourceTiming> timings;
  for (std::size_t i = 0; i < domains.size(); ++i) {
    SourceTiming timing{.domain = domains[i].name,
                        .update_period = {},
                        .why_absent = {},
                        .read_cost = median_of(costs),
                        .reads = static_cast<int>(costs.size())};
    if (!energy::measured(domains[i].provenance)) {
      timing.why_absent = "an estimate, computed anew at every read";
    } else if (changes[i].distances.size() + 1 >= kFewestChanges) {
      timing.update_period = median_of(changes[i].distances);
    } else {
      timing.why_absent = !changes[i].reason.empty() ? changes[i].reason : "its value hardly changed meanwhile";
    }
    timings.push_back(std::move(timing));
  }
  return timings;
}

Result<Repeatability> control_workload(const energy::ProbeOptions& probes, const ControlOptions& options, Clock& clock,
                                       const std::stop_token& stop) {
  Control control(probes, options, clock, stop);
  control.size_up();
  std::vector<double> joules;
  std::vector<double> times;
  Repeatability result;
  for (int i = 0; i < options.runs; ++i) {
    const ControlRun run = control.run();
    if (stop.stop_requested()) return fail(ErrorKind::interrupted, "interrupted during the control workload");
    if (run.trace.series.empty()) {
      return fail(ErrorKind::environment, "no source of energy can be read", "wattle doctor --quick says why");
    }
    const record::Total& measured = run.metered.measured;
    result.estimated = !measured.energy;
    const record::Total& total = result.estimated ? run.metered.estimated : measured;
    if (total.energy) joules.push_back(to_joules(*total.energy).value);
    if (!total.energy) result.why_absent = total.why_absent;
    times.push_back(run.duration.value);
    result.counters = run.metered.windows.empty()
                          ? std::vector<energy::CounterCheck>{}
                          : energy::check_counters(run.trace.series, run.metered.windows.front().window);
  }
  result.runs = options.runs;
  if (static_cast<int>(joules.size()) == options.runs) result.energy_sd = relative_sd(joules);
  result.time_sd = relative_sd(times).value_or(0.0);
  result.length = Seconds{stats::median(times).value_or(0.0)};
  return result;
}

std::vector<Resolution> resolutions(double relative_sd) {
  std::vector<Resolution> all;
  for (const double difference : {0.01, 0.05, 0.20}) {
    // The log-ratio of two runs spreads √2 times as much as one run; a difference of d is a distance of ln(1 + d).
    const auto pairs = stats::pairs_needed(std::sqrt(2.0) * relative_sd, std::log1p(difference), kTwoSided);
    all.push_back({difference, pairs});
  }
  return all;
}

}  // namespace wattle::meter
