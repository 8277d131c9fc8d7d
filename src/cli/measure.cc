// wattle measure -- COMMAND: the energy of one command, its streams and exit code passed through.
#include "meter/measure.h"

#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "base/text.h"
#include "cli/context.h"
#include "report/table.h"

namespace wattle::cli {
namespace {

nlohmann::json optional_number(const std::optional<Watts>& value) {
  return value ? nlohmann::json(value->value) : nlohmann::json();
}

nlohmann::json total_json(const record::Total& total) {
  nlohmann::json json{
      {"coverage", total.coverage}, {"uncertainty", total.uncertainty}, {"why_absent", total.why_absent}};
  json["energy_j"] = total.energy ? nlohmann::json(to_joules(*total.energy).value) : nlohmann::json();
  return json;
}

nlohmann::json as_json(const meter::Measurement& measurement) {
  const record::Record& record = measurement.record;
  nlohmann::json domains = nlohmann::json::array();
  for (const meter::DomainEnergy& d : measurement.domains) {
    nlohmann::json item{{"domain", d.domain.name},
                        {"source", d.domain.source},
                        {"provenance", energy::to_string(d.domain.provenance)},
                        {"simulated", d.domain.simulated},
                        {"coverage", d.energy.coverage},
                        {"uncertainty", d.energy.uncertainty},
                        {"why_absent", d.energy.why_absent},
                        {"mean_power_w", optional_number(d.mean)},
                        {"peak_power_w", optional_number(d.peak)}};
    item["energy_j"] = d.energy.energy ? nlohmann::json(to_joules(*d.energy.energy).value) : nlohmann::json();
    domains.push_back(std::move(item));
  }
  nlohmann::json json{{"command", record.request.arguments},
                      {"domains", domains},
                      {"measured", total_json(record.measured)},
                      {"estimated", total_json(record.estimated)},
                      {"missing_domains", record.missing_domains},
                      {"user_cpu_s", record.resources.user_cpu.value},
                      {"system_cpu_s", record.resources.system_cpu.value},
                      {"peak_resident_bytes", record.resources.peak_resident_bytes}};
  json["duration_s"] = record.duration ? nlohmann::json(to_seconds(*record.duration).value) : nlohmann::json();
  json["exit_code"] = record.exit_code ? nlohmann::json(*record.exit_code) : nlohmann::json();
  json["signal"] = record.signal ? nlohmann::json(*record.signal) : nlohmann::json();
  return json;
}

std::string watts(const std::optional<Watts>& power) { return power ? human(*power) : "–"; }

std::string total_line(const char* name, const record::Total& total) {
  if (!total.energy) return {};
  return fmt::format("{}  {} ±{:.1f} %, coverage {:.1f} %\n", name, human(to_joules(*total.energy)),
                     100.0 * total.uncertainty, 100.0 * total.coverage);
}

std::string as_text(const meter::Measurement& measurement) {
  report::Table table({{"", report::Align::left, true},
                       {"energy", report::Align::right, false},
                       {"mean", report::Align::right, false},
                       {"peak", report::Align::right, false},
                       {"source", report::Align::left, true}});
  for (const meter::DomainEnergy& d : measurement.domains) {
    const std::string source =
        fmt::format("{}, {}{}{}", d.domain.source, energy::to_string(d.domain.provenance),
                    d.energy.energy ? fmt::format("   ±{:.1f} %", 100.0 * d.energy.uncertainty) : "",
                    d.domain.simulated ? "   simulated" : "");
    table.add_row({{d.domain.name},
                   {d.energy.energy ? human(to_joules(*d.energy.energy)) : "–"},
                   {watts(d.mean)},
                   {watts(d.peak)},
                   {source}});
    if (!d.energy.energy) table.add_note(report::Cell{d.energy.why_absent, report::Tone::dim});
  }
  const record::Record& record = measurement.record;
  std::string text = table.render(80);
  text += total_line("total measured", record.measured);
  text += total_line("total estimated", record.estimated);
  for (const std::string& missing : record.missing_domains) text += fmt::format("lacks {}\n", printable(missing));
  if (record.duration) text += fmt::format("{}", human(to_seconds(*record.duration)));
  text +=
      fmt::format("   CPU {}   peak memory {} MiB\n", human(record.resources.user_cpu + record.resources.system_cpu),
                  record.resources.peak_resident_bytes >> 20);
  return text;
}

int exit_of(const record::Record& record) {
  if (record.exit_code) return *record.exit_code;
  if (record.signal) return 128 + *record.signal;
  if (record.end == record::EndState::interrupted) return exit_code(ErrorKind::interrupted);
  return exit_code(ErrorKind::environment);
}

int measure(const Context& context, const std::string& interval) {
  if (context.command.empty()) {
    return tell({ErrorKind::bad_input, "measure what? no command was given", "wattle measure -- COMMAND …"});
  }
  meter::MeasureOptions options;
  options.runner = context.runner_options();
  const auto period = parse_duration(interval);
  if (!period || *period < milliseconds(1) || *period > seconds(60)) {
    return tell({ErrorKind::bad_input, fmt::format("--interval {}: a duration from 1ms to 60s is needed", interval),
                 "for example --interval 100ms"});
  }
  options.interval = *period;
  Signals signals({});
  std::stop_source stop;
  // Somebody else's command has no next run to wait for: the first ^C ends it.
  const std::stop_callback first(signals.after_run.get_token(), [&] { stop.request_stop(); });
  SystemClock clock;
  const auto measurement = meter::measure(context.command, options, clock, stop.get_token());
  if (!measurement) return tell(measurement.error());
  if (!measurement->record.exit_code && !measurement->record.signal && !measurement->record.reason.empty()) {
    note("wattle: " + measurement->record.reason);
  }
  int written = 0;
  if (context.json || !context.output.empty()) {
    written = give(context, as_json(*measurement));
  } else {
    // The command owns stdout: the table goes where it cannot be mistaken for its output.
    fmt::print(stderr, "{}", as_text(*measurement));
  }
  return written != 0 ? written : exit_of(measurement->record);
}

}  // namespace

void add_measure(CLI::App& app, Context& context, Chosen& chosen) {
  CLI::App* sub = app.add_subcommand("measure", "Measure the energy of one command");
  auto interval = std::make_shared<std::string>("100ms");
  sub->add_option("--interval", *interval, "Time between samples")->type_name("DURATION")->capture_default_str();
  sub->prefix_command();
  sub->footer(
      "The command's output and exit code pass through; the table goes to stderr, JSON (--json) to stdout or "
      "--output.\n"
      "Examples:\n  wattle measure -- ./train.sh\n  wattle measure --interval 20ms --output run.json -- python3 "
      "train.py");
  sub->callback([&context, &chosen, interval, sub] {
    if (context.command.empty()) context.command = sub->remaining();
    chosen = [&context, interval] { return measure(context, *interval); };
  });
}

}  // namespace wattle::cli
