// Attempts whose parent or guard was killed, and directories that somebody damaged.
#include <gmock/gmock.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <fstream>
#include <thread>

#include "base/text.h"
#include "run/attempt_files.h"
#include "run/process.h"
#include "run/run_fixture.h"

namespace wattle::run {
namespace {

using record::EndState;
using testing::HasSubstr;

class RecoveryTest : public RunTest {
 protected:
  [[nodiscard]] AttemptFiles files() const { return {attempt_directory()}; }
  [[nodiscard]] std::vector<ProcessId> processes() const {
    return with_environment("WATTLE_EVENTS=" + files().events().string());
  }
  // A parent of its own, once the child has printed the line "ready".
  [[nodiscard]] pid_t parent_of(const study::RunRequest& request) {
    const pid_t parent = ::fork();
    if (parent == 0) {
      [[maybe_unused]] const auto attempt = run_once(request, 2, attempt_directory(), options_, clock_, {});
      ::_exit(0);
    }
    while (text_of("stdout").find("ready\n") == std::string::npos) std::this_thread::yield();
    return parent;
  }
  static void kill_and_reap(pid_t parent) {
    ::kill(parent, SIGKILL);
    ::waitpid(parent, nullptr, 0);
  }
};

TEST_F(RecoveryTest, a_killed_parent_takes_its_run_along_and_the_joules_are_kept) {
  kill_and_reap(parent_of(python(R"(
import os, signal, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
if os.fork() == 0:
    os.setsid()
    while True: time.sleep(1000)
time.sleep(1.3)
print('ready', flush=True)
while True: time.sleep(1000)
)")));
  const auto attempt = load_attempt(attempt_directory());
  ASSERT_TRUE(attempt) << attempt.error().message;
  EXPECT_TRUE(processes().empty());
  EXPECT_EQ(attempt->record.end, EndState::interrupted);
  EXPECT_EQ(attempt->record.attempt, 2);
  EXPECT_EQ(attempt->output, "ready\n");
  ASSERT_TRUE(attempt->record.estimated.energy) << attempt->record.estimated.why_absent;
  EXPECT_GT(attempt->record.estimated.energy->value, 0);
}

TEST_F(RecoveryTest, a_guard_without_a_parent_ends_the_tree_by_itself) {
  kill_and_reap(parent_of(shell("trap '' TERM; (trap '' TERM; exec sleep 1000) & echo ready; exec sleep 1000")));
  const auto report = read_report(files());
  ASSERT_TRUE(report);
  EXPECT_TRUE(wait_until_gone(report->guard, 60'000));
  EXPECT_TRUE(processes().empty());
  const auto last = read_report(files());
  ASSERT_TRUE(last);
  EXPECT_TRUE(last->complete);
  EXPECT_EQ(last->cause, Cause::orphaned);
  EXPECT_TRUE(load_attempt(attempt_directory())->record.duration) << "the guard saw the end";
}

TEST_F(RecoveryTest, an_attempt_that_is_still_running_is_left_alone) {
  std::stop_source source;
  std::string message;
  options_.on_progress = [&](const Progress&) {
    const auto other = load_attempt(attempt_directory());
    message = other ? "loaded" : other.error().message;
    source.request_stop();
  };
  run(shell("exec sleep 1000"), source.get_token());
  EXPECT_THAT(message, HasSubstr("still running"));
}

TEST_F(RecoveryTest, a_killed_guard_takes_its_run_along) {
  options_.on_progress = [&](const Progress&) {
    if (const auto report = read_report(files())) signal_process(report->guard, SIGKILL);
  };
  const auto attempt = run(python("import os\nif os.fork() == 0: os.setsid()\nimport time\ntime.sleep(1000)"));
  EXPECT_EQ(attempt.record.end, EndState::failed);
  EXPECT_THAT(attempt.record.reason, HasSubstr("guard"));
  EXPECT_FALSE(attempt.record.duration);
  EXPECT_TRUE(processes().empty());
}

TEST_F(RecoveryTest, the_main_process_dies_with_its_guard_even_where_no_parent_can_help) {
  const pid_t parent = parent_of(shell("echo ready; exec sleep 1000"));
  auto children = processes();
  while (children.empty()) children = processes();  // amid its exec a process shows no environment
  const auto report = read_report(files());
  ASSERT_EQ(children.size(), 1U);
  ASSERT_TRUE(report);
  ::kill(parent, SIGSTOP);
  signal_process(report->guard, SIGKILL);
  EXPECT_TRUE(wait_until_gone(children[0], 60'000));
  kill_and_reap(parent);
}

TEST_F(RecoveryTest, torn_files_cost_only_what_is_torn) {
  run(shell("echo kept"));
  std::filesystem::remove(files().result());
  std::filesystem::resize_file(files().trace(), std::filesystem::file_size(files().trace()) - 3);
  std::ofstream(files().guard()) << "{\"pid\": 1";
  std::ofstream(files().lines()) << "{\"value\": 0.5}\n{\"val";
  const auto attempt = load_attempt(attempt_directory());
  ASSERT_TRUE(attempt) << attempt.error().message;
  EXPECT_EQ(attempt->record.end, EndState::interrupted);
  EXPECT_EQ(attempt->output, "kept\n");
  EXPECT_THAT(attempt->record.flags, testing::Contains("trace damaged"));
  std::filesystem::remove(files().trace());
  EXPECT_TRUE(load_attempt(attempt_directory()));
}

TEST_F(RecoveryTest, a_damaged_report_of_the_guard_does_not_cost_the_joules) {
  run(shell("sleep 0.2"));
  std::filesystem::remove(files().result());
  std::ofstream(files().guard(), std::ios::trunc);
  const auto attempt = load_attempt(attempt_directory());
  ASSERT_TRUE(attempt) << attempt.error().message;
  ASSERT_TRUE(attempt->record.estimated.energy) << attempt->record.estimated.why_absent;
  EXPECT_GT(attempt->record.estimated.energy->value, 0);
}

TEST_F(RecoveryTest, a_directory_without_a_whole_request_is_an_error_that_names_it) {
  for (const std::string text : {"", "{", "[]", "{\"format\": 1}", "{\"format\": \"x\"}"}) {
    std::filesystem::create_directories(attempt_directory());
    std::ofstream(files().request()) << text;
    const auto attempt = load_attempt(attempt_directory());
    ASSERT_FALSE(attempt) << text;
    EXPECT_EQ(attempt.error().kind, ErrorKind::bad_input);
    EXPECT_THAT(attempt.error().message, HasSubstr(attempt_directory().string()));
  }
  std::filesystem::create_directories(root_ / "empty");
  EXPECT_FALSE(load_attempt(root_ / "empty"));
  EXPECT_FALSE(load_attempt(root_ / "absent"));
}

TEST(Process, who_is_who_is_told_by_pid_and_start_time) {
  const auto self = identify(::getpid());
  ASSERT_TRUE(self);
  EXPECT_TRUE(alive(*self));
  EXPECT_FALSE(alive({self->pid, self->start_ticks + 1}));
  EXPECT_TRUE(wait_until_gone({self->pid, self->start_ticks + 1}, 0)) << "another process has that pid now";
  signal_process({self->pid, self->start_ticks + 1}, SIGKILL);
  EXPECT_FALSE(identify(-1));
  EXPECT_FALSE(boot_id().empty());
}

}  // namespace
}  // namespace wattle::run
