// A first study for somebody's own script, drafted from its argument vector and from what it printed. Guesses are
// marked as such in the text; nothing is guessed silently. Pure.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/units.h"
#include "study/study.h"

namespace wattle::study {

// A number on the command line that a study could vary: "--lr 0.1" or "--lr=0.1".
struct DraftParameter {
  std::string flag;          // "--lr"
  std::string name;          // "lr": the flag without dashes, other dashes as underscores
  Value value;               // integer or real
  std::size_t argument = 0;  // index of the argument that holds the number
  bool joined = false;       // "--lr=0.1"
};
// In the order of the arguments. A seed flag (--seed, --random-seed, --manual-seed) is not a hyperparameter: see
// seed_argument.
[[nodiscard]] std::vector<DraftParameter> find_hyperparameters(std::span<const std::string> arguments);
// The number that is the seed, as a DraftParameter, if there is one.
[[nodiscard]] std::optional<DraftParameter> find_seed(std::span<const std::string> arguments);

// One kind of metric line in a program's output.
struct DraftMetric {
  std::string name;     // "val_acc"
  std::string example;  // the last line that matched, shortened
  std::string regex;    // with (?<value>…), and (?<epoch>…) where the line holds an epoch
  int lines = 0;        // how many matched
  double last = 0.0;    // the value in the last
  bool per_epoch = false;
  Goal goal = Goal::maximize;
};
// Most promising first: validation before training, performance before loss, lines with an epoch before lines without.
[[nodiscard]] std::vector<DraftMetric> find_metrics(std::string_view output);

// The loss of the metric that will still count as none, as a first guess: 0.01 for a fraction, 1 for a percentage, else
// 1 % of the value.
[[nodiscard]] double guess_tolerance(const DraftMetric& metric);

struct Draft {
  std::string name;                    // of study and workload
  std::vector<std::string> arguments;  // as they were given
  std::vector<DraftParameter> parameters;
  std::optional<DraftParameter> seed;
  std::optional<DraftMetric> metric;  // absent: the text says what to fill in
  int repetitions = 8;
  Seconds one_run;  // how long it took
};
// At most two mutants each of at most three parameters: enough to see what matters.
[[nodiscard]] int mutants_of(const Draft& draft);
// The commented TOML text. Where a metric was found it passes check.
[[nodiscard]] std::string to_toml(const Draft& draft);

}  // namespace wattle::study
