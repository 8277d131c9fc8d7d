// The fixture, and the program: the test binary is its own guard.
#include "run/run_fixture.h"

#include <fmt/format.h>
#include <unistd.h>

#include <cstdlib>

#include "base/text.h"

namespace wattle::run {

RunTest::RunTest() {
  root_ = std::filesystem::path(testing::TempDir()) /
          fmt::format("wattle_run_{}_{}", ::getpid(), testing::UnitTest::GetInstance()->current_test_info()->name());
  std::filesystem::remove_all(root_);
  std::filesystem::create_directories(root_);
  options_.program = std::filesystem::read_symlink("/proc/self/exe");
  options_.probes.wanted = {"model"};
}

RunTest::~RunTest() {
  std::error_code error;
  std::filesystem::remove_all(root_, error);
}

study::RunRequest RunTest::request_for(std::vector<std::string> arguments) {
  study::RunRequest request;
  request.key = std::string(64, 'a');
  request.arguments = std::move(arguments);
  request.protocol.time_limit = seconds(120);
  request.protocol.grace = milliseconds(300);
  return request;
}

record::Attempt RunTest::run(const study::RunRequest& request, const std::stop_token& stop) {
  std::filesystem::remove_all(attempt_directory());
  auto attempt = run_once(request, 1, attempt_directory(), options_, clock_, stop);
  EXPECT_TRUE(attempt) << attempt.error().message;
  return attempt ? *std::move(attempt) : record::Attempt{};
}

std::string RunTest::text_of(const std::string& file) const {
  return read_text(attempt_directory() / file).value_or("(absent)");
}

}  // namespace wattle::run

int main(int argc, char** argv) {
  if (argc == 3 && std::string_view(argv[1]) == "guard") return wattle::run::guard_main(argv[2]);
  testing::InitGoogleTest(&argc, argv);
  return RUN_ALL_TESTS();
}
