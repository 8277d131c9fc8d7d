// One run, with real processes.
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <fstream>
#include <nlohmann/json.hpp>

#include "base/text.h"
#include "run/descriptor.h"
#include "run/process.h"
#include "run/run_fixture.h"

namespace wattle::run {
namespace {

using record::EndState;
using testing::Contains;
using testing::HasSubstr;
using testing::Not;
using testing::StartsWith;

study::RunRequest with_output_metric(study::RunRequest request) {
  request.metric.name = "accuracy";
  request.metric.source = study::MetricSource::output;
  request.metric.regex = R"(epoch (?<epoch>\d+) acc (?<value>[\d.]+|nan))";
  return request;
}

std::vector<record::MeasuredWindow> epochs_of(const record::Record& record) {
  std::vector<record::MeasuredWindow> epochs;
  for (const auto& window : record.windows) {
    if (window.window.kind == energy::WindowKind::epoch) epochs.push_back(window);
  }
  return epochs;
}

// The numbers in a file that a child wrote, one a line.
std::vector<std::int64_t> numbers_in(const std::filesystem::path& file) {
  std::vector<std::int64_t> numbers;
  std::ifstream stream(file);
  for (std::int64_t number = 0; stream >> number;) numbers.push_back(number);
  return numbers;
}

TEST_F(RunTest, a_run_that_ends_well_is_completed_and_its_directory_tells_the_same) {
  const auto attempt = run(shell("echo out; echo err >&2; exit 0"));
  EXPECT_EQ(attempt.record.end, EndState::completed) << attempt.record.reason;
  EXPECT_EQ(attempt.record.exit_code, 0);
  EXPECT_EQ(attempt.output, "out\n");
  EXPECT_EQ(attempt.error, "err\n");
  ASSERT_FALSE(attempt.record.windows.empty());
  EXPECT_EQ(attempt.record.windows.front().window.end - attempt.record.windows.front().window.begin,
            *attempt.record.duration);
  EXPECT_FALSE(attempt.record.fingerprint.empty());
  EXPECT_FALSE(attempt.trace.empty());
  const auto loaded = load_attempt(attempt_directory());
  ASSERT_TRUE(loaded) << loaded.error().message;
  EXPECT_EQ(record::to_json(loaded->record), record::to_json(attempt.record));
  EXPECT_EQ(loaded->output, attempt.output);
  EXPECT_EQ(loaded->trace, attempt.trace);
}

TEST_F(RunTest, energy_of_the_run_is_told_and_is_an_estimate_here) {
  const auto attempt = run(python("import time\nt=time.monotonic()\nwhile time.monotonic()-t<0.3: pass"));
  ASSERT_TRUE(attempt.record.estimated.energy) << attempt.record.estimated.why_absent;
  EXPECT_GT(attempt.record.estimated.energy->value, 0);
  EXPECT_FALSE(attempt.record.measured.energy);
  EXPECT_GT(attempt.record.resources.user_cpu.value, 0.1);
  EXPECT_GT(attempt.record.resources.peak_resident_bytes, 1 << 20);
}

// A wall clock that somebody sets, back and forth, whenever it is looked at.
class SteppedWall final : public Clock {
 public:
  [[nodiscard]] Nanoseconds monotonic() const override { return real_.monotonic(); }
  [[nodiscard]] Nanoseconds boot() const override { return real_.boot(); }
  [[nodiscard]] Nanoseconds wall() const override {
    step_ = -2 * step_;
    return real_.wall() + step_;
  }
  bool sleep_until(Nanoseconds instant, const std::stop_token& stop) override {
    return real_.sleep_until(instant, stop);
  }

 private:
  SystemClock real_;
  mutable Nanoseconds step_ = seconds(3600);
};

TEST_F(RunTest, a_wall_clock_that_steps_changes_no_duration) {
  SteppedWall clock;
  for (const int number : {1, 2, 3}) {
    const Nanoseconds before = clock.monotonic();
    const auto attempt = run_once(shell("sleep 0.1"), 1, root_ / std::to_string(number), options_, clock, {});
    const Nanoseconds took = clock.monotonic() - before;
    ASSERT_TRUE(attempt) << attempt.error().message;
    EXPECT_GE(*attempt->record.duration, milliseconds(100));
    EXPECT_LE(*attempt->record.duration, took);
    const energy::Window& window = attempt->record.windows.front().window;
    EXPECT_EQ(window.end - window.begin, *attempt->record.duration);
    EXPECT_THAT(attempt->record.flags, Not(Contains("suspended")));
  }
}

TEST_F(RunTest, an_exit_code_is_a_failure_with_the_last_word_of_standard_error) {
  const auto attempt = run(shell("echo 'first' >&2; printf 'ValueError: b\\033ad\\n\\n' >&2; exit 3"));
  EXPECT_EQ(attempt.record.end, EndState::failed);
  EXPECT_EQ(attempt.record.exit_code, 3);
  EXPECT_EQ(attempt.record.reason, "exit code 3: ValueError: b?ad");
}

TEST_F(RunTest, a_signal_is_a_failure_with_its_name) {
  const auto attempt = run(shell("kill -SEGV $$"));
  EXPECT_EQ(attempt.record.end, EndState::failed);
  EXPECT_EQ(attempt.record.signal, SIGSEGV);
  EXPECT_FALSE(attempt.record.exit_code);
  EXPECT_EQ(attempt.record.reason, "killed by signal 11 (segmentation fault)");
}

TEST_F(RunTest, an_exit_code_is_seen_even_where_the_parent_ignores_its_children) {
  const auto before = ::signal(SIGCHLD, SIG_IGN);
  const auto attempt = run(shell("exit 3"));
  ::signal(SIGCHLD, before);
  EXPECT_EQ(attempt.record.exit_code, 3);
}

TEST_F(RunTest, a_program_that_cannot_be_started_says_exactly_why) {
  EXPECT_EQ(run(request_for({"pyhton3", "x.py"})).record.reason, "cannot start `pyhton3`: no such program");
  EXPECT_EQ(run(request_for({root_.string()})).record.reason,
            fmt::format("cannot start `{}`: no permission to execute it", root_.string()));
  const auto script = root_ / "script";
  std::ofstream(script) << "echo never through a shell\n";
  std::filesystem::permissions(script, std::filesystem::perms::owner_all);
  EXPECT_THAT(run(request_for({script.string()})).record.reason, HasSubstr("not a program"));
  std::ofstream(script) << "#!/no/such/interpreter\n";
  EXPECT_THAT(run(request_for({script.string()})).record.reason, HasSubstr("its interpreter does not exist"));
  auto elsewhere = shell("true");
  elsewhere.working_directory = "/no/such/folder";
  const auto attempt = run(elsewhere);
  EXPECT_THAT(attempt.record.reason, HasSubstr("in /no/such/folder: No such file"));
  EXPECT_EQ(attempt.record.end, EndState::failed);
}

TEST_F(RunTest, the_child_gets_its_arguments_environment_and_folder_untouched_by_any_shell) {
  const std::string script = R"(
import os, sys
print(sys.argv[1:], os.getcwd(), os.environ['COLOUR'], os.environ['WATTLE_RUN_DIR'], os.environ['WATTLE_EVENTS'],
      os.getsid(0) == os.getpid())
)";
  auto request = request_for({"/usr/bin/python3", "-c", script, "$(touch x); *", "{run_dir}/model.bin", ""});
  request.working_directory = root_;
  request.variables = {{"COLOUR", "gr een"}};
  const auto attempt = run(request);
  const std::string files = (attempt_directory() / "files").string();
  EXPECT_EQ(attempt.output, fmt::format("['$(touch x); *', '{}/model.bin', ''] {} gr een {} {} True\n", files,
                                        root_.string(), files, (attempt_directory() / "events.jsonl").string()));
}

TEST_F(RunTest, the_child_inherits_no_descriptor_but_its_three_streams) {
  const Descriptor left_open(::open("/dev/null", O_RDONLY));  // as a careless library would
  const auto attempt = run(request_for({"/bin/ls", "/proc/self/fd"}));
  EXPECT_EQ(attempt.output, "0\n1\n2\n3\n") << "3 is the folder that ls reads";
}

TEST_F(RunTest, rendered_files_stand_in_the_run_folder_with_its_name_filled_in) {
  auto request = request_for({"/bin/cat", "{run_dir}/config.yaml"});
  request.rendered_files = {{"config.yaml", "lr: 0.1\nout: {run_dir}/out\n"}};
  EXPECT_EQ(run(request).output, fmt::format("lr: 0.1\nout: {}/files/out\n", attempt_directory().string()));
}

TEST_F(RunTest, the_time_limit_ends_a_tree_that_ignores_the_request_to_end) {
  auto request = shell("trap '' TERM; (trap '' TERM; exec sleep 1000) & while :; do sleep 1000; done");
  request.protocol.time_limit = milliseconds(300);
  const auto attempt = run(request);
  EXPECT_EQ(attempt.record.end, EndState::failed);
  EXPECT_EQ(attempt.record.reason, "time limit of 300 ms");
  EXPECT_TRUE(with_environment("WATTLE_EVENTS=" + (attempt_directory() / "events.jsonl").string()).empty());
}

TEST_F(RunTest, within_the_grace_a_program_may_end_in_order) {
  auto request = shell("trap 'echo saved; exit 0' TERM; echo up; sleep 1000 & wait");
  request.protocol.time_limit = seconds(1);
  request.protocol.grace = seconds(60);
  const auto attempt = run(request);
  EXPECT_EQ(attempt.output, "up\nsaved\n");
  EXPECT_EQ(attempt.record.reason, "time limit of 1.0 s");
}

TEST_F(RunTest, a_stopped_program_hears_the_request_to_end_too) {
  auto request = shell("trap 'echo saved; exit 0' TERM; kill -STOP $$");
  request.protocol.time_limit = seconds(1);
  request.protocol.grace = seconds(20);
  EXPECT_EQ(run(request).output, "saved\n");
}

TEST_F(RunTest, silence_is_a_failure) {
  auto request = shell("echo one; exec sleep 1000");
  request.protocol.silence_limit = milliseconds(200);
  const auto attempt = run(request);
  EXPECT_EQ(attempt.record.end, EndState::failed);
  EXPECT_EQ(attempt.record.reason, "silent for 200 ms");
}

TEST_F(RunTest, whatever_detaches_itself_is_gone_when_the_run_is_over) {
  const auto attempt = run(python(R"(
import os, signal, time
ready, told = os.pipe()
if os.fork() == 0:
    os.setsid()
    if os.fork() == 0:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        os.chdir('/')
        for fd in (0, 1, 2): os.close(fd)
        os.write(told, b'x')
        while True: time.sleep(1000)
    os._exit(0)
os.read(ready, 1)
)"));
  EXPECT_EQ(attempt.record.end, EndState::completed) << attempt.record.reason;
  EXPECT_THAT(attempt.record.flags, Contains("strays"));
  EXPECT_TRUE(with_environment("WATTLE_EVENTS=" + (attempt_directory() / "events.jsonl").string()).empty());
}

TEST_F(RunTest, helpers_that_end_by_themselves_are_no_strays) {
  const auto attempt = run(shell("(sleep 0.01) & exit 0"));
  EXPECT_THAT(attempt.record.flags, Not(Contains("strays")));
}

TEST_F(RunTest, a_huge_output_is_kept_in_part_and_its_end_is_still_read) {
  options_.output_limit = 1U << 20U;
  auto request = with_output_metric(python(R"(
import sys
block = b'x' * 99 + b'\n'
for _ in range(100): sys.stdout.buffer.write(block * 10000)
print('epoch 1 acc 0.75', flush=True)
)"));
  const auto attempt = run(request);
  EXPECT_EQ(attempt.record.end, EndState::completed) << attempt.record.reason;
  EXPECT_EQ(record::performance(attempt.record)->value, 0.75);
  EXPECT_THAT(attempt.record.flags, Contains("output shortened"));
  EXPECT_LT(std::filesystem::file_size(attempt_directory() / "stdout"), 3U << 20U);
  EXPECT_LT(attempt.output.size(), 300'000U);
  EXPECT_THAT(attempt.output, HasSubstr("bytes dropped"));
  ASSERT_EQ(epochs_of(attempt.record).size(), 1U);
  EXPECT_FALSE(epochs_of(attempt.record)[0].void_reason.empty()) << "nobody knows when its line came";
}

TEST_F(RunTest, a_terminal_carries_a_huge_output_to_its_last_byte) {
  auto request = python("import sys\nfor i in range(20000): sys.stdout.write('%099d\\n' % i)\n");
  request.use_terminal = true;
  const auto attempt = run(request);
  EXPECT_EQ(text_of("stdout").size(), 2'000'000U) << "no carriage returns, nothing lost";
  EXPECT_THAT(attempt.output, HasSubstr("19999\n"));
}

// The script notes the true ends of its epochs itself; nothing of it is changed for the measurement.
TEST_F(RunTest, epochs_of_an_ordinary_script_end_when_they_really_ended) {
  ::unsetenv("PYTHONUNBUFFERED");
  auto request = with_output_metric(python(R"(
import os, time
times = open(os.environ['WATTLE_RUN_DIR'] + '/times', 'w')
for epoch in range(1, 5):
    time.sleep(0.3)
    times.write('%d\n' % time.monotonic_ns())
    print('epoch', epoch, 'acc', 0.5 + epoch / 10)
)"));
  request.use_terminal = true;
  const auto attempt = run(request);
  ASSERT_EQ(attempt.record.end, EndState::completed) << attempt.record.reason;
  const auto truth = numbers_in(attempt_directory() / "files" / "times");
  const auto epochs = epochs_of(attempt.record);
  ASSERT_EQ(truth.size(), 4U);
  ASSERT_EQ(epochs.size(), 4U);
  for (std::size_t i = 0; i < 4; ++i) {
    EXPECT_EQ(epochs[i].window.epoch, static_cast<int>(i) + 1);
    EXPECT_TRUE(epochs[i].void_reason.empty()) << epochs[i].void_reason;
    EXPECT_NEAR(static_cast<double>(epochs[i].window.end.value), static_cast<double>(truth[i]), 150e6);
  }
  EXPECT_EQ(record::performance(attempt.record)->value, 0.9);
  EXPECT_EQ(record::performance(attempt.record)->split, record::Split::validation);
}

TEST_F(RunTest, epochs_of_output_that_came_at_once_are_void_and_the_metrics_stay) {
  auto request = with_output_metric(python(R"(
import time
text = ''
for epoch in range(1, 4):
    time.sleep(0.05)
    text += 'epoch %d acc 0.%d\n' % (epoch, epoch)
print(text, end='', flush=True)
)"));
  request.protocol.sample_interval = milliseconds(1);
  const auto attempt = run(request);
  EXPECT_EQ(record::performance(attempt.record)->value, 0.3);
  const auto epochs = epochs_of(attempt.record);
  ASSERT_EQ(epochs.size(), 3U);
  for (const auto& epoch : epochs) {
    EXPECT_THAT(epoch.void_reason, HasSubstr("bunched"));
    for (const auto& energy : epoch.energies) EXPECT_FALSE(energy.energy);
  }
  EXPECT_TRUE(attempt.record.windows.front().void_reason.empty()) << "the run as a whole is measured all the same";
}

TEST_F(RunTest, a_program_that_speaks_the_protocol_cuts_its_own_windows) {
  auto request = python(R"(
import json, os, time
log = os.open(os.environ['WATTLE_EVENTS'], os.O_WRONLY | os.O_APPEND)
sequence = 0
def tell(event, **fields):
    global sequence
    fields.update(event=event, t=fields.get('t', time.monotonic_ns()), pid=os.getpid(), seq=sequence)
    sequence += 1
    os.write(log, (json.dumps(fields) + '\n').encode())
tell('hello', protocol=1, boot_id=open('/proc/sys/kernel/random/boot_id').read().strip(),
     boottime=time.clock_gettime_ns(time.CLOCK_BOOTTIME))
for epoch in (1, 2):
    tell('phase_begin', phase='train', epoch=epoch)
    time.sleep(0.5)
    tell('phase_end', phase='train', epoch=epoch)
    tell('metric', name='accuracy', value=0.5 * epoch, split='validation', epoch=epoch)
    tell('epoch', epoch=epoch)
tell('metric', name='accuracy', value=0.99, split='test')
tell('done', status='early_stopped')
)");
  request.metric.name = "accuracy";
  request.protocol.sample_interval = milliseconds(5);
  std::optional<int> seen;
  options_.on_progress = [&](const Progress& progress) { seen = progress.epoch ? progress.epoch : seen; };
  const auto attempt = run(request);
  ASSERT_EQ(attempt.record.end, EndState::completed) << attempt.record.reason;
  EXPECT_EQ(record::performance(attempt.record)->value, 0.99);
  EXPECT_EQ(record::performance(attempt.record)->split, record::Split::test);
  ASSERT_EQ(attempt.record.windows.size(), 7U) << "run, two phases, two epochs, and up to the end of each";
  for (const auto& window : attempt.record.windows) {
    EXPECT_TRUE(window.void_reason.empty()) << window.void_reason;
    ASSERT_FALSE(window.energies.empty());
    EXPECT_TRUE(window.energies[0].energy) << window.energies[0].why_absent;
  }
  EXPECT_THAT(attempt.record.flags, Not(Contains(HasSubstr("event"))));
  EXPECT_EQ(seen, 1) << "progress is told while it runs";
}

TEST_F(RunTest, epochs_that_are_told_are_not_read_from_the_output_as_well) {
  const auto attempt = run(with_output_metric(python(R"(
import os, time
now = time.monotonic_ns()
head = '{"t":%d,"pid":7,"seq":' % now
with open(os.environ['WATTLE_EVENTS'], 'a') as log:
    log.write(head + '0,"event":"hello","protocol":1,"boot_id":"","boottime":%d}\n' % now)
    log.write(head + '1,"event":"epoch","epoch":1,"begin":%d}\n' % (now - 1000))
print('epoch 1 acc 0.5')
)")));
  EXPECT_EQ(epochs_of(attempt.record).size(), 1U);
  EXPECT_EQ(record::performance(attempt.record)->value, 0.5);
}

TEST_F(RunTest, a_loss_that_is_no_number_is_divergence_whatever_the_exit_code) {
  const auto attempt = run(shell(
      R"(printf '{"event":"hello","t":1,"pid":7,"seq":0,"protocol":1,"boot_id":"","boottime":1}\n{"event":"metric","t":2,"pid":7,"seq":1,"name":"loss","value":NaN,"split":"train","epoch":3}\n' >> "$WATTLE_EVENTS"; exit 1)"));
  EXPECT_EQ(attempt.record.end, EndState::diverged);
  EXPECT_EQ(attempt.record.reason, "loss is nan at epoch 3");
}

TEST_F(RunTest, a_metric_that_ends_as_no_number_is_divergence) {
  const auto attempt = run(with_output_metric(shell("echo epoch 1 acc 0.5; sleep 0.01; echo epoch 2 acc nan")));
  EXPECT_EQ(attempt.record.end, EndState::diverged);
  EXPECT_EQ(attempt.record.reason, "metric `accuracy` is nan");
}

TEST_F(RunTest, a_metric_that_never_came_is_a_failure) {
  EXPECT_THAT(run(with_output_metric(shell("echo nothing"))).record.reason, StartsWith("metric `accuracy` never came"));
  auto request = shell("true");
  request.metric.name = "accuracy";
  const auto attempt = run(request);
  EXPECT_EQ(attempt.record.end, EndState::failed);
  EXPECT_THAT(attempt.record.reason, HasSubstr("it wrote no events"));
}

TEST_F(RunTest, a_flood_of_events_is_ended_and_is_a_failure) {
  options_.events_limit = 1U << 20U;
  auto request = shell("while :; do echo '{\"event\":\"x\"}'; done >> \"$WATTLE_EVENTS\"");
  const auto attempt = run(request);
  EXPECT_EQ(attempt.record.end, EndState::failed);
  EXPECT_EQ(attempt.record.reason, "its event file grew beyond 1 MiB");
}

TEST_F(RunTest, a_program_that_destroys_its_attempt_has_failed) {
  const auto removed = run(shell("rm -r \"$(dirname \"$WATTLE_EVENTS\")\""));
  EXPECT_EQ(removed.record.end, EndState::failed);
  EXPECT_THAT(removed.record.reason, HasSubstr("attempt directory was removed"));
  EXPECT_EQ(removed.trace, "");
  const auto overwritten = run(shell("echo nonsense >\"$(dirname \"$WATTLE_EVENTS\")/trace.zst\""));
  EXPECT_EQ(overwritten.record.end, EndState::failed);
  EXPECT_THAT(overwritten.record.reason, HasSubstr("trace was overwritten"));
  EXPECT_EQ(overwritten.trace, "");
}

TEST_F(RunTest, a_stop_ends_the_tree_and_the_attempt_is_no_result) {
  std::stop_source source;
  options_.on_progress = [&](const Progress& progress) {
    if (progress.elapsed > milliseconds(500)) source.request_stop();
  };
  const auto attempt = run(shell("sleep 1000 & sleep 1000"), source.get_token());
  EXPECT_EQ(attempt.record.end, EndState::interrupted);
  EXPECT_EQ(attempt.record.reason, "stopped on request");
  EXPECT_TRUE(attempt.record.estimated.energy) << "its joules are spent all the same";
  EXPECT_TRUE(with_environment("WATTLE_EVENTS=" + (attempt_directory() / "events.jsonl").string()).empty());
}

TEST_F(RunTest, metrics_are_read_from_the_file_that_this_run_wrote) {
  auto request = shell("printf 'epoch,\"val, acc\"\\n0,0.5\\n1,0.75\\n' > \"$WATTLE_RUN_DIR/log.csv\"");
  request.metric.name = "accuracy";
  request.metric.source = study::MetricSource::csv_file;
  request.metric.file = "{run_dir}/log.csv";
  request.metric.value_column = "val, acc";
  request.metric.epoch_column = "epoch";
  const auto attempt = run(request);
  ASSERT_EQ(attempt.record.end, EndState::completed) << attempt.record.reason;
  EXPECT_EQ(record::performance(attempt.record)->value, 0.75);
  EXPECT_EQ(attempt.record.metrics.at(0).epoch, 1) << "a file that counts from 0 is moved to 1";
}

TEST_F(RunTest, a_metric_file_of_an_earlier_run_is_not_this_runs) {
  auto request = shell("true");
  request.working_directory = root_;
  request.metric.name = "accuracy";
  request.metric.source = study::MetricSource::json_lines;
  request.metric.file = "log.jsonl";
  std::ofstream(root_ / "log.jsonl") << "{\"accuracy\": 0.9}\n";
  EXPECT_THAT(run(request).record.reason, HasSubstr("was not written by this run"));
  request.arguments = {"/bin/sh", "-c", "echo '{\"accuracy\": 0.8}' > log.jsonl"};
  EXPECT_EQ(record::performance(run(request).record)->value, 0.8);
}

TEST_F(RunTest, streams_that_pass_through_are_not_touched) {
  options_.streams = Streams::inherited;
  testing::internal::CaptureStdout();
  const auto attempt = run(shell("echo passed"));
  EXPECT_EQ(testing::internal::GetCapturedStdout(), "passed\n");
  EXPECT_EQ(attempt.record.end, EndState::completed);
  EXPECT_EQ(attempt.output, "");
  EXPECT_EQ(text_of("stdout"), "(absent)");
}

TEST_F(RunTest, more_threads_than_cores_are_flagged) {
  auto request = shell("true");
  request.configuration.environment.threads = 1'000'000;
  EXPECT_THAT(run(request).record.flags, Contains("oversubscribed"));
}

TEST_F(RunTest, what_cannot_be_attempted_is_an_error_and_leaves_nothing) {
  std::ofstream(root_ / "file") << "";
  const auto inside_file = run_once(shell("true"), 1, root_ / "file" / "attempt", options_, clock_, {});
  ASSERT_FALSE(inside_file);
  EXPECT_EQ(inside_file.error().kind, ErrorKind::environment);
  std::filesystem::create_directories(attempt_directory());
  EXPECT_FALSE(run_once(shell("true"), 1, attempt_directory(), options_, clock_, {})) << "it exists";
  EXPECT_TRUE(std::filesystem::is_empty(attempt_directory())) << "and is left as it was";
  options_.program = root_ / "no_such_program";
  const auto no_guard = run_once(shell("true"), 1, root_ / "other", options_, clock_, {});
  ASSERT_FALSE(no_guard);
  EXPECT_THAT(no_guard.error().message, HasSubstr("no_such_program"));
  EXPECT_FALSE(std::filesystem::exists(root_ / "other"));
  auto escaping = shell("true");
  escaping.rendered_files = {{"../out", "x"}};
  EXPECT_FALSE(run_once(escaping, 1, root_ / "other", options_, clock_, {}));
}

// In a process of its own without privileges: root may write everywhere.
TEST_F(RunTest, a_read_only_folder_is_an_environment_error) {
  std::filesystem::permissions(root_, std::filesystem::perms::owner_read | std::filesystem::perms::owner_exec |
                                          std::filesystem::perms::others_read | std::filesystem::perms::others_exec);
  const pid_t child = ::fork();
  if (child == 0) {
    static constexpr uid_t kNobody = 65534;
    if (::geteuid() == 0 && ::setuid(kNobody) != 0) ::_exit(2);
    const auto result = run_once(shell("true"), 1, attempt_directory(), options_, clock_, {});
    ::_exit(!result && result.error().kind == ErrorKind::environment ? 0 : 1);
  }
  int status = -1;
  ::waitpid(child, &status, 0);
  std::filesystem::permissions(root_, std::filesystem::perms::owner_all);
  EXPECT_EQ(status, 0);
}

TEST_F(RunTest, what_it_inherits_and_nobody_asked_for_is_recorded) {
  ::setenv("OMP_PROC_BIND", "close", 1);
  ::setenv("A_SECRET_TOKEN", "sesame", 1);
  auto request = shell("exit 0");
  const auto inherited = run(request).record.fingerprint;
  EXPECT_EQ(inherited.at("env OMP_PROC_BIND"), "close");
  for (const auto& [name, value] : inherited) EXPECT_EQ(value.find("sesame"), std::string::npos) << name;
  request.variables["OMP_PROC_BIND"] = "spread";
  request.key += "x";
  EXPECT_FALSE(run(request).record.fingerprint.contains("env OMP_PROC_BIND")) << "the study sets it";
  ::unsetenv("OMP_PROC_BIND");
  ::unsetenv("A_SECRET_TOKEN");
}

}  // namespace
}  // namespace wattle::run
