// Starting the program of a run: fork and exec of an argument vector, never a shell. Used by the guard alone, which has
// one thread.
#pragma once

#include <sys/types.h>

#include <filesystem>
#include <map>
#include <string>
#include <tl/expected.hpp>
#include <vector>

namespace wattle::run {

struct ChildSpec {
  std::vector<std::string> arguments;
  std::filesystem::path working_directory;       // empty: the caller's
  std::map<std::string, std::string> variables;  // on top of the caller's environment
  std::vector<int> cpus;                         // that it may run on; empty: the caller's
  int nice = 0;
};

struct StartFailure {
  std::string reason;
  bool infeasible = false;  // this machine does not have the CPUs
};

// The child has a session of its own, no core dumps, default signal handling, and dies with the caller. It inherits the
// caller's descriptors 0, 1 and 2. Returns once the program has been executed, or says why it has not:
// "cannot start `pyhton3`: no such program".
[[nodiscard]] tl::expected<pid_t, StartFailure> start_child(const ChildSpec& spec);

}  // namespace wattle::run
