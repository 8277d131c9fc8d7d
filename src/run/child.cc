#include "run/child.h"

#include <fmt/format.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include <array>
#include <cstdlib>
#include <cstring>

#include "base/text.h"
#include "run/descriptor.h"

namespace wattle::run {
namespace {

struct Failure {
  enum class Stage : int { directory, execute } stage = Stage::execute;
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
  if (!spec.working_directory.empty() && ::chdir(spec.working_directory.c_str()) != 0) {
    failure = {Failure::Stage::directory, errno, false};
  } else {
    failure = execute(spec.arguments);
  }
  [[maybe_unused]] const ssize_t told = ::write(report, &failure, sizeof failure);
  ::_exit(127);
}

std::string explain(const Failure& failure, const ChildSpec& spec) {
  const std::string program = printable(spec.arguments.front());
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

tl::expected<pid_t, std::string> start_child(const ChildSpec& spec) {
  if (spec.arguments.empty() || spec.arguments.front().empty()) {
    return tl::unexpected(std::string("cannot start the program: its argument vector is empty"));
  }
  std::array<int, 2> ends{};
  if (::pipe2(ends.data(), O_CLOEXEC) != 0) {
    return tl::unexpected(fmt::format("cannot start a process: {}", std::strerror(errno)));
  }
  const Descriptor read_end(ends[0]);
  Descriptor write_end(ends[1]);
  const pid_t guard = ::getpid();
  const pid_t pid = ::fork();
  if (pid == 0) become(spec, guard, write_end.get());
  write_end.reset();
  if (pid < 0) return tl::unexpected(fmt::format("cannot start a process: {}", std::strerror(errno)));
  Failure failure;
  ssize_t got = 0;
  do got = ::read(read_end.get(), &failure, sizeof failure);
  while (got < 0 && errno == EINTR);
  if (got == 0) return pid;  // the pipe was closed by a successful exec
  ::waitpid(pid, nullptr, 0);
  return tl::unexpected(explain(failure, spec));
}

}  // namespace wattle::run
