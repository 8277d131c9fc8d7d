#include "meter/monitor.h"

#include <fmt/format.h>

#include <algorithm>
#include <exception>
#include <utility>

namespace wattle::meter {
namespace {

using energy::Reading;
using energy::Sample;

// As the sampler's: the clocks part by more than reading them apart explains.
constexpr Nanoseconds kSuspendJump = milliseconds(10);

// What lies more than a minute back is dropped, but for the sample from which the minute's first interval starts.
void forget(std::vector<Sample>& samples, Nanoseconds now) {
  const auto kept =
      std::find_if(samples.begin(), samples.end(), [&](const Sample& sample) { return sample.time > now - kMinute; });
  if (kept - samples.begin() > 1) samples.erase(samples.begin(), kept - 1);
}

}  // namespace

Monitor::Monitor(Clock& clock, std::vector<energy::Found> probes, Nanoseconds interval) : clock_(clock) {
  for (energy::Found& found : probes) {
    if (found.status == energy::Found::Status::denied) {
      missing_.push_back(fmt::format("{}: {}", found.name, found.reason));
    }
    missing_.insert(missing_.end(), found.missing.begin(), found.missing.end());
    if (found.probe) add(std::move(found.probe), std::max(interval, kShortestInterval));
  }
}

void Monitor::add(std::unique_ptr<energy::Probe> probe, Nanoseconds interval) {
  auto source = std::make_unique<Source>();
  const Nanoseconds own = probe->own_period();
  source->period = own.value > 0 ? own : interval;
  source->first = series_.size();
  for (energy::Domain domain : probe->domains()) {
    const bool taken = std::any_of(series_.begin(), series_.end(),
                                   [&](const energy::Series& series) { return series.domain.name == domain.name; });
    // A second sight of the same joules stays out of the total, as in a run.
    if (taken) {
      domain.parent = domain.name;
      domain.name = fmt::format("{} (again, {})", domain.name, domain.source);
    }
    source->accumulators.emplace_back(domain, source->period);
    series_.push_back({.domain = std::move(domain), .samples = {}});
    health_.push_back({.readable = false, .period = source->period, .failures = 0, .last_failure = {}});
  }
  source->readings.resize(source->accumulators.size());
  source->probe = std::move(probe);
  sources_.push_back(std::move(source));
}

void Monitor::start(bool threaded) {
  started_ = clock_.monotonic();
  sample();
  if (!threaded) return;
  for (const auto& source : sources_) {
    threads_.emplace_back([this, &own = *source](const std::stop_token& stop) { loop(own, stop); });
  }
}

void Monitor::sample() {
  for (const auto& source : sources_) read(*source);
}

void Monitor::loop(Source& source, const std::stop_token& stop) {
  Nanoseconds due = started_ + source.period;
  while (clock_.sleep_until(due, stop)) {
    read(source);
    const std::int64_t late = std::max<std::int64_t>(0, (clock_.monotonic() - due).value / source.period.value);
    due += source.period * (late + 1);
    const std::scoped_lock lock(mutex_);
    dropped_ += late;
  }
}

bool Monitor::suspended(Source& source) const {
  const Nanoseconds offset = clock_.boot() - clock_.monotonic();
  const bool jumped = source.sleep_offset && offset - *source.sleep_offset > kSuspendJump;
  source.sleep_offset = offset;
  return jumped;
}

void Monitor::read(Source& source) {
  const bool slept = suspended(source);
  const Nanoseconds before = clock_.monotonic();
  std::fill(source.readings.begin(), source.readings.end(), Reading{});
  try {
    source.probe->read(before, source.readings);
  } catch (const std::exception& error) {
    std::fill(source.readings.begin(), source.readings.end(), Reading{});
    for (Reading& reading : source.readings) reading.reason = fmt::format("the probe failed: {}", error.what());
  }
  const Nanoseconds after = clock_.monotonic();
  const std::scoped_lock lock(mutex_);
  ++reads_;
  for (std::size_t i = 0; i < source.readings.size(); ++i) {
    const Reading& reading = source.readings[i];
    energy::Accumulator& accumulator = source.accumulators[i];
    const Nanoseconds time = reading.time.value > 0 ? reading.time : before + (after - before) / 2;
    std::vector<Sample>& samples = series_[source.first + i].samples;
    if (const auto sample = accumulator.add(time, reading, slept)) samples.push_back(*sample);
    forget(samples, after);
    Health& health = health_[source.first + i];
    health.readable = reading.kind != Reading::Kind::absent;
    health.failures = accumulator.failures();
    health.last_failure = accumulator.last_failure();
  }
}

DomainNow Monitor::domain_now(std::size_t index, Nanoseconds now) const {
  const energy::Series& series = series_[index];
  const Health& health = health_[index];
  DomainNow told{.domain = series.domain, .energy = {}, .power = {}, .minute = {}, .last_failure = {}};
  told.failures = health.failures;
  told.last_failure = health.last_failure;
  const auto span = [](Nanoseconds begin, Nanoseconds end) {
    return energy::Window{.kind = energy::WindowKind::run, .name = {}, .epoch = {}, .begin = begin, .end = end};
  };
  told.minute = energy::power_curve(series, span(now - kMinute, now), kMinuteSteps);
  if (series.samples.empty()) return told;
  const Sample& last = series.samples.back();
  told.energy = last.cumulative;
  // A source that hangs says nothing at all, so its last word grows old.
  const bool fresh = now - last.time <= health.period * 3 + seconds(1);
  if (health.readable && fresh) {
    const Nanoseconds recent = std::max(seconds(1), health.period);
    told.power = energy::power_curve(series, span(last.time - recent, last.time), 1).front();
  }
  return told;
}

std::optional<TotalNow> Monitor::total(const std::vector<std::size_t>& parts, const MonitorNow& now) const {
  if (parts.empty()) return std::nullopt;
  TotalNow sum{.energy = {}, .power = Watts{}};
  for (const std::size_t part : parts) {
    const DomainNow& domain = now.domains[part];
    sum.energy += domain.energy.value_or(Microjoules{});
    if (!domain.power) sum.power.reset();
    if (sum.power) *sum.power += *domain.power;
  }
  return sum;
}

MonitorNow Monitor::now() const {
  const Nanoseconds instant = clock_.monotonic();
  MonitorNow now{.elapsed = instant - started_, .domains = {}, .measured = {}, .estimated = {}, .missing = missing_};
  const std::scoped_lock lock(mutex_);
  for (std::size_t i = 0; i < series_.size(); ++i) {
    now.domains.push_back(domain_now(i, instant));
    now.samples += series_[i].samples.size();
  }
  const energy::Cover cover = energy::cover(series_);
  now.measured = total(cover.measured, now);
  now.estimated = total(cover.estimated, now);
  now.reads = reads_;
  now.dropped = dropped_;
  return now;
}

}  // namespace wattle::meter
