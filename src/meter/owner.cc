#include "meter/owner.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <string_view>
#include <system_error>

#include "base/text.h"

namespace wattle::meter {

Owner::Owner(const std::filesystem::path& sysroot) {
  std::error_code code;
  const std::filesystem::path locks = sysroot / "run/lock";
  const std::filesystem::path path =
      (std::filesystem::is_directory(locks, code) ? locks : sysroot / "tmp") / "wattle-meter";
  // Everybody's: whoever made it, all may lock it. A link in a folder that all may write to is not followed.
  file_ = ::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0666);
  if (file_ < 0) file_ = ::open(path.c_str(), O_RDWR | O_CLOEXEC | O_NOFOLLOW);
  if (file_ < 0) return;
  (void)!::fchmod(file_, 0666);
  if (::flock(file_, LOCK_EX | LOCK_NB) == 0) {
    const std::string pid = fmt::format("{}\n", ::getpid());
    if (::ftruncate(file_, 0) == 0) (void)!::pwrite(file_, pid.data(), pid.size(), 0);
    return;
  }
  if (errno != EWOULDBLOCK) return;
  std::array<char, 32> text{};
  const ssize_t got = ::pread(file_, text.data(), text.size(), 0);
  const auto pid = got > 0 ? parse_integer({text.data(), static_cast<std::size_t>(got)}) : std::nullopt;
  other_ = static_cast<int>(pid.value_or(0));
}

Owner::~Owner() {
  if (file_ >= 0) ::close(file_);
}

}  // namespace wattle::meter
