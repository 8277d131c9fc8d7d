// Guards that a host forked do what started ones do.
#include "run/guard_host.h"

#include <gmock/gmock.h>
#include <signal.h>

#include <algorithm>

#include "base/text.h"
#include "run/attempt_files.h"
#include "run/process.h"
#include "run/run_fixture.h"

namespace wattle::run {
namespace {

using record::EndState;

class GuardHostTest : public RunTest {
 protected:
  GuardHostTest() : host_(options_.program) { options_.guards = &host_; }

  GuardHost host_;
};

TEST_F(GuardHostTest, runs_follow_each_other_with_their_own_streams_and_exit_codes) {
  for (const int code : {0, 3, 0}) {
    const auto attempt = run(shell("echo out; exit " + std::to_string(code)));
    EXPECT_EQ(attempt.record.exit_code, code);
    EXPECT_EQ(attempt.output, "out\n");
    EXPECT_GT(attempt.record.resources.peak_resident_bytes, 0);
  }
}

TEST_F(GuardHostTest, a_forked_guard_is_its_hosts_child_and_ends_what_detached_itself) {
  const auto attempt = run(shell("setsid sleep 1000 & grep PPid /proc/$PPID/status; exit 0"));
  auto children = descendants(::getpid());
  for (int tries = 0; children.size() > 1 && tries < 10'000; ++tries) {  // the guard is reaped in its own time
    ::usleep(1000);
    children = descendants(::getpid());
  }
  ASSERT_EQ(children.size(), 1U) << "the host alone is left";
  EXPECT_EQ(attempt.output, "PPid:\t" + std::to_string(children.front().pid) + "\n");
  EXPECT_THAT(attempt.record.flags, testing::Contains("strays"));
}

TEST_F(GuardHostTest, a_child_inherits_nothing_of_the_host) {
  const auto attempt = run(shell("ls /proc/self/fd | wc -l; grep SigBlk /proc/self/status"));
  EXPECT_EQ(attempt.output, "4\nSigBlk:\t0000000000000000\n") << "three and ls's own";
}

TEST_F(GuardHostTest, a_killed_host_costs_no_run) {
  run(shell("exit 0"));
  for (const ProcessId& child : descendants(::getpid())) {
    signal_process(child, SIGKILL);
    ASSERT_TRUE(wait_until_gone(child, 60'000));
  }
  EXPECT_EQ(run(shell("exit 0")).record.end, EndState::completed);
  EXPECT_EQ(run(shell("exit 0")).record.end, EndState::completed);
}

TEST_F(GuardHostTest, a_stop_and_a_killed_guard_end_the_run) {
  std::stop_source source;
  options_.on_progress = [&](const Progress& /*progress*/) { source.request_stop(); };
  EXPECT_EQ(run(shell("exec sleep 1000"), source.get_token()).record.end, EndState::interrupted);
  const AttemptFiles files{attempt_directory()};
  options_.on_progress = [&](const Progress& /*progress*/) {
    if (const auto report = read_report(files)) signal_process(report->guard, SIGKILL);
  };
  EXPECT_EQ(run(shell("exec sleep 1000")).record.end, EndState::failed);
  EXPECT_TRUE(with_environment("WATTLE_EVENTS=" + files.events().string()).empty());
}

}  // namespace
}  // namespace wattle::run
