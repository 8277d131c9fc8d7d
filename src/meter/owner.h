// Who measures this machine. Two who measure at once both count all of it: nobody may add their joules up.
#pragma once

#include <filesystem>
#include <optional>

namespace wattle::meter {

// Holds the machine's one lock for as long as it lives, where nobody else does; the kernel gives it back when the
// process ends, however it ends.
class Owner {
 public:
  // The lock file below `sysroot`: /run/lock/wattle-meter, or /tmp/wattle-meter where there is no such folder.
  explicit Owner(const std::filesystem::path& sysroot);
  Owner(const Owner&) = delete;
  Owner& operator=(const Owner&) = delete;
  ~Owner();

  // The process that measures already; 0 where it does not tell who it is. Absent: this one is the owner, or nobody can
  // know, because the file can be neither made nor opened.
  [[nodiscard]] std::optional<int> other() const { return other_; }

 private:
  int file_ = -1;
  std::optional<int> other_;
};

}  // namespace wattle::meter
