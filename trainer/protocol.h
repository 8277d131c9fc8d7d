#pragma once

#include <cstdint>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <string_view>

#include "result.h"

namespace wattle::trainer {

/// CLOCK_MONOTONIC in nanoseconds: the time of every event.
[[nodiscard]] std::int64_t monotonic_ns();

/// The writer's end of the event file (docs/trainer_protocol.md): one JSON object a line, each in one write(2) to a
/// file opened with O_APPEND, numbered without holes.
///
/// A write that fails is remembered, nothing more is written, and `failure()` says so: the loop looks once an epoch
/// and so need not look at every line. Without a path all calls do nothing. Owns its descriptor; one thread.
class EventLog {
 public:
  /// `path` is the value of WATTLE_EVENTS, null where unset. The file must exist.
  [[nodiscard]] static Result<EventLog> open(const char* path);

  EventLog(EventLog&& other) noexcept;
  EventLog& operator=(EventLog&& other) noexcept;
  EventLog(const EventLog&) = delete;
  EventLog& operator=(const EventLog&) = delete;
  ~EventLog();

  void hello(std::string_view program, std::string_view version, const nlohmann::ordered_json& details);

  /// Begins a phase at `at`; phases do not overlap, so the one before has ended.
  void begin_phase(std::string_view phase, std::optional<std::int64_t> epoch, std::int64_t at);
  /// Ends the open phase at `at`, which is then also when the next may begin. No open phase: does nothing.
  void end_phase(std::int64_t at);

  void epoch(std::int64_t epoch, std::int64_t begin, std::int64_t at);
  /// A value that JSON has no number for is written as "nan", "inf" or "-inf".
  void metric(std::string_view name, double value, std::string_view split, std::optional<std::int64_t> epoch,
              std::int64_t at);
  /// The last line; ends a phase that is still open.
  void done(std::string_view status, std::string_view reason = {});

  [[nodiscard]] const std::optional<Error>& failure() const { return failure_; }

 private:
  EventLog() = default;
  void write(std::string_view event, std::int64_t at, const nlohmann::ordered_json& fields);

  int descriptor_ = -1;
  std::int64_t sequence_ = 0;
  std::string open_phase_;
  std::optional<std::int64_t> open_epoch_;
  std::optional<Error> failure_;
};

}  // namespace wattle::trainer
