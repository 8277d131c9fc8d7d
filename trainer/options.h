#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "hyperparameters.h"

namespace wattle::trainer {

/// What the command line asks for. `model` and `dataset` are names that exist.
struct Options {
  enum class Action { kTrain, kList, kSummary, kPrint };

  Action action = Action::kTrain;
  std::string text;  ///< of kPrint: help or version
  std::string model = "lenet5", dataset = "glyphs", device = "cpu";
  std::filesystem::path data;
  std::filesystem::path weights, save, checkpoint, resume;  ///< empty where not asked for
  std::int64_t checkpoint_every = 1;                        ///< epochs
  std::optional<double> ledger_joules;                      ///< what `weights` cost its last run
  std::uint64_t seed = 0;
  int threads = 1;
  bool json = false;
  Hyperparameters values = default_hyperparameters();
  std::int64_t classes = 10;  ///< of kSummary, like the two below
  std::optional<std::int64_t> input_size, channels;
};

/// Names that a flag may take, for checks and suggestions.
struct KnownNames {
  std::vector<std::string> models, datasets, datasets_with_path;
};

/// Reads an argument vector. All bad values are told at once, one a line, a near name suggested for an unknown one.
[[nodiscard]] Result<Options> parse_options(int count, const char* const* arguments, const KnownNames& known);

/// The name nearest to `name` by edit distance, if it is near enough to be meant.
[[nodiscard]] std::optional<std::string> nearest(std::string_view name, const std::vector<std::string>& known);

}  // namespace wattle::trainer
