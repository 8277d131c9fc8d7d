// wattle import: others' measurements into the store.
#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <set>

#include "base/text.h"
#include "cli/context.h"
#include "importers/importers.h"

namespace wattle::cli {
namespace {

struct ImportOptions {
  importers::Request request;
  std::vector<std::string> files;
  std::vector<std::string> columns;
  std::vector<std::string> outliers;
  std::string map;
  std::string trim;
  std::string provenance;
};

Result<void> take_columns(const ImportOptions& options, importers::Request& request) {
  if (!options.map.empty()) {
    auto columns = importers::read_column_map(options.map);
    if (!columns) return tl::unexpected(columns.error());
    request.columns = std::move(*columns);
  }
  for (const std::string& pair : options.columns) {
    const auto equals = pair.find('=');
    if (equals == 0 || equals == std::string::npos || equals + 1 == pair.size()) {
      return fail(ErrorKind::bad_input, fmt::format("--column {}: WATTLE=THEIRS is expected", printable(pair)),
                  "as in --column energy_kwh='Energy (kWh)'");
    }
    request.columns[pair.substr(0, equals)] = pair.substr(equals + 1);
  }
  return {};
}

Result<importers::Request> request_of(const ImportOptions& options) {
  importers::Request request = options.request;
  request.files.assign(options.files.begin(), options.files.end());
  if (const auto columns = take_columns(options, request); !columns) return tl::unexpected(columns.error());
  for (const std::string& text : options.outliers) {
    auto rule = importers::parse_outlier_rule(text);
    if (!rule) return tl::unexpected(rule.error());
    request.outliers.push_back(std::move(*rule));
  }
  if (!options.trim.empty()) {
    const auto trim = parse_duration(options.trim);
    if (!trim) {
      return fail(ErrorKind::bad_input, fmt::format("--trim {}: not a duration", printable(options.trim)), "as in 3s");
    }
    request.trim = *trim;
  }
  if (!options.provenance.empty()) {
    const auto provenance = energy::provenance(options.provenance);
    if (!provenance) {
      return fail(ErrorKind::bad_input, fmt::format("--provenance {}: no such thing", printable(options.provenance)),
                  "counter, integrated_power, attributed, model or constant");
    }
    request.provenance = *provenance;
  }
  return request;
}

std::string counted(std::size_t n, std::string_view one) { return fmt::format("{} {}{}", n, one, n == 1 ? "" : "s"); }

void tell_mistakes(const std::vector<std::string>& mistakes) {
  constexpr std::size_t kShown = 20;
  for (std::size_t i = 0; i < std::min(kShown, mistakes.size()); ++i) note(mistakes[i]);
  if (mistakes.size() > kShown) note(fmt::format("… and {} more", mistakes.size() - kShown));
}

// Runs that are stored already keep the rules that they were stored with: a rule cannot be declared afterwards.
bool rules_differ(const std::vector<record::Record>& stored, const std::vector<record::Attempt>& given) {
  std::map<std::string_view, const study::RunRequest*> by_key;
  for (const record::Record& record : stored) by_key.emplace(record.request.key, &record.request);
  return std::any_of(given.begin(), given.end(), [&](const record::Attempt& attempt) {
    const auto found = by_key.find(attempt.record.request.key);
    if (found == by_key.end()) return false;
    const study::RunRequest& now = attempt.record.request;
    return found->second->protocol.outliers != now.protocol.outliers ||
           found->second->metric.tolerance != now.metric.tolerance;
  });
}

int store_them(const Context& context, const importers::Imported& imported) {
  auto store = store::Store::open(context.store, store::Store::Mode::write);
  if (!store) return tell(store.error());
  const auto stored = store->records(imported.study);
  if (!stored) return tell(stored.error());
  const auto added = store->add(std::span(imported.attempts));
  if (!added) return tell(added.error());
  std::set<std::string> workloads;
  for (const auto& attempt : imported.attempts) workloads.insert(attempt.record.request.configuration.workload);
  const std::size_t present = imported.attempts.size() - *added;
  std::vector<std::string> notes = imported.notes;
  if (rules_differ(*stored, imported.attempts)) {
    notes.emplace_back(
        "runs that were there already keep their outlier rules and tolerance; --study NAME imports them anew");
  }
  if (context.json) {
    return give(context, nlohmann::json{{"study", imported.study},
                                        {"added", *added},
                                        {"present", present},
                                        {"left_out", imported.rows_left_out},
                                        {"mistakes", imported.mistakes},
                                        {"workloads", workloads},
                                        {"notes", notes}});
  }
  for (const std::string& line : notes) note("! " + printable(line));
  std::string text = fmt::format("{}: {} imported", printable(imported.study), counted(*added, "run"));
  if (present > 0) text += fmt::format(", {} were there already", present);
  if (imported.rows_left_out > 0) text += fmt::format(", {} left out", counted(imported.rows_left_out, "row"));
  std::vector<std::string> named(workloads.begin(), workloads.end());
  constexpr std::size_t kMostNames = 20;
  const std::size_t further = named.size() > kMostNames ? named.size() - kMostNames : 0;
  named.resize(named.size() - further);
  text += fmt::format("\nworkloads: {}{}\n", printable(join(named, ", ")),
                      further > 0 ? fmt::format(" and {} more", further) : "");
  const std::vector<std::string> next{"wattle", "report", "--study", imported.study};
  return give(context, text + fmt::format("next:  {}\n", printable(shell_quoted(next))));
}

int import(const Context& context, const ImportOptions& options) {
  const auto request = request_of(options);
  if (!request) return tell(request.error());
  const auto imported = importers::import(*request);
  if (!imported) return tell(imported.error());
  tell_mistakes(imported->mistakes);
  if (!imported->mistakes.empty() && !request->skip_bad) {
    return tell({ErrorKind::bad_input,
                 fmt::format("{} in {}: nothing was imported", counted(imported->mistakes.size(), "mistake"),
                             counted(imported->rows_left_out, "row")),
                 "mend them, or leave these rows out with --skip-bad"});
  }
  if (imported->rows_left_out > 0)
    note(fmt::format("! --skip-bad leaves {} out", counted(imported->rows_left_out, "row")));
  if (imported->attempts.empty()) return tell({ErrorKind::bad_input, "no row is good: nothing was imported", {}});
  return store_them(context, *imported);
}

std::string listed(std::span<const importers::Format> formats) {
  std::string text;
  for (const importers::Format& format : formats) text += fmt::format("  {:<18} {}\n", format.name, format.what);
  return text;
}

}  // namespace

void add_import(CLI::App& app, Context& context, Chosen& chosen) {
  CLI::App* sub = app.add_subcommand("import", "Store what others measured, to ask it the same questions");
  auto options = std::make_shared<ImportOptions>();
  importers::Request& request = options->request;
  sub->add_option("files", options->files, "What to read; of zeus a folder")->required()->type_name("FILE");
  sub->add_option("--format", request.format, "What the files are, see below")->required()->type_name("FORMAT");
  sub->add_option("--study", request.study, "The study's name (default: the first file's)")->type_name("NAME");
  sub->add_option("--column", options->columns, "csv: what a column means, WATTLE=THEIRS (repeatable)")
      ->allow_extra_args(false)
      ->type_name("PAIR");
  sub->add_option("--map", options->map, "csv: a TOML file of such pairs")->type_name("FILE");
  sub->add_option("--metric", request.metric, "csv: the metric's name (default: its column's)")->type_name("NAME");
  sub->add_flag("--minimize", request.minimize, "csv: the metric is better when it is lower");
  sub->add_flag("--per-epoch", request.per_epoch,
                "csv with a column of epochs: each row tells its own epoch's energy and time, not all until its end");
  sub->add_option("--provenance", options->provenance,
                  "csv: how the energy came about: counter, integrated_power, attributed, model (default), constant");
  sub->add_option("--tolerance", request.tolerance, "Loss of the metric that is no damage (default 0.01)")
      ->check(CLI::PositiveNumber);
  sub->add_option("--workload", request.workload, "What was trained, where the file does not tell")->type_name("NAME");
  sub->add_option("--environment", request.environment, "Where, if the file does not tell")->type_name("NAME");
  sub->add_option("--trim", options->trim, "delrey-raw: cut so much padding from both ends of a log (default 0s)");
  sub->add_option("--outlier", options->outliers,
                  "Runs that reports leave out: measure=M,workloads=A|B,drop_highest=N (drop_lowest, equals, "
                  "beyond_iqr; repeatable)")
      ->allow_extra_args(false)
      ->type_name("RULE");
  sub->add_flag("--skip-bad", request.skip_bad, "Leave rows with mistakes out, and say how many");
  sub->footer("Formats:\n" + listed(importers::formats()) + "Columns of csv:\n" + listed(importers::csv_columns()) +
              "Examples:\n  wattle import --format delrey local_ml.csv --study seaa2023\n"
              "  wattle import --format delrey-raw --trim 3s raw/*.csv\n"
              "  wattle import --format csv runs.csv --column workload=model --column energy_kwh='Energy (kWh)' \\\n"
              "      --column parameter.lr=lr --column metric=accuracy --provenance counter\n"
              "Exit codes: 0 imported, 2 mistakes in the files (nothing is stored), 3 the store cannot be written.");
  sub->callback([&context, &chosen, options] { chosen = [&context, options] { return import(context, *options); }; });
}

}  // namespace wattle::cli
