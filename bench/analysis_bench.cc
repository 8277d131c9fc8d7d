// How long findings take: 100,000 records, 10 hyperparameters. usage: analysis_bench [RUNS]
//
// One workload, an original and 999 mutants of 10 hyperparameters in 100 blocks, or fewer blocks for fewer runs.
#include <fmt/format.h>

#include <chrono>
#include <cmath>
#include <cstdlib>
#include <string>
#include <vector>

#include "analysis/findings.h"
#include "analysis/questions.h"

namespace {

using namespace wattle;  // NOLINT(google-build-using-namespace): a program of one file

constexpr int kMutants = 999;
constexpr int kParameters = 10;

record::Record record_of(int configuration, int block) {
  record::Record record;
  study::RunRequest& request = record.request;
  request.study = "large";
  request.block = block;
  request.configuration.workload = "net";
  request.configuration.id = fmt::format("{:012}", configuration);
  request.configuration.label = configuration == 0 ? "original" : fmt::format("mutant {}", configuration);
  for (int p = 0; p < kParameters; ++p) {
    const bool varied = configuration > 0 && configuration % kParameters == p;
    const double value = varied ? 1.0 + 0.01 * configuration : 1.0;
    request.configuration.hyperparameters[fmt::format("parameter_{}", p)] = value;
    if (varied) request.configuration.varied = {fmt::format("parameter_{}", p)};
  }
  request.key = fmt::format("{}-{}", request.configuration.id, block);
  request.pair_key = fmt::format("{:012}-{}", 0, block);
  request.metric.name = "accuracy";
  request.metric.tolerance = 0.01;
  record.end = record::EndState::completed;
  const double noise = std::sin(12.9898 * configuration + 78.233 * block);
  record.duration = to_nanoseconds(Seconds{100.0 + noise});
  record.measured = {to_microjoules(Joules{1000.0 * (1.0 + 0.0001 * configuration + 0.01 * noise)}), {}, 1.0, 0.0};
  record.metrics = {{"accuracy", record::Split::test, {}, 0.95 + 0.001 * noise, {}}};
  record.fingerprint = {{"cpu", "a processor"}};
  return record;
}

template <class Work>
double seconds_of(Work work) {
  const auto begin = std::chrono::steady_clock::now();
  work();
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
}

}  // namespace

int main(int argc, char** argv) {
  const int runs = argc > 1 ? std::atoi(argv[1]) : 100'000;
  std::vector<record::Record> records;
  for (int i = 0; i < runs; ++i) records.push_back(record_of(i % (kMutants + 1), 1 + i / (kMutants + 1)));
  std::size_t mutants = 0;
  const double findings = seconds_of([&] { mutants = analysis::analyse(records).mutants.size(); });
  fmt::print("findings of {} records, {} mutants, {} hyperparameters: {:.2f} s\n", records.size(), mutants, kParameters,
             findings);
  for (const analysis::Question& question : analysis::questions()) {
    bool answered = false;
    const double time = seconds_of([&] { answered = question.answer(records, {.target = 0.9}).has_value(); });
    fmt::print("{:<16} {:.2f} s{}\n", question.name, time,
               answered ? "" : "   (no answer: its workloads are not there)");
  }
  return 0;
}
