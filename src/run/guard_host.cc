#include "run/guard_host.h"

#include <fmt/format.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/wait.h>

#include <cerrno>
#include <cstring>
#include <string>

#include "run/guard_process.h"
#include "run/runner.h"

namespace wattle::run {
namespace {

constexpr std::size_t kLongestPath = 4096;
using Descriptors = std::array<int, 4>;

tl::unexpected<Error> cannot(const char* what) {
  return fail(ErrorKind::environment, fmt::format("cannot {}: {}", what, std::strerror(errno)));
}

// One order: the attempt's directory as the message, the guard's descriptors beside it.
struct Message {
  std::array<char, kLongestPath> text{};
  iovec part{text.data(), text.size()};
  alignas(cmsghdr) std::array<char, CMSG_SPACE(sizeof(Descriptors))> beside{};
  msghdr header{nullptr, 0, &part, 1, beside.data(), beside.size(), 0};
};

bool send_order(int socket, const std::string& path, const Descriptors& descriptors) {
  if (path.size() > kLongestPath) return false;
  Message message;
  std::memcpy(message.text.data(), path.data(), path.size());
  message.part.iov_len = path.size();
  cmsghdr* rights = CMSG_FIRSTHDR(&message.header);
  rights->cmsg_level = SOL_SOCKET;
  rights->cmsg_type = SCM_RIGHTS;
  rights->cmsg_len = CMSG_LEN(sizeof descriptors);
  std::memcpy(CMSG_DATA(rights), descriptors.data(), sizeof descriptors);
  return ::sendmsg(socket, &message.header, MSG_NOSIGNAL) == static_cast<ssize_t>(path.size());
}

struct Order {
  std::string path;  // empty: there will be no more
  Descriptors descriptors{-1, -1, -1, -1};
};

Order take_order(int socket) {
  Message message;
  ssize_t got = 0;
  do got = ::recvmsg(socket, &message.header, MSG_CMSG_CLOEXEC);
  while (got < 0 && errno == EINTR);
  Order order;
  const cmsghdr* rights = CMSG_FIRSTHDR(&message.header);
  if (got <= 0 || rights == nullptr || rights->cmsg_len != CMSG_LEN(sizeof order.descriptors)) return order;
  std::memcpy(order.descriptors.data(), CMSG_DATA(rights), sizeof order.descriptors);
  order.path.assign(message.text.data(), static_cast<std::size_t>(got));
  return order;
}

// The rest of a forked child's life.
[[noreturn]] void become_guard(const Order& order) {
  ::setsid();
  sigset_t nothing;
  ::sigemptyset(&nothing);
  ::sigprocmask(SIG_SETMASK, &nothing, nullptr);
  // What was received lies above what the host has open itself: placing one overwrites none.
  for (int target = 0; target <= kChannel; ++target) {
    ::dup2(order.descriptors[static_cast<std::size_t>(target)], target);
  }
  ::close_range(kChannel + 1, ~0U, 0);
  ::_exit(guard_main(order.path));
}

void reap() {
  while (::waitpid(-1, nullptr, WNOHANG) > 0) {
  }
}

}  // namespace

GuardHost::~GuardHost() { stop(); }

void GuardHost::stop() {
  orders_.reset();
  while (pid_ > 0 && ::waitpid(pid_, nullptr, 0) < 0 && errno == EINTR) {
  }
  pid_ = -1;
}

Result<void> GuardHost::start() {
  std::array<int, 2> ends{};
  if (::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends.data()) != 0) return cannot("make a socket");
  Descriptor ours(ends[0]);
  const Descriptor theirs(ends[1]);
  const Descriptor nothing(::open("/dev/null", O_RDWR | O_CLOEXEC));
  auto pid = spawn_guard(program_, "-", {nothing.get(), nothing.get(), 2, theirs.get()});
  if (!pid) return tl::unexpected(pid.error());
  pid_ = *pid;
  orders_ = std::move(ours);
  return {};
}

Result<pid_t> GuardHost::make_guard(const std::filesystem::path& attempt, const std::array<int, 4>& descriptors) {
  const std::scoped_lock lock(mutex_);
  if (pid_ < 0) {
    if (auto started = start(); !started) return tl::unexpected(started.error());
  }
  pid_t guard = -1;
  ssize_t got = -1;
  if (send_order(orders_.get(), attempt.string(), descriptors)) {
    do got = ::recv(orders_.get(), &guard, sizeof guard, 0);
    while (got < 0 && errno == EINTR);
  }
  if (got == static_cast<ssize_t>(sizeof guard) && guard > 0) return guard;
  stop();
  return fail(ErrorKind::environment, "the process that makes guards has ended");
}

int guard_host_main() {
  static constexpr int kNoSystem = 3;
  sigset_t watched;
  ::sigemptyset(&watched);
  for (const int signal : {SIGCHLD, SIGTERM, SIGINT, SIGHUP}) ::sigaddset(&watched, signal);
  ::sigprocmask(SIG_BLOCK, &watched, nullptr);
  ::signal(SIGPIPE, SIG_IGN);
  ::signal(SIGCHLD, SIG_DFL);
  const Descriptor signals(::signalfd(-1, &watched, SFD_CLOEXEC | SFD_NONBLOCK));
  if (!signals.valid()) return kNoSystem;
  while (true) {
    std::array<pollfd, 2> sources{{{kChannel, POLLIN, 0}, {signals.get(), POLLIN, 0}}};
    if (::poll(sources.data(), sources.size(), -1) < 0 && errno != EINTR) return kNoSystem;
    signalfd_siginfo info{};
    while (::read(signals.get(), &info, sizeof info) > 0) reap();
    if (sources[0].revents == 0) continue;
    const Order order = take_order(kChannel);
    if (order.path.empty()) break;
    const pid_t guard = ::fork();
    if (guard == 0) become_guard(order);
    for (const int descriptor : order.descriptors) ::close(descriptor);
    ::send(kChannel, &guard, sizeof guard, MSG_NOSIGNAL);
  }
  ::close(kChannel);
  while (::waitpid(-1, nullptr, 0) > 0 || errno == EINTR) {
  }
  return 0;
}

}  // namespace wattle::run
