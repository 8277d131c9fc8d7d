#include "protocol.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cmath>
#include <cstring>
#include <ctime>
#include <fstream>
#include <nlohmann/json.hpp>
#include <utility>

namespace wattle::trainer {
namespace {

constexpr std::size_t kLongestLine = 4096;
constexpr std::size_t kLongestReason = 600;

std::int64_t clock_ns(clockid_t clock) {
  timespec time{};
  clock_gettime(clock, &time);
  return static_cast<std::int64_t>(time.tv_sec) * 1'000'000'000 + time.tv_nsec;
}

std::string boot_id() {
  std::ifstream file("/proc/sys/kernel/random/boot_id");
  std::string id;
  std::getline(file, id);
  return id;
}

nlohmann::ordered_json number(double value) {
  if (std::isnan(value)) {
    return "nan";
  }
  if (std::isinf(value)) {
    return value > 0 ? "inf" : "-inf";
  }
  return value;
}

}  // namespace

std::int64_t monotonic_ns() { return clock_ns(CLOCK_MONOTONIC); }

Result<EventLog> EventLog::open(const char* path) {
  EventLog log;
  if (path == nullptr || *path == '\0') {
    return log;
  }
  log.descriptor_ = ::open(path, O_WRONLY | O_APPEND | O_CLOEXEC | O_NONBLOCK);
  struct stat status {};
  if (log.descriptor_ < 0 || fstat(log.descriptor_, &status) != 0) {
    return tl::unexpected(Error{ExitCode::kUnwritable, fmt::format("WATTLE_EVENTS {}: {}", path, strerror(errno))});
  }
  if (!S_ISREG(status.st_mode)) {
    return tl::unexpected(Error{ExitCode::kUnwritable, fmt::format("WATTLE_EVENTS {}: not a regular file", path)});
  }
  return log;
}

EventLog::EventLog(EventLog&& other) noexcept { *this = std::move(other); }

EventLog& EventLog::operator=(EventLog&& other) noexcept {
  std::swap(descriptor_, other.descriptor_);
  sequence_ = other.sequence_;
  open_phase_ = std::move(other.open_phase_);
  open_epoch_ = other.open_epoch_;
  failure_ = std::move(other.failure_);
  return *this;
}

EventLog::~EventLog() {
  if (descriptor_ >= 0) {
    ::close(descriptor_);
  }
}

void EventLog::hello(std::string_view program, std::string_view version, const nlohmann::ordered_json& details) {
  const std::int64_t at = monotonic_ns();
  const std::int64_t boottime = clock_ns(CLOCK_BOOTTIME);
  write("hello", at,
        {{"protocol", 1},
         {"boot_id", boot_id()},
         {"boottime", boottime},
         {"program", program},
         {"version", version},
         {"details", details}});
}

void EventLog::begin_phase(std::string_view phase, std::optional<std::int64_t> epoch, std::int64_t at) {
  open_phase_ = phase;
  open_epoch_ = epoch;
  nlohmann::ordered_json fields = {{"phase", phase}};
  if (epoch) {
    fields["epoch"] = *epoch;
  }
  write("phase_begin", at, fields);
}

void EventLog::end_phase(std::int64_t at) {
  if (open_phase_.empty()) {
    return;
  }
  nlohmann::ordered_json fields = {{"phase", open_phase_}};
  if (open_epoch_) {
    fields["epoch"] = *open_epoch_;
  }
  open_phase_.clear();
  write("phase_end", at, fields);
}

void EventLog::epoch(std::int64_t epoch, std::int64_t begin, std::int64_t at) {
  write("epoch", at, {{"epoch", epoch}, {"begin", begin}});
}

void EventLog::metric(std::string_view name, double value, std::string_view split, std::optional<std::int64_t> epoch,
                      std::int64_t at) {
  nlohmann::ordered_json fields = {{"name", name}, {"value", number(value)}, {"split", split}};
  if (epoch) {
    fields["epoch"] = *epoch;
  }
  write("metric", at, fields);
}

void EventLog::done(std::string_view status, std::string_view reason) {
  const std::int64_t at = monotonic_ns();
  end_phase(at);
  nlohmann::ordered_json fields = {{"status", status}};
  if (!reason.empty()) {
    fields["reason"] = reason.substr(0, kLongestReason);
  }
  write("done", at, fields);
}

void EventLog::write(std::string_view event, std::int64_t at, const nlohmann::ordered_json& fields) {
  if (descriptor_ < 0 || failure_) {
    return;
  }
  nlohmann::ordered_json line = {{"event", event}, {"t", at}, {"pid", getpid()}, {"seq", sequence_}};
  line.update(fields);
  // File names need not be UTF-8; a letter that is not must not end the run.
  const std::string text = line.dump(-1, ' ', false, nlohmann::ordered_json::error_handler_t::replace) + "\n";
  if (text.size() > kLongestLine) {
    failure_ = Error{ExitCode::kUnwritable, fmt::format("event `{}` takes {} bytes", event, text.size())};
    return;
  }
  ssize_t written = -1;
  do {
    written = ::write(descriptor_, text.data(), text.size());
  } while (written < 0 && errno == EINTR);
  if (written != static_cast<ssize_t>(text.size())) {
    failure_ = Error{ExitCode::kUnwritable,
                     fmt::format("cannot write events: {}", written < 0 ? strerror(errno) : "the disk is full")};
    return;
  }
  ++sequence_;
}

}  // namespace wattle::trainer
