#include "console.h"

#include <fmt/format.h>

#include <algorithm>

namespace wattle::trainer {

int exit_code(ExitCode code) { return static_cast<int>(code); }

void write(std::FILE* stream, std::string_view text) {
  std::fwrite(text.data(), 1, text.size(), stream);
  std::fflush(stream);
}

int complain(const Error& error) {
  std::string_view text = error.message;
  while (!text.empty()) {
    const std::string_view line = text.substr(0, text.find('\n'));
    write(stderr, fmt::format("wattle-train: {}\n", line));
    text.remove_prefix(std::min(text.size(), line.size() + 1));
  }
  return exit_code(error.code);
}

int print(std::string_view text) {
  write(stdout, text);
  return std::ferror(stdout) == 0 ? 0 : complain({ExitCode::kUnwritable, "cannot write to standard output"});
}

}  // namespace wattle::trainer
