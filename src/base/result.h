// How expected failures travel: as values. An Error says what is wrong and, where something can be done
// about it, what would be right. Its kind decides the exit code of a command (see exit_code).
#pragma once

#include <string>
#include <tl/expected.hpp>
#include <utility>

namespace wattle {

enum class ErrorKind {
  failed,       // the work was tried and did not succeed, or the answer is negative
  bad_input,    // a file, flag or value of the user's is wrong
  environment,  // permission, a missing program, a full disk: the machine is in the way
  interrupted,  // somebody asked to stop
};

struct Error {
  ErrorKind kind = ErrorKind::failed;
  std::string message;  // one line, no trailing full stop
  std::string hint;     // what would be right, or empty
};

template <class T>
using Result = tl::expected<T, Error>;

[[nodiscard]] inline tl::unexpected<Error> fail(ErrorKind kind, std::string message, std::string hint = {}) {
  return tl::unexpected<Error>(Error{kind, std::move(message), std::move(hint)});
}

// The documented exit codes: 1 failed, 2 bad input, 3 environment, 130 interrupted.
constexpr int exit_code(ErrorKind kind) {
  switch (kind) {
    case ErrorKind::bad_input:
      return 2;
    case ErrorKind::environment:
      return 3;
    case ErrorKind::interrupted:
      return 130;
    case ErrorKind::failed:
      break;
  }
  return 1;
}

}  // namespace wattle
