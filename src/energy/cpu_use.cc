#include "energy/cpu_use.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <limits>
#include <set>
#include <system_error>
#include <utility>
#include <vector>

#include "base/text.h"

namespace wattle::energy {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t kStatBuffer = 1U << 16U;  // the CPUs stand first; the interrupt counts after them may be cut off
constexpr std::size_t kGroupBuffer = 4096;
constexpr std::size_t kMostGroups = 1024;  // below one: more is not a run's own

Nanoseconds tick() { return {1'000'000'000 / ::sysconf(_SC_CLK_TCK)}; }

// Where a process stands in the hierarchies: /proc/PID/cgroup, `hierarchy:controllers:path` a line (cgroups(7)). The
// path may hold colons; one that begins with /.. lies outside of what this process can see.
struct Group {
  bool v2 = false;
  std::string path;
};

std::vector<Group> groups_of(const fs::path& sysroot, pid_t pid) {
  std::vector<Group> groups;
  const auto text = read_text(sysroot / fmt::format("proc/{}/cgroup", pid), 1U << 20U);
  for (const std::string& line : split(text ? *text : "", '\n')) {
    const auto first = line.find(':');
    const auto second = first == std::string::npos ? first : line.find(':', first + 1);
    if (second == std::string::npos) continue;
    const auto controllers = split(line.substr(first + 1, second - first - 1), ',');
    const bool v2 = line.starts_with("0::");
    const bool v1 = std::find(controllers.begin(), controllers.end(), "cpuacct") != controllers.end();
    if (v2 || v1) groups.push_back({v2, line.substr(second + 1)});
  }
  // Both tell the same; the newer one is asked first.
  std::stable_sort(groups.begin(), groups.end(), [](const Group& a, const Group& b) { return a.v2 && !b.v2; });
  return groups;
}

bool inside(const std::string& path, const std::string& group) {
  return path == group || path.starts_with(group + "/");
}

// True where every process in the folder's group and those below it is a member.
bool holds_only(const fs::path& folder, const std::set<pid_t>& members) {
  std::vector<fs::path> folders{folder};
  for (std::size_t i = 0; i < folders.size(); ++i) {
    const auto text = read_text(folders[i] / "cgroup.procs", 1U << 24U);
    if (!text || folders.size() > kMostGroups) return false;
    for (const std::string& line : split(*text, '\n')) {
      if (trim(line).empty()) continue;
      const auto pid = parse_integer(line);
      if (!pid || *pid > std::numeric_limits<pid_t>::max() || !members.contains(static_cast<pid_t>(*pid))) return false;
    }
    std::error_code error;
    for (fs::directory_iterator entry(folders[i], error), end; !error && entry != end; entry.increment(error)) {
      std::error_code unknown;
      if (entry->is_directory(unknown) && !entry->is_symlink(unknown)) folders.push_back(entry->path());
    }
    if (error) return false;
  }
  return true;
}

bool holds_all(const fs::path& sysroot, const Group& group, const std::set<pid_t>& members) {
  return std::all_of(members.begin(), members.end(), [&](pid_t pid) {
    const std::vector<Group> groups = groups_of(sysroot, pid);
    return std::any_of(groups.begin(), groups.end(),
                       [&](const Group& other) { return other.v2 == group.v2 && inside(other.path, group.path); });
  });
}

// The file that counts the CPU time of this group; not open where the group is not the tree's own or cannot be read.
KeptFile counter_of(const fs::path& sysroot, const Group& group, const std::set<pid_t>& members) {
  if (group.path.size() < 2 || group.path.starts_with("/..")) return {};
  const fs::path mount = sysroot / "sys/fs/cgroup";
  const std::vector<fs::path> mounts =
      group.v2 ? std::vector<fs::path>{mount, mount / "unified"}
               : std::vector<fs::path>{mount / "cpuacct", mount / "cpu,cpuacct", mount / "cpuacct,cpu"};
  for (const fs::path& top : mounts) {
    const fs::path folder = top / fs::path(group.path).relative_path();
    KeptFile file(folder / (group.v2 ? "cpu.stat" : "cpuacct.usage"));
    if (file.open() && holds_only(folder, members) && holds_all(sysroot, group, members)) return file;
  }
  return {};
}

// Of cpu.stat: "usage_usec 123" on a line of its own; cpuacct.usage holds nothing but the number.
std::optional<Nanoseconds> usage_in(std::string_view text, bool v2) {
  constexpr std::string_view kKey = "usage_usec ";
  if (!v2) {
    const auto usage = parse_integer(text);
    return usage && *usage >= 0 ? std::optional(Nanoseconds{*usage}) : std::nullopt;
  }
  for (const std::string& line : split(text, '\n')) {
    if (!line.starts_with(kKey)) continue;
    const auto usage = parse_integer(std::string_view(line).substr(kKey.size()));
    if (!usage || *usage < 0 || *usage > std::numeric_limits<std::int64_t>::max() / 1000) return std::nullopt;
    return Nanoseconds{*usage * 1000};
  }
  return std::nullopt;
}

}  // namespace

std::string_view to_string(CpuUseSource source) {
  switch (source) {
    case CpuUseSource::cgroup_v2:
      return "cgroup v2 cpu.stat";
    case CpuUseSource::cgroup_v1:
      return "cgroup v1 cpuacct.usage";
    case CpuUseSource::processes:
      break;
  }
  return "/proc";
}

CpuUse::CpuUse(const fs::path& sysroot, pid_t root, Nanoseconds now)
    : tree_(sysroot, root), buffer_(kGroupBuffer, '\0') {
  if (!tree_.scan(now)) return;
  const std::vector<pid_t> pids = tree_.members();
  const std::set<pid_t> members(pids.begin(), pids.end());
  for (const Group& group : groups_of(sysroot, root)) {
    KeptFile file = counter_of(sysroot, group, members);
    if (!usage_in(file.read(buffer_), group.v2)) continue;
    file_ = std::move(file);
    source_ = group.v2 ? CpuUseSource::cgroup_v2 : CpuUseSource::cgroup_v1;
    return;
  }
}

std::optional<Nanoseconds> CpuUse::read(Nanoseconds now) {
  if (source_ == CpuUseSource::processes) {
    const auto use = tree_.scan(now);
    return use ? std::optional(use->cpu_time) : std::nullopt;
  }
  const auto usage = usage_in(file_.read(buffer_), source_ == CpuUseSource::cgroup_v2);
  if (!usage) return std::nullopt;
  last_ = std::max(last_, *usage);
  return last_;
}

MachineCpu::MachineCpu(const fs::path& sysroot) : file_(sysroot / "proc/stat"), buffer_(kStatBuffer, '\0') {}

std::optional<CpuTime> MachineCpu::read() { return parse_proc_stat(file_.read(buffer_)); }

Nanoseconds busy_time(const CpuTime& time) { return tick() * time.busy_ticks; }

std::optional<CpuShares> cpu_shares(const CpuTime& before, const CpuTime& now) {
  const std::int64_t busy = now.busy_ticks - before.busy_ticks;
  // iowait is known to step back a little (proc(5)).
  const std::int64_t idle = std::max<std::int64_t>(0, now.idle_ticks - before.idle_ticks);
  const std::int64_t steal = now.steal_ticks - before.steal_ticks;
  const std::int64_t all = busy + idle + steal;
  if (busy < 0 || steal < 0 || all == 0) return std::nullopt;
  return CpuShares{.busy = static_cast<double>(busy) / static_cast<double>(all),
                   .steal = static_cast<double>(steal) / static_cast<double>(all),
                   .time = tick() * all};
}

}  // namespace wattle::energy
