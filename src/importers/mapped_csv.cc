// Anybody's CSV, with a map of what its columns mean.
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>

#include "base/text.h"
#include "importers/draft.h"
#include "importers/epochs.h"
#include "importers/sheet.h"

namespace wattle::importers {
namespace {

constexpr std::array kColumns{
    Format{"workload", "what was trained (else --workload, else the file's name)"},
    Format{"environment", "where (else --environment, else `default`)"},
    Format{"original", "whether the row is the setting that others are compared with: true, false, yes, no, 1, 0"},
    Format{"label", "a name for the setting"},
    Format{"repetition", "whole number from 0 or 1: rows of one number are compared with each other (else counted)"},
    Format{"run", "what tells runs apart in a table with a row an epoch (else setting and repetition do)"},
    Format{"epoch", "from 0 or 1: the table has a row an epoch; energy and time are until its end (else --per-epoch)"},
    Format{"energy_j", "energy in J"},
    Format{"energy_kj", "energy in kJ"},
    Format{"energy_megajoules", "energy in MJ"},
    Format{"energy_wh", "energy in Wh"},
    Format{"energy_kwh", "energy in kWh"},
    Format{"duration_s", "time in s"},
    Format{"duration_ms", "time in ms"},
    Format{"duration_min", "time in minutes"},
    Format{"duration_h", "time in hours"},
    Format{"metric", "the performance that counts (its name: --metric, else the column's)"},
    Format{"end", "how the run ended: completed, reached, censored, failed, diverged, infeasible (else completed)"},
    Format{"parameter.", "a hyperparameter"},
    Format{"metric.", "a further metric of the whole run: images_seen, gflops, accuracy, …"},
    Format{"measure.", "a mean of telemetry, named as in `wattle metrics`: gpu-0_temperature, …"}};

struct Scaled {
  std::string_view name;
  double factor;
};
constexpr std::array kEnergies{Scaled{"energy_j", 1.0}, Scaled{"energy_kj", 1e3}, Scaled{"energy_megajoules", 1e6},
                               Scaled{"energy_wh", 3600.0}, Scaled{"energy_kwh", 3.6e6}};
constexpr std::array kDurations{Scaled{"duration_s", 1.0}, Scaled{"duration_ms", 1e-3}, Scaled{"duration_min", 60.0},
                                Scaled{"duration_h", 3600.0}};

constexpr int kCounted = -1;

using Columns = std::map<std::string, std::string>;

template <std::size_t n>
Result<const Scaled*> only_one(const Columns& columns, const std::array<Scaled, n>& choices, const char* what) {
  const Scaled* chosen = nullptr;
  for (const Scaled& choice : choices) {
    if (columns.count(std::string(choice.name)) == 0) continue;
    if (chosen != nullptr) {
      return fail(ErrorKind::bad_input, fmt::format("both {} and {} are mapped", chosen->name, choice.name),
                  fmt::format("one column tells the {}", what));
    }
    chosen = &choice;
  }
  return chosen;
}

Result<void> check_names(const Columns& columns) {
  std::vector<std::string> known;
  known.reserve(kColumns.size());
  for (const Format& column : kColumns) known.emplace_back(column.name);
  for (const auto& [ours, theirs] : columns) {
    const auto dot = ours.find('.');
    const bool named = dot != std::string::npos && dot + 1 < ours.size();
    const std::string plain = named ? ours.substr(0, dot + 1) : ours;
    if (std::find(known.begin(), known.end(), plain) != known.end() && (named || !plain.ends_with("."))) continue;
    const auto meant = nearest(ours, known);
    return fail(ErrorKind::bad_input, fmt::format("--column {}: Wattle has no such column", excerpt(ours)),
                meant ? fmt::format("did you mean `{}`?", *meant) : "there are " + join(known, ", "));
  }
  return {};
}

std::optional<bool> truth(std::string text) {
  std::transform(text.begin(), text.end(), text.begin(), [](unsigned char c) { return std::tolower(c); });
  if (text == "true" || text == "yes" || text == "1") return true;
  if (text == "false" || text == "no" || text == "0") return false;
  return std::nullopt;
}

study::Value value_of(const std::string& text) {
  if (const auto whole = parse_integer(text)) return *whole;
  if (const auto real = parse_real(text); real && std::isfinite(*real)) return *real;
  if (text == "true" || text == "True") return true;
  if (text == "false" || text == "False") return false;
  return text;
}

// A gauge's unit where it is one of Wattle's own: gpu-0_temperature is gpu-N_temperature.
std::string unit_of(std::string name) {
  if (name.starts_with("gpu-")) {
    const auto end = name.find('_');
    if (end != std::string::npos) name = "gpu-N" + name.substr(end);
  }
  for (const energy::Gauge& gauge : energy::known_gauges()) {
    if (gauge.name == name) return gauge.unit;
  }
  return "1";
}

class Mapped {
 public:
  Mapped(const Request& request, const Scaled* energy, const Scaled* duration)
      : request_(request), energy_(energy), duration_(duration) {}

  // A row of a table that has one for each epoch.
  EpochRow epoch_of(Row& row, const Sheet& sheet) const {
    EpochRow one;
    one.draft = draft_of(row, sheet);
    one.line = row.line();
    if (const std::string* column = theirs("run")) one.run = row.required_text(*column);
    const std::string& column = *theirs("epoch");
    const auto epoch = row.whole(column, 0, 1'000'000'000);
    if (!epoch && row.good()) row.wrong(column, "a row of an epoch table needs its epoch");
    one.epoch = epoch.value_or(0);
    one.good = row.good();
    return one;
  }

  Draft draft_of(Row& row, const Sheet& sheet) const {
    Draft draft;
    draft.file = sheet.name();
    draft.identity = row.content();
    draft.workload = text(row, "workload", request_.workload.empty() ? sheet.stem() : request_.workload);
    draft.environment.name = text(row, "environment", request_.environment.empty() ? "default" : request_.environment);
    if (const std::string* column = theirs("repetition")) {
      draft.block = static_cast<int>(row.whole(*column, 0, 1'000'000'000).value_or(kCounted));
    }
    take_settings(row, draft);
    take_quantities(row, draft);
    take_end(row, draft);
    return draft;
  }

 private:
  [[nodiscard]] const std::string* theirs(const std::string& ours) const {
    const auto found = request_.columns.find(ours);
    return found == request_.columns.end() ? nullptr : &found->second;
  }

  std::string text(Row& row, const char* ours, const std::string& otherwise) const {
    const std::string* column = theirs(ours);
    return column == nullptr ? otherwise : row.required_text(*column);
  }

  void take_settings(Row& row, Draft& draft) const {
    for (const auto& [ours, column] : request_.columns) {
      if (!ours.starts_with("parameter.")) continue;
      if (const std::string told = row.text(column); !told.empty()) {
        draft.hyperparameters[ours.substr(10)] = value_of(told);
      }
    }
    if (const std::string* column = theirs("label")) {
      draft.label = row.required_text(*column);
      if (!mapped_parameters()) draft.hyperparameters["label"] = draft.label;
    }
    if (const std::string* column = theirs("original")) {
      const std::string told = row.required_text(*column);
      const auto is = truth(told);
      if (!is && !told.empty()) row.wrong(*column, fmt::format("`{}` is neither true nor false", excerpt(told)));
      draft.original = is.value_or(false);
    }
  }

  [[nodiscard]] bool mapped_parameters() const {
    const auto from = request_.columns.lower_bound("parameter.");
    return from != request_.columns.end() && from->first.starts_with("parameter.");
  }

  void take_quantities(Row& row, Draft& draft) const {
    if (duration_ != nullptr) {
      const auto told = row.number(*theirs(std::string(duration_->name)), 0.0, kMostSeconds / duration_->factor);
      if (told) draft.duration = Seconds{*told * duration_->factor};
    }
    if (energy_ != nullptr) {
      Part part{{.name = "machine",
                 .kind = energy::DomainKind::other,
                 .provenance = request_.provenance,
                 .source = fmt::format("imported: {}", draft.file),
                 .parent = {}},
                std::nullopt,
                "the row tells no energy"};
      const auto told = row.number(*theirs(std::string(energy_->name)), 0.0, kMostJoules / energy_->factor);
      if (told) part.energy = Joules{*told * energy_->factor};
      draft.parts.push_back(std::move(part));
    }
    draft.metric.goal = request_.minimize ? study::Goal::minimize : study::Goal::maximize;
    draft.metric.name = request_.metric.empty() ? "metric" : request_.metric;
    if (const std::string* column = theirs("metric")) {
      if (request_.metric.empty()) draft.metric.name = *column;
      add_metric(draft, draft.metric.name.c_str(), row.number(*column, -1e300, 1e300), record::Split::test);
    }
    for (const auto& [ours, column] : request_.columns) {
      if (ours.starts_with("metric.")) {
        add_metric(draft, ours.substr(7).c_str(), row.number(column, -1e300, 1e300), record::Split::test);
      } else if (ours.starts_with("measure.")) {
        const std::string name = ours.substr(8);
        add_mean(draft, name.c_str(), unit_of(name).c_str(), row.number(column, -1e300, 1e300));
      }
    }
  }

  void take_end(Row& row, Draft& draft) const {
    const std::string* column = theirs("end");
    if (column == nullptr) return;
    const std::string told = row.text(*column);
    if (told.empty()) return;
    if (const auto end = record::end_state(told); end && record::finished(*end)) {
      draft.end = *end;
    } else {
      row.wrong(*column, fmt::format("`{}` is no end of a run", excerpt(told)),
                "completed, reached, censored, stopped, failed, diverged, infeasible");
    }
  }

  const Request& request_;
  const Scaled* energy_;
  const Scaled* duration_;
};

// Repetitions counted from 0 begin at 1 here, as everywhere.
void count_from_one(const Request& request, std::vector<Draft>& drafts) {
  if (request.columns.count("repetition") == 0) return;
  const bool from_zero = std::any_of(drafts.begin(), drafts.end(), [](const Draft& draft) { return draft.block == 0; });
  if (!from_zero) return;
  for (Draft& draft : drafts) draft.block += draft.block == kCounted ? 0 : 1;
}

Result<void> check_epochs(const Request& request) {
  if (request.columns.count("epoch") > 0) {
    const auto gauge = request.columns.lower_bound("measure.");
    if (gauge == request.columns.end() || !gauge->first.starts_with("measure.")) return {};
    return fail(ErrorKind::bad_input, fmt::format("{} is a mean over a run, and this table has epochs", gauge->first));
  }
  if (request.per_epoch || request.columns.count("run") > 0) {
    return fail(
        ErrorKind::bad_input,
        fmt::format("{} is of tables with a row an epoch", request.per_epoch ? "--per-epoch" : "the column run"),
        "--column epoch=THEIRS tells the epoch");
  }
  return {};
}

}  // namespace

std::span<const Format> csv_columns() { return kColumns; }

Result<void> read_mapped_csv(const Request& request, Intake& intake) {
  if (const auto named = check_names(request.columns); !named) return named;
  const auto energy = only_one(request.columns, kEnergies, "energy");
  if (!energy) return tl::unexpected(energy.error());
  const auto duration = only_one(request.columns, kDurations, "time");
  if (!duration) return tl::unexpected(duration.error());
  if (*energy == nullptr && *duration == nullptr) {
    return fail(ErrorKind::bad_input, "no column of energy or time is mapped", "as in --column energy_j=THEIRS");
  }
  if (const auto fit = check_epochs(request); !fit) return fit;
  const bool by_epoch = request.columns.count("epoch") > 0;
  std::vector<EpochRow> epochs;
  const Mapped mapped(request, *energy, *duration);
  for (const auto& file : request.files) {
    const auto sheet = Sheet::read(file);
    if (!sheet) return tl::unexpected(sheet.error());
    std::vector<std::string> theirs;
    for (const auto& [ours, column] : request.columns) theirs.push_back(column);
    if (const auto there = sheet->require(theirs); !there) return there;
    for (std::size_t i = 0; i < sheet->rows().size(); ++i) {
      Row row(*sheet, i, intake.mistakes);
      row.strict();
      if (by_epoch) {
        epochs.push_back(mapped.epoch_of(row, *sheet));
        continue;
      }
      Draft draft = mapped.draft_of(row, *sheet);
      if (row.good()) {
        intake.drafts.push_back(std::move(draft));
      } else {
        ++intake.bad_rows;
      }
    }
  }
  put_together(std::move(epochs), request.per_epoch, intake);
  count_from_one(request, intake.drafts);
  if (*energy != nullptr && !energy::measured(request.provenance)) {
    intake.notes.emplace_back(
        "how this energy came about is not told, so it counts as estimated; --provenance counter or integrated_power "
        "says that it was measured");
  }
  if (request.columns.count("original") == 0) {
    intake.notes.emplace_back(
        "the setting of each workload's first row counts as the original; --column original=THEIRS "
        "tells another");
  }
  return {};
}

}  // namespace wattle::importers
