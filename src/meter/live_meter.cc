#include "meter/live_meter.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <exception>
#include <utility>

#include "base/text.h"

namespace wattle::meter {
namespace {

// Chunks cost more than samples: ten a second are enough for whoever waits for one.
constexpr Nanoseconds kChunkEvery = milliseconds(100);
constexpr Nanoseconds kPatience = milliseconds(500);
// A vector may be twice as large as what it holds.
constexpr std::size_t kBytesPerSample = 2 * sizeof(energy::Sample);

std::string advice(const energy::Found& found) {
  std::string text = found.name + ": " + found.reason;
  if (!found.fix.empty()) text += fmt::format(" ({})", found.fix);
  return text;
}

void keep_last_two(energy::Trace& trace) {
  for (energy::Series& series : trace.series) {
    if (series.samples.size() > 2) series.samples.erase(series.samples.begin(), series.samples.end() - 2);
  }
}

// Gives up every second sample of the older half, but none beside a gap. How many are left.
std::size_t thin(std::vector<energy::Sample>& samples) {
  const std::size_t half = samples.size() / 2;
  std::size_t kept = 0;
  for (std::size_t i = 0; i < samples.size(); ++i) {
    const bool beside_a_gap = samples[i].gap_before || (i + 1 < samples.size() && samples[i + 1].gap_before);
    if (i % 2 == 0 || i >= half || beside_a_gap) samples[kept++] = samples[i];
  }
  samples.resize(kept);
  return kept;
}

}  // namespace

Result<std::unique_ptr<LiveMeter>> LiveMeter::start(const LiveMeterOptions& options) {
  std::vector<energy::Found> probes = energy::find_probes(options.probes);
  std::vector<std::string> missing;
  for (const energy::Found& found : probes) {
    const bool expected = found.status == energy::Found::Status::denied || !options.probes.wanted.empty();
    if (!found.probe && expected) missing.push_back(advice(found));
    missing.insert(missing.end(), found.missing.begin(), found.missing.end());
  }
  if (std::none_of(probes.begin(), probes.end(), [](const auto& found) { return found.probe != nullptr; })) {
    return fail(ErrorKind::environment, "no source of energy readings: " + join(missing, "; "));
  }
  std::unique_ptr<LiveMeter> meter(new LiveMeter(options, std::move(probes), std::move(missing)));
  std::unique_lock lock(meter->mutex_);
  meter->changed_.wait(lock, [&] { return meter->started_; });
  lock.unlock();
  return meter;
}

LiveMeter::LiveMeter(const LiveMeterOptions& options, std::vector<energy::Found> probes,
                     std::vector<std::string> missing)
    : patience_(std::max(options.interval, kChunkEvery) * 2 + kPatience),
      most_samples_(options.memory_bytes / kBytesPerSample),
      missing_(std::move(missing)),
      sampler_(clock_, std::move(probes),
               {.interval = options.interval,
                // Half an interval less, or a round that comes a little early would wait for the next.
                .flush_every = std::max(options.interval, kChunkEvery) - options.interval / 2,
                .on_chunk = [this](std::string_view chunk) { take(chunk); },
                .forget_flushed = true}),
      thread_([this] { run(); }) {}

LiveMeter::~LiveMeter() {
  const std::scoped_lock lock(mutex_);
  stopping_ = true;
  changed_.notify_all();
}

// The one thread that starts and stops the sampler.
void LiveMeter::run() {
  try {
    sampler_.start();
  } catch (const std::exception&) {
    fill_up();
  }
  std::unique_lock lock(mutex_);
  for (const energy::Series& series : trace_.series) domains_.push_back(series.domain);
  started_ = true;
  changed_.notify_all();
  changed_.wait(lock, [&] { return stopping_ || full_; });
  lock.unlock();
  (void)sampler_.stop();
  lock.lock();
  stopped_ = true;
  changed_.notify_all();
}

// What is known stays known, and the program goes on.
void LiveMeter::fill_up() {
  const std::scoped_lock lock(mutex_);
  full_ = true;
  changed_.notify_all();
}

void LiveMeter::take(std::string_view chunk) {
  try {
    add(chunk);
  } catch (const std::exception&) {
    fill_up();
  }
}

// The sampler gives its samples away as chunks only. A chunk's columns run on from the two samples before it: behind a
// chunk of those it can be decoded by itself.
void LiveMeter::add(std::string_view chunk) {
  energy::Flushed nothing;
  std::string bytes = tail_.series.empty() ? std::string() : energy::encode_chunk(tail_, nothing);
  bytes += chunk;
  auto decoded = energy::decode_trace(bytes);
  if (!decoded || decoded->damaged) return;  // our own bytes; and then the window says that nothing was sampled
  energy::Trace& read = decoded->trace;
  const std::scoped_lock lock(mutex_);
  while (trace_.series.size() < read.series.size()) {
    trace_.series.push_back({read.series[trace_.series.size()].domain, {}});
    tail_.series.push_back(trace_.series.back());
  }
  for (std::size_t i = 0; i < read.series.size(); ++i) {
    const auto& samples = read.series[i].samples;
    const auto first = samples.begin() + static_cast<std::ptrdiff_t>(tail_.series[i].samples.size());
    trace_.series[i].samples.insert(trace_.series[i].samples.end(), first, samples.end());
    samples_ += static_cast<std::size_t>(samples.end() - first);
    if (!samples.empty()) latest_ = std::max(latest_, samples.back().time);
  }
  tail_.series = std::move(read.series);
  keep_last_two(tail_);
  if (samples_ >= most_samples_) thin_out();
  changed_.notify_all();
}

void LiveMeter::thin_out() {
  samples_ = 0;
  for (energy::Series& series : trace_.series) samples_ += thin(series.samples);
  full_ = full_ || samples_ > most_samples_ - most_samples_ / 8;
}

void LiveMeter::wait_for(std::unique_lock<std::mutex>& lock, Nanoseconds instant) const {
  if (instant > clock_.monotonic()) return;
  changed_.wait_for(lock, std::chrono::nanoseconds(patience_.value), [&] { return latest_ >= instant || stopped_; });
}

std::string LiveMeter::why_unknown(Nanoseconds end) const {
  if (end > clock_.monotonic()) return "the window is not over";
  if (full_ && end > latest_) return "the meter's memory was full before the window's end";
  return {};
}

LiveWindow LiveMeter::window(Nanoseconds begin, Nanoseconds end) const {
  std::unique_lock lock(mutex_);
  wait_for(lock, end);
  LiveWindow window{record::meter(trace_, {{energy::WindowKind::phase, "window", {}, begin, end}}),
                    energy::cover(trace_.series)};
  const std::string why = why_unknown(end);
  if (why.empty()) return window;
  for (energy::WindowEnergy& one : window.metered.windows.front().energies) one = {{}, why, 0.0, 0.0};
  window.metered.measured = window.metered.estimated = {{}, why, 0.0, 0.0};
  return window;
}

std::size_t LiveMeter::samples() const {
  const std::scoped_lock lock(mutex_);
  return samples_;
}

std::optional<energy::Sampler::Now> LiveMeter::now() const {
  const std::scoped_lock lock(mutex_);
  const energy::Cover cover = energy::cover(trace_.series);
  if (full_ || (cover.measured.empty() && cover.estimated.empty())) return std::nullopt;
  return sampler_.now();
}

}  // namespace wattle::meter
