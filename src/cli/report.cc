// wattle report: what the study found.
#include "report/report.h"

#include <fmt/format.h>
#include <unistd.h>

#include <nlohmann/json.hpp>
#include <set>

#include "analysis/findings.h"
#include "analysis/questions.h"
#include "base/text.h"
#include "cli/asked.h"
#include "cli/bundle_files.h"
#include "cli/context.h"
#include "report/answer.h"

namespace wattle::cli {
namespace {

struct ReportOptions {
  std::string study;
  std::string format;    // empty: text, json with --json, or by --output's ending
  std::string question;  // "NAME" or "NAME.TABLE"; empty: the findings
  analysis::Asked asked;
  bool list = false;
  bool explain = false;
  std::vector<std::string> telemetry;
};

Result<report::Format> format_of(const Context& context, const std::string& named) {
  std::string name = named;
  if (name.empty()) name = context.json ? "json" : "text";
  if (named.empty() && !context.json && !context.output.empty()) {
    const std::string ending = std::filesystem::path(context.output).extension().string();
    if (!ending.empty() && report::parse_format(ending.substr(1))) name = ending.substr(1);
  }
  if (const auto format = report::parse_format(name)) return *format;
  const auto known = report::format_names();
  const auto meant = nearest(name, known);
  return fail(ErrorKind::bad_input, fmt::format("there is no format `{}`", printable(name)),
              meant ? fmt::format("did you mean `{}`?", *meant) : fmt::format("there are {}", join(known, ", ")));
}

// Every name must be told by some run: a mistyped one would look like one that has no relation.
Result<void> known(const std::vector<std::string>& telemetry, const std::vector<record::Record>& records) {
  std::set<std::string> told;
  for (const record::Record& record : records) {
    for (const energy::Measure& measure : record.measures) told.insert(measure.name);
  }
  for (const std::string& name : telemetry) {
    if (told.count(name) > 0) continue;
    const std::vector<std::string> names(told.begin(), told.end());
    const auto meant = nearest(name, names);
    return fail(ErrorKind::bad_input, fmt::format("--measure {}: no run of this study tells it", printable(name)),
                meant           ? fmt::format("did you mean `{}`?", *meant)
                : names.empty() ? "its runs were made without telemetry"
                                : fmt::format("there are {}", join(names, ", ")));
  }
  return {};
}

std::string questions_text() {
  std::string text;
  for (const analysis::Question& question : analysis::questions()) {
    text += fmt::format("{:<18} {}{}\n", question.name, question.asks,
                        question.paper.empty() ? "" : fmt::format(" ({})", question.paper));
  }
  return text + "next:  wattle report --question NAME\n";
}

nlohmann::json questions_json() {
  nlohmann::json list = nlohmann::json::array();
  for (const analysis::Question& question : analysis::questions()) {
    list.push_back({{"question", question.name}, {"asks", question.asks}, {"paper", question.paper}});
  }
  return {{"questions", list}};
}

Result<const analysis::Question*> question_of(const std::string& name) {
  if (const analysis::Question* question = analysis::question(name)) return question;
  std::vector<std::string> known;
  for (const analysis::Question& question : analysis::questions()) known.emplace_back(question.name);
  const auto meant = nearest(name, known);
  return fail(ErrorKind::bad_input, fmt::format("there is no question `{}`", printable(name)),
              meant ? fmt::format("did you mean `{}`?", *meant) : fmt::format("there are {}", join(known, ", ")));
}

// Control runs and partners answer some questions, so all that was stored of the study is given.
int answer(const Context& context, const ReportOptions& options, const std::vector<record::Record>& records,
           const std::string& study, report::Format format, const report::Options& layout) {
  const auto dot = options.question.find('.');
  const auto question = question_of(options.question.substr(0, dot));
  if (!question) return tell(question.error());
  auto answer = (*question)->answer(records, options.asked);
  if (!answer) return tell(answer.error());
  answer->study = study;
  const std::string table = dot == std::string::npos ? std::string() : options.question.substr(dot + 1);
  const auto text = report::render(*answer, format, layout, table);
  return text ? give(context, *text) : tell(text.error());
}

int report_on(const Context& context, const ReportOptions& options) {
  if (options.list) return context.json ? give(context, questions_json()) : give(context, questions_text());
  const auto format = format_of(context, options.format);
  if (!format) return tell(format.error());
  const auto store = store::Store::open(context.store, store::Store::Mode::read);
  if (!store) return tell(store.error());
  const auto name = study_meant(*store, options.study);
  if (!name) return tell(name.error());
  const auto records = store->planned_records(*name);
  if (!records) return tell(records.error());
  if (const auto valid = known(options.telemetry, *records); !valid) return tell(valid.error());
  report::Options layout;
  layout.explain = options.explain;
  // Its folder is left out: the same runs give the same bytes wherever they lie.
  layout.store_name = context.store.filename().string();
  layout.next = report_next();
  if (context.output.empty()) {
    layout.width = terminal_width(STDOUT_FILENO);
    layout.colour = wants_colour(STDOUT_FILENO);
  }
  if (!options.question.empty()) return answer(context, options, *records, *name, *format, layout);
  const analysis::Findings findings = analysis::analyse(*records, options.telemetry);
  return give(context, report::render(findings, *records, *format, layout));
}

}  // namespace

std::vector<std::string> report_next() {
  return {"report: wattle report --format html --output report.html", "runs: wattle list",
          "how computed: wattle report --explain"};
}

void add_report(CLI::App& app, Context& context, Chosen& chosen) {
  CLI::App* sub = app.add_subcommand("report", "Say what a study found");
  auto options = std::make_shared<ReportOptions>();
  sub->add_option("--study", options->study, "The study (default: the one stored last)")->type_name("NAME");
  sub->add_option("--format", options->format, "text, json, csv, md, latex or html")->type_name("FORMAT");
  sub->add_option("--question", options->question,
                  "Answer this one instead (NAME, or NAME.TABLE for one of its tables; --list names them)")
      ->type_name("NAME");
  sub->add_flag("--list", options->list, "Name the questions that can be asked");
  add_asked(*sub, options->asked);
  sub->add_option("--measure", options->telemetry,
                  "Telemetry to correlate with the hyperparameters too (repeatable; names: wattle metrics)")
      ->type_name("NAME");
  sub->add_flag("--explain", options->explain, "Say how each number is computed");
  sub->footer(
      "Examples:\n  wattle report\n  wattle report --format html --output report.html\n"
      "  wattle report --json | jq .headline\n"
      "  wattle report --list\n  wattle report --question side-by-side --format latex\n"
      "  wattle report --measure cpu_utilisation --measure run_resident_memory");
  sub->callback(
      [&context, &chosen, options] { chosen = [&context, options] { return report_on(context, *options); }; });
}

}  // namespace wattle::cli
