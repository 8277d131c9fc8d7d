// wattle list: the runs that are stored, one a line.
#include <fmt/format.h>
#include <unistd.h>

#include <cmath>
#include <nlohmann/json.hpp>

#include "base/text.h"
#include "cli/context.h"
#include "report/table.h"

namespace wattle::cli {
namespace {

struct ListOptions {
  std::string study;
  bool failed = false;
  int last = 0;  // 0: all
};

nlohmann::json number(const std::optional<double>& value) {
  return value && std::isfinite(*value) ? nlohmann::json(*value) : nlohmann::json();
}

nlohmann::json as_json(const record::Summary& s) {
  return {{"run", s.key},
          {"attempt", s.attempt},
          {"study", s.study},
          {"workload", s.workload},
          {"configuration", s.configuration},
          {"label", s.label},
          {"block", s.block},
          {"purpose", s.purpose},
          {"training_seed", s.training_seed},
          {"end", record::to_string(s.end)},
          {"reason", s.reason},
          {"started", local_time(s.started_wall)},
          {"duration_s", s.duration ? nlohmann::json(s.duration->value) : nlohmann::json()},
          {"measured_energy_j", s.measured_energy ? nlohmann::json(s.measured_energy->value) : nlohmann::json()},
          {"estimated_energy_j", s.estimated_energy ? nlohmann::json(s.estimated_energy->value) : nlohmann::json()},
          {"metric", s.metric},
          {"performance", number(s.performance)},
          {"performance_split", s.performance_split},
          {"flags", s.flags}};
}

report::Table table_of(const std::vector<record::Summary>& runs, bool several_studies) {
  report::Table table({{"run", report::Align::left, false},
                       {several_studies ? "study" : "", report::Align::left, true},
                       {"configuration", report::Align::left, true},
                       {"block", report::Align::right, false},
                       {"end", report::Align::left, false},
                       {"energy", report::Align::right, false},
                       {"time", report::Align::right, false},
                       {"metric", report::Align::right, false}});
  for (const record::Summary& s : runs) {
    const bool good = record::successful(s.end);
    std::string key = s.key.substr(0, 8);
    if (s.attempt > 1) key += fmt::format(".{}", s.attempt);
    std::vector<report::Cell> cells;  // filled one by one: a list in braces would copy each
    cells.reserve(8);
    cells.push_back({std::move(key)});
    cells.push_back({several_studies ? printable(s.study) : std::string()});
    cells.push_back({printable(s.label)});
    cells.push_back({std::to_string(s.block)});
    cells.push_back({std::string(record::to_string(s.end)), good ? report::Tone::plain : report::Tone::bad});
    cells.push_back({energy_text(s)});
    cells.push_back({s.duration ? human(*s.duration) : "–"});
    cells.push_back({s.performance ? significant(*s.performance, 4) : "–"});
    table.add_row(std::move(cells));
    std::string remark = printable(s.reason);
    if (!s.flags.empty()) remark += fmt::format("{}flags: {}", remark.empty() ? "" : "; ", printable(s.flags));
    if (!remark.empty()) table.add_note(report::Cell{remark, report::Tone::dim});
  }
  return table;
}

int list(const Context& context, const ListOptions& options) {
  const auto store = store::Store::open(context.store, store::Store::Mode::read);
  if (!store) return tell(store.error());
  if (!options.study.empty()) {
    if (const auto known = study_meant(*store, options.study); !known) return tell(known.error());
  }
  auto runs = store->summaries(options.study);
  if (!runs) return tell(runs.error());
  if (options.failed) std::erase_if(*runs, [](const record::Summary& s) { return record::successful(s.end); });
  const auto limit = static_cast<std::size_t>(std::max(0, options.last));
  if (limit > 0 && runs->size() > limit) runs->erase(runs->begin(), runs->end() - static_cast<std::ptrdiff_t>(limit));
  if (context.json) {
    nlohmann::json all = nlohmann::json::array();
    for (const record::Summary& s : *runs) all.push_back(as_json(s));
    return give(context, all);
  }
  if (runs->empty()) return give(context, std::string("no runs\n"));
  const bool several =
      std::any_of(runs->begin(), runs->end(), [&](const record::Summary& s) { return s.study != runs->front().study; });
  const bool colour = context.output.empty() && wants_colour(STDOUT_FILENO);
  return give(context, table_of(*runs, several).render(terminal_width(STDOUT_FILENO), colour));
}

}  // namespace

void add_list(CLI::App& app, Context& context, Chosen& chosen) {
  CLI::App* sub = app.add_subcommand("list", "List the runs that are stored");
  auto options = std::make_shared<ListOptions>();
  sub->add_option("--study", options->study, "Only this study's runs")->type_name("NAME");
  sub->add_flag("--failed", options->failed, "Only runs that failed, diverged or were interrupted");
  sub->add_option("--last", options->last, "Only the last N")->type_name("N")->check(CLI::PositiveNumber);
  sub->footer("Examples:\n  wattle list\n  wattle list --failed --last 20\n  wattle list --json | jq '.[].duration_s'");
  sub->callback([&context, &chosen, options] { chosen = [&context, options] { return list(context, *options); }; });
}

}  // namespace wattle::cli
