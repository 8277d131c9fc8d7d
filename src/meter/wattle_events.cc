// The events half of wattle_meter.h: the one place that knows this process's environment and state.
#include <fmt/format.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <mutex>
#include <optional>
#include <string>

#include "base/text.h"
#include "meter/speaker.h"
#include "meter/wattle_meter.h"

namespace {

using wattle::meter::Speaker;

// As the loader found them. A forked child has another number than the process that was loaded.
const pid_t loaded_by = ::getpid();
const char* const events_path = [] {
  const char* path = std::getenv("WATTLE_EVENTS");
  return path == nullptr || *path == '\0' ? nullptr : ::strdup(path);  // for the life of the process
}();

long rank() {
  for (const char* variable : {"RANK", "LOCAL_RANK", "SLURM_PROCID", "OMPI_COMM_WORLD_RANK"}) {
    const char* text = std::getenv(variable);
    const auto value = text == nullptr ? std::nullopt : wattle::parse_integer(text);
    if (value) return *value;
  }
  return 0;
}

void warn(const std::string& text) {
  const std::string line = fmt::format("wattle: {}\n", text);
  [[maybe_unused]] const ssize_t ignored = ::write(STDERR_FILENO, line.data(), line.size());
}

// A process has one event file, so its one voice lives here. Never destroyed: whatever the program does at exit may
// still speak. A child that is told to speak gets its own, for the parent's lock may be held by a thread that the child
// does not have.
struct Voice {
  explicit Voice(bool may_speak) : speaker(events_path, warn), allowed(may_speak) {}
  Speaker speaker;
  std::atomic<bool> allowed;
  const pid_t process = ::getpid();
};
std::atomic<Voice*> current{nullptr};

// Puts a new voice in the place of `before`; where another thread was faster, that thread's stays.
Voice& replace(Voice* before, bool may_speak) {
  auto made = std::make_unique<Voice>(may_speak);
  return current.compare_exchange_strong(before, made.get()) ? *made.release() : *before;
}

Voice& voice() {
  Voice* known = current.load();
  return known == nullptr ? replace(nullptr, ::getpid() == loaded_by && rank() == 0) : *known;
}

// Runs what was asked where this process speaks. No exception leaves: out of memory, an event is lost.
template <class Action>
void speak(Action action) noexcept {
  if (events_path == nullptr) return;
  try {
    Voice& mine = voice();
    if (mine.process == ::getpid() && mine.allowed) action(mine.speaker);
  } catch (...) {
    return;
  }
}

std::string_view text_of(const char* text) { return text == nullptr ? std::string_view() : std::string_view(text); }

}  // namespace

void wattle_phase_begin(const char* name, int epoch) {
  speak([&](Speaker& one) { one.phase_begin(text_of(name), epoch); });
}

void wattle_phase_end(const char* name) {
  speak([&](Speaker& one) {
    one.phase_end(name == nullptr ? std::nullopt : std::optional<std::string_view>(std::string_view(name)));
  });
}

void wattle_metric(const char* name, double value, const char* split, int epoch) {
  speak([&](Speaker& one) { one.metric(text_of(name), value, text_of(split), epoch); });
}

void wattle_epoch(int epoch) {
  speak([&](Speaker& one) { one.epoch(epoch); });
}

void wattle_done(const char* status, const char* reason) {
  speak([&](Speaker& one) { one.done(text_of(status), text_of(reason)); });
}

void wattle_speak(int really) {
  if (events_path == nullptr) return;
  try {
    Voice* known = current.load();
    const bool mine = known != nullptr && known->process == ::getpid();
    (mine ? *known : replace(known, really != 0)).allowed = really != 0;
  } catch (...) {
    return;
  }
}

int wattle_speaking(void) {
  int speaking = 0;
  speak([&](Speaker& one) { speaking = one.speaks() ? 1 : 0; });
  return speaking;
}
