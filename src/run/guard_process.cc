#include "run/guard_process.h"

#include <fmt/format.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <sys/socket.h>
#include <sys/wait.h>

#include <array>
#include <cstring>

#include "run/guard_host.h"

namespace wattle::run {
namespace {

constexpr std::array<std::pair<char, Cause>, 4> kCommands{
    {{'s', Cause::stop}, {'q', Cause::silence}, {'e', Cause::events}, {'p', Cause::partner_ended}}};

class SpawnSettings {
 public:
  SpawnSettings() {
    ::posix_spawn_file_actions_init(&actions);
    ::posix_spawnattr_init(&attributes);
    sigset_t nothing;
    ::sigemptyset(&nothing);
    ::posix_spawnattr_setsigmask(&attributes, &nothing);
    ::posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSID | POSIX_SPAWN_SETSIGMASK);
  }
  SpawnSettings(const SpawnSettings&) = delete;
  SpawnSettings& operator=(const SpawnSettings&) = delete;
  ~SpawnSettings() {
    ::posix_spawn_file_actions_destroy(&actions);
    ::posix_spawnattr_destroy(&attributes);
  }
  posix_spawn_file_actions_t actions{};
  posix_spawnattr_t attributes{};
};

}  // namespace

Cause command_cause(char command) {
  for (const auto& [letter, cause] : kCommands) {
    if (letter == command) return cause;
  }
  return Cause::stop;
}

Result<pid_t> spawn_guard(const std::filesystem::path& program, const std::string& directory,
                          const std::array<int, 4>& descriptors) {
  // Copied above all targets, so that placing one descriptor cannot overwrite another that is still to be placed.
  std::array<Descriptor, 4> sources;
  SpawnSettings settings;
  for (int target = 0; target <= kChannel; ++target) {
    Descriptor& source = sources[static_cast<std::size_t>(target)];
    source.reset(::fcntl(descriptors[static_cast<std::size_t>(target)], F_DUPFD_CLOEXEC, kChannel + 1));
    if (!source.valid()) {
      return fail(ErrorKind::environment, fmt::format("cannot pass a stream on: {}", std::strerror(errno)));
    }
    ::posix_spawn_file_actions_adddup2(&settings.actions, source.get(), target);
  }
  const std::string path = program.string();
  std::string verb = "guard";
  const std::array<char*, 4> arguments{const_cast<char*>(path.c_str()), verb.data(),
                                       const_cast<char*>(directory.c_str()), nullptr};
  pid_t pid = 0;
  const int code =
      ::posix_spawn(&pid, path.c_str(), &settings.actions, &settings.attributes, arguments.data(), environ);
  if (code != 0) {
    return fail(ErrorKind::environment, fmt::format("cannot start {}: {}", path, std::strerror(code)));
  }
  return pid;
}

Result<GuardProcess> GuardProcess::start(const std::filesystem::path& program, GuardHost* host,
                                         const AttemptFiles& files, const std::array<int, 3>& streams) {
  std::array<int, 2> ends{};
  if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends.data()) != 0) {
    return fail(ErrorKind::environment, fmt::format("cannot make a socket: {}", std::strerror(errno)));
  }
  Descriptor ours(ends[0]);
  const Descriptor theirs(ends[1]);
  const std::array<int, 4> descriptors{streams[0], streams[1], streams[2], theirs.get()};
  if (host != nullptr) {
    if (const auto pid = host->make_guard(files.root, descriptors)) return GuardProcess(*pid, std::move(ours), true);
  }
  const auto pid = spawn_guard(program, files.root.string(), descriptors);
  if (!pid) return tl::unexpected(pid.error());
  return GuardProcess(*pid, std::move(ours), false);
}

GuardProcess::GuardProcess(GuardProcess&& other) noexcept
    : pid_(std::exchange(other.pid_, -1)), channel_(std::move(other.channel_)), hosted_(other.hosted_) {}

GuardProcess::~GuardProcess() {
  if (hosted_ && pid_ >= 0) ::shutdown(channel_.get(), SHUT_WR);
  if (!hosted_) channel_.reset();
  wait();
}

void GuardProcess::command(Cause cause) const {
  for (const auto& [letter, meaning] : kCommands) {
    if (meaning == cause) ::send(channel_.get(), &letter, 1, MSG_NOSIGNAL | MSG_DONTWAIT);
  }
}

void GuardProcess::go() const { ::send(channel_.get(), &kGo, 1, MSG_NOSIGNAL | MSG_DONTWAIT); }

void GuardProcess::wait() {
  if (pid_ < 0) return;
  // Another's child cannot be waited for; but its end of the channel closes when it ends, and nothing ever comes there.
  pollfd channel{channel_.get(), POLLIN, 0};
  while (hosted_ && ::poll(&channel, 1, -1) < 0 && errno == EINTR) {
  }
  if (hosted_) {
    pid_ = -1;
    return;
  }
  while (::waitpid(pid_, nullptr, 0) < 0 && errno == EINTR) {
  }
  pid_ = -1;
}

}  // namespace wattle::run
