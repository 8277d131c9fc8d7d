// Start-up of the program, listing a large store, one sampling round, one run that does nothing.
#include <benchmark/benchmark.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <filesystem>

#include "base/text.h"
#include "energy/probe.h"
#include "run/runner.h"
#include "store/store.h"

extern char** environ;  // NOLINT: POSIX declares it nowhere

namespace wattle {
namespace {

namespace fs = std::filesystem;

class Scratch {
 public:
  Scratch() {
    std::string pattern = (fs::temp_directory_path() / "wattle-bench-XXXXXX").string();
    path_ = ::mkdtemp(pattern.data());
  }
  Scratch(const Scratch&) = delete;
  Scratch& operator=(const Scratch&) = delete;
  ~Scratch() { fs::remove_all(path_); }
  [[nodiscard]] const fs::path& path() const { return path_; }

 private:
  fs::path path_;
};

study::RunRequest request(int number) {
  study::RunRequest r;
  r.study = "bench";
  r.key = sha256(std::to_string(number));
  r.pair_key = r.key;
  r.workload_version = "1";
  r.configuration.id = "c";
  r.configuration.label = "original";
  r.configuration.workload = "w";
  r.arguments = {"/bin/true"};
  r.working_directory = "/";
  return r;
}

void start_up(benchmark::State& state) {
  std::string program = WATTLE_PROGRAM;
  std::string flag = "--version";
  char* const arguments[] = {program.data(), flag.data(), nullptr};
  posix_spawn_file_actions_t quiet;
  posix_spawn_file_actions_init(&quiet);
  posix_spawn_file_actions_addopen(&quiet, STDOUT_FILENO, "/dev/null", O_WRONLY, 0);
  for ([[maybe_unused]] auto _ : state) {
    pid_t child = 0;
    ::posix_spawn(&child, program.c_str(), &quiet, nullptr, arguments, environ);
    ::waitpid(child, nullptr, 0);
  }
  posix_spawn_file_actions_destroy(&quiet);
}
BENCHMARK(start_up)->Unit(benchmark::kMillisecond)->UseRealTime();

void list_100000_runs(benchmark::State& state) {
  const Scratch scratch;
  const fs::path file = scratch.path() / "wattle.db";
  {
    // Straight into the table that lists read: 100,000 records with traces would take minutes to write.
    auto store = store::Store::open(file, store::Store::Mode::write);
    record::Attempt attempt;
    attempt.record.request = request(0);
    attempt.record.end = record::EndState::completed;
    if (!store || !store->add(attempt)) state.SkipWithError("cannot write the store");
  }
  const std::string more =
      "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 99999) "
      "INSERT INTO run SELECT i + 1, printf('%064x', i), 1, study, workload, configuration, label, original, i / 5, i, "
      "purpose, training_seed, end_state, reason, started_wall_ns, 3.25, NULL, 42.5, 'accuracy', 0.9, 'test', flags "
      "FROM n, run WHERE run.id = 1";
  std::string shell = "/usr/bin/sqlite3";
  std::string database = file.string();
  std::string statement = more;
  char* const arguments[] = {shell.data(), database.data(), statement.data(), nullptr};
  pid_t child = 0;
  int status = 0;
  if (::posix_spawn(&child, shell.c_str(), nullptr, nullptr, arguments, environ) != 0 ||
      ::waitpid(child, &status, 0) != child || status != 0) {
    state.SkipWithError("needs sqlite3 to fill the store");
    return;
  }
  for ([[maybe_unused]] auto _ : state) {
    const auto store = store::Store::open(file, store::Store::Mode::read);
    const auto runs = store->summaries();
    if (!runs || runs->size() != 100'000) state.SkipWithError("the store does not hold 100,000 runs");
  }
}
BENCHMARK(list_100000_runs)->Unit(benchmark::kMillisecond);

// 2 packages, 2 × DRAM and psys: five files, as on a server.
void sampling_round(benchmark::State& state) {
  const Scratch scratch;
  const auto put = [&](const std::string& zone, const std::string& name) {
    const fs::path folder = scratch.path() / "sys/class/powercap" / zone;
    fs::create_directories(folder);
    const bool written = write_text(folder / "name", name + "\n") && write_text(folder / "energy_uj", "123456789\n") &&
                         write_text(folder / "max_energy_range_uj", "262143328850\n");
    if (!written) state.SkipWithError("cannot write the tree");
  };
  for (const char* package : {"0", "1"}) {
    put(fmt::format("intel-rapl:{}", package), fmt::format("package-{}", package));
    put(fmt::format("intel-rapl:{}:0", package), "dram");
  }
  put("intel-rapl:2", "psys");
  energy::ProbeOptions options;
  options.sysroot = scratch.path();
  options.wanted = {"powercap"};
  auto found = energy::find_probes(options);
  if (found.empty() || !found.front().probe) {
    state.SkipWithError("the probe does not see the tree");
    return;
  }
  energy::Probe& probe = *found.front().probe;
  std::vector<energy::Reading> readings(probe.domains().size());
  for ([[maybe_unused]] auto _ : state) {
    probe.read(Nanoseconds{}, readings);
    benchmark::DoNotOptimize(readings.data());
  }
}
BENCHMARK(sampling_round)->Unit(benchmark::kMicrosecond);

void run_that_does_nothing(benchmark::State& state) {
  const Scratch scratch;
  SystemClock clock;
  run::RunnerOptions options;
  options.program = WATTLE_PROGRAM;
  int number = 0;
  for ([[maybe_unused]] auto _ : state) {
    ++number;
    const auto attempt = run::run_once(request(number), 1, scratch.path() / std::to_string(number), options, clock, {});
    if (!attempt || !record::successful(attempt->record.end)) state.SkipWithError("the run did not end well");
  }
}
BENCHMARK(run_that_does_nothing)->Unit(benchmark::kMillisecond)->UseRealTime();

}  // namespace
}  // namespace wattle

BENCHMARK_MAIN();
