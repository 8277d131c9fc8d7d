// The guard: one small process between the parent and a run's processes, so that none of them outlives the run,
// whatever becomes of the parent. It is a child subreaper: every process of the run, however it detached itself,
// becomes its child when its own parent ends. So "wait says there are no children" is exact: no process of the run is
// left.
#include <fmt/format.h>
#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>

#include "base/clock.h"
#include "run/attempt_files.h"
#include "run/child.h"
#include "run/cpus.h"
#include "run/guard_host.h"
#include "run/guard_process.h"
#include "run/power_cap.h"
#include "run/process.h"
#include "run/runner.h"
#include "study/cpu_list.h"

namespace wattle::run {
namespace {

// After the main process has ended, helpers that notice it and end by themselves are given this long: they are no
// strays.
constexpr Nanoseconds kLinger = milliseconds(250);
// Between SIGTERM and SIGKILL for strays, and for everything where the parent has died: nobody waits for a result.
constexpr Nanoseconds kShortGrace = milliseconds(500);
constexpr Nanoseconds kKillEvery = milliseconds(5);
constexpr Nanoseconds kGiveUp = seconds(10);
constexpr Nanoseconds kNever{std::int64_t{1} << 62};

class Guard {
 public:
  Guard(AttemptFiles files, Preamble preamble, int signals)
      : files_(std::move(files)), preamble_(std::move(preamble)), signals_(signals) {}

  int run() {
    report_.guard = identify(::getpid()).value_or(ProcessId{::getpid(), 0});
    report_.boot = boot_id();
    report_.child_started = clock_.monotonic();
    if (!write_report(files_, report_)) return kCannotReport;
    start();
    while (reap() && phase_ != Phase::given_up) {
      advance();
      wait();
    }
    finish();
    return write_report(files_, report_) ? 0 : kCannotReport;
  }

 private:
  static constexpr int kCannotReport = 3;
  enum class Phase { running, lingering, terminating, killing, given_up };

  void start() {
    ChildSpec spec;
    for (const std::string& argument : preamble_.request.arguments) {
      spec.arguments.push_back(with_run_dir(argument, files_));
    }
    spec.working_directory = preamble_.request.working_directory;
    spec.variables = preamble_.variables;
    for (const auto& [name, value] : preamble_.request.variables) spec.variables[name] = with_run_dir(value, files_);
    spec.variables["WATTLE_EVENTS"] = files_.events().string();
    spec.variables["WATTLE_RUN_DIR"] = files_.run_dir().string();
    spec.cpus = study::parse_cpus(preamble_.cpus).value_or(std::vector<int>{});
    spec.nice = preamble_.request.configuration.environment.nice;
    pollfd life{kChannel, POLLIN, 0};
    if (::poll(&life, 1, preamble_.held ? -1 : 0) > 0) on_parent();  // it may be gone, or want no start, already
    if (report_.cause != Cause::none || !cap_power()) return;
    report_.child_started = clock_.monotonic();
    const auto pid = start_child(spec);
    if (pid) main_ = *pid;
    if (!pid) {
      report_.start_error = pid.error().reason;
      report_.infeasible = pid.error().infeasible;
    }
    // The streams are the child's alone from here on: they end when its processes do.
    const Descriptor nothing(::open("/dev/null", O_RDWR | O_CLOEXEC));
    for (const int stream : {0, 1, 2}) ::dup2(nothing.get(), stream);
    const Nanoseconds limit = preamble_.request.protocol.time_limit;
    if (limit.value > 0 && limit < kNever) time_limit_ = report_.child_started + limit;
  }

  bool cap_power() {
    if (!preamble_.power_cap) return true;
    const auto set = set_power_cap(*preamble_.power_cap, files_.power_cap());
    if (set) return true;
    report_.start_error = set.error().message;
    report_.infeasible = true;
    return false;
  }

  // Takes all that have ended. False when no process is left.
  bool reap() {
    while (true) {
      int status = 0;
      const pid_t pid = ::waitpid(-1, &status, WNOHANG);
      if (pid == 0) return true;
      if (pid < 0) return errno == EINTR;
      if (pid != main_) continue;
      report_.child_ended = clock_.monotonic();
      if (WIFEXITED(status)) report_.exit_code = WEXITSTATUS(status);
      if (WIFSIGNALED(status)) report_.signal = WTERMSIG(status);
      if (phase_ == Phase::running) enter(Phase::lingering, kLinger);
    }
  }

  void enter(Phase phase, Nanoseconds duration) {
    phase_ = phase;
    deadline_ = clock_.monotonic() + duration;
  }

  int signal_all(int signal) const {
    const auto processes = descendants(::getpid());
    for (const ProcessId& process : processes) {
      signal_process(process, signal);
      if (signal == SIGTERM) signal_process(process, SIGCONT);  // a stopped one would not hear it
    }
    // Without /proc at least the main process's own group can be reached.
    if (processes.empty() && main_ > 0 && !report_.child_ended) ::kill(-main_, signal);
    return static_cast<int>(processes.size());
  }

  void end(Cause cause, Nanoseconds grace) {
    if (phase_ == Phase::terminating || phase_ == Phase::killing) return;
    if (!report_.child_ended) report_.cause = cause;
    signal_all(SIGTERM);
    enter(Phase::terminating, grace);
  }

  void advance() {
    const Nanoseconds now = clock_.monotonic();
    if (phase_ == Phase::running && now >= time_limit_) end(Cause::time_limit, preamble_.request.protocol.grace);
    if (phase_ == Phase::lingering && now >= deadline_) {
      report_.strays = signal_all(SIGTERM);
      enter(Phase::terminating, kShortGrace);
    }
    if (phase_ == Phase::terminating && now >= deadline_) {
      enter(Phase::killing, kGiveUp);
    }
    if (phase_ == Phase::killing) {
      report_.survivors = signal_all(SIGKILL);
      if (now >= deadline_) phase_ = Phase::given_up;
    }
  }

  void wait() {
    Nanoseconds until = phase_ == Phase::running ? time_limit_ : deadline_;
    const Nanoseconds now = clock_.monotonic();
    if (phase_ == Phase::killing) until = std::min(until, now + kKillEvery);
    const Nanoseconds left = std::max(Nanoseconds{0}, until - now);
    const timespec timeout{left.value / 1'000'000'000, left.value % 1'000'000'000};
    std::array<pollfd, 2> sources{{{signals_, POLLIN, 0}, {parent_ended_ ? -1 : kChannel, POLLIN, 0}}};
    if (::ppoll(sources.data(), sources.size(), &timeout, nullptr) <= 0) return;
    if (sources[0].revents != 0) on_signals();
    if (sources[1].revents != 0) on_parent();
  }

  void on_signals() {
    signalfd_siginfo info{};
    while (::read(signals_, &info, sizeof info) == static_cast<ssize_t>(sizeof info)) {
      if (info.ssi_signo != SIGCHLD) end(Cause::stop, preamble_.request.protocol.grace);
    }
  }

  // The parent's command, one byte each; its end is the command to end everything.
  void on_parent() {
    char command = 0;
    const ssize_t got = ::recv(kChannel, &command, 1, MSG_DONTWAIT);
    if (got < 0 && (errno == EAGAIN || errno == EINTR)) return;
    if (got > 0 && command == kGo) return;
    if (got <= 0) parent_ended_ = true;
    const Cause cause = got <= 0 ? Cause::orphaned : command_cause(command);
    end(cause, got <= 0 ? kShortGrace : preamble_.request.protocol.grace);
  }

  void finish() {
    (void)restore_power_cap(files_.power_cap());  // what could not be restored stays written down for recovery
    rusage usage{};
    ::getrusage(RUSAGE_CHILDREN, &usage);
    const auto seconds_of = [](const timeval& t) {
      return Seconds{static_cast<double>(t.tv_sec) + 1e-6 * static_cast<double>(t.tv_usec)};
    };
    report_.resources = {seconds_of(usage.ru_utime), seconds_of(usage.ru_stime), std::int64_t{usage.ru_maxrss} * 1024};
    if (phase_ != Phase::given_up) report_.survivors = 0;
    report_.complete = true;
  }

  AttemptFiles files_;
  Preamble preamble_;
  int signals_;
  SystemClock clock_;
  GuardReport report_;
  pid_t main_ = -1;
  Phase phase_ = Phase::running;
  Nanoseconds deadline_ = kNever;
  Nanoseconds time_limit_ = kNever;
  bool parent_ended_ = false;
};

}  // namespace

int guard_main(const std::filesystem::path& directory) {
  static constexpr int kBadDirectory = 2;
  static constexpr int kNoSystem = 3;
  if (directory == "-") return guard_host_main();
  ::close_range(kChannel, ~0U, CLOSE_RANGE_CLOEXEC);
  ::signal(SIGPIPE, SIG_IGN);
  ::signal(SIGCHLD, SIG_DFL);  // inherited as ignored, children would vanish without a word
  sigset_t handled;
  ::sigemptyset(&handled);
  for (const int signal : {SIGCHLD, SIGTERM, SIGINT, SIGHUP}) ::sigaddset(&handled, signal);
  ::sigprocmask(SIG_BLOCK, &handled, nullptr);
  const Descriptor signals(::signalfd(-1, &handled, SFD_CLOEXEC | SFD_NONBLOCK));
  if (!signals.valid() || ::prctl(PR_SET_CHILD_SUBREAPER, 1) != 0) return kNoSystem;
  AttemptFiles files{directory};
  auto preamble = read_preamble(files);
  if (!preamble) return kBadDirectory;
  return Guard(std::move(files), *std::move(preamble), signals.get()).run();
}

}  // namespace wattle::run
