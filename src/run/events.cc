#include "run/events.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>

#include "base/text.h"
#include "run/json_line.h"

namespace wattle::run {
namespace {

using nlohmann::json;

constexpr std::size_t kLongestLine = 1U << 16U;  // the protocol says 4096; longer ones do no harm yet
constexpr std::size_t kLongestName = 200;
constexpr std::int64_t kMostEpochs = 1'000'000'000;
constexpr std::int64_t kProtocol = 1;
constexpr Nanoseconds kClockTolerance = seconds(1);
// The run's own edges are stamped by another process than the events.
constexpr Nanoseconds kEdgeTolerance = milliseconds(5);
constexpr std::int64_t kLatest = std::numeric_limits<std::int64_t>::max() / 4;

std::optional<Nanoseconds> time_member(const json& event, const char* key) {
  const auto value = whole_member(event, key, 0, kLatest);
  return value ? std::optional<Nanoseconds>(Nanoseconds{*value}) : std::nullopt;
}

// False where the member is there and makes no sense.
bool read_epoch(const json& event, std::optional<int>& epoch) {
  if (!event.contains("epoch")) return true;
  const auto number = whole_member(event, "epoch", 1, kMostEpochs);
  if (number) epoch = static_cast<int>(*number);
  return number.has_value();
}

std::string short_text(const json& event, const char* key) {
  return printable(text_member(event, key).substr(0, kLongestName));
}

}  // namespace

void EventReader::feed(std::string_view bytes) {
  while (!bytes.empty()) {
    const auto end = bytes.find('\n');
    const std::string_view piece = bytes.substr(0, end);
    if (!skipping_ && partial_.size() + piece.size() > kLongestLine) {
      ++events_.bad_lines;
      skipping_ = true;
      partial_.clear();
    }
    if (end == std::string_view::npos) {
      if (!skipping_) partial_ += piece;
      return;
    }
    if (!skipping_) {
      const bool whole = partial_.empty();
      partial_ += whole ? std::string_view() : piece;
      const std::string_view text = whole ? piece : std::string_view(partial_);
      if (!trim(text).empty() && !line(text)) ++events_.bad_lines;
      partial_.clear();
    }
    skipping_ = false;
    bytes.remove_prefix(end + 1);
  }
}

bool EventReader::line(std::string_view text) {
  const auto event = parse_json_line(text);
  if (!event) return false;
  const std::string kind = text_member(*event, "event");
  const auto time = time_member(*event, "t");
  const auto pid = whole_member(*event, "pid", 1, std::numeric_limits<int>::max());
  const auto sequence = whole_member(*event, "seq", 0, kLatest);
  if (kind.empty() || !time || !pid || !sequence) return false;
  if (!owner_ && kind == "hello") owner_ = *pid;
  if (owner_ != *pid) {
    ++events_.foreign_lines;
    return true;
  }
  events_.missing_lines += std::max<std::int64_t>(0, *sequence - next_sequence_);
  next_sequence_ = std::max(next_sequence_, *sequence + 1);
  if (kind == "hello") return hello(*event, *time);
  if (kind == "phase_begin") return phase_begin(*event, *time);
  if (kind == "phase_end") return phase_end(*event, *time);
  if (kind == "epoch") return epoch_end(*event, *time);
  if (kind == "metric") return metric(*event, *time);
  if (kind == "done") return done(*event);
  return true;
}

bool EventReader::hello(const json& event, Nanoseconds time) {
  const auto protocol = whole_member(event, "protocol", 0, kLatest);
  const auto boottime = time_member(event, "boottime");
  if (!protocol || !boottime) return false;
  if (events_.hello) return true;
  events_.hello = true;
  events_.program = short_text(event, "program");
  protocol_ = *protocol;
  boot_ = text_member(event, "boot_id");
  offset_ = *boottime - time;
  return true;
}

bool EventReader::phase_begin(const json& event, Nanoseconds time) {
  Phase phase{short_text(event, "phase"), {}, time};
  if (phase.name.empty() || !read_epoch(event, phase.epoch)) return false;
  if (open_) {
    add({{energy::WindowKind::phase, open_->name, open_->epoch, open_->begin, time},
         "another phase began before its end"});
  }
  if (phase.name == "train" && !first_train_) first_train_ = time;
  open_ = std::move(phase);
  return true;
}

bool EventReader::phase_end(const json& event, Nanoseconds time) {
  if (!open_ || open_->name != short_text(event, "phase") || time < open_->begin) return false;
  add({{energy::WindowKind::phase, open_->name, open_->epoch, open_->begin, time}, {}});
  open_.reset();
  return true;
}

bool EventReader::epoch_end(const json& event, Nanoseconds time) {
  std::optional<int> epoch;
  if (!read_epoch(event, epoch) || !epoch) return false;
  std::optional<Nanoseconds> begin = time_member(event, "begin");
  if (!begin && event.contains("begin")) return false;
  if (!begin) begin = last_epoch_end_ ? last_epoch_end_ : first_train_;
  if (begin && *begin > time) return false;
  Cut cut{{energy::WindowKind::epoch, "epoch", epoch, begin.value_or(time), time}, {}};
  if (!begin) cut.void_reason = "nothing told when it began";
  add(std::move(cut));
  last_epoch_ = epoch;
  last_epoch_end_ = time;
  return true;
}

bool EventReader::metric(const json& event, Nanoseconds time) {
  record::MetricPoint point;
  point.name = short_text(event, "name");
  const auto split = record::split(text_member(event, "split"));
  const auto value = event.contains("value") ? real_of(event.at("value")) : std::nullopt;
  if (point.name.empty() || !split || !value || !read_epoch(event, point.epoch)) return false;
  point.split = *split;
  point.value = *value;
  point.time = time;
  if (point.name == "loss" && !std::isfinite(point.value) && events_.divergence.empty()) {
    events_.divergence = fmt::format("loss is {}", shortest(point.value));
    if (point.epoch) events_.divergence += fmt::format(" at epoch {}", *point.epoch);
  }
  // Training values are many and decide nothing: they go first where there are too many.
  const std::size_t most = point.split == record::Split::train ? kMostMetrics / 2 : kMostMetrics;
  if (events_.metrics.size() < most) {
    events_.metrics.push_back(std::move(point));
  } else {
    events_.shortened = true;
  }
  return true;
}

bool EventReader::done(const json& event) {
  static constexpr std::array<std::string_view, 4> kStatuses{"completed", "early_stopped", "diverged", "failed"};
  const std::string status = text_member(event, "status");
  if (std::find(kStatuses.begin(), kStatuses.end(), status) == kStatuses.end()) return false;
  events_.done = status;
  events_.done_reason = short_text(event, "reason");
  return true;
}

void EventReader::add(Cut cut) {
  if (events_.windows.size() < kMostWindows) {
    events_.windows.push_back(std::move(cut));
  } else {
    events_.shortened = true;
  }
}

std::optional<double> EventReader::last(std::string_view metric) const {
  const auto point = std::find_if(events_.metrics.rbegin(), events_.metrics.rend(), [&](const auto& candidate) {
    return candidate.name == metric && candidate.split != record::Split::train;
  });
  return point == events_.metrics.rend() ? std::nullopt : std::optional<double>(point->value);
}

std::string EventReader::void_reason(const ClockReference& clock) const {
  if (protocol_ != kProtocol) return fmt::format("the program speaks protocol {}, not {}", protocol_, kProtocol);
  if (!clock.boot.empty() && boot_ != clock.boot) return "its clock is of another boot or machine";
  if (offset_ < clock.offset_before - kClockTolerance || offset_ > clock.offset_after + kClockTolerance) {
    return "its clock differs from this machine's by more than 1 s";
  }
  return {};
}

Events EventReader::finish(const energy::Window& run, const ClockReference& clock) const {
  Events events = events_;
  if (open_ && events.windows.size() < kMostWindows) {
    const Nanoseconds end = std::max(open_->begin, run.end);
    events.windows.push_back(
        {{energy::WindowKind::phase, open_->name, open_->epoch, open_->begin, end}, "it never ended"});
  }
  const std::string all_void = events.hello ? void_reason(clock) : std::string();
  for (Cut& cut : events.windows) {
    const bool outside = cut.window.begin < run.begin - kEdgeTolerance || cut.window.end > run.end + kEdgeTolerance;
    if (!all_void.empty()) {
      cut.void_reason = all_void;
    } else if (outside && cut.void_reason.empty()) {
      cut.void_reason = "it lies outside the run";
    }
  }
  std::stable_sort(events.windows.begin(), events.windows.end(),
                   [](const Cut& a, const Cut& b) { return a.window.begin < b.window.begin; });
  return events;
}

}  // namespace wattle::run
