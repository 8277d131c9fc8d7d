// The processes below one root, as /proc shows them, and what all of them together use.
//
// The root is meant to be a child subreaper (prctl(2), PR_SET_CHILD_SUBREAPER): orphans below it then become its own
// children, so that nothing leaves the tree, a daemon that forked twice and called setsid neither, and nothing outside
// ever comes in. So a process belongs to the tree, or does not, for its whole life, and is asked only once. Below a
// root that is no subreaper, an orphan stays a member if it was seen before its parent ended, and is missed otherwise.
//
// Formats: proc(5): /proc/PID/stat and /proc/PID/io. CPU time is counted in ticks (10 ms) by the process.
#pragma once

#include <dirent.h>
#include <sys/types.h>

#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/units.h"
#include "energy/kept_file.h"

namespace wattle::energy {

// One process, from the text of /proc/PID/stat. Its times include those of its children that ended and were waited for.
struct ProcessStat {
  bool zombie = false;
  pid_t parent = 0;
  std::uint64_t start_ticks = 0;  // since boot: with the pid, the process for ever
  std::int64_t cpu_ticks = 0;     // utime + stime + cutime + cstime
  std::int64_t threads = 0;
  std::int64_t resident_pages = 0;
};
// The name in parentheses may hold blanks and parentheses, so fields are counted from the last one.
[[nodiscard]] std::optional<ProcessStat> parse_process_stat(std::string_view text);

// Bytes that the storage really moved, from the text of /proc/PID/io, those of children waited for included.
struct ProcessIo {
  std::int64_t read_bytes = 0;
  std::int64_t write_bytes = 0;
};
[[nodiscard]] std::optional<ProcessIo> parse_process_io(std::string_view text);

// What the tree uses, all processes together.
struct TreeUse {
  std::int64_t processes = 0;  // zombies left out
  std::int64_t threads = 0;
  std::int64_t resident_bytes = 0;  // shared pages count once for each process that has them
  // Since each member began; never falls. Whoever ended between two scans is in the times of the parent that waited for
  // it. One whose parent ignores SIGCHLD is counted as far as it was seen, and its time since the last scan is lost.
  Nanoseconds cpu_time;
  std::optional<ProcessIo> io;  // likewise; absent where one member's may not be read (EACCES)
};

// Not thread-safe. Keeps the files of up to 128 members open, two each; those of others are opened for each scan.
class ProcessTree {
 public:
  // `sysroot`: prefix of /proc. The root may have ended already; then there is nothing to scan.
  ProcessTree(const std::filesystem::path& sysroot, pid_t root);

  // One look at all processes, at the instant `now` (CLOCK_MONOTONIC; only its differences matter). Absent until the
  // root was seen once, and where /proc cannot be read. A process that began during the scan is in the next one.
  [[nodiscard]] std::optional<TreeUse> scan(Nanoseconds now);
  // As of the last scan, zombies included, each after its parent.
  [[nodiscard]] std::vector<pid_t> members() const;

 private:
  struct Member {
    pid_t pid = 0;
    std::uint64_t start_ticks = 0;
    KeptFile stat_file;  // not open: opened for each read
    KeptFile io_file;
    ProcessStat stat;
    std::optional<ProcessIo> io;
  };
  struct Outsider {
    pid_t pid = 0;
    Nanoseconds until;  // then it is looked at again
  };
  // A sum over living members that must not fall when one of them vanishes with what it used.
  struct Cumulative {
    std::int64_t total = 0;
    std::int64_t lost = 0;
    void set(std::int64_t sum, bool settled);
  };

  [[nodiscard]] bool list();
  void forget(Nanoseconds now);
  void classify(pid_t pid, Nanoseconds now);
  void add_member(pid_t pid, std::uint64_t start_ticks);
  void add_outsider(pid_t pid, Nanoseconds now);
  [[nodiscard]] bool is_member(pid_t pid) const;
  [[nodiscard]] bool is_outsider(pid_t pid) const;
  [[nodiscard]] std::string_view text_of(pid_t pid, const KeptFile& kept, const char* name);
  [[nodiscard]] bool read_member(Member& member);
  [[nodiscard]] bool read_members();
  [[nodiscard]] TreeUse add_up(bool settled);

  std::filesystem::path proc_;
  pid_t root_;
  std::unique_ptr<DIR, int (*)(DIR*)> folder_;
  std::string buffer_;
  std::vector<pid_t> listed_;        // of this scan, ascending
  std::vector<Member> members_;      // parents first
  std::vector<Outsider> outsiders_;  // ascending
  bool root_seen_ = false;
  Cumulative cpu_ticks_;
  Cumulative read_bytes_;
  Cumulative write_bytes_;
};

}  // namespace wattle::energy
