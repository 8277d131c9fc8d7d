// What measuring costs: the sampler's CPU time at 10, 100 and 1000 Hz beside that of a thread that only wakes, its
// jitter and memory, what it takes from a program that computes, and what `wattle measure` adds to one that does
// nothing. Two things compared are done in turn; figures are medians, for this machine in this state. About two
// minutes.
#include <fcntl.h>
#include <fmt/format.h>
#include <spawn.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <string>
#include <thread>
#include <vector>

#include "base/clock.h"
#include "base/text.h"
#include "energy/sampler.h"
#include "stats/descriptive.h"

extern char** environ;  // NOLINT: POSIX declares it nowhere

namespace wattle {
namespace {

namespace fs = std::filesystem;

constexpr int kTurns = 5;

// 2 packages with DRAM and psys, as Documentation/power/powercap/powercap.rst has them.
class FakeServer {
 public:
  FakeServer() {
    std::string pattern = (fs::temp_directory_path() / "wattle-meter-bench-XXXXXX").string();
    path_ = ::mkdtemp(pattern.data());
    for (const char* package : {"0", "1"}) {
      put(fmt::format("intel-rapl:{}", package), fmt::format("package-{}", package));
      put(fmt::format("intel-rapl:{}:0", package), "dram");
    }
    put("intel-rapl:2", "psys");
  }
  FakeServer(const FakeServer&) = delete;
  FakeServer& operator=(const FakeServer&) = delete;
  ~FakeServer() { fs::remove_all(path_); }

  [[nodiscard]] std::vector<energy::Found> probes() const {
    energy::ProbeOptions options;
    options.sysroot = path_;
    options.wanted = {"powercap"};
    return energy::find_probes(options);
  }
  [[nodiscard]] const fs::path& path() const { return path_; }

 private:
  void put(const std::string& zone, const std::string& name) const {
    const fs::path folder = path_ / "sys/class/powercap" / zone;
    fs::create_directories(folder);
    (void)write_text(folder / "name", name + "\n");
    (void)write_text(folder / "energy_uj", "123456789\n");
    (void)write_text(folder / "max_energy_range_uj", "262143328850\n");
  }
  fs::path path_;
};

double cpu_seconds() {
  timespec now{};
  ::clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
  return static_cast<double>(now.tv_sec) + 1e-9 * static_cast<double>(now.tv_nsec);
}

double median(const std::vector<double>& values) { return stats::median(values).value_or(0.0); }

Nanoseconds period(int hertz) { return {1'000'000'000 / hertz}; }

struct Sampled {
  double cpu_share = 0.0;  // of a core
  std::vector<double> late_us;
  std::int64_t rounds = 0;
  std::int64_t dropped = 0;
};

Sampled sample_for(const FakeServer& server, int hertz, Nanoseconds length, int file) {
  SystemClock clock;
  energy::SamplerOptions options;
  options.interval = period(hertz);
  options.on_chunk = [file](std::string_view chunk) { (void)!::write(file, chunk.data(), chunk.size()); };
  energy::Sampler sampler(clock, server.probes(), options);
  const double before = cpu_seconds();
  const Nanoseconds begin = clock.monotonic();
  sampler.start();
  clock.sleep_until(begin + length, {});
  const double used = cpu_seconds() - before;
  const energy::Trace trace = sampler.stop();
  Sampled result{
      .cpu_share = used / to_seconds(length).value, .late_us = {}, .rounds = trace.reads, .dropped = trace.dropped};
  const auto& samples = trace.series.at(0).samples;
  for (std::size_t i = 1; i + 1 < samples.size(); ++i) {
    const std::int64_t since = (samples[i].time - samples[0].time).value % period(hertz).value;
    result.late_us.push_back(static_cast<double>(since) * 1e-3);
  }
  return result;
}

// A thread that wakes as often and does nothing: what no sampler can go below.
double wake_for(int hertz, Nanoseconds length) {
  SystemClock clock;
  const double before = cpu_seconds();
  const Nanoseconds begin = clock.monotonic();
  std::jthread thread([&](const std::stop_token& stop) {
    for (Nanoseconds due = begin + period(hertz); clock.sleep_until(due, stop);) due += period(hertz);
  });
  clock.sleep_until(begin + length, {});
  const double used = cpu_seconds() - before;
  thread.request_stop();
  thread.join();
  return used / to_seconds(length).value;
}

std::int64_t resident_kib() {
  const auto text = read_text("/proc/self/statm", 4096);
  const auto fields = text ? split(*text, ' ') : std::vector<std::string>{};
  return fields.size() < 2 ? 0 : parse_integer(fields[1]).value_or(0) * ::sysconf(_SC_PAGESIZE) / 1024;
}

void cost_of_sampling(const FakeServer& server, int file) {
  fmt::print("energy sampler, 2 packages + 2 DRAM + psys, % of a core (goals 0.05, 0.3, 1)\n");
  fmt::print("  {:>6} {:>9} {:>11} {:>9} {:>12} {:>12} {:>9}\n", "Hz", "sampler", "only waking", "above it", "late p50",
             "late p99", "dropped");
  for (const int hertz : {10, 100, 1000}) {
    const Nanoseconds length = hertz == 10 ? seconds(6) : seconds(2);
    std::vector<double> costs;
    std::vector<double> floors;
    std::vector<double> late;
    std::int64_t rounds = 0;
    std::int64_t dropped = 0;
    for (int turn = 0; turn < kTurns; ++turn) {
      const Sampled sampled = sample_for(server, hertz, length, file);
      costs.push_back(100.0 * sampled.cpu_share);
      floors.push_back(100.0 * wake_for(hertz, length));
      late.insert(late.end(), sampled.late_us.begin(), sampled.late_us.end());
      rounds += sampled.rounds;
      dropped += sampled.dropped;
    }
    fmt::print("  {:>6} {:>8.3f}% {:>10.3f}% {:>8.3f}% {:>9.0f} µs {:>9.0f} µs {:>4}/{}\n", hertz, median(costs),
               median(floors), median(costs) - median(floors), stats::quantile(late, 0.5).value_or(0.0),
               stats::quantile(late, 0.99).value_or(0.0), dropped, rounds);
  }
}

void memory_of_sampling(const FakeServer& server, int file) {
  ScriptedClock clock;
  energy::SamplerOptions options;
  options.interval = milliseconds(100);
  options.on_chunk = [file](std::string_view chunk) { (void)!::write(file, chunk.data(), chunk.size()); };
  options.forget_flushed = true;
  energy::Sampler sampler(clock, server.probes(), options);
  sampler.start(false);
  const auto rounds = [&](int count) {
    for (int i = 0; i < count; ++i) {
      clock.advance(milliseconds(100));
      sampler.sample();
    }
  };
  rounds(6000);
  const std::int64_t early = resident_kib();
  rounds(858'000);
  fmt::print("memory after 10 minutes at 10 Hz {} KiB, after 24 hours {} KiB (scripted clock)\n", early,
             resident_kib());
  (void)sampler.stop();
}

double work_seconds(std::uint64_t steps) {
  SystemClock clock;
  const Nanoseconds begin = clock.monotonic();
  volatile std::uint64_t kept = 0;
  std::uint64_t state = 1;
  for (std::uint64_t i = 0; i < steps; ++i) {
    state ^= state << 13U;
    state ^= state >> 7U;
    state ^= state << 17U;
  }
  kept = state;
  (void)kept;
  return to_seconds(clock.monotonic() - begin).value;
}

void slowdown(const FakeServer& server) {
  constexpr std::uint64_t kSteps = 150'000'000;
  fmt::print("slowdown of a computing thread on every core, sampler on/off in turn, median ratio of {} pairs\n",
             3 * kTurns);
  const unsigned cores = std::max(1U, std::thread::hardware_concurrency());
  const auto on_all = [&] {
    SystemClock clock;
    const Nanoseconds begin = clock.monotonic();
    {
      std::vector<std::jthread> threads;
      for (unsigned i = 0; i < cores; ++i) threads.emplace_back([] { (void)work_seconds(kSteps); });
    }
    return to_seconds(clock.monotonic() - begin).value;
  };
  for (const int hertz : {10, 100, 1000}) {
    std::vector<double> ratios;
    for (int turn = 0; turn < 3 * kTurns; ++turn) {
      const double off = on_all();
      SystemClock clock;
      energy::SamplerOptions options;
      options.interval = period(hertz);
      energy::Sampler sampler(clock, server.probes(), options);
      sampler.start();
      const double on = on_all();
      (void)sampler.stop();
      ratios.push_back(on / off);
    }
    fmt::print("  {:>6} Hz   {:+.2f} %   (quartiles {:+.2f}, {:+.2f})\n", hertz, 100.0 * (median(ratios) - 1.0),
               100.0 * (stats::quantile(ratios, 0.25).value_or(1.0) - 1.0),
               100.0 * (stats::quantile(ratios, 0.75).value_or(1.0) - 1.0));
  }
}

double spawned_ms(std::vector<std::string> words) {
  std::vector<char*> arguments;
  for (std::string& word : words) arguments.push_back(word.data());
  arguments.push_back(nullptr);
  posix_spawn_file_actions_t quiet;
  posix_spawn_file_actions_init(&quiet);
  for (const int stream : {1, 2}) posix_spawn_file_actions_addopen(&quiet, stream, "/dev/null", O_WRONLY, 0);
  SystemClock clock;
  const Nanoseconds begin = clock.monotonic();
  pid_t child = 0;
  ::posix_spawn(&child, arguments[0], &quiet, nullptr, arguments.data(), environ);
  ::waitpid(child, nullptr, 0);
  posix_spawn_file_actions_destroy(&quiet);
  return 1e3 * to_seconds(clock.monotonic() - begin).value;
}

void measure_nothing() {
  std::vector<double> plain;
  std::vector<double> measured;
  for (int i = 0; i < 60; ++i) {
    plain.push_back(spawned_ms({"/bin/true"}));
    measured.push_back(spawned_ms({WATTLE_PROGRAM, "measure", "--", "/bin/true"}));
  }
  fmt::print("`wattle measure -- true` {:.1f} ms, `true` {:.1f} ms: {:.1f} ms more (goal 10)\n", median(measured),
             median(plain), median(measured) - median(plain));
}

int run() {
  const FakeServer server;
  const int file = ::open((server.path() / "trace").c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
  measure_nothing();
  cost_of_sampling(server, file);
  memory_of_sampling(server, file);
  slowdown(server);
  ::close(file);
  return 0;
}

}  // namespace
}  // namespace wattle

int main() { return wattle::run(); }
