// From a study to the runs it asks for, in order. Pure: the same study gives the same plan, everywhere.
#pragma once

#include <cstdint>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "study/study.h"

namespace wattle::study {

// Partners are those who train in the background of a scored run; warm-up runs only heat the machine.
enum class Purpose { score, profile, control, proof, partner, warm_up };
[[nodiscard]] std::string_view to_string(Purpose purpose);

// With whom a configuration trains side by side. Alone: no partners.
struct Colocation {
  GroupMode mode = GroupMode::together;
  bool divided_cores = true;
  // In the order of the group, itself left out: "resnet20/original", workload and label.
  std::vector<std::string> partners;
  int member = 0;              // its place in the group, from 0; in the background mode 0 is scored
  std::string undivided = {};  // digest of the environment before it was divided among the members; empty when alone
  [[nodiscard]] bool alone() const { return partners.empty(); }

  friend bool operator==(const Colocation&, const Colocation&) = default;
};

// One full assignment of hyperparameters × workload × environment.
struct Configuration {
  // First 12 hexadecimal digits of the digest of workload, hyperparameters, environment and co-location.
  std::string id;
  std::string label;  // "original", or what differs: "learning_rate 0.021"
  std::string workload;
  Assignment hyperparameters;
  Environment environment;
  std::vector<std::string> varied;  // the hyperparameters that differ from the defaults; empty for the original
  std::string mutation;  // operator's name, "sweep", "random", "latin_hypercube" or "stated"; empty for the original
  Colocation colocation;

  [[nodiscard]] bool original() const { return varied.empty(); }
};

// What a run begins with: weights that another run of the study makes, or those of a file. Neither: with none.
struct Weights {
  std::string key;       // of the run that makes them, in the same block
  std::string workload;  // its workload
  int attempt = 0;       // whose files they are; 0 until the run begins
  std::string file;      // absolute path
  Ledger ledger;         // of the file, as it was when the run was planned

  friend bool operator==(const Weights&, const Weights&) = default;
};

// A cell of the design that is not run.
struct Excluded {
  Configuration configuration;
  std::string reason;
};

// Everything needed to do one run, and to say later what was done. Self-contained.
struct RunRequest {
  std::string key;  // identity: 64 hexadecimal digits, see run_key
  std::string study;
  std::string workload_version;
  Configuration configuration;
  int block = 1;                    // 1-based repetition
  int order = 0;                    // 1-based place in the plan
  std::uint64_t training_seed = 0;  // the block's, below 2^31: the same for every configuration in the block
  Purpose purpose = Purpose::score;
  // Key of the original's run in the same block, environment and co-location; a run's own key for the original itself.
  std::string pair_key;
  std::string group;  // runs to be made side by side share it and stand together in the plan; empty: alone
  Weights weights;
  // The exact argument vector, still holding {run_dir} and, for weights that another run makes, {weights_path}.
  std::vector<std::string> arguments;
  std::string working_directory;
  std::map<std::string, std::string> variables;                     // set on top of the inherited environment
  std::vector<std::pair<std::string, std::string>> rendered_files;  // name inside {run_dir} -> content
  bool use_terminal = false;
  Metric metric;
  Protocol protocol;
};

struct Plan {
  // Per workload and environment: the original first, mutants in rule order, then designs, then groups.
  std::vector<Configuration> configurations;
  std::vector<Excluded> excluded;
  std::vector<RunRequest> runs;       // in the order they will run, block by block
  std::vector<std::string> warnings;  // what is allowed, but seldom meant
};

// "8 blocks", "5 to 30 blocks".
[[nodiscard]] std::string in_blocks(const Repetitions& repetitions);

// Draws the mutants (seeded; never equal to the default, never out of the domain, no duplicates) and the designs, and
// orders the runs: block r holds every configuration once, shuffled by the study's seed, all with training seed s_r;
// those of a group stand together, its member 0 first. Where the protocol asks for control runs, each block begins with
// one, whose training seed is always s_1. An adaptive study's plan holds all blocks it may need. A run that begins with
// another's weights stands behind it in its block; nothing else of the order is changed.
// `{run_dir}` stays a placeholder. `cores`: the CPUs of the machine, where groups should be warned of too many threads.
// Fails only where a rule cannot yield its mutants or points, or everything is excluded (check finds that first).
[[nodiscard]] Result<Plan> make_plan(const Study& study, const std::string& trainer_program,
                                     std::optional<int> cores = {});

// Identity: SHA-256 of canonical JSON (sorted keys, shortest round-trip doubles) of workload and its declared
// version, hyperparameters, training seed, requested environment, co-location (where there is one), protocol version,
// block, purpose and, where it begins with another run's weights, that one's key (a file's content is in the version).
// Paths, labels, order, limits and metric are not in it.
[[nodiscard]] std::string run_key(const RunRequest& request);

// Exact both ways: doubles bit for bit, and 1 stays apart from 1.0. request_from_json takes hostile input: what is
// missing, of another type, out of range or would leave {run_dir} is an Error of kind bad_input that names the field.
[[nodiscard]] nlohmann::json to_json(const RunRequest& request);
[[nodiscard]] Result<RunRequest> request_from_json(const nlohmann::json& json);

// Canonical text of a JSON value: sorted keys, no blanks, shortest round-trip doubles (`real_text`); NaN and the
// infinities, which JSON lacks, as the strings "nan", "inf", "-inf".
[[nodiscard]] std::string canonical(const nlohmann::json& json);

}  // namespace wattle::study
