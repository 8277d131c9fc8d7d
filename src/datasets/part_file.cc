#include "datasets/part_file.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <system_error>
#include <utility>

namespace wattle::datasets {
namespace {

tl::unexpected<Error> cannot(std::string_view what, const std::filesystem::path& path, int code) {
  return fail(ErrorKind::environment, fmt::format("cannot {} {}: {}", what, path.string(), std::strerror(code)));
}

// Between opening and locking, whoever had the lock may have finished: then this is no longer the part.
bool still_there(int descriptor, const std::filesystem::path& path, struct stat& held) {
  struct stat named {};
  return ::fstat(descriptor, &held) == 0 && ::lstat(path.c_str(), &named) == 0 && held.st_ino == named.st_ino &&
         held.st_dev == named.st_dev;
}

}  // namespace

Result<PartFile> PartFile::open(const std::filesystem::path& place) {
  std::error_code code;
  std::filesystem::create_directories(place.parent_path(), code);
  if (code) return cannot("make the folder", place.parent_path(), code.value());
  const std::filesystem::path path = place.string() + ".part";
  constexpr int kTries = 8;
  for (int i = 0; i < kTries; ++i) {
    const int descriptor = ::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK, 0644);
    if (descriptor < 0) return cannot("write", path, errno);
    struct stat held {};
    const bool locked = ::flock(descriptor, LOCK_EX | LOCK_NB) == 0;
    if (locked && still_there(descriptor, path, held)) {
      PartFile part(place, path, descriptor, held.st_size);
      if (!S_ISREG(held.st_mode)) return fail(ErrorKind::environment, fmt::format("{} is no file", path.string()));
      if (::lseek(descriptor, 0, SEEK_END) < 0) return cannot("write", path, errno);
      return part;
    }
    ::close(descriptor);
    if (!locked) break;
  }
  return fail(ErrorKind::environment, fmt::format("{} is being written by another program", path.string()),
              "wait for the other `wattle data fetch`");
}

PartFile::PartFile(PartFile&& other) noexcept
    : place_(std::move(other.place_)),
      path_(std::move(other.path_)),
      descriptor_(std::exchange(other.descriptor_, -1)),
      size_(other.size_) {}

PartFile::~PartFile() {
  if (descriptor_ >= 0) ::close(descriptor_);
}

Result<void> PartFile::append(std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t written = ::write(descriptor_, bytes.data(), bytes.size());
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) return cannot("write", path_, errno);
    bytes.remove_prefix(static_cast<std::size_t>(written));
    size_ += written;
  }
  return {};
}

Result<void> PartFile::empty() {
  if (::ftruncate(descriptor_, 0) != 0 || ::lseek(descriptor_, 0, SEEK_SET) != 0) return cannot("write", path_, errno);
  size_ = 0;
  return {};
}

void PartFile::remove() { ::unlink(path_.c_str()); }

Result<void> PartFile::finish() {
  if (::fsync(descriptor_) != 0) return cannot("write", path_, errno);
  if (::rename(path_.c_str(), place_.c_str()) != 0) return cannot("write", place_, errno);
  return {};
}

}  // namespace wattle::datasets
