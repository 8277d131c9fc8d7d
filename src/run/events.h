// What a training program says of itself in events.jsonl (docs/trainer_protocol.md), read and never trusted: every line
// may be torn, forged or nonsense, and a bad one costs only itself.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/units.h"
#include "record/record.h"
#include "run/cut.h"

namespace wattle::run {

// The clocks of the machine as the parent saw them, to tell whether the child's are the same.
struct ClockReference {
  std::string boot;           // boot id
  Nanoseconds offset_before;  // CLOCK_BOOTTIME − CLOCK_MONOTONIC before the run
  Nanoseconds offset_after;   // and after it: larger where the machine was suspended
};

struct Events {
  std::vector<Cut> windows;  // phases and epochs, in time order
  std::vector<record::MetricPoint> metrics;
  std::string done;         // status of the last `done` line, or empty
  std::string done_reason;  // of it
  std::string divergence;   // "loss is nan at epoch 2", or empty
  std::string program;      // as hello named it
  bool hello = false;
  std::int64_t bad_lines = 0;      // no JSON object, or fields that make no sense
  std::int64_t foreign_lines = 0;  // of processes that do not speak for the run
  std::int64_t missing_lines = 0;  // holes in the sequence numbers
  bool shortened = false;          // more windows or metrics than are kept
};

// Takes the file's bytes as they come, in any pieces. Not thread-safe.
class EventReader {
 public:
  void feed(std::string_view bytes);
  // What was said so far, with windows checked against the run's own edges and clock. An unfinished line is ignored.
  [[nodiscard]] Events finish(const energy::Window& run, const ClockReference& clock) const;

  [[nodiscard]] std::optional<int> epoch() const { return last_epoch_; }
  // The last validation or test value of the metric.
  [[nodiscard]] std::optional<double> last(std::string_view metric) const;

 private:
  struct Phase {
    std::string name;
    std::optional<int> epoch;
    Nanoseconds begin;
  };

  [[nodiscard]] bool line(std::string_view text);
  [[nodiscard]] bool hello(const nlohmann::json& event, Nanoseconds time);
  [[nodiscard]] bool phase_begin(const nlohmann::json& event, Nanoseconds time);
  [[nodiscard]] bool phase_end(const nlohmann::json& event, Nanoseconds time);
  [[nodiscard]] bool epoch_end(const nlohmann::json& event, Nanoseconds time);
  [[nodiscard]] bool metric(const nlohmann::json& event, Nanoseconds time);
  [[nodiscard]] bool done(const nlohmann::json& event);
  void add(Cut cut);
  [[nodiscard]] std::string void_reason(const ClockReference& clock) const;

  Events events_;
  std::string partial_;
  bool skipping_ = false;  // in a line too long to be one of ours
  std::optional<std::int64_t> owner_;
  std::int64_t next_sequence_ = 0;
  std::optional<Phase> open_;
  std::optional<int> last_epoch_;
  std::optional<Nanoseconds> last_epoch_end_;
  std::optional<Nanoseconds> first_train_;
  std::string boot_;
  Nanoseconds offset_;
  std::int64_t protocol_ = 0;
};

}  // namespace wattle::run
