// For tests: real processes below a subreaper, and a fake /proc.
#pragma once

#include <fcntl.h>
#include <fmt/format.h>
#include <gtest/gtest.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>
#include <ctime>
#include <filesystem>
#include <fstream>
#include <functional>
#include <string>
#include <system_error>

namespace wattle::energy {

// A child that is a subreaper and does what it is told. It and all below it that call wait_for_end() leave when this is
// destroyed.
class Family {
 public:
  // `body` runs in the child, which ends after it.
  explicit Family(const std::function<void(const Family&)>& body) {
    if (::pipe2(said_, O_CLOEXEC) != 0 || ::pipe2(told_, O_CLOEXEC) != 0) std::abort();
    root_ = ::fork();
    if (root_ != 0) {
      close_end(said_[1]);
      close_end(told_[0]);
      return;
    }
    root_ = ::getpid();
    ::prctl(PR_SET_CHILD_SUBREAPER, 1);
    close_end(said_[0]);
    close_end(told_[1]);
    body(*this);
    ::_exit(0);
  }
  Family(const Family&) = delete;
  Family& operator=(const Family&) = delete;
  ~Family() { end(); }

  [[nodiscard]] pid_t root() const { return root_; }
  // In the test: the next number that someone in the family said; 0 where all have gone.
  [[nodiscard]] int hear() const {
    int number = 0;
    return ::read(said_[0], &number, sizeof(number)) == sizeof(number) ? number : 0;
  }
  void tell() const {
    const char byte = '.';
    if (::write(told_[1], &byte, 1) != 1) std::abort();
  }
  void end() {
    close_end(told_[1]);
    close_end(said_[0]);
    if (root_ > 0) ::waitpid(root_, nullptr, 0);
    root_ = 0;
  }

  // In the family.
  void say(int number) const {
    if (::write(said_[1], &number, sizeof(number)) != sizeof(number)) ::_exit(1);
  }
  void wait_for_word() const {
    char byte = 0;
    if (::read(told_[0], &byte, 1) != 1) wait_for_end();
  }
  [[noreturn]] void wait_for_end() const {
    char byte = 0;
    while (::read(told_[0], &byte, 1) > 0) {
    }
    while (::wait(nullptr) > 0) {  // nobody else may do it
    }
    ::_exit(0);
  }
  template <class Body>
  static pid_t child(const Body& body) {
    const pid_t pid = ::fork();
    if (pid != 0) return pid;
    body();
    ::_exit(0);
  }
  // Uses this much CPU time.
  static void burn(int milliseconds_long) {
    const auto used = [] {
      timespec now{};
      ::clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
      return now.tv_sec * 1000 + now.tv_nsec / 1'000'000;
    };
    const auto end = used() + milliseconds_long;
    while (used() < end) {
    }
  }

 private:
  static void close_end(int& fd) {
    if (fd >= 0) ::close(fd);
    fd = -1;
  }
  int said_[2] = {-1, -1};
  int told_[2] = {-1, -1};
  pid_t root_ = 0;
};

// A folder below which /proc and /sys are made up.
class FakeRoot : public testing::Test {
 protected:
  void SetUp() override {
    std::string name = (std::filesystem::temp_directory_path() / "wattle-root-XXXXXX").string();
    ASSERT_NE(::mkdtemp(name.data()), nullptr);
    root_ = name;
  }
  void TearDown() override {
    std::error_code ignored;
    std::filesystem::remove_all(root_, ignored);
  }
  void put(const std::string& path, const std::string& text) const {
    std::filesystem::create_directories((root_ / path).parent_path());
    std::ofstream(root_ / path) << text << '\n';
  }

  struct FakeProcess {
    int pid = 0;
    int parent = 0;
    std::int64_t ticks = 0;     // of its own
    std::int64_t of_ended = 0;  // of children that it waited for
    int start = 1000;
    char state = 'S';
  };
  void process(const FakeProcess& p) const {
    put(fmt::format("proc/{}/stat", p.pid),
        fmt::format("{} (a name) {} {} 1 1 0 -1 4194560 1 0 0 0 {} 0 {} 0 20 0 2 0 {} 9000000 100 18446744073709551615",
                    p.pid, p.state, p.parent, p.ticks, p.of_ended, p.start));
    put(fmt::format("proc/{}/io", p.pid), "rchar: 9\nread_bytes: 1000\nwrite_bytes: 200\ncancelled_write_bytes: 0");
  }
  void ends(int pid) const { std::filesystem::remove_all(root_ / fmt::format("proc/{}", pid)); }

  std::filesystem::path root_;
};

}  // namespace wattle::energy
