#pragma once

#include <string>
#include <tl/expected.hpp>

namespace wattle::trainer {

/// What the program's exit code says to whoever started it; the table of docs/trainer_protocol.md.
enum class ExitCode {
  kDone = 0,
  kInternal = 1,  ///< a defect of the program
  kBadInput = 2,
  kEnvironment = 3,
  kDiverged = 4,
  kOutOfMemory = 5,
  kUnwritable = 6,
  kDamagedData = 7,  ///< a file that is there and not what it should be: a corrupt image, a cut archive
  kInterrupted = 130,
};

/// An expected failure: one sentence for a person, naming the flag or the file, and the exit code that it leads to.
struct Error {
  ExitCode code = ExitCode::kBadInput;
  std::string message;
};

template <typename Value>
using Result = tl::expected<Value, Error>;

/// `return bad_input("…");` in any function that returns a Result.
inline tl::unexpected<Error> bad_input(std::string message) {
  return tl::unexpected(Error{ExitCode::kBadInput, std::move(message)});
}

/// The same for a file that is there and is not what it should be.
inline tl::unexpected<Error> damaged(std::string message) {
  return tl::unexpected(Error{ExitCode::kDamagedData, std::move(message)});
}

inline tl::unexpected<Error> interrupted() { return tl::unexpected(Error{ExitCode::kInterrupted, "interrupted"}); }

}  // namespace wattle::trainer
