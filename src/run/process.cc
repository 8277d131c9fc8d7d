#include "run/process.h"

#include <fmt/format.h>
#include <poll.h>
#include <signal.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <map>

#include "base/text.h"
#include "run/descriptor.h"

namespace wattle::run {
namespace {

constexpr std::size_t kStatLimit = 1U << 16U;

struct Status {
  ProcessId id;
  pid_t parent = 0;
  bool zombie = false;
};

std::optional<Status> status_of(pid_t pid) {
  const auto text = read_text(fmt::format("/proc/{}/stat", pid), kStatLimit);
  if (!text) return std::nullopt;
  // The name in parentheses may hold anything, blanks and parentheses too: fields are counted from the last one.
  const auto name_end = text->rfind(')');
  if (name_end == std::string::npos || name_end + 2 > text->size()) return std::nullopt;
  const auto fields = split(trim(std::string_view(*text).substr(name_end + 1)), ' ');
  if (fields.size() < 20) return std::nullopt;
  const auto parent = parse_integer(fields[1]);
  const auto start = parse_unsigned(fields[19]);
  if (!parent || !start) return std::nullopt;
  return Status{{pid, *start}, static_cast<pid_t>(*parent), fields[0] == "Z" || fields[0] == "X"};
}

std::vector<pid_t> all_processes() {
  std::vector<pid_t> pids;
  std::error_code error;
  for (std::filesystem::directory_iterator entry("/proc", error), end; !error && entry != end; entry.increment(error)) {
    if (const auto pid = parse_integer(entry->path().filename().string())) pids.push_back(static_cast<pid_t>(*pid));
  }
  return pids;
}

// A handle on this very process, or none where it is gone. The start time is looked at after the handle is had.
Descriptor handle_of(const ProcessId& process) {
  Descriptor handle(static_cast<int>(::syscall(SYS_pidfd_open, process.pid, 0U)));
  if (!handle.valid()) return handle;
  const auto now = status_of(process.pid);
  if (!now || now->id.start_ticks != process.start_ticks) handle.reset();
  return handle;
}

}  // namespace

std::string boot_id() {
  const auto text = read_text("/proc/sys/kernel/random/boot_id", kStatLimit);
  return text ? std::string(trim(*text)) : std::string();
}

std::optional<ProcessId> identify(pid_t pid) {
  const auto status = status_of(pid);
  return status ? std::optional<ProcessId>(status->id) : std::nullopt;
}

bool alive(const ProcessId& process) {
  const auto status = status_of(process.pid);
  return status && status->id.start_ticks == process.start_ticks && !status->zombie;
}

std::vector<ProcessId> descendants(pid_t root) {
  std::multimap<pid_t, Status> children;
  for (const pid_t pid : all_processes()) {
    if (const auto status = status_of(pid)) children.emplace(status->parent, *status);
  }
  std::vector<ProcessId> living;
  std::vector<pid_t> open{root};
  while (!open.empty()) {
    const auto [first, last] = children.equal_range(open.back());
    open.pop_back();
    for (auto child = first; child != last; ++child) {
      if (child->first == child->second.id.pid) continue;
      open.push_back(child->second.id.pid);
      if (!child->second.zombie) living.push_back(child->second.id);
    }
    children.erase(first, last);
  }
  return living;
}

std::vector<ProcessId> with_environment(std::string_view entry) {
  std::vector<ProcessId> found;
  for (const pid_t pid : all_processes()) {
    if (pid == ::getpid()) continue;
    const auto environment = read_text(fmt::format("/proc/{}/environ", pid), 1U << 24U);
    if (!environment) continue;
    const auto entries = split(*environment, '\0');
    if (std::find(entries.begin(), entries.end(), entry) == entries.end()) continue;
    const auto status = status_of(pid);
    if (status && !status->zombie) found.push_back(status->id);
  }
  return found;
}

void signal_process(const ProcessId& process, int signal) {
  const Descriptor handle = handle_of(process);
  if (handle.valid()) ::syscall(SYS_pidfd_send_signal, handle.get(), signal, nullptr, 0U);
}

bool wait_until_gone(const ProcessId& process, int milliseconds) {
  const Descriptor handle = handle_of(process);
  if (!handle.valid()) return !alive(process);
  pollfd waiting{handle.get(), POLLIN, 0};
  while (true) {
    const int ready = ::poll(&waiting, 1, milliseconds);
    if (ready < 0 && errno == EINTR) continue;
    return ready > 0;
  }
}

}  // namespace wattle::run
