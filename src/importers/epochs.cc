#include "importers/epochs.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>

#include "base/text.h"
#include "importers/sheet.h"

namespace wattle::importers {
namespace {

using Rows = std::vector<EpochRow>;

std::string key_of(const EpochRow& row) {
  const Draft& draft = row.draft;
  std::string key = fmt::format("{}\x1d{}\x1d{}\x1d{}\x1d{}\x1d{}", draft.file, row.run, draft.workload,
                                draft.environment.name, draft.label, draft.block);
  for (const auto& [name, value] : draft.hyperparameters) {
    key += fmt::format("\x1d{}\x1f{}", name, study::to_text(value));
  }
  return key;
}

std::optional<double> seconds_of(const EpochRow& row) {
  if (!row.draft.duration) return std::nullopt;
  return row.draft.duration->value;
}

std::optional<double> joules_of(const EpochRow& row) {
  if (row.draft.parts.empty() || !row.draft.parts.front().energy) return std::nullopt;
  return row.draft.parts.front().energy->value;
}

class OneRun {
 public:
  OneRun(Rows rows, bool per_epoch, Intake& intake) : rows_(std::move(rows)), per_epoch_(per_epoch), intake_(intake) {
    std::stable_sort(rows_.begin(), rows_.end(), [](const auto& a, const auto& b) { return a.epoch < b.epoch; });
  }

  void add() {
    good_ = std::all_of(rows_.begin(), rows_.end(), [](const EpochRow& row) { return row.good; });
    check_epochs();
    Draft run = rows_.front().draft;
    run.identity.clear();
    run.metrics.clear();
    const std::int64_t shift = rows_.front().epoch == 0 ? 1 : 0;
    for (const EpochRow& row : rows_) {
      run.identity += row.draft.identity + "\n";
      if (row.draft.end != record::EndState::completed) run.end = row.draft.end;
      take_metrics(row, static_cast<int>(row.epoch + shift), run);
      take_energy(row, static_cast<int>(row.epoch + shift), run);
    }
    if (!good_) {
      intake_.bad_rows += rows_.size();
      return;
    }
    run.duration = run.epochs.back().until;
    if (!run.parts.empty()) {
      run.parts.front().energy = run.epochs.back().energy;
      run.parts.front().why_absent = "the last epoch tells no energy since the run's begin";
    }
    // Of the whole run: what the last epoch says.
    for (const record::MetricPoint& point : rows_.back().draft.metrics) {
      if (point.name != run.metric.name) add_metric(run, point.name.c_str(), point.value, record::Split::validation);
    }
    intake_.drafts.push_back(std::move(run));
  }

 private:
  void wrong(const EpochRow& row, const std::string& what) {
    intake_.mistakes.push_back(fmt::format("{}:{}: {}", row.draft.file, row.line, what));
    good_ = false;
  }

  void check_epochs() {
    for (std::size_t i = 1; i < rows_.size(); ++i) {
      if (rows_[i].epoch == rows_[i - 1].epoch) {
        wrong(rows_[i], fmt::format("epoch {} stands in line {} too, of the same run; --column run=THEIRS or "
                                    "repetition=THEIRS tells runs apart",
                                    rows_[i].epoch, rows_[i - 1].line));
      } else if (per_epoch_ && rows_[i].epoch != rows_[i - 1].epoch + 1) {
        wrong(rows_[i], fmt::format("epoch {} follows epoch {}: what is between is wanting in the sum", rows_[i].epoch,
                                    rows_[i - 1].epoch));
      }
    }
    if (per_epoch_ && rows_.front().epoch > 1) {
      wrong(rows_.front(),
            fmt::format("the run begins with epoch {}: what was before is wanting in the sum", rows_.front().epoch));
    }
  }

  static void take_metrics(const EpochRow& row, int epoch, Draft& run) {
    for (record::MetricPoint point : row.draft.metrics) {
      point.epoch = epoch;
      point.split = record::Split::validation;
      run.metrics.push_back(std::move(point));
    }
  }

  // What was used until this epoch's end; unknown from the first epoch on that does not tell its own.
  std::optional<double> sum(std::optional<double> told, const std::optional<double>& before,
                            const std::optional<double>& first, const EpochRow& row, const char* what,
                            const char* unit) {
    if (per_epoch_) return told && before ? std::optional(*told + *before) : std::nullopt;
    const bool less = told && before && *told < *before;
    // All epochs alike: these are of each epoch.
    const bool still = told && rows_.size() > 1 && &row == &rows_.back() && first && *told == *first;
    if (less || still) {
      wrong(row,
            fmt::format("{} until epoch {} is {} {}, {}; --per-epoch says that each row tells its own epoch alone",
                        what, row.epoch, shortest(*told), unit,
                        less ? fmt::format("less than the {} before it", shortest(*before)) : "as until the first"));
    }
    return told;
  }

  void take_energy(const EpochRow& row, int epoch, Draft& run) {
    const auto seconds = seconds_of(row);
    const auto joules = joules_of(row);
    const auto until = sum(seconds, time_, seconds_of(rows_.front()), row, "time", "s");
    const auto energy = sum(joules, energy_, joules_of(rows_.front()), row, "energy", "J");
    if (until || per_epoch_) time_ = until;
    if (energy || per_epoch_) energy_ = energy;
    if (until.value_or(0.0) > kMostSeconds || energy.value_or(0.0) > kMostJoules) {
      wrong(row, "the epochs add up to more than can be kept");
      return;
    }
    run.epochs.push_back({epoch, until ? std::optional(Seconds{*until}) : std::nullopt,
                          energy ? std::optional(Joules{*energy}) : std::nullopt});
  }

  Rows rows_;
  bool per_epoch_;
  Intake& intake_;
  bool good_ = true;
  std::optional<double> time_ = 0.0;
  std::optional<double> energy_ = 0.0;
};

}  // namespace

void put_together(std::vector<EpochRow> rows, bool per_epoch, Intake& intake) {
  std::map<std::string, std::size_t> places;
  std::vector<Rows> runs;
  for (EpochRow& row : rows) {
    const auto [place, fresh] = places.emplace(key_of(row), runs.size());
    if (fresh) runs.emplace_back();
    runs[place->second].push_back(std::move(row));
  }
  for (Rows& run : runs) OneRun(std::move(run), per_epoch, intake).add();
}

}  // namespace wattle::importers
