#include "energy/sampler.h"

#include <fmt/format.h>

#include <algorithm>
#include <exception>
#include <utility>

namespace wattle::energy {
namespace {

constexpr Nanoseconds kShortestInterval{100'000};
constexpr Nanoseconds kSuspendJump = milliseconds(10);
// Reading three clocks takes well under a microsecond; longer means that the thread was interrupted between them.
constexpr Nanoseconds kInterrupted = milliseconds(1);
constexpr std::size_t kFirstReserve = 4096;
// How long a measurement waits at its edges for a source that is slow to answer.
constexpr Nanoseconds kPatience = milliseconds(500);
// What is kept of a series whose samples are flushed: now() looks back a second, and the next chunk goes on from the
// last two.
constexpr Nanoseconds kLookBack = seconds(2);
constexpr std::size_t kFewest = 16;

Nanoseconds middle(Nanoseconds a, Nanoseconds b) { return a + (b - a) / 2; }

}  // namespace

Sampler::Sampler(Clock& clock, std::vector<Found> probes, SamplerOptions options)
    : clock_(clock), options_(std::move(options)) {
  options_.interval = std::max(options_.interval, kShortestInterval);
  for (Found& found : probes) {
    if (found.status == Found::Status::denied || (found.status == Found::Status::absent && found.asked_for)) {
      trace_.missing.push_back(fmt::format("{}: {}", found.name, found.reason));
    }
    trace_.missing.insert(trace_.missing.end(), found.missing.begin(), found.missing.end());
    if (found.probe) add_source(std::move(found.probe));
  }
}

void Sampler::add_source(std::unique_ptr<Probe> probe) {
  Source source;
  source.probe = std::move(probe);
  source.first_series = trace_.series.size();
  for (Domain domain : source.probe->domains()) {
    const bool taken = std::any_of(trace_.series.begin(), trace_.series.end(),
                                   [&](const Series& series) { return series.domain.name == domain.name; });
    // A second sight of the same joules: shown, but inside the first as far as any total goes.
    if (taken) {
      domain.parent = domain.name;
      domain.name = fmt::format("{} (again, {})", domain.name, domain.source);
    }
    source.accumulators.emplace_back(domain, std::max(options_.interval, source.probe->own_period()));
    trace_.series.push_back({.domain = std::move(domain), .samples = {}});
    trace_.series.back().samples.reserve(kFirstReserve);
  }
  source.readings.resize(source.accumulators.size());
  source.seen.resize(source.accumulators.size());
  sources_.push_back(std::move(source));
}

void Sampler::read_slow_ones_aside() {
  for (Source& source : sources_) {
    if (source.probe->own_period().value <= 0) continue;
    auto aside = std::make_unique<Background>(clock_, std::move(source.probe));
    source.background = aside.get();
    source.probe = std::move(aside);
  }
  for (const Source& source : sources_) {
    if (source.background != nullptr) source.background->await_first(kPatience);
  }
}

void Sampler::start(bool threaded) {
  if (threaded) read_slow_ones_aside();
  const Nanoseconds now = clock_.monotonic();
  started_ = now;
  due_ = now + options_.interval;
  flush_due_ = now + std::min(options_.flush_every, options_.interval * 2);
  round();
  flush();
  if (threaded) thread_ = std::jthread([this](const std::stop_token& stop) { loop(stop); });
}

void Sampler::loop(const std::stop_token& stop) {
  while (clock_.sleep_until(due_, stop)) sample();
}

void Sampler::sample() {
  const Nanoseconds now = clock_.monotonic();
  if (now >= due_) {
    const std::int64_t skipped = (now - due_).value / options_.interval.value;
    due_ += options_.interval * (skipped + 1);
    const std::scoped_lock lock(mutex_);
    trace_.dropped += skipped;
  }
  round();
  if (now >= flush_due_) {
    // A run of half a second must not lose all of its joules to a kill: the first flushes come at doubling distances.
    flush_due_ = now + std::min(options_.flush_every, now - started_);
    flush();
  }
}

void Sampler::round() {
  const bool suspended = suspended_since_last();
  for (Source& source : sources_) read(source, suspended);
  const std::scoped_lock lock(mutex_);
  ++trace_.reads;
}

void Sampler::read(Source& source, bool suspended) {
  for (Reading& reading : source.readings) {
    reading.kind = Reading::Kind::absent;
    reading.reason.clear();
    reading.time = {};
  }
  const Nanoseconds before = clock_.monotonic();
  const auto give_up = [&](std::string_view why) {
    for (Reading& reading : source.readings) {
      reading.kind = Reading::Kind::absent;
      reading.reason = fmt::format("the probe failed: {}", why);
    }
  };
  try {
    source.probe->read(before, source.readings);
  } catch (const std::exception& error) {
    give_up(error.what());
  } catch (...) {
    give_up("unknown exception");
  }
  const Nanoseconds time = middle(before, clock_.monotonic());
  const std::scoped_lock lock(mutex_);
  for (std::size_t i = 0; i < source.readings.size(); ++i) {
    const Reading& reading = source.readings[i];
    const bool again = reading.time.value != 0 && reading.time == source.seen[i];
    source.seen[i] = reading.time;
    if (again) continue;
    const auto sample = source.accumulators[i].add(reading.time.value != 0 ? reading.time : time, reading, suspended);
    if (sample) trace_.series[source.first_series + i].samples.push_back(*sample);
  }
}

bool Sampler::suspended_since_last() {
  Nanoseconds before;
  Nanoseconds boot;
  Nanoseconds after;
  for (int attempt = 0; attempt < 3; ++attempt) {
    before = clock_.monotonic();
    boot = clock_.boot();
    after = clock_.monotonic();
    if (after - before < kInterrupted) break;
  }
  // An offset read across an interruption may be off by its length: the next round will tell.
  if (after - before >= kInterrupted) return false;
  const Nanoseconds offset = boot - middle(before, after);
  const bool suspended = sleep_offset_ && offset - *sleep_offset_ > kSuspendJump;
  sleep_offset_ = offset;
  return suspended;
}

void Sampler::flush() {
  // Only the sampling thread changes the trace, so it may read it without the lock.
  if (!options_.on_chunk) return;
  options_.on_chunk(encode_chunk(trace_, flushed_));
  if (options_.forget_flushed) forget();
}

void Sampler::forget() {
  const std::scoped_lock lock(mutex_);
  for (std::size_t i = 0; i < trace_.series.size(); ++i) {
    std::vector<Sample>& samples = trace_.series[i].samples;
    std::size_t& flushed = flushed_.samples[i];
    if (samples.size() < 2 * kFewest) continue;
    const Nanoseconds horizon = samples.back().time - kLookBack;
    const auto recent = std::partition_point(samples.begin(), samples.end() - kFewest,
                                             [&](const Sample& sample) { return sample.time < horizon; });
    const auto old = static_cast<std::size_t>(recent - samples.begin());
    // Half of it at least, so that moving the rest is rare.
    if (old < samples.size() / 2 || flushed < old + 2) continue;
    samples.erase(samples.begin(), recent);
    flushed -= old;
  }
}

void Sampler::note_failures() {
  for (const Source& source : sources_) {
    for (std::size_t i = 0; i < source.accumulators.size(); ++i) {
      const Accumulator& accumulator = source.accumulators[i];
      if (accumulator.failures() == 0) continue;
      trace_.missing.push_back(fmt::format("{}: {} of {} readings failed, last: {}",
                                           trace_.series[source.first_series + i].domain.name, accumulator.failures(),
                                           trace_.reads, accumulator.last_failure()));
    }
  }
}

Trace Sampler::stop() {
  if (thread_.joinable()) {
    thread_.request_stop();
    thread_.join();
  }
  for (const Source& source : sources_) {
    if (source.background != nullptr) source.background->refresh(kPatience);
  }
  if (!sources_.empty()) {
    round();
    const std::scoped_lock lock(mutex_);
    note_failures();
  }
  flush();
  sources_.clear();
  const std::scoped_lock lock(mutex_);
  return std::exchange(trace_, {});
}

Sampler::Now Sampler::now() const {
  const std::scoped_lock lock(mutex_);
  const Cover covered = cover(trace_.series);
  Now now;
  now.estimated = covered.measured.empty() && !covered.estimated.empty();
  for (const std::size_t index : now.estimated ? covered.estimated : covered.measured) {
    const Series& series = trace_.series[index];
    now.energy += series.samples.back().cumulative;
    const Nanoseconds end = series.samples.back().time;
    const Window recent{.kind = WindowKind::run, .name = {}, .epoch = {}, .begin = end - seconds(1), .end = end};
    const std::optional<Watts> power = power_curve(series, recent, 1).front();
    if (power) now.power = now.power.value_or(Watts{}) + *power;
  }
  return now;
}

}  // namespace wattle::energy
