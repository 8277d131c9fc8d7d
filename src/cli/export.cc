// wattle export: what is stored, for other programs.
#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "base/text.h"
#include "cli/context.h"
#include "report/report.h"
#include "store/maintenance.h"

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

int export_store(const Context& context, const ExportOptions& options) {
  if (context.output.empty() || !options.study.empty()) {
    return tell({ErrorKind::bad_input, "--format store copies a whole store into a file",
                 "wattle export --format store --output COPY.db"});
  }
  const auto bytes = store::copy_store(context.store, context.output);
  if (!bytes) return tell(bytes.error());
  if (context.json) {
    Context to_stdout = context;  // the file is the copy's
    to_stdout.output.clear();
    return give(to_stdout,
                nlohmann::json{{"store", context.store.string()}, {"copy", context.output}, {"bytes", *bytes}});
  }
  note(fmt::format("wrote {} ({:.1f} MB)", context.output, static_cast<double>(*bytes) / 1e6));
  return 0;
}

}  // namespace

void add_export(CLI::App& app, Context& context, Chosen& chosen) {
  CLI::App* sub = app.add_subcommand("export", "Give what is stored to other programs");
  auto options = std::make_shared<ExportOptions>();
  sub->add_option("--study", options->study, "Only this study's runs")->type_name("NAME");
  sub->add_option("--what", options->what, "runs: a row a run; epochs: a row a window, domain and metric")
      ->check(CLI::IsMember({"runs", "epochs"}));
  sub->add_option("--format", options->format,
                  "csv; json for the whole records; store for a copy of the store, also while a campaign writes it")
      ->check(CLI::IsMember({"csv", "json", "store"}));
  sub->footer(
      "Examples:\n  wattle export --output runs.csv\n  wattle export --what epochs --output epochs.csv\n"
      "  wattle export --format store --output copy.db");
  sub->callback([&context, &chosen, options] {
    chosen = [&context, options] {
      return options->format == "store" ? export_store(context, *options) : export_records(context, *options);
    };
  });
}

}  // namespace wattle::cli
