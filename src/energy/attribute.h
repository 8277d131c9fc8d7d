// One attribute of sysfs, kept open: each read asks the driver again.
#pragma once

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdint>
#include <cstring>
#include <filesystem>
#include <string>
#include <utility>

#include "base/result.h"
#include "base/text.h"

namespace wattle::energy {

// Movable, not copyable; one thread. A driver that refuses to answer now (EBUSY, ENODATA, ENODEV…) is an Error whose
// message names the file and the system's reason; the next read asks again. A file that could not be opened stays so.
class Attribute {
 public:
  // O_NONBLOCK matters only to what is no attribute: a FIFO in its place must not hang the reader.
  explicit Attribute(const std::filesystem::path& path)
      : name_(path.filename().string()), fd_(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK)) {
    if (fd_ < 0) error_ = errno;
  }
  Attribute(Attribute&& other) noexcept
      : name_(std::move(other.name_)), fd_(std::exchange(other.fd_, -1)), error_(other.error_) {}
  Attribute& operator=(Attribute&&) = delete;
  Attribute(const Attribute&) = delete;
  Attribute& operator=(const Attribute&) = delete;
  ~Attribute() {
    if (fd_ >= 0) ::close(fd_);
  }

  [[nodiscard]] const std::string& name() const { return name_; }
  [[nodiscard]] bool exists() const { return fd_ >= 0 || error_ != ENOENT; }
  [[nodiscard]] bool denied() const { return error_ == EACCES || error_ == EPERM; }

  // What stands in the file now, without blanks around it; more than 255 bytes are no value.
  [[nodiscard]] Result<std::string> text() const {
    std::array<char, 256> buffer{};
    const ssize_t got = fd_ < 0 ? -1 : ::pread(fd_, buffer.data(), buffer.size(), 0);
    if (got < 0) return failed(std::strerror(fd_ < 0 ? error_ : errno));
    if (static_cast<std::size_t>(got) == buffer.size()) return failed("longer than any value");
    return printable(trim({buffer.data(), static_cast<std::size_t>(got)}));
  }
  [[nodiscard]] Result<std::int64_t> number() const {
    const auto value = text();
    if (!value) return tl::unexpected(value.error());
    const auto number = parse_integer(*value);
    return number ? Result<std::int64_t>(*number) : failed("holds no number");
  }

 private:
  [[nodiscard]] tl::unexpected<Error> failed(std::string_view why) const {
    return fail(ErrorKind::environment, fmt::format("{}: {}", name_, why));
  }

  std::string name_;
  int fd_;
  int error_ = 0;
};

}  // namespace wattle::energy
