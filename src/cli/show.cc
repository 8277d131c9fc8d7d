// wattle show RUN: all that is known of one run.
#include <fmt/format.h>
#include <unistd.h>

#include <nlohmann/json.hpp>

#include "base/text.h"
#include "cli/context.h"
#include "cli/trace_csv.h"
#include "energy/trace.h"
#include "record/until_epoch.h"
#include "report/table.h"

namespace wattle::cli {
namespace {

struct ShowOptions {
  std::string run;
  bool log = false;
  bool trace = false;
};

std::string total_text(const record::Total& total) {
  if (!total.energy) return fmt::format("absent ({})", total.why_absent);
  return fmt::format("{} ±{:.1f} %, coverage {:.1f} %", human(to_joules(*total.energy)), 100.0 * total.uncertainty,
                     100.0 * total.coverage);
}

std::string facts(const record::Record& record) {
  const study::RunRequest& request = record.request;
  std::string text = fmt::format("run {}   attempt {}\n", request.key, record.attempt);
  text += fmt::format("{}   {} · {} · block {} · seed {}\n", local_time(record.started_wall), printable(request.study),
                      printable(request.configuration.label), request.block, request.training_seed);
  text += fmt::format("ended {}", record::to_string(record.end));
  if (!record.reason.empty()) text += fmt::format(": {}", printable(record.reason));
  if (record.duration) text += fmt::format("   after {}", human(to_seconds(*record.duration)));
  text += fmt::format("   CPU {}\n", human(record.resources.user_cpu + record.resources.system_cpu));
  if (const auto reached = record::performance(record)) {
    text += fmt::format("{} {} ({})\n", printable(request.metric.name), significant(reached->value, 5),
                        record::to_string(reached->split));
  }
  text += fmt::format("measured energy   {}\n", total_text(record.measured));
  text += fmt::format("estimated energy  {}\n", total_text(record.estimated));
  for (const std::string& missing : record.missing_domains) text += fmt::format("lacks {}\n", printable(missing));
  for (const std::string& flag : record.flags) text += fmt::format("flag  {}\n", printable(flag));
  text += fmt::format("command  {}\n", printable(shell_quoted(request.arguments)));
  for (const auto& [name, value] : record.fingerprint) {
    text += fmt::format("{}  {}\n", printable(name), printable(value));
  }
  return text;
}

std::string windows_table(const record::Record& record, bool colour) {
  std::vector<report::Column> columns{{"window", report::Align::left, true},
                                      {"epoch", report::Align::right, false},
                                      {"begin", report::Align::right, false},
                                      {"time", report::Align::right, false}};
  for (const energy::Domain& domain : record.domains) {
    columns.push_back({domain.name + (energy::measured(domain.provenance) ? "" : " est."), report::Align::right, true});
  }
  report::Table table(std::move(columns));
  const Nanoseconds origin = record.windows.empty() ? Nanoseconds{} : record.windows.front().window.begin;
  for (const record::MeasuredWindow& measured : record.windows) {
    const energy::Window& window = measured.window;
    if (window.name == record::kUntilEpoch) continue;  // what epochs add up to; --json has it
    std::vector<report::Cell> cells{{printable(window.name)},
                                    {window.epoch ? std::to_string(*window.epoch) : ""},
                                    {human(to_seconds(window.begin - origin))},
                                    {human(to_seconds(window.end - window.begin))}};
    std::string why = measured.void_reason;
    for (const energy::WindowEnergy& energy : measured.energies) {
      cells.push_back({energy.energy ? human(to_joules(*energy.energy)) : "–"});
      if (!energy.energy && why.empty()) why = energy.why_absent;
    }
    table.add_row(cells);
    if (!why.empty()) table.add_note(report::Cell{"no energy: " + printable(why), report::Tone::dim});
  }
  return table.render(terminal_width(STDOUT_FILENO), colour);
}

int show(const Context& context, const ShowOptions& options) {
  const auto store = store::Store::open(context.store, store::Store::Mode::read);
  if (!store) return tell(store.error());
  const auto attempt = store->attempt(options.run);
  if (!attempt) return tell(attempt.error());
  if (options.trace) {
    const auto csv = trace_csv(attempt->trace);
    return csv ? give(context, *csv) : tell(csv.error());
  }
  if (options.log) {
    std::string text = attempt->output;
    if (!attempt->error.empty()) text += (text.empty() || text.back() == '\n' ? "" : "\n") + attempt->error;
    return give(context, text);
  }
  if (context.json) return give(context, record::to_json(attempt->record));
  const bool colour = context.output.empty() && wants_colour(STDOUT_FILENO);
  return give(context, facts(attempt->record) + "\n" + windows_table(attempt->record, colour));
}

}  // namespace

Result<std::string> trace_csv(const std::string& bytes) {
  const auto decoded = energy::decode_trace(bytes);
  if (!decoded) return tl::unexpected(decoded.error());
  std::string text = "time_s,domain,cumulative_energy_j,gap_before\n";
  for (const energy::Series& series : decoded->trace.series) {
    for (const energy::Sample& sample : series.samples) {
      text += fmt::format("{:.9f},{},{:.6f},{}\n", to_seconds(sample.time - series.samples.front().time).value,
                          series.domain.name, to_joules(sample.cumulative).value, sample.gap_before ? 1 : 0);
    }
  }
  return text;
}

void add_show(CLI::App& app, Context& context, Chosen& chosen) {
  CLI::App* sub = app.add_subcommand("show", "Show all that is known of one run");
  auto options = std::make_shared<ShowOptions>();
  sub->add_option("run", options->run, "First digits of the run's key (wattle list); .2 for the second attempt")
      ->required()
      ->type_name("RUN");
  sub->add_flag("--log", options->log, "What the program printed");
  sub->add_flag("--trace", options->trace, "The energy samples as CSV");
  sub->footer("Examples:\n  wattle show 3f2a\n  wattle show 3f2a --log\n  wattle show 3f2a --trace --output trace.csv");
  sub->callback([&context, &chosen, options] { chosen = [&context, options] { return show(context, *options); }; });
}

}  // namespace wattle::cli
