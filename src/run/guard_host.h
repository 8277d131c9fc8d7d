// Guards by the thousand: starting a program costs several times what a fork of a small one does, most of it in the
// dynamic linker. So where many runs follow each other one process, `wattle guard -`, waits for orders and forks a
// guard for each. A guard that was forked behaves as one that was started: it watches its channel, and neither it nor
// its run notices what becomes of the host.
#pragma once

#include <array>
#include <filesystem>
#include <mutex>

#include "base/result.h"
#include "run/descriptor.h"

namespace wattle::run {

// The parent's side. Starts the host when the first guard is wanted, and ends it. Thread-safe.
class GuardHost {
 public:
  explicit GuardHost(std::filesystem::path program) : program_(std::move(program)) {}
  GuardHost(const GuardHost&) = delete;
  GuardHost& operator=(const GuardHost&) = delete;
  ~GuardHost();

  // A guard for the attempt, with these as its descriptors 0 to 3. Fails where the host cannot be had; a guard may
  // still be started then.
  [[nodiscard]] Result<pid_t> make_guard(const std::filesystem::path& attempt, const std::array<int, 4>& descriptors);

 private:
  Result<void> start();
  void stop();

  std::filesystem::path program_;
  std::mutex mutex_;  // guards what follows
  pid_t pid_ = -1;
  Descriptor orders_;
};

// The host's side, `wattle guard -`: orders come on descriptor kChannel, until its other end is closed and the last
// guard has ended. Returns its exit code.
[[nodiscard]] int guard_host_main();

}  // namespace wattle::run
