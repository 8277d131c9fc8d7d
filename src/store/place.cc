#include "store/place.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <sys/vfs.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <string_view>
#include <utility>

#include "base/text.h"

namespace wattle::store {
namespace {

namespace fs = std::filesystem;

struct NetworkFileSystem {
  std::uint32_t type;  // f_type is 32 bits wide, whatever the sign of the C type
  std::string_view name;
};

// Magic numbers of linux/magic.h and of the file systems' own headers.
constexpr std::array<NetworkFileSystem, 12> kNetwork{{{0x6969, "NFS"},
                                                      {0x517B, "SMB"},
                                                      {0xFF534D42, "SMB"},
                                                      {0xFE534D42, "SMB"},
                                                      {0x0BD00BD0, "Lustre"},
                                                      {0x47504653, "GPFS"},
                                                      {0x00C36400, "Ceph"},
                                                      {0x01021997, "9P"},
                                                      {0x19830326, "BeeGFS"},
                                                      {0x5346414F, "AFS"},
                                                      {0x6B414653, "AFS"},
                                                      {0x73757245, "Coda"}}};

}  // namespace

std::optional<long> file_system_type(const fs::path& folder) {
  struct statfs info {};
  if (::statfs(folder.c_str(), &info) != 0) return std::nullopt;
  return static_cast<long>(info.f_type);
}

Result<void> check_place(const fs::path& file, const FileSystemType& type_of) {
  const fs::path folder = fs::absolute(file).parent_path();
  const auto type = type_of(folder);
  if (!type) return {};
  const auto* found = std::find_if(kNetwork.begin(), kNetwork.end(), [&](const NetworkFileSystem& network) {
    return network.type == static_cast<std::uint32_t>(*type);
  });
  if (found == kNetwork.end()) return {};
  std::string hint = "put the store on a local disk with --store FILE";
  std::error_code code;
  const fs::path runs = file.string() + ".runs";
  if (fs::is_directory(runs, code)) {
    hint += fmt::format("; attempts in {} stay: move that folder to FILE.runs, and they are taken in", runs.string());
  }
  return fail(ErrorKind::environment,
              fmt::format("{} is on a network file system ({}), where SQLite's log and locks are not safe",
                          folder.string(), found->name),
              hint);
}

Result<WriterLock> WriterLock::take(const fs::path& store) {
  const std::string file = store.string() + ".lock";
  const int fd = ::open(file.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0644);
  if (fd < 0) {
    return fail(ErrorKind::environment, fmt::format("cannot create {}: {}", file, std::strerror(errno)),
                "choose a writable place with --store or WATTLE_STORE");
  }
  WriterLock lock(fd);
  if (::flock(fd, LOCK_EX | LOCK_NB) != 0) {
    const std::string holder(trim(read_text(file, 64).value_or("")));
    return fail(ErrorKind::environment,
                fmt::format("another wattle (pid {}) is writing this store", holder.empty() ? "unknown" : holder),
                "wait for it, or use another --store");
  }
  const std::string pid = fmt::format("{}\n", ::getpid());
  if (::ftruncate(fd, 0) != 0 || ::pwrite(fd, pid.data(), pid.size(), 0) < 0) {
    return fail(ErrorKind::environment, fmt::format("cannot write {}: {}", file, std::strerror(errno)));
  }
  return lock;
}

WriterLock::WriterLock(WriterLock&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}

WriterLock& WriterLock::operator=(WriterLock&& other) noexcept {
  std::swap(fd_, other.fd_);
  return *this;
}

WriterLock::~WriterLock() {
  if (fd_ >= 0) ::close(fd_);
}

}  // namespace wattle::store
