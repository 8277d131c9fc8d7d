// Other processes, as /proc shows them: who they are, who descends from whom, and how to signal exactly one of them.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace wattle::run {

// A process for ever: pids are used again, but not with the same start time in the same boot.
struct ProcessId {
  pid_t pid = 0;
  std::uint64_t start_ticks = 0;  // since boot, field 22 of /proc/PID/stat
};

// Of this boot of the machine; empty where /proc does not tell.
[[nodiscard]] std::string boot_id();
[[nodiscard]] std::optional<ProcessId> identify(pid_t pid);
// Present and not a zombie.
[[nodiscard]] bool alive(const ProcessId& process);
// Living descendants of `root`, at one look. A process that forks meanwhile may be missed: look again.
[[nodiscard]] std::vector<ProcessId> descendants(pid_t root);
// Living processes that were started with this entry ("NAME=value") in their environment, the caller left out.
[[nodiscard]] std::vector<ProcessId> with_environment(std::string_view entry);
// Signals this very process; one that is gone, or whose pid is another's by now, is left alone.
void signal_process(const ProcessId& process, int signal);
// Waits until it is gone. False when it still lives after that many milliseconds.
[[nodiscard]] bool wait_until_gone(const ProcessId& process, int milliseconds);

}  // namespace wattle::run
