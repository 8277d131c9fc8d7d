// wattle export: what is stored, for other programs.
#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "base/text.h"
#include "cli/context.h"
#include "report/report.h"

namespace wattle::cli {
namespace {

struct ExportOptions {
  std::string study;
  std::string what = "runs";
  std::string format = "csv";
};

int export_records(const Context& context, const ExportOptions& options) {
  const auto store = store::Store::open(context.store, store::Store::Mode::read);
  if (!store) return tell(store.error());
  if (!options.study.empty()) {
    if (const auto known = study_meant(*store, options.study); !known) return tell(known.error());
  }
  const auto records = store->records(options.study);
  if (!records) return tell(records.error());
  if (context.json || options.format == "json") {
    nlohmann::json all = nlohmann::json::array();
    for (const record::Record& record : *records) all.push_back(record::to_json(record));
    return give(context, all);
  }
  return give(context, options.what == "epochs" ? report::epochs_csv(*records) : report::runs_csv(*records));
}

}  // namespace

void add_export(CLI::App& app, Context& context, Chosen& chosen) {
  CLI::App* sub = app.add_subcommand("export", "Give what is stored to other programs");
  auto options = std::make_shared<ExportOptions>();
  sub->add_option("--study", options->study, "Only this study's runs")->type_name("NAME");
  sub->add_option("--what", options->what, "runs: a row a run; epochs: a row a window, domain and metric")
      ->check(CLI::IsMember({"runs", "epochs"}));
  sub->add_option("--format", options->format, "csv, or json for the whole records")
      ->check(CLI::IsMember({"csv", "json"}));
  sub->footer("Examples:\n  wattle export --output runs.csv\n  wattle export --what epochs --output epochs.csv");
  sub->callback(
      [&context, &chosen, options] { chosen = [&context, options] { return export_records(context, *options); }; });
}

}  // namespace wattle::cli
