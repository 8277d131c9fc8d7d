// Writes the script that the fake NVML plays, for tests: see played.h for its words.
#pragma once

#include <gtest/gtest.h>
#include <unistd.h>

#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>
#include <utility>

namespace wattle::energy {

// A folder and WATTLE_FAKE_NVML are its own while it lives: one at a time.
class NvmlScript {
 public:
  NvmlScript() {
    std::string name = (std::filesystem::temp_directory_path() / "wattle-nvml-XXXXXX").string();
    if (::mkdtemp(name.data()) == nullptr) ADD_FAILURE() << "no temporary folder";
    folder_ = name;
    ::setenv("WATTLE_FAKE_NVML", (folder_ / "script").c_str(), 1);
  }
  NvmlScript(const NvmlScript&) = delete;
  NvmlScript& operator=(const NvmlScript&) = delete;
  ~NvmlScript() {
    ::unsetenv("WATTLE_FAKE_NVML");
    std::error_code ignored;
    std::filesystem::remove_all(folder_, ignored);
  }

  void play(std::string text) {
    text_ = std::move(text);
    write();
  }
  void at(std::int64_t milliseconds) {
    time_ = milliseconds;
    write();
  }

 private:
  void write() const { std::ofstream(folder_ / "script") << "time " << time_ << '\n' << text_; }

  std::filesystem::path folder_;
  std::string text_;
  std::int64_t time_ = 0;
};

}  // namespace wattle::energy
