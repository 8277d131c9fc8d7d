#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <mutex>
#include <thread>
#include <utility>

#include "energy/telemetry.h"

namespace wattle::energy {
namespace {

// Shared with the thread, which may outlive its owner.
struct State {
  std::unique_ptr<GaugeSource> source;  // the thread's alone, but for its gauges
  std::mutex mutex;
  std::condition_variable wake;  // the thread: a question, or the end
  std::condition_variable done;  // its owner: an answer
  bool owned = true;
  bool asked = false;  // and not yet answered
  Nanoseconds now{};
  pid_t root = 0;
  std::vector<double> answer;
};

void answer_questions(const std::shared_ptr<State>& state) {
  std::vector<double> values(state->source->gauges().size());
  std::unique_lock lock(state->mutex);
  while (true) {
    state->wake.wait(lock, [&] { return state->asked || !state->owned; });
    if (!state->owned) return;
    const Nanoseconds now = state->now;
    const pid_t root = state->root;
    lock.unlock();
    std::fill(values.begin(), values.end(), kNotTold);
    try {
      state->source->read(now, root, values);
    } catch (...) {  // what it had filled by then is not to be trusted
      std::fill(values.begin(), values.end(), kNotTold);
    }
    lock.lock();
    state->answer = values;
    state->asked = false;
    state->done.notify_all();
  }
}

class Patient final : public GaugeSource {
 public:
  Patient(std::unique_ptr<GaugeSource> source, Nanoseconds patience)
      : patience_(patience.value), gauges_(source->gauges()), state_(std::make_shared<State>()) {
    state_->source = std::move(source);
    std::thread([state = state_] { answer_questions(state); }).detach();
  }
  ~Patient() override {
    const std::scoped_lock lock(state_->mutex);
    state_->owned = false;
    state_->wake.notify_all();
  }

  [[nodiscard]] const std::vector<Gauge>& gauges() const override { return gauges_; }

  void read(Nanoseconds now, pid_t root, std::span<double> out) override {
    std::unique_lock lock(state_->mutex);
    if (state_->asked) return;  // an answer to an older question would be of another time
    state_->asked = true;
    state_->now = now;
    state_->root = root;
    state_->wake.notify_all();
    if (!state_->done.wait_for(lock, patience_, [&] { return !state_->asked; })) return;
    std::copy(state_->answer.begin(), state_->answer.end(), out.begin());
  }

 private:
  std::chrono::nanoseconds patience_;
  std::vector<Gauge> gauges_;
  std::shared_ptr<State> state_;
};

}  // namespace

std::unique_ptr<GaugeSource> patient(std::unique_ptr<GaugeSource> source, Nanoseconds patience) {
  return std::make_unique<Patient>(std::move(source), patience);
}

}  // namespace wattle::energy
