// The traces of Zeus (You et al., NSDI 2023): epochs to target per setting, time and power per epoch and power limit.
// Energy to target = target_epoch × time_per_epoch × average_power.
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>
#include <iterator>
#include <limits>
#include <set>
#include <tuple>

#include "base/text.h"
#include "importers/draft.h"
#include "importers/sheet.h"

namespace wattle::importers {
namespace {

struct Task {
  std::string dataset;
  std::string network;
  std::string optimizer;
  friend auto operator<=>(const Task&, const Task&) = default;
};

struct Cell {
  Task task;
  double target = 0.0;
  std::int64_t epoch_limit = 0;
  std::int64_t default_batch = 0;
  std::string workload;
  study::Goal goal = study::Goal::maximize;
};

// A training run: the first epoch that reached each target. Absent: never.
struct Training {
  Task task;
  std::int64_t batch = 0;
  double learning_rate = 0.0;
  std::int64_t run = 0;
  std::string file;
  std::map<double, std::optional<double>> epochs;
};

struct Power {
  Task task;
  std::int64_t batch = 0;
  double limit = 0.0;
  double time_per_epoch = 0.0;
  double watts = 0.0;
};

struct Gpu {
  std::string name;
  std::vector<Power> rows;
};

struct Tables {
  std::vector<Cell> cells;
  std::vector<Training> trainings;
  std::vector<Gpu> gpus;
};

const std::vector<std::string> cell_columns{"dataset",       "network",     "optimizer",
                                            "target_metric", "epoch_limit", "default_batch_size"};
const std::vector<std::string> train_columns{"dataset",       "network", "batch_size",    "optimizer",
                                             "learning_rate", "run",     "target_metric", "target_epoch"};
const std::vector<std::string> power_columns{"dataset",     "network",        "batch_size",   "optimizer",
                                             "power_limit", "time_per_epoch", "average_power"};

Task task_of(Row& row) {
  return {row.required_text("dataset"), row.required_text("network"), row.required_text("optimizer")};
}

std::int64_t required_whole(Row& row, const char* column, std::int64_t least, std::int64_t most) {
  const bool was_good = row.good();
  const auto value = row.whole(column, least, most);
  if (!value && was_good == row.good()) row.wrong(column, "nothing stands here");
  return value.value_or(least);
}

void read_cell(Row& row, Tables& tables) {
  Cell cell{task_of(row),
            row.required_number("target_metric", -1e9, 1e9).value_or(0.0),
            required_whole(row, "epoch_limit", 1, 1'000'000),
            required_whole(row, "default_batch_size", 1, 1 << 30),
            {},
            study::Goal::maximize};
  if (row.good()) tables.cells.push_back(std::move(cell));
}

class Trainings {
 public:
  explicit Trainings(Tables& tables) : tables_(tables) {}

  void read(Row& row, const std::string& file) {
    Training training{task_of(row),
                      required_whole(row, "batch_size", 1, 1 << 30),
                      row.required_number("learning_rate", 0.0, 1e6).value_or(0.0),
                      required_whole(row, "run", 0, 1'000'000),
                      file,
                      {}};
    const auto target = row.required_number("target_metric", -1e9, 1e9);
    const auto epoch = row.number("target_epoch", 0.0, 1e9);
    if (!row.good()) return;
    const auto key = std::tuple(training.task, training.batch, training.learning_rate, training.run);
    const auto [place, is_new] = places_.try_emplace(key, tables_.trainings.size());
    if (is_new) tables_.trainings.push_back(std::move(training));
    tables_.trainings[place->second].epochs[*target] = epoch;
  }

 private:
  Tables& tables_;
  std::map<std::tuple<Task, std::int64_t, double, std::int64_t>, std::size_t> places_;
};

void read_power(Row& row, Gpu& gpu) {
  Power power{task_of(row), required_whole(row, "batch_size", 1, 1 << 30),
              row.required_number("power_limit", 1.0, 1e5).value_or(0.0),
              row.required_number("time_per_epoch", 1e-9, kMostSeconds).value_or(0.0),
              row.required_number("average_power", 0.0, 1e5).value_or(0.0)};
  if (row.good()) gpu.rows.push_back(std::move(power));
}

// Whether harder targets are higher: those take more epochs, or are never reached. An error rate goes the other way.
study::Goal goal_of(const Task& task, const std::vector<Training>& trainings) {
  int rising = 0;
  const auto needs = [](const auto& entry) { return entry.second.value_or(std::numeric_limits<double>::infinity()); };
  for (const Training& training : trainings) {
    if (training.task != task || training.epochs.empty()) continue;
    for (auto low = training.epochs.begin(), high = std::next(low); high != training.epochs.end(); ++low, ++high) {
      rising += needs(*high) > needs(*low) ? 1 : needs(*high) < needs(*low) ? -1 : 0;
    }
  }
  return rising < 0 ? study::Goal::minimize : study::Goal::maximize;
}

// "squad-bert", with the optimizer where the same network is there with several.
void name_workloads(std::vector<Cell>& cells) {
  for (Cell& cell : cells) {
    const auto alike = std::count_if(cells.begin(), cells.end(), [&](const Cell& other) {
      return other.task.dataset == cell.task.dataset && other.task.network == cell.task.network;
    });
    cell.workload = fmt::format("{}-{}", cell.task.dataset, cell.task.network);
    if (alike > 1) cell.workload += "-" + cell.task.optimizer;
  }
}

Result<Tables> read_tables(const std::vector<std::filesystem::path>& files, Intake& intake) {
  Tables tables;
  Trainings trainings(tables);
  for (const auto& file : files) {
    const auto sheet = Sheet::read(file);
    if (!sheet) return tl::unexpected(sheet.error());
    const bool cells = sheet->has("epoch_limit") || sheet->stem() == "cells";
    const bool train = !cells && (sheet->has("target_epoch") || sheet->stem().find("train") != std::string::npos);
    const auto there = sheet->require(cells ? cell_columns : train ? train_columns : power_columns);
    if (!there) return tl::unexpected(there.error());
    Gpu gpu;
    const std::string stem = sheet->stem();
    const auto power = stem.find("power_");
    gpu.name = power == std::string::npos ? stem : stem.substr(power + 6);
    for (std::size_t i = 0; i < sheet->rows().size(); ++i) {
      Row row(*sheet, i, intake.mistakes);
      row.strict();
      if (cells) {
        read_cell(row, tables);
      } else if (train) {
        trainings.read(row, sheet->name());
      } else {
        read_power(row, gpu);
      }
      intake.bad_rows += row.good() ? 0 : 1;
    }
    if (!cells && !train) tables.gpus.push_back(std::move(gpu));
  }
  const auto lacks = [](const char* what, const char* columns) {
    return fail(ErrorKind::bad_input, fmt::format("no {} among the files", what), columns);
  };
  if (tables.cells.empty() && intake.mistakes.empty())
    return lacks("cells.csv", "a table with epoch_limit and default_batch_size");
  if (tables.trainings.empty() && intake.mistakes.empty())
    return lacks("summary_train.csv", "a table with target_epoch");
  if (tables.gpus.empty()) return lacks("summary_power_GPU.csv", "a table with time_per_epoch and average_power");
  name_workloads(tables.cells);
  for (Cell& cell : tables.cells) cell.goal = goal_of(cell.task, tables.trainings);
  // Repetitions begin at 1 here, as everywhere.
  const bool from_zero = std::any_of(tables.trainings.begin(), tables.trainings.end(),
                                     [](const Training& training) { return training.run == 0; });
  for (Training& training : tables.trainings) training.run += from_zero ? 1 : 0;
  return tables;
}

// A folder stands for the tables in it.
Result<std::vector<std::filesystem::path>> files_of(const Request& request) {
  std::vector<std::filesystem::path> files;
  for (const auto& given : request.files) {
    std::error_code code;
    if (!std::filesystem::is_directory(given, code)) {
      files.push_back(given);
      continue;
    }
    for (std::filesystem::directory_iterator entry(given, code), end; !code && entry != end; entry.increment(code)) {
      if (entry->path().extension() == ".csv") files.push_back(entry->path());
    }
    if (code) return fail(ErrorKind::environment, fmt::format("{}: {}", given.string(), code.message()));
  }
  std::sort(files.begin(), files.end());
  if (files.empty()) return fail(ErrorKind::bad_input, "the folder holds no CSV file");
  return files;
}

double epochs_needed(const Training& training, const Cell& cell, bool& reached) {
  const auto at = training.epochs.find(cell.target);
  reached = at != training.epochs.end() && at->second && *at->second <= static_cast<double>(cell.epoch_limit);
  return reached ? *at->second : static_cast<double>(cell.epoch_limit);
}

// The hardest target that it is told to have reached by then.
std::optional<double> best_by(const Training& training, double epochs, study::Goal goal) {
  std::optional<double> best;
  for (const auto& [target, epoch] : training.epochs) {
    const bool harder = !best || (goal == study::Goal::maximize ? target > *best : target < *best);
    if (epoch && *epoch <= epochs && harder) best = target;
  }
  return best;
}

Draft draft_of(const Cell& cell, const Training& training, const Gpu& gpu, const Power& power, double highest_limit) {
  Draft draft;
  draft.file = training.file;
  bool reached = false;
  const double epochs = epochs_needed(training, cell, reached);
  draft.workload = cell.workload;
  draft.environment.name = gpu.name;
  draft.environment.device = "cuda";
  draft.environment.power_cap = Watts{power.limit};
  draft.hyperparameters = {{"batch_size", power.batch},
                           {"learning_rate", training.learning_rate},
                           {"optimizer", cell.task.optimizer},
                           {"power_limit", power.limit}};
  draft.original = power.batch == cell.default_batch && power.limit == highest_limit;
  draft.block = static_cast<int>(training.run);
  draft.end = reached ? record::EndState::reached : record::EndState::censored;
  if (!reached)
    draft.reason = fmt::format("the target {} was not reached in {} epochs", shortest(cell.target), cell.epoch_limit);
  draft.duration = Seconds{epochs * power.time_per_epoch};
  draft.parts.push_back({{.name = "gpu-0",
                          .kind = energy::DomainKind::gpu,
                          .provenance = energy::Provenance::integrated_power,
                          .source = "imported: average power × time",
                          .parent = {},
                          .gain_uncertainty = 0.05},
                         Joules{epochs * power.time_per_epoch * power.watts},
                         {}});
  draft.missing.emplace_back("processor and memory: the traces tell the GPU only");
  draft.metric.name = "target_metric";
  draft.metric.goal = cell.goal;
  add_metric(draft, "target_metric", best_by(training, epochs, cell.goal), record::Split::validation);
  add_metric(draft, "trained_epochs", epochs, record::Split::train);
  add_mean(draft, "gpu-0_power_limit", "W", power.limit);
  draft.fingerprint["gpu"] = gpu.name;
  draft.identity = fmt::format("{}\x1f{}\x1f{}\x1f{}\x1f{}\x1f{}\x1f{}\x1f{}\x1f{}\x1f{}\x1f{}", cell.task.dataset,
                               cell.task.network, cell.task.optimizer, cell.target, cell.epoch_limit, power.batch,
                               training.learning_rate, training.run, gpu.name, power.limit,
                               epochs * power.time_per_epoch * power.watts);
  return draft;
}

double highest_limit(const Gpu& gpu, const Cell& cell) {
  double highest = 0.0;
  for (const Power& power : gpu.rows) {
    if (power.task == cell.task) highest = std::max(highest, power.limit);
  }
  return highest;
}

}  // namespace

Result<void> read_zeus(const Request& request, Intake& intake) {
  const auto files = files_of(request);
  if (!files) return tl::unexpected(files.error());
  const auto tables = read_tables(*files, intake);
  if (!tables) return tl::unexpected(tables.error());
  if (!intake.mistakes.empty() && !request.skip_bad) return {};
  for (const Gpu& gpu : tables->gpus) {
    for (const Cell& cell : tables->cells) {
      const double highest = highest_limit(gpu, cell);
      std::set<std::int64_t> without;
      std::size_t runs = 0;
      for (const Training& training : tables->trainings) {
        if (training.task != cell.task || training.epochs.count(cell.target) == 0) continue;
        bool powered = false;
        for (const Power& power : gpu.rows) {
          if (power.task != cell.task || power.batch != training.batch) continue;
          Draft draft = draft_of(cell, training, gpu, power, highest);
          if (draft.duration->value > kMostSeconds || draft.parts.front().energy->value > kMostJoules) {
            return fail(ErrorKind::bad_input,
                        fmt::format("{} on {}: a run of {} s at {} W is beyond what can be kept", cell.workload,
                                    gpu.name, shortest(draft.duration->value), shortest(power.watts)));
          }
          intake.drafts.push_back(std::move(draft));
          powered = true;
          ++runs;
        }
        if (!powered) without.insert(training.batch);
      }
      const std::string where = fmt::format("{} {} on {}", cell.task.dataset, cell.task.network, gpu.name);
      if (runs == 0) intake.notes.push_back(where + ": no runs, nothing joins");
      if (runs > 0 && !without.empty()) {
        intake.notes.push_back(fmt::format("{}: batch sizes {} were not run there", where, fmt::join(without, ", ")));
      }
    }
  }
  return {};
}

}  // namespace wattle::importers
