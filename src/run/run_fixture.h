// For the tests of this module: real runs of real programs in a fresh folder, guarded by the test program itself.
#pragma once

#include <gtest/gtest.h>

#include <filesystem>
#include <string>
#include <vector>

#include "base/clock.h"
#include "run/runner.h"

namespace wattle::run {

class RunTest : public testing::Test {
 protected:
  RunTest();
  ~RunTest() override;

  // Demands no metric; the model probe; captured streams by pipes.
  static study::RunRequest request_for(std::vector<std::string> arguments);
  static study::RunRequest shell(const std::string& script) { return request_for({"/bin/sh", "-c", script}); }
  static study::RunRequest python(const std::string& script) { return request_for({"/usr/bin/python3", "-c", script}); }

  // Runs it in a new attempt directory; a run that could not be attempted fails the test.
  record::Attempt run(const study::RunRequest& request, const std::stop_token& stop = {});
  [[nodiscard]] std::filesystem::path attempt_directory() const { return root_ / "attempt"; }
  [[nodiscard]] std::string text_of(const std::string& file) const;

  std::filesystem::path root_;
  SystemClock clock_;
  RunnerOptions options_;
};

}  // namespace wattle::run
