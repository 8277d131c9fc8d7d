// The questions that can be asked of a study's records. One place lists them all.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "analysis/answer.h"
#include "base/result.h"
#include "record/record.h"

namespace wattle::analysis {

// What some questions need to be told.
struct Asked {
  std::optional<double> target;  // of the metric: for energy to target
  double alpha = 0.05;
  // Workloads by their roles; empty: those whose names begin with the role.
  std::string pretrain = {};
  std::string finetune = {};
  std::string scratch = {};
  std::string joint = {};
  std::vector<std::string> single = {};
};

struct Question {
  std::string_view name;   // "side-by-side"
  std::string_view asks;   // the question, in words
  std::string_view paper;  // whose question: "Wang", "Geissler", "del Rey", or empty
  // Fails (bad_input) only for what was asked wrongly; records that cannot answer give an answer that says so.
  Result<Answer> (*answer)(std::span<const record::Record> records, const Asked& asked);
};

[[nodiscard]] std::span<const Question> questions();
// Null where there is none of that name.
[[nodiscard]] const Question* question(std::string_view name);

// --- One each; records of one study in any order ------------------------------------------------------------------

// A paragraph of methods for a paper.
[[nodiscard]] Result<Answer> methods(std::span<const record::Record> records, const Asked& asked);
// Workloads alone and side by side: what the group used, each member's attributed part, and how each one's energy and
// time changed.
[[nodiscard]] Result<Answer> side_by_side(std::span<const record::Record> records, const Asked& asked);
// What the control runs say of the machine: did it drift while the study ran?
[[nodiscard]] Result<Answer> drift(std::span<const record::Record> records, const Asked& asked);

// Wang et al.: correlations counted in bins; win, tie and loss; greener mutants with what failures cost; whether
// hyperparameters matter more side by side.
[[nodiscard]] Result<Answer> correlation_table(std::span<const record::Record> records, const Asked& asked);
[[nodiscard]] Result<Answer> grids(std::span<const record::Record> records, const Asked& asked);
[[nodiscard]] Result<Answer> greener(std::span<const record::Record> records, const Asked& asked);
[[nodiscard]] Result<Answer> susceptible(std::span<const record::Record> records, const Asked& asked);
// Geissler et al.: energy to target.
[[nodiscard]] Result<Answer> to_target(std::span<const record::Record> records, const Asked& asked);
[[nodiscard]] Result<Answer> spread(std::span<const record::Record> records, const Asked& asked);
[[nodiscard]] Result<Answer> heat_map(std::span<const record::Record> records, const Asked& asked);
[[nodiscard]] Result<Answer> machines(std::span<const record::Record> records, const Asked& asked);
[[nodiscard]] Result<Answer> pretraining(std::span<const record::Record> records, const Asked& asked);
[[nodiscard]] Result<Answer> multitask(std::span<const record::Record> records, const Asked& asked);
// del Rey et al.: architecture x environment.
[[nodiscard]] Result<Answer> cost_per_image(std::span<const record::Record> records, const Asked& asked);
[[nodiscard]] Result<Answer> reduction(std::span<const record::Record> records, const Asked& asked);
[[nodiscard]] Result<Answer> omnibus(std::span<const record::Record> records, const Asked& asked);
[[nodiscard]] Result<Answer> front(std::span<const record::Record> records, const Asked& asked);
[[nodiscard]] Result<Answer> complexity(std::span<const record::Record> records, const Asked& asked);
[[nodiscard]] Result<Answer> interaction(std::span<const record::Record> records, const Asked& asked);
[[nodiscard]] Result<Answer> placement(std::span<const record::Record> records, const Asked& asked);
[[nodiscard]] Result<Answer> outliers(std::span<const record::Record> records, const Asked& asked);

}  // namespace wattle::analysis
