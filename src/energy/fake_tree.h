// A folder that stands in for "/" in tests of what reads /sys and /proc, gone when the test is.
#pragma once

#include <sys/stat.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>

namespace wattle::energy {

class FakeTree {
 public:
  FakeTree() : umask_(::umask(022)) {
    std::string name = (std::filesystem::temp_directory_path() / "wattle-tree-XXXXXX").string();
    if (::mkdtemp(name.data()) == nullptr) std::abort();
    root_ = name;
    std::filesystem::permissions(root_, std::filesystem::perms::all);  // for the tests that give up root
  }
  FakeTree(const FakeTree&) = delete;
  FakeTree& operator=(const FakeTree&) = delete;
  ~FakeTree() {
    std::error_code ignored;
    std::filesystem::remove_all(root_, ignored);
    ::umask(umask_);
  }

  [[nodiscard]] const std::filesystem::path& root() const { return root_; }
  void write(const std::string& file, const std::string& text) const {
    std::filesystem::create_directories((root_ / file).parent_path());
    std::ofstream(root_ / file, std::ios::trunc) << text << '\n';
  }
  void remove(const std::string& file) const { std::filesystem::remove_all(root_ / file); }
  // As sysfs does it: a relative link, both ends below the root.
  void link(const std::string& from, const std::string& to) const {
    std::filesystem::create_directories(root_ / to);
    std::filesystem::create_directories((root_ / from).parent_path());
    std::filesystem::create_directory_symlink(std::filesystem::relative(root_ / to, (root_ / from).parent_path()),
                                              root_ / from);
  }

 private:
  std::filesystem::path root_;
  mode_t umask_;
};

// Gives up root while it lives, where there is root to give up: permission bits do not bind it.
class WithoutRoot {
 public:
  WithoutRoot() : root_(::geteuid() == 0) {
    if (root_) dropped_ = ::seteuid(65534) == 0;
  }
  WithoutRoot(const WithoutRoot&) = delete;
  WithoutRoot& operator=(const WithoutRoot&) = delete;
  ~WithoutRoot() {
    if (dropped_ && ::seteuid(0) != 0) std::abort();
  }
  [[nodiscard]] bool unprivileged() const { return !root_ || dropped_; }

 private:
  bool root_;
  bool dropped_ = false;
};

}  // namespace wattle::energy
