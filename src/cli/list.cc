// wattle list: the runs that are stored, one a line.
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <deque>
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

// The runs as they are told, each a row.
class RunTable {
 public:
  void add(const record::Summary& s) {
    if (rows_++ == 0) first_study_ = s.study;
    several_studies_ = several_studies_ || s.study != first_study_;
    cells_[run_at].text.assign(s.key, 0, 8);
    if (s.attempt > 1) cells_[run_at].text += fmt::format(".{}", s.attempt);
    cells_[study_at].text = s.study;
    cells_[configuration_at].text = s.label;
    cells_[block_at].text = std::to_string(s.block);
    cells_[end_at] = {std::string(record::to_string(s.end)),
                      record::successful(s.end) ? report::Tone::plain : report::Tone::bad};
    cells_[energy_at].text = energy_text(s);
    cells_[time_at].text = s.duration ? human(*s.duration) : "–";
    cells_[metric_at].text = s.performance ? significant(*s.performance, 4) : "–";
    table_.add_row(cells_);
    if (s.reason.empty() && s.flags.empty()) return;
    std::string remark = printable(s.reason);
    if (!s.flags.empty()) remark += fmt::format("{}flags: {}", remark.empty() ? "" : "; ", printable(s.flags));
    table_.add_note(report::Cell{remark, report::Tone::dim});
  }
  [[nodiscard]] bool empty() const { return rows_ == 0; }
  [[nodiscard]] std::string text(bool colour) {
    if (!several_studies_) table_.blank(study_at);
    return table_.render(terminal_width(STDOUT_FILENO), colour);
  }

 private:
  enum Place { run_at, study_at, configuration_at, block_at, end_at, energy_at, time_at, metric_at, places };

  report::Table table_{{{"run", report::Align::left, false},
                        {"study", report::Align::left, true},
                        {"configuration", report::Align::left, true},
                        {"block", report::Align::right, false},
                        {"end", report::Align::left, false},
                        {"energy", report::Align::right, false},
                        {"time", report::Align::right, false},
                        {"metric", report::Align::right, false}}};
  std::vector<report::Cell> cells_ = std::vector<report::Cell>(places);  // of one row after the other
  std::size_t rows_ = 0;
  std::string first_study_;
  bool several_studies_ = false;
};

// Each run that is meant, in the order they were stored.
Result<void> tell_each(const store::Store& store, const ListOptions& options, store::Part part,
                       const store::SummaryVisitor& take) {
  const auto last = static_cast<std::size_t>(std::max(0, options.last));
  if (!options.failed) return store.visit({options.study, part, last}, take);
  std::deque<record::Summary> failed;
  const auto read = store.visit({options.study, part, 0}, [&](const record::Summary& s) {
    if (record::successful(s.end)) return;
    failed.push_back(s);
    if (last > 0 && failed.size() > last) failed.pop_front();
  });
  std::for_each(failed.begin(), failed.end(), take);
  return read;
}

int list(const Context& context, const ListOptions& options) {
  const auto store = store::Store::open(context.store, store::Store::Mode::read);
  if (!store) return tell(store.error());
  if (!options.study.empty()) {
    if (const auto known = study_meant(*store, options.study); !known) return tell(known.error());
  }
  if (context.json) {
    nlohmann::json all = nlohmann::json::array();
    const auto told = tell_each(*store, options, store::Part::whole, [&](const auto& s) { all.push_back(as_json(s)); });
    return told ? give(context, all) : tell(told.error());
  }
  RunTable table;
  const auto told = tell_each(*store, options, store::Part::listed, [&](const auto& s) { table.add(s); });
  if (!told) return tell(told.error());
  if (table.empty()) return give(context, std::string("no runs\n"));
  return give(context, table.text(context.output.empty() && wants_colour(STDOUT_FILENO)));
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
