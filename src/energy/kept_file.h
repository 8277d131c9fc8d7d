// A small file of /proc or /sys that is read again and again.
#pragma once

#include <fcntl.h>
#include <unistd.h>

#include <filesystem>
#include <string>
#include <string_view>
#include <utility>

namespace wattle::energy {

// Opened once, read from its start each time: a pread costs a third of open, read and close. A kept file of
// /proc/PID stays that process's: once it is gone a read fails (ESRCH), even where the pid is another's by then. Not
// copied; moving leaves a file that cannot be read.
class KeptFile {
 public:
  KeptFile() = default;
  explicit KeptFile(const std::filesystem::path& path) : fd_(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK)) {}
  KeptFile(KeptFile&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  KeptFile& operator=(KeptFile&& other) noexcept {
    std::swap(fd_, other.fd_);
    return *this;
  }
  KeptFile(const KeptFile&) = delete;
  KeptFile& operator=(const KeptFile&) = delete;
  ~KeptFile() {
    if (fd_ >= 0) ::close(fd_);
  }

  [[nodiscard]] bool open() const { return fd_ >= 0; }
  // What stands in it now, at most as much as the buffer holds, valid until that is used again; empty where it cannot
  // be read (errno says why).
  [[nodiscard]] std::string_view read(std::string& buffer) const {
    const ssize_t got = fd_ < 0 ? -1 : ::pread(fd_, buffer.data(), buffer.size(), 0);
    return got <= 0 ? std::string_view() : std::string_view(buffer.data(), static_cast<std::size_t>(got));
  }

 private:
  int fd_ = -1;
};

}  // namespace wattle::energy
