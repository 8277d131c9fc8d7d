#pragma once

#include <cstdio>
#include <string_view>

#include "result.h"

namespace wattle::trainer {

[[nodiscard]] int exit_code(ExitCode code);

/// Writes at once. Unlike fmt::print it does not throw where the disk is full: `ferror` remembers.
void write(std::FILE* stream, std::string_view text);

/// An error's lines on standard error, each with the program's name; gives its exit code.
int complain(const Error& error);

/// Prints a result; a disk that is full is not success.
int print(std::string_view text);

}  // namespace wattle::trainer
