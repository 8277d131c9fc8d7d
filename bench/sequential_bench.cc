// How often adaptive repetitions decide falsely, and what they save: simulated studies whose truth is known, looked at
// after every block from 8 to 30. `sequential_bench [STUDIES [SEED]]`; 10,000 a row and seed 1 unless told. Minutes.
#include <fmt/format.h>

#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <thread>
#include <vector>

#include "tune/simulation.h"

namespace wattle::tune {
namespace {

struct Truth {
  std::string name;
  double ratio;
  double metric_difference;
  double metric_spread;
  double failure_rate;
};

struct Row {
  std::string noise;
  Truth truth;
  Scenario scenario;
  Tally tally;
};

std::vector<Row> rows() {
  const std::vector<std::pair<std::string, Noise>> noises = {{"normal", Noise::normal},
                                                             {"log-normal", Noise::log_normal},
                                                             {"bimodal", Noise::bimodal},
                                                             {"drift", Noise::drift},
                                                             {"ties", Noise::ties},
                                                             {"skewed", Noise::skewed},
                                                             {"very skewed", Noise::very_skewed}};
  const std::vector<Truth> truths = {{"no difference", 1.0, 0.0, 1.0, 0.0},
                                     {"-10 % cost, metric lost", 0.9, -1.001, 1.0, 0.0},
                                     {"-10 % cost", 0.9, 0.0, 1.0, 0.0},
                                     {"+10 % cost", 1.1, 0.0, 1.0, 0.0}};
  const std::vector<Truth> normal_only = {{"no difference, fails 20 %", 1.0, 0.0, 1.0, 0.2},
                                          {"-10 % cost, fails 51 %", 0.9, 0.0, 1.0, 0.51},
                                          {"-10 % cost, fails 5 %", 0.9, 0.0, 1.0, 0.05},
                                          {"fails always", 0.9, 0.0, 1.0, 1.0},
                                          {"-10 % cost, metric spread 1.4", 0.9, 0.0, 1.4, 0.0}};
  std::vector<Row> rows;
  const auto add = [&](const std::string& name, Noise noise, const Truth& truth) {
    for (const int mutants : {1, 15}) {
      Scenario scenario;
      scenario.noise = noise;
      scenario.mutants = mutants;
      scenario.log_ratio = std::log(truth.ratio);
      scenario.metric_difference = truth.metric_difference;
      scenario.metric_spread = truth.metric_spread;
      scenario.failure_rate = truth.failure_rate;
      rows.push_back({name, truth, scenario, {}});
    }
  };
  for (const Truth& truth : truths) {
    for (const auto& [name, noise] : noises) add(name, noise, truth);
  }
  for (const Truth& truth : normal_only) add("normal", Noise::normal, truth);
  return rows;
}

int run(int studies, std::uint64_t seed) {
  fmt::print(
      "{} studies a row, seed {}, 8 to 30 blocks, pairs' spread 10 % of cost and one tolerance of the metric\n\n",
      studies, seed);
  fmt::print("| Truth | Noise | Mutants | Any false | Decided rightly | Undecided | Runs | of fixed 30 |\n");
  fmt::print("|---|---|--:|--:|--:|--:|--:|--:|\n");
  std::vector<Row> table = rows();
  const std::size_t threads = std::max(1U, std::thread::hardware_concurrency());
  for (std::size_t first = 0; first < table.size(); first += threads) {
    const std::size_t end = std::min(table.size(), first + threads);
    {
      std::vector<std::jthread> workers;
      for (std::size_t i = first; i < end; ++i) {
        workers.emplace_back([&, i] { table[i].tally = simulate_many(table[i].scenario, studies, seed); });
      }
    }
    for (std::size_t i = first; i < end; ++i) {
      const Row& row = table[i];
      fmt::print("| {} | {} | {} | {:.2f} % | {:.1f} % | {:.1f} % | {:.1f} | {:.0f} % |\n", row.truth.name, row.noise,
                 row.scenario.mutants, 100.0 * row.tally.with_false / studies, 100.0 * row.tally.decided_right,
                 100.0 * row.tally.undecided, row.tally.runs,
                 100.0 * row.tally.runs / (30.0 * (1.0 + row.scenario.mutants)));
    }
    std::fflush(stdout);
  }
  return 0;
}

}  // namespace
}  // namespace wattle::tune

int main(int argc, char** argv) {
  const int studies = argc > 1 ? std::atoi(argv[1]) : 10'000;
  const std::uint64_t seed = argc > 2 ? std::strtoull(argv[2], nullptr, 10) : 1;
  return studies > 0 ? wattle::tune::run(studies, seed) : 2;
}
