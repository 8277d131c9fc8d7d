#include "run/stream.h"

#include <fmt/format.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <termios.h>

#include <algorithm>
#include <array>
#include <cstdlib>
#include <cstring>

#include "base/text.h"
#include "run/json_line.h"

namespace wattle::run {
namespace {

tl::unexpected<Error> cannot(std::string_view what) {
  return fail(ErrorKind::environment, fmt::format("cannot {}: {}", what, std::strerror(errno)));
}

std::string dropped_mark(std::uint64_t bytes) { return fmt::format("\n… {} bytes dropped …\n", bytes); }

// Drops what a cut has left of a character at the begin of the text.
std::string_view from_whole_character(std::string_view text) {
  while (!text.empty() && (static_cast<unsigned char>(text.front()) & 0xC0U) == 0x80U) text.remove_prefix(1);
  return text;
}

}  // namespace

Result<StreamEnds> open_pipe() {
  static constexpr int kSize = 1 << 20;
  std::array<int, 2> ends{};
  if (::pipe2(ends.data(), O_CLOEXEC) != 0) return cannot("make a pipe");
  StreamEnds result{Descriptor(ends[0]), Descriptor(ends[1])};
  ::fcntl(ends[1], F_SETPIPE_SZ, kSize);  // fewer wake-ups; refused to poor users, and then it is smaller
  ::fcntl(ends[0], F_SETFL, O_NONBLOCK);
  return result;
}

Result<StreamEnds> open_terminal() {
  StreamEnds result;
  result.ours.reset(::posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC | O_NONBLOCK));
  if (!result.ours.valid() || ::grantpt(result.ours.get()) != 0 || ::unlockpt(result.ours.get()) != 0) {
    return cannot("make a pseudo-terminal");
  }
  std::array<char, 64> name{};
  if (::ptsname_r(result.ours.get(), name.data(), name.size()) != 0) return cannot("make a pseudo-terminal");
  result.childs.reset(::open(name.data(), O_RDWR | O_NOCTTY | O_CLOEXEC));
  termios settings{};
  if (!result.childs.valid() || ::tcgetattr(result.childs.get(), &settings) != 0) {
    return cannot("open a pseudo-terminal");
  }
  ::cfmakeraw(&settings);
  const winsize window{24, 80, 0, 0};
  if (::tcsetattr(result.childs.get(), TCSANOW, &settings) != 0 ||
      ::ioctl(result.childs.get(), TIOCSWINSZ, &window) != 0) {
    return cannot("set up a pseudo-terminal");
  }
  return result;
}

Result<StreamFile> StreamFile::create(const std::filesystem::path& path, std::size_t limit) {
  Descriptor file(::open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644));
  if (!file.valid()) return cannot("create " + path.string());
  return StreamFile(path, std::move(file), limit);
}

void StreamFile::write(std::string_view bytes) {
  if (error_ == 0 && !write_all(file_.get(), bytes)) error_ = errno;
}

void StreamFile::add(std::string_view bytes) {
  const std::string_view kept = bytes.substr(0, room());
  write(kept);
  written_ += kept.size();
  bytes.remove_prefix(kept.size());
  if (bytes.empty()) return;
  tail_ += bytes;
  // Cut back only when it has doubled, so that a flood costs one copy per byte.
  if (tail_.size() > 2 * kTail) {
    dropped_ += tail_.size() - kTail;
    tail_.erase(0, tail_.size() - kTail);
  }
}

Result<void> StreamFile::finish() {
  if (dropped_ > 0) write(dropped_mark(dropped_));
  write(dropped_ > 0 ? from_whole_character(tail_) : tail_);
  if (error_ == 0) return {};
  return fail(ErrorKind::environment, fmt::format("cannot write {}: {}", path_.string(), std::strerror(error_)));
}

std::string shortened_text(const std::filesystem::path& path, std::size_t limit) {
  const Descriptor file(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  struct stat status {};
  if (!file.valid() || ::fstat(file.get(), &status) != 0) return {};
  const auto size = static_cast<std::size_t>(std::max<off_t>(0, status.st_size));
  const auto part = [&](std::size_t offset, std::size_t length) {
    std::string text(length, '\0');
    const ssize_t got = ::pread(file.get(), text.data(), length, static_cast<off_t>(offset));
    text.resize(static_cast<std::size_t>(std::max<ssize_t>(0, got)));
    return text;
  };
  if (size <= limit) return part(0, size);
  const std::size_t half = limit / 2;
  const std::string end = part(size - half, half);
  return part(0, half) + dropped_mark(size - 2 * half) + std::string(from_whole_character(end));
}

std::string last_line(std::string_view text) {
  static constexpr std::size_t kLongest = 200;
  text = trim(text);
  const auto begin = text.find_last_of("\n\r");
  if (begin != std::string_view::npos) text = trim(text.substr(begin + 1));
  return valid_text(printable(text.substr(0, kLongest)));
}

}  // namespace wattle::run
