// The store at scale: fills one with runs that hold a trace of a minute, telemetry and ten epochs, and tells its size
// and what listing, status and resuming cost, in turns, as medians; beside the time that passed, the processor's.
//
//   store_bench [--folder DIR] [--rounds N] [RUNS...]     default: 10000 100000 in the temporary folder, 7 rounds
#include <fcntl.h>
#include <fmt/format.h>
#include <spawn.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <functional>
#include <map>
#include <string>
#include <vector>

#include "base/text.h"
#include "campaign/campaign.h"
#include "energy/telemetry.h"
#include "energy/trace.h"
#include "store/store.h"

extern char** environ;  // NOLINT: POSIX declares it nowhere

namespace wattle {
namespace {

namespace fs = std::filesystem;
using Steady = std::chrono::steady_clock;

constexpr int kConfigurations = 20;
constexpr int kEpochs = 10;
constexpr Nanoseconds kRunTime = seconds(60);

[[noreturn]] void give_up(const std::string& why) {
  fmt::print(stderr, "store_bench: {}\n", why);
  std::exit(1);
}

// The n-th run of a plan of blocks of kConfigurations runs each.
study::RunRequest request(int number) {
  const int block = number / kConfigurations + 1;
  const int mutant = number % kConfigurations;
  study::RunRequest r;
  r.study = "bench";
  r.key = sha256(std::to_string(number));
  r.pair_key = sha256(std::to_string(number - mutant));
  r.workload_version = sha256("train.py");
  r.block = block;
  r.order = number;
  r.training_seed = static_cast<std::uint64_t>(block) * 7919;
  r.configuration.workload = "resnet";
  r.configuration.label = mutant == 0 ? "original" : fmt::format("learning_rate 0.{:02}", mutant);
  r.configuration.id = sha256(r.configuration.label).substr(0, 12);
  if (mutant > 0) r.configuration.varied = {"learning_rate"};
  for (const char* name : {"batch_size", "epochs", "learning_rate", "momentum", "weight_decay"}) {
    r.configuration.hyperparameters[name] = 0.01 * mutant;
  }
  r.arguments = {"/usr/bin/python3", "train.py",
                 "--learning-rate",  fmt::format("0.{:02}", mutant),
                 "--seed",           std::to_string(r.training_seed)};
  r.working_directory = "/home/somebody/studies/resnet";
  for (const char* name : {"OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"}) r.variables[name] = "4";
  r.metric.name = "accuracy";
  r.metric.tolerance = 0.01;
  r.metric.regex = R"(epoch (?<epoch>\d+) accuracy (?<value>[0-9.]+))";
  return r;
}

std::uint64_t next(std::uint64_t& state) {  // splitmix64: the same store everywhere
  std::uint64_t z = (state += 0x9e3779b97f4a7c15U);
  z = (z ^ (z >> 30U)) * 0xbf58476d1ce4e5b9U;
  z = (z ^ (z >> 27U)) * 0x94d049bb133111ebU;
  return z ^ (z >> 31U);
}

// Package and DRAM at 50 Hz, with the jitter and noise of real counters.
energy::Trace trace_of(std::uint64_t seed) {
  energy::Trace trace;
  for (const char* name : {"package-0", "dram-0"}) {
    energy::Series series;
    series.domain.name = name;
    series.domain.source = "powercap";
    Nanoseconds now{1'000'000'000};
    Microjoules sum{};
    while (now < seconds(1) + kRunTime) {
      series.samples.push_back({now, sum, false});
      now += Nanoseconds{20'000'000 + static_cast<std::int64_t>(next(seed) % 200'000)};
      sum += Microjoules{static_cast<std::int64_t>(900'000 + next(seed) % 200'000)};
    }
    trace.series.push_back(std::move(series));
  }
  trace.reads = static_cast<std::int64_t>(trace.series.front().samples.size());
  return trace;
}

std::vector<energy::Window> windows() {
  std::vector<energy::Window> all{{energy::WindowKind::run, "run", {}, seconds(1), seconds(1) + kRunTime}};
  const Nanoseconds step{kRunTime.value / kEpochs};
  for (int epoch = 1; epoch <= kEpochs; ++epoch) {
    const Nanoseconds begin{seconds(1).value + (epoch - 1) * step.value};
    all.push_back({energy::WindowKind::epoch, "epoch", epoch, begin, begin + step});
    all.push_back({energy::WindowKind::phase, "train", epoch, begin, begin + Nanoseconds{step.value * 9 / 10}});
    all.push_back(
        {energy::WindowKind::phase, "validate", epoch, begin + Nanoseconds{step.value * 9 / 10}, begin + step});
  }
  return all;
}

std::string telemetry(std::uint64_t seed) {
  std::vector<energy::Gauge> gauges;
  for (const char* name : {"cpu_utilisation", "cpu_frequency", "load_1min", "tree_cpu", "tree_memory", "temperature"}) {
    gauges.push_back({name, "1", "synthetic"});
  }
  std::string text = energy::encode_gauges(gauges);
  for (int second = 1; second <= 60; ++second) {
    energy::TelemetryRow row;
    row.time = seconds(second);
    for (std::size_t i = 0; i < gauges.size(); ++i)
      row.values.push_back(static_cast<double>(next(seed) % 1000) / 1000.0);
    text += energy::encode_row(row);
  }
  return text;
}

// An attempt whose raw material the others share in turns: what costs time here is the store, not making it up.
record::Attempt material(std::uint64_t seed) {
  const energy::Trace trace = trace_of(seed);
  record::Attempt attempt;
  energy::Flushed none;
  attempt.trace = energy::encode_chunk(trace, none);
  attempt.telemetry = telemetry(seed);
  auto metered = record::meter(trace, windows());
  attempt.record.domains = std::move(metered.domains);
  attempt.record.windows = std::move(metered.windows);
  attempt.record.measured = metered.measured;
  attempt.record.estimated = metered.estimated;
  attempt.record.end = record::EndState::completed;
  attempt.record.duration = kRunTime;
  attempt.record.fingerprint = record::machine_fingerprint("/");
  for (int epoch = 1; epoch <= kEpochs; ++epoch) {
    for (const auto split : {record::Split::train, record::Split::validation}) {
      const double value = 0.5 + 0.04 * epoch + static_cast<double>(next(seed) % 1000) / 1e5;
      attempt.record.metrics.push_back({"accuracy", split, epoch, value, seconds(6L * epoch)});
    }
    attempt.output += fmt::format("epoch {} accuracy {:.4f}\n", epoch, attempt.record.metrics.back().value);
  }
  attempt.record.metrics.push_back({"accuracy", record::Split::test, {}, 0.9, {}});
  attempt.record.fingerprint["note"] = "synthetic";
  return attempt;
}

void fill(const fs::path& file, int runs) {
  std::vector<record::Attempt> materials;
  for (std::uint64_t i = 0; i < 50; ++i) materials.push_back(material(i));
  auto store = store::Store::open(file, store::Store::Mode::write);
  if (!store) give_up(store.error().message);
  for (int number = 0; number < runs; ++number) {
    record::Attempt& attempt = materials[static_cast<std::size_t>(number) % materials.size()];
    attempt.record.request = request(number);
    attempt.record.started_wall = {1'795'000'000'000'000'000 + number * kRunTime.value};
    if (const auto kept = store->add(attempt); !kept) give_up(kept.error().message);
  }
}

void wattle(std::vector<std::string> arguments) {
  arguments.insert(arguments.begin(), WATTLE_PROGRAM);
  std::vector<char*> raw;
  for (std::string& argument : arguments) raw.push_back(argument.data());
  raw.push_back(nullptr);
  posix_spawn_file_actions_t quiet;
  posix_spawn_file_actions_init(&quiet);
  posix_spawn_file_actions_addopen(&quiet, STDOUT_FILENO, "/dev/null", O_WRONLY, 0);
  pid_t child = 0;
  int status = 0;
  if (::posix_spawn(&child, raw[0], &quiet, nullptr, raw.data(), environ) != 0) give_up("cannot start wattle");
  ::waitpid(child, &status, 0);
  posix_spawn_file_actions_destroy(&quiet);
  if (status != 0) give_up(fmt::format("wattle {} failed", arguments[1]));
}

// In milliseconds. On a shared machine the processor's time is the steadier of the two.
struct Times {
  std::vector<double> elapsed;
  std::vector<double> processor;
};
using TimesByName = std::map<std::string, Times>;

// Of this process and of the programs that it has waited for.
double processor_ms() {
  double total = 0.0;
  for (const int whose : {RUSAGE_SELF, RUSAGE_CHILDREN}) {
    rusage used{};
    ::getrusage(whose, &used);
    for (const timeval& time : {used.ru_utime, used.ru_stime}) {
      total += static_cast<double>(time.tv_sec) * 1e3 + static_cast<double>(time.tv_usec) / 1e3;
    }
  }
  return total;
}

void timed(TimesByName& times, const std::string& name, const std::function<void()>& work) {
  const double used = processor_ms();
  const auto begin = Steady::now();
  work();
  times[name].elapsed.push_back(std::chrono::duration<double, std::milli>(Steady::now() - begin).count());
  times[name].processor.push_back(processor_ms() - used);
}

// What `wattle run` does between having its plan and starting the first run.
void resume(TimesByName& times, const fs::path& file, const std::vector<study::RunRequest>& runs,
            const campaign::FixedPlan& plan) {
  auto store = store::Store::open(file, store::Store::Mode::write);
  if (!store) give_up(store.error().message);
  timed(times, "  set_plan", [&] {
    if (!store->set_plan("bench", runs)) give_up("cannot keep the plan");
  });
  std::vector<record::Summary> history;
  timed(times, "  summaries", [&] { history = store->summaries("bench").value(); });
  timed(times, "  propose", [&] {
    if (plan.propose(history).empty()) give_up("there is nothing to resume");
  });
}

double median(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  return values[values.size() / 2];
}

void tell(const fs::path& file, int runs, const TimesByName& times, double filling_s) {
  const auto bytes = static_cast<double>(fs::file_size(file));
  fmt::print("{} runs: {:.1f} MB, {:.1f} kB a run; stored in {:.0f} s\n", runs, bytes / 1e6, bytes / 1e3 / runs,
             filling_s);
  for (const auto& [name, all] : times) {
    const auto [least, most] = std::minmax_element(all.elapsed.begin(), all.elapsed.end());
    fmt::print("  {:<12} {:8.1f} ms   (least {:.1f}, most {:.1f}, n = {}; processor {:.1f} ms)\n", name,
               median(all.elapsed), *least, *most, all.elapsed.size(), median(all.processor));
  }
}

void bench(const fs::path& folder, int runs, int rounds) {
  const fs::path file = folder / fmt::format("store-{}.db", runs);
  const auto begin = Steady::now();
  if (!fs::exists(file)) fill(file, runs);
  const double filling_s = std::chrono::duration<double>(Steady::now() - begin).count();
  std::vector<study::RunRequest> asked;  // a tenth is still to do
  for (int number = 0; number < runs + runs / 10; ++number) asked.push_back(request(number));
  const campaign::FixedPlan plan(asked);
  TimesByName times;
  const std::string store = file.string();
  for (int round = 0; round < rounds; ++round) {
    if (round == 0) {  // the first plan is written, the later ones are known
      TimesByName first;
      resume(first, file, asked, plan);
      times["set_plan new"] = first["  set_plan"];
    }
    timed(times, "list", [&] { wattle({"--store", store, "list"}); });
    timed(times, "list --last", [&] { wattle({"--store", store, "list", "--last", "20"}); });
    timed(times, "status", [&] { wattle({"--store", store, "status"}); });
    timed(times, "resume", [&] { resume(times, file, asked, plan); });
  }
  tell(file, runs, times, filling_s);
}

}  // namespace
}  // namespace wattle

int main(int count, char** values) {
  using namespace wattle;
  fs::path folder;
  int rounds = 7;
  std::vector<int> sizes;
  for (int i = 1; i < count; ++i) {
    const std::string word = values[i];
    const bool valued = i + 1 < count;
    if (word == "--folder" && valued) {
      folder = values[++i];
    } else if (word == "--rounds" && valued) {
      rounds = std::atoi(values[++i]);
    } else if (std::atoi(word.c_str()) >= kConfigurations) {
      sizes.push_back(std::atoi(word.c_str()));
    } else {
      give_up("store_bench [--folder DIR] [--rounds N] [RUNS...]");
    }
  }
  if (sizes.empty()) sizes = {10'000, 100'000};
  const bool own = folder.empty();
  if (own) {
    std::string pattern = (fs::temp_directory_path() / "wattle-store-XXXXXX").string();
    folder = ::mkdtemp(pattern.data());
  }
  for (const int runs : sizes) bench(folder, runs, std::max(1, rounds));
  if (own) fs::remove_all(folder);  // a folder that was named is kept, and its stores are used again
  return 0;
}
