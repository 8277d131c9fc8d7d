// Where a store may lie, and the lock that makes one writer.
#pragma once

#include <filesystem>
#include <functional>
#include <optional>

#include "base/result.h"

namespace wattle::store {

// f_type of statfs(2) for the folder, or nothing where it cannot be told. A test says what it likes.
using FileSystemType = std::function<std::optional<long>(const std::filesystem::path& folder)>;
[[nodiscard]] std::optional<long> file_system_type(const std::filesystem::path& folder);

// SQLite's WAL needs shared memory, and flock needs one kernel: neither holds on a network file system. The error says
// what to do, also about attempts that wait beside the store.
[[nodiscard]] Result<void> check_place(const std::filesystem::path& file, const FileSystemType& type_of);

// Exclusive flock on a file that holds the writer's pid. Released by the kernel when the process ends, however it ends.
class WriterLock {
 public:
  [[nodiscard]] static Result<WriterLock> take(const std::filesystem::path& store);  // locks STORE.lock
  WriterLock() = default;                                                            // holds nothing
  WriterLock(WriterLock&& other) noexcept;
  WriterLock& operator=(WriterLock&& other) noexcept;
  ~WriterLock();

 private:
  explicit WriterLock(int fd) : fd_(fd) {}
  int fd_ = -1;
};

}  // namespace wattle::store
