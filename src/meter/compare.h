// Two or more commands against each other: what `wattle compare` does.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <stop_token>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/result.h"
#include "meter/measure.h"
#include "stats/effect_size.h"

namespace wattle::meter {

struct CompareOptions {
  run::RunnerOptions runner;
  Nanoseconds interval = milliseconds(20);
  int runs = 10;             // of each command
  int warm_ups = 1;          // of each command
  std::uint64_t seed = 1;    // of the order within the rounds
  bool show_output = false;  // the commands' own output; otherwise it is discarded
};

// What one command took, a value a round; energy is absent where it could not be told (too short to measure).
struct Contestant {
  std::vector<std::string> arguments;
  std::string label;
  std::vector<std::optional<double>> energy_j;
  std::vector<double> duration_s;
  bool estimated = false;  // energy comes from a model
  std::string why_absent;  // of the first absent energy
};

// B against A over rounds that hold both: ratio B/A of a pair, summarised on the logarithm, where a ratio and its
// inverse weigh the same.
struct PairedRatio {
  int pairs = 0;
  double ratio = 1.0;               // Hodges-Lehmann estimate
  std::optional<double> low, high;  // 95 %, distribution-free; absent below 6 pairs
  double p_value = 1.0;             // Wilcoxon signed-rank, two-sided: exact up to 50 pairs
  double cliffs_delta = 0.0;        // of B's values against A's
  double probability_less = 0.5;    // share of pairs in which B takes less (ties half)
};
[[nodiscard]] std::optional<PairedRatio> paired_ratio(const std::vector<std::optional<double>>& a,
                                                      const std::vector<std::optional<double>>& b);

struct Comparison {
  std::vector<Contestant> commands;
  std::vector<std::optional<PairedRatio>> energy;  // of each command after the first, against the first
  std::vector<std::optional<PairedRatio>> time;
};

using OnRound = std::function<void(int done, int all)>;

// Rounds of every command, each once, in an order drawn anew for each round: drift meets all of them alike. A command
// that fails ends the comparison: an Error of kind failed that says which and how.
[[nodiscard]] Result<Comparison> compare(const std::vector<std::vector<std::string>>& commands,
                                         const CompareOptions& options, Clock& clock, const std::stop_token& stop,
                                         const OnRound& on_round = {});

}  // namespace wattle::meter
