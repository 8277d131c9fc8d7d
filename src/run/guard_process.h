// The guard as its parent sees it.
#pragma once

#include <sys/types.h>

#include <filesystem>

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

// A guard that was started. Owns the process: destroying it closes the channel, upon which the guard ends the tree, and
// waits for it.
class GuardProcess {
 public:
  // `program` is started as `program guard DIRECTORY` in a session of its own, so that a terminal's interrupt does not
  // reach it. input, output and error become the child's streams. Fails with kind environment.
  [[nodiscard]] static Result<GuardProcess> start(const std::filesystem::path& program, const AttemptFiles& files,
                                                  int input, int output, int error);
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
  GuardProcess(pid_t pid, Descriptor channel) : pid_(pid), channel_(std::move(channel)) {}

  pid_t pid_;
  Descriptor channel_;
};

}  // namespace wattle::run
