#include "meter/speaker.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cmath>
#include <cstring>
#include <ctime>
#include <nlohmann/json.hpp>
#include <utility>

#include "base/clock.h"
#include "base/text.h"

namespace wattle::meter {
namespace {

using nlohmann::ordered_json;

constexpr int kProtocol = 1;
constexpr std::size_t kLongestName = 200;  // bytes; the reader keeps no more, and no line comes near its 4096
constexpr int kMostEpochs = 1'000'000'000;
constexpr std::size_t kDeepest = 1000;  // phases in one another
constexpr std::size_t kMostWarnings = 100;
// A run whose event file passes 64 MiB is a failure, so a program that says too much falls silent well before.
constexpr off_t kLargestFile = 48 << 20;
constexpr std::array<std::string_view, 3> kSplits{"train", "validation", "test"};
constexpr std::array<std::string_view, 4> kStatuses{"completed", "early_stopped", "diverged", "failed"};

template <class Words>
bool among(const Words& words, std::string_view word) {
  return std::find(words.begin(), words.end(), word) != words.end();
}

// As text that fits: valid UTF-8, one line, at most 200 bytes, no half characters.
std::string as_name(std::string_view text) {
  text = text.substr(0, 2 * kLongestName);
  // Out to JSON and back replaces what is not UTF-8.
  const std::string quoted = ordered_json(text).dump(-1, ' ', false, ordered_json::error_handler_t::replace);
  std::string name = ordered_json::parse(quoted).get<std::string>();
  for (char& c : name) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte < 0x20U || byte == 0x7fU) c = ' ';
  }
  if (name.size() > kLongestName) {
    std::size_t end = kLongestName;
    while (end > 0 && (static_cast<unsigned char>(name[end]) & 0xc0U) == 0x80U) --end;
    name.resize(end);
  }
  return std::string(trim(name));
}

ordered_json number(double value) { return std::isfinite(value) ? ordered_json(value) : ordered_json(shortest(value)); }

// One write. A file at its limit (RLIMIT_FSIZE) must not end the program, as SIGXFSZ would.
ssize_t write_once(int file, std::string_view text) {
  sigset_t limit;
  sigset_t before;
  sigset_t pending;
  sigemptyset(&limit);
  sigaddset(&limit, SIGXFSZ);
  pthread_sigmask(SIG_BLOCK, &limit, &before);
  sigpending(&pending);
  ssize_t written = -1;
  do {
    written = ::write(file, text.data(), text.size());
  } while (written < 0 && errno == EINTR);
  const int error = errno;
  if (written < 0 && error == EFBIG && sigismember(&pending, SIGXFSZ) == 0) {
    const timespec at_once{};
    sigtimedwait(&limit, nullptr, &at_once);
  }
  pthread_sigmask(SIG_SETMASK, &before, nullptr);
  errno = error;
  return written;
}

}  // namespace

struct Speaker::Line {
  std::string_view event;
  Nanoseconds at;
  ordered_json fields = ordered_json::object();
};

Speaker::Speaker(std::string path, Warn warn) : path_(std::move(path)), warn_(std::move(warn)) {}

Speaker::~Speaker() {
  if (file_ >= 0) ::close(file_);
}

bool Speaker::speaks() {
  const std::scoped_lock lock(mutex_);
  return ready();
}

bool Speaker::ready() {
  if (!ended_ && file_ < 0) hello();
  return !ended_;
}

void Speaker::hello() {
  // Not blocking, for a FIFO; which is then refused, like everything that is no regular file.
  file_ = ::open(path_.c_str(), O_WRONLY | O_APPEND | O_CLOEXEC | O_NONBLOCK);
  struct stat status {};
  if (file_ < 0 || ::fstat(file_, &status) != 0) {
    return fall_silent(fmt::format("WATTLE_EVENTS {}: {}", path_, std::strerror(errno)));
  }
  if (!S_ISREG(status.st_mode)) return fall_silent(fmt::format("WATTLE_EVENTS {}: not a regular file", path_));
  device_ = status.st_dev;
  inode_ = status.st_ino;
  const SystemClock clock;
  const Nanoseconds now = clock.monotonic();
  const Nanoseconds boot = clock.boot();
  const auto id = read_text("/proc/sys/kernel/random/boot_id");
  write({"hello",
         now,
         {{"protocol", kProtocol},
          {"boot_id", id ? std::string(trim(*id)) : std::string()},
          {"boottime", boot.value},
          {"program", as_name(program_invocation_short_name)}}});
}

std::string Speaker::why_not_written(std::string_view text) const {
  struct stat status {};
  if (::fstat(file_, &status) != 0) return std::strerror(errno);
  if (status.st_dev != device_ || status.st_ino != inode_) return "the program closed its descriptor";
  if (status.st_nlink == 0) return "the file is gone";
  if (status.st_size > kLargestFile) return fmt::format("the file has reached {} MiB", kLargestFile >> 20);
  const ssize_t written = write_once(file_, text);
  if (written < 0) return std::strerror(errno);
  return written == static_cast<ssize_t>(text.size()) ? std::string() : "the disk is full";
}

void Speaker::write(const Line& line) {
  ordered_json json{{"event", line.event}, {"t", line.at.value}, {"pid", ::getpid()}, {"seq", sequence_}};
  json.update(line.fields);
  const std::string why = why_not_written(json.dump() + "\n");
  if (!why.empty()) fall_silent(fmt::format("WATTLE_EVENTS {}: {}", path_, why));
  ++sequence_;
}

void Speaker::fall_silent(const std::string& why) {
  ended_ = true;
  warn(why + "; no more events are written, the training goes on");
}

void Speaker::warn(const std::string& text) {
  if (warned_.size() < kMostWarnings && warned_.insert(text).second && warn_) warn_(text);
}

std::optional<Speaker::Phase> Speaker::running() const {
  return open_.empty() ? std::nullopt : std::optional<Phase>(open_.back());
}

// From one running phase to the other, at one instant.
void Speaker::change(const std::optional<Phase>& before, const std::optional<Phase>& after) {
  if (before == after) return;
  const Nanoseconds now = SystemClock().monotonic();
  const auto say = [&](std::string_view event, const Phase& phase) {
    if (!ready()) return;
    Line line{event, now, {{"phase", phase.name}}};
    if (phase.epoch) line.fields["epoch"] = *phase.epoch;
    write(line);
  };
  if (before) say("phase_end", *before);
  if (after) say("phase_begin", *after);
}

std::optional<int> Speaker::epoch_of(int number) {
  if (number >= 1 && number <= kMostEpochs) return number;
  if (number != 0) warn("an epoch is left out: epochs count from 1");
  return std::nullopt;
}

void Speaker::phase_begin(std::string_view name, int epoch) {
  const std::scoped_lock lock(mutex_);
  Phase phase{as_name(name), epoch_of(epoch)};
  if (phase.name.empty()) return warn("a phase without a name is left out");
  if (!ready() || open_.size() >= kDeepest) return;
  const auto outer = running();
  open_.push_back(std::move(phase));
  change(outer, open_.back());
}

void Speaker::phase_end(std::optional<std::string_view> name) {
  const std::scoped_lock lock(mutex_);
  const std::string wanted = as_name(name.value_or(std::string_view()));
  const auto found =
      std::find_if(open_.rbegin(), open_.rend(), [&](const Phase& phase) { return !name || phase.name == wanted; });
  if (found == open_.rend()) return;
  const bool was_running = found == open_.rbegin();
  const std::optional<Phase> ended = *found;
  open_.erase(std::next(found).base());
  // One that is paused ends unheard: its last window ended when it was paused.
  if (was_running) change(ended, running());
}

void Speaker::metric(std::string_view name, double value, std::string_view split, int epoch) {
  const std::scoped_lock lock(mutex_);
  const std::string text = as_name(name);
  if (text.empty() || !among(kSplits, split)) {
    return warn(
        fmt::format("a metric is left out: it has no name, or its split is none of {}", fmt::join(kSplits, ", ")));
  }
  const auto number_of_epoch = epoch_of(epoch);
  if (!ready()) return;
  Line line{"metric", SystemClock().monotonic(), {{"name", text}, {"value", number(value)}, {"split", split}}};
  if (number_of_epoch) line.fields["epoch"] = *number_of_epoch;
  write(line);
}

void Speaker::epoch(int number) {
  const std::scoped_lock lock(mutex_);
  const auto epoch = epoch_of(number == 0 ? -1 : number);
  if (epoch && ready()) write({"epoch", SystemClock().monotonic(), {{"epoch", *epoch}}});
}

void Speaker::done(std::string_view status, std::string_view reason) {
  const std::scoped_lock lock(mutex_);
  if (!among(kStatuses, status)) {
    return warn(fmt::format("a last word is left out: it is none of {}", fmt::join(kStatuses, ", ")));
  }
  change(running(), std::nullopt);
  open_.clear();
  if (!ready()) return;
  Line line{"done", SystemClock().monotonic(), {{"status", status}}};
  if (!reason.empty()) line.fields["reason"] = as_name(reason);
  write(line);
  ended_ = true;
}

}  // namespace wattle::meter
