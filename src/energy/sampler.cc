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

Nanoseconds middle(Nanoseconds a, Nanoseconds b) { return a + (b - a) / 2; }

}  // namespace

Sampler::Sampler(Clock& clock, std::vector<Found> probes, SamplerOptions options)
    : clock_(clock), options_(std::move(options)) {
  options_.interval = std::max(options_.interval, kShortestInterval);
  for (Found& found : probes) {
    if (found.status == Found::Status::denied) {
      trace_.missing.push_back(fmt::format("{}: {}", found.name, found.reason));
    }
    trace_.missing.insert(trace_.missing.end(), found.missing.begin(), found.missing.end());
    if (found.probe) add_source(std::move(found.probe));
  }
}

void Sampler::add_source(std::unique_ptr<Probe> probe) {
  Source source{.probe = std::move(probe), .first_series = trace_.series.size(), .readings = {}, .accumulators = {}};
  for (Domain domain : source.probe->domains()) {
    const bool taken = std::any_of(trace_.series.begin(), trace_.series.end(),
                                   [&](const Series& series) { return series.domain.name == domain.name; });
    // A second sight of the same joules: shown, but inside the first as far as any total goes.
    if (taken) {
      domain.parent = domain.name;
      domain.name = fmt::format("{} (again, {})", domain.name, domain.source);
    }
    source.accumulators.emplace_back(domain);
    trace_.series.push_back({.domain = std::move(domain), .samples = {}});
    trace_.series.back().samples.reserve(kFirstReserve);
  }
  source.readings.resize(source.accumulators.size());
  sources_.push_back(std::move(source));
}

void Sampler::start(bool threaded) {
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
    const auto sample = source.accumulators[i].add(time, source.readings[i], suspended);
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
  if (options_.on_chunk) options_.on_chunk(encode_chunk(trace_, flushed_));
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
