// The guard as its parent sees it.
#pragma once

#include <sys/types.h>

#include <array>
#include <filesystem>
#include <string>

#include "base/result.h"
#include "run/attempt_files.h"
#include "run/descriptor.h"

namespace wattle::run {

// The descriptor on which the guard finds its end of the socket to the parent. The parent's end closes with the parent,
// however it dies; the guard's end closes with the guard.
inline constexpr int kChannel = 3;

// The one command that ends nothing: a held guard may start its child.
inline constexpr char kGo = 'g';
// What any other byte from the parent asks for.
[[nodiscard]] Cause command_cause(char command);

// Starts `program guard DIRECTORY` in a session of its own with these as its descriptors 0 to 3.
[[nodiscard]] Result<pid_t> spawn_guard(const std::filesystem::path& program, const std::string& directory,
                                        const std::array<int, 4>& descriptors);

class GuardHost;

// A guard that was started. Owns the process: destroying it closes the channel, upon which the guard ends the tree, and
// waits for it.
class GuardProcess {
 public:
  // `program` is started as `program guard DIRECTORY` in a session of its own, so that a terminal's interrupt does not
  // reach it; or, where there is a host, forked by that. The streams (input, output, error) become the child's. Fails
  // with kind environment.
  [[nodiscard]] static Result<GuardProcess> start(const std::filesystem::path& program, GuardHost* host,
                                                  const AttemptFiles& files, const std::array<int, 3>& streams);
  GuardProcess(const GuardProcess&) = delete;
  GuardProcess& operator=(const GuardProcess&) = delete;
  GuardProcess(GuardProcess&& other) noexcept;
  GuardProcess& operator=(GuardProcess&&) = delete;
  ~GuardProcess();

  // Readable once the guard has ended.
  [[nodiscard]] int channel() const { return channel_.get(); }
  // Asks the guard to end the tree.
  void command(Cause cause) const;
  // Lets a guard go that was held.
  void go() const;
  // Returns when the guard has ended.
  void wait();

  [[nodiscard]] pid_t pid() const { return pid_; }

 private:
  GuardProcess(pid_t pid, Descriptor channel, bool hosted) : pid_(pid), channel_(std::move(channel)), hosted_(hosted) {}

  pid_t pid_;
  Descriptor channel_;
  bool hosted_;
};

}  // namespace wattle::run
