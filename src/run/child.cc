#include "run/child.h"

#include <fmt/format.h>
#include <sched.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include <algorithm>
#include <array>
#include <cstdlib>
#include <cstring>

#include "base/text.h"
#include "run/cpus.h"
#include "run/descriptor.h"
#include "study/cpu_list.h"

namespace wattle::run {
namespace {

struct Failure {
  enum class Stage : int { cpus, nice, directory, execute } stage = Stage::execute;
  int code = 0;
  bool file_exists = false;
};

void set_environment(const std::map<std::string, std::string>& variables) {
  for (const auto& [name, value] : variables) ::setenv(name.c_str(), value.c_str(), 1);
}

// execvp would hand a file without "#!" to a shell, so the search is done here.
Failure execute(const std::vector<std::string>& arguments) {
  std::vector<char*> argv;
  argv.reserve(arguments.size() + 1);
  for (const std::string& argument : arguments) argv.push_back(const_cast<char*>(argument.c_str()));
  argv.push_back(nullptr);
  const std::string& program = arguments.front();
  std::vector<std::string> candidates;
  if (program.find('/') != std::string::npos) {
    candidates.push_back(program);
  } else {
    const char* path = ::getenv("PATH");
    for (const std::string& folder : split(path == nullptr ? "/usr/local/bin:/usr/bin:/bin" : path, ':')) {
      candidates.push_back((folder.empty() ? "." : folder) + "/" + program);
    }
  }
  Failure failure{Failure::Stage::execute, ENOENT, false};
  for (const std::string& candidate : candidates) {
    ::execve(candidate.c_str(), argv.data(), environ);
    if (errno == ENOENT && ::access(candidate.c_str(), F_OK) != 0) continue;
    if (errno == ENOTDIR) continue;
    failure = {Failure::Stage::execute, errno, true};
    if (errno != EACCES) break;
  }
  return failure;
}

bool bind_to(const std::vector<int>& cpus) {
  if (cpus.empty()) return true;
  const int count = cpus.back() + 1;
  cpu_set_t* set = CPU_ALLOC(count);
  if (set == nullptr) return false;
  const std::size_t size = CPU_ALLOC_SIZE(count);
  CPU_ZERO_S(size, set);
  for (const int cpu : cpus) CPU_SET_S(static_cast<std::size_t>(cpu), size, set);
  const bool bound = ::sched_setaffinity(0, size, set) == 0;
  CPU_FREE(set);
  return bound;
}

[[noreturn]] void become(const ChildSpec& spec, pid_t guard, int report) {
  ::setsid();
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (::getppid() != guard) ::_exit(127);
  const rlimit none{0, 0};
  ::setrlimit(RLIMIT_CORE, &none);
  struct sigaction standard {};
  standard.sa_handler = SIG_DFL;
  for (int signal = 1; signal < NSIG; ++signal) ::sigaction(signal, &standard, nullptr);
  sigset_t nothing;
  ::sigemptyset(&nothing);
  ::sigprocmask(SIG_SETMASK, &nothing, nullptr);
  set_environment(spec.variables);
  Failure failure;
  if (!bind_to(spec.cpus)) {
    failure = {Failure::Stage::cpus, errno, false};
  } else if (spec.nice != 0 && ::setpriority(PRIO_PROCESS, 0, spec.nice) != 0) {
    failure = {Failure::Stage::nice, errno, false};
  } else if (!spec.working_directory.empty() && ::chdir(spec.working_directory.c_str()) != 0) {
    failure = {Failure::Stage::directory, errno, false};
  } else {
    failure = execute(spec.arguments);
  }
  [[maybe_unused]] const ssize_t told = ::write(report, &failure, sizeof failure);
  ::_exit(127);
}

std::string explain(const Failure& failure, const ChildSpec& spec) {
  const std::string program = printable(spec.arguments.front());
  if (failure.stage == Failure::Stage::cpus) {
    return fmt::format("cannot run on CPUs {}: this process may use {}", study::cpu_list(spec.cpus),
                       study::cpu_list(usable_cpus()));
  }
  if (failure.stage == Failure::Stage::nice) {
    return fmt::format("cannot be nice {}: {}", spec.nice, std::strerror(failure.code));
  }
  if (failure.stage == Failure::Stage::directory) {
    return fmt::format("cannot start `{}` in {}: {}", program, printable(spec.working_directory.string()),
                       std::strerror(failure.code));
  }
  std::string why = std::strerror(failure.code);
  if (failure.code == ENOENT) why = failure.file_exists ? "its interpreter does not exist" : "no such program";
  if (failure.code == EACCES) why = "no permission to execute it";
  if (failure.code == ENOEXEC) why = "not a program (a script needs a first line such as #!/usr/bin/env python3)";
  return fmt::format("cannot start `{}`: {}", program, why);
}

}  // namespace

tl::expected<pid_t, StartFailure> start_child(const ChildSpec& spec) {
  const auto cannot = [](const char* why) {
    return tl::unexpected(StartFailure{std::string("cannot start ") + why, false});
  };
  if (spec.arguments.empty() || spec.arguments.front().empty()) {
    return cannot("the program: its argument vector is empty");
  }
  // What is asked for in part only would be another environment.
  const std::vector<int> usable = spec.cpus.empty() ? std::vector<int>{} : usable_cpus();
  if (!std::includes(usable.begin(), usable.end(), spec.cpus.begin(), spec.cpus.end())) {
    return tl::unexpected(StartFailure{explain({Failure::Stage::cpus, EINVAL, false}, spec), true});
  }
  std::array<int, 2> ends{};
  if (::pipe2(ends.data(), O_CLOEXEC) != 0) {
    return cannot(fmt::format("a process: {}", std::strerror(errno)).c_str());
  }
  const Descriptor read_end(ends[0]);
  Descriptor write_end(ends[1]);
  const pid_t guard = ::getpid();
  const pid_t pid = ::fork();
  if (pid == 0) become(spec, guard, write_end.get());
  write_end.reset();
  if (pid < 0) return cannot(fmt::format("a process: {}", std::strerror(errno)).c_str());
  Failure failure;
  ssize_t got = 0;
  do got = ::read(read_end.get(), &failure, sizeof failure);
  while (got < 0 && errno == EINTR);
  if (got == 0) return pid;  // the pipe was closed by a successful exec
  ::waitpid(pid, nullptr, 0);
  const bool infeasible = failure.stage == Failure::Stage::cpus || failure.stage == Failure::Stage::nice;
  return tl::unexpected(StartFailure{explain(failure, spec), infeasible});
}

}  // namespace wattle::run
