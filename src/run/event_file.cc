#include "run/event_file.h"

#include <sys/stat.h>

#include <algorithm>
#include <vector>

namespace wattle::run {

EventFile::EventFile(const std::filesystem::path& path, std::size_t limit)
    : file_(::open(path.c_str(), O_RDONLY | O_CLOEXEC)), limit_(limit) {}

bool EventFile::take() {
  static constexpr std::size_t kPiece = 256U << 10U;
  struct stat status {};
  if (::fstat(file_.get(), &status) != 0) return false;
  const auto size = static_cast<std::size_t>(std::max<off_t>(0, status.st_size));
  too_large_ = too_large_ || size > limit_;
  const std::size_t end = std::min(size, limit_);
  if (offset_ >= end) return false;
  std::vector<char> buffer(std::min(kPiece, end - offset_));
  while (offset_ < end) {
    const std::size_t wanted = std::min(buffer.size(), end - offset_);
    const ssize_t got = ::pread(file_.get(), buffer.data(), wanted, static_cast<off_t>(offset_));
    if (got <= 0) break;
    reader_.feed({buffer.data(), static_cast<std::size_t>(got)});
    offset_ += static_cast<std::size_t>(got);
  }
  return true;
}

}  // namespace wattle::run
