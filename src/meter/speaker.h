// The writer's end of a run's event file, for a program that links with us (docs/trainer_protocol.md). What
// run/events.h reads back; python/wattle.py does the same in Python, by the same rules.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <functional>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "base/units.h"

namespace wattle::meter {

// Speaks for the process that made it and for no other. Phases do not overlap: one within another pauses it.
//
// Each line is one write(2) to a descriptor opened with O_APPEND, numbered without holes; `hello` goes before the
// first. Whatever cannot be written (a full disk, a file that is gone or was never there) makes it silent for good;
// what makes no sense costs only itself; both are told to `warn`, once a cause. Thread-safe.
class Speaker {
 public:
  using Warn = std::function<void(const std::string&)>;

  // The file is opened with the first event.
  Speaker(std::string path, Warn warn);
  Speaker(const Speaker&) = delete;
  Speaker& operator=(const Speaker&) = delete;
  ~Speaker();

  [[nodiscard]] bool speaks();
  void phase_begin(std::string_view name, int epoch);
  void phase_end(std::optional<std::string_view> name);
  void metric(std::string_view name, double value, std::string_view split, int epoch);
  void epoch(int number);
  void done(std::string_view status, std::string_view reason);

 private:
  struct Phase {
    std::string name;
    std::optional<int> epoch;
    bool operator==(const Phase&) const = default;
  };
  struct Line;

  [[nodiscard]] bool ready();
  void hello();
  void change(const std::optional<Phase>& before, const std::optional<Phase>& after);
  [[nodiscard]] std::optional<Phase> running() const;
  [[nodiscard]] std::optional<int> epoch_of(int number);
  void write(const Line& line);
  [[nodiscard]] std::string why_not_written(std::string_view text) const;
  void fall_silent(const std::string& why);
  void warn(const std::string& text);

  std::string path_;
  Warn warn_;
  std::mutex mutex_;
  std::set<std::string> warned_;
  std::vector<Phase> open_;  // the running one last
  int file_ = -1;
  dev_t device_ = 0;  // of the file: a program that closes all descriptors may give its number to another
  ino_t inode_ = 0;
  std::int64_t sequence_ = 0;
  bool ended_ = false;
};

}  // namespace wattle::meter
