#include "energy/background.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <exception>
#include <thread>
#include <utility>

#include "base/text.h"

namespace wattle::energy {
namespace {

constexpr Nanoseconds kShortestPatience = seconds(1);
constexpr std::int64_t kMissedPeriods = 10;

std::chrono::nanoseconds standard(Nanoseconds duration) { return std::chrono::nanoseconds(duration.value); }

}  // namespace

// Shared with the thread, which may outlive its owner.
struct Background::State {
  std::unique_ptr<Probe> probe;  // the thread's alone
  Nanoseconds period;
  std::mutex mutex;
  std::condition_variable wake;  // the thread: a reading is wanted, or none any more
  std::condition_variable done;  // its owner: a reading is there
  Clock* clock = nullptr;        // null: the owner is gone
  bool wanted = true;
  std::int64_t begun = 0;  // readings
  std::int64_t ended = 0;
  Nanoseconds last_begin{};
  std::vector<Reading> latest;
};

Background::Background(Clock& clock, std::unique_ptr<Probe> probe)
    : clock_(clock),
      domains_(probe->domains()),
      patience_(std::max(kShortestPatience, probe->own_period() * kMissedPeriods)),
      state_(std::make_shared<State>()) {
  state_->period = probe->own_period();
  state_->probe = std::move(probe);
  state_->clock = &clock;
  state_->last_begin = clock.monotonic();
  std::thread([state = state_] { work(state); }).detach();
}

Background::~Background() {
  const std::scoped_lock lock(state_->mutex);
  state_->clock = nullptr;
  state_->wake.notify_all();
}

void Background::work(const std::shared_ptr<State>& state) {
  std::vector<Reading> readings(state->probe->domains().size());
  std::unique_lock lock(state->mutex);
  while (state->clock != nullptr) {
    const Nanoseconds begin = state->clock->monotonic();
    state->wanted = false;
    state->last_begin = begin;
    ++state->begun;
    lock.unlock();
    std::fill(readings.begin(), readings.end(), Reading{});
    std::string failure;
    try {
      state->probe->read(begin, readings);
    } catch (const std::exception& error) {
      failure = fmt::format("the probe failed: {}", error.what());
    } catch (...) {
      failure = "the probe failed: unknown exception";
    }
    lock.lock();
    if (state->clock == nullptr) break;
    const Nanoseconds middle = begin + (state->clock->monotonic() - begin) / 2;
    for (Reading& reading : readings) {
      if (!failure.empty()) reading = {.kind = Reading::Kind::absent, .value = 0, .modulus = 0, .reason = failure};
      if (reading.time.value == 0) reading.time = middle;
    }
    state->latest = readings;
    ++state->ended;
    state->done.notify_all();
    state->wake.wait_for(lock, standard(state->period - (state->clock->monotonic() - begin)),
                         [&] { return state->wanted || state->clock == nullptr; });
  }
}

void Background::read(Nanoseconds now, std::span<Reading> out) {
  const std::scoped_lock lock(state_->mutex);
  const Nanoseconds waiting = state_->begun > state_->ended ? now - state_->last_begin : Nanoseconds{};
  const bool silent = waiting > patience_;
  for (std::size_t i = 0; i < out.size(); ++i) {
    if (silent) {
      out[i] = {.kind = Reading::Kind::absent,
                .value = 0,
                .modulus = 0,
                .reason = fmt::format("no answer for {}", human(to_seconds(waiting)))};
    } else if (i < state_->latest.size()) {
      out[i] = state_->latest[i];
    } else {
      out[i] = {.kind = Reading::Kind::absent, .value = 0, .modulus = 0, .reason = "no answer yet"};
    }
  }
}

void Background::await_first(Nanoseconds patience) {
  std::unique_lock lock(state_->mutex);
  state_->done.wait_for(lock, standard(patience), [&] { return state_->ended > 0; });
}

void Background::refresh(Nanoseconds patience) {
  std::unique_lock lock(state_->mutex);
  // One that has begun already may have read its value before now.
  const std::int64_t needed = state_->begun + 1;
  state_->wanted = true;
  state_->wake.notify_all();
  state_->done.wait_for(lock, standard(patience), [&] { return state_->ended >= needed; });
}

}  // namespace wattle::energy
