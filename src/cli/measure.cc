// wattle measure -- COMMAND: the energy of one command, its streams and exit code passed through.
#include "meter/measure.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <filesystem>
#include <nlohmann/json.hpp>

#include "base/text.h"
#include "cli/context.h"
#include "footprint/grid.h"
#include "meter/owner.h"
#include "report/table.h"
#include "study/ledger.h"

namespace wattle::cli {
namespace {

using meter::DomainEnergy;
using meter::Measurement;
using meter::TotalEnergy;
using nlohmann::json;

struct Asked {
  std::string interval = "100ms";
  std::string trace;
  std::string ledger;
  int repetitions = 1;
  int warm_ups = 0;
  bool baseline = false;
  std::string country;
};

struct Told {
  std::optional<meter::Idle> idle;
  std::optional<footprint::Grid> grid;
  std::optional<int> other;  // process that measures this machine too
};

template <class Quantity>
json number(const std::optional<Quantity>& value) {
  return value ? json(value->value) : json();
}

// --- JSON ------------------------------------------------------------------------------------------------

// By what a domain is shared out.
const char* use_of(const DomainEnergy& d) {
  return d.domain.kind == energy::DomainKind::gpu ? "GPU busy time" : "CPU time";
}

json domain_json(const DomainEnergy& d) {
  json item{{"domain", d.domain.name},
            {"source", d.domain.source},
            {"kind", energy::to_string(d.domain.kind)},
            {"provenance", energy::to_string(d.domain.provenance)},
            {"simulated", d.domain.simulated},
            {"coverage", d.gross.coverage},
            {"uncertainty", d.gross.uncertainty},
            {"why_absent", d.gross.why_absent},
            {"idle_j", number(d.idle)},
            {"net_j", number(d.net)},
            {"net_uncertainty_j", d.net ? json(d.net_uncertainty.value) : json()},
            {"mean_power_w", number(d.mean)},
            {"peak_power_w", number(d.peak)}};
  if (d.attribution && d.attribution->why_absent.empty()) {
    const energy::Share& own = d.attribution->consumers.front();
    item["attributed"] = {{"method", use_of(d)},
                          {"run_j", to_joules(own.active).value},
                          {"run_least_j", to_joules(own.least).value},
                          {"run_most_j", to_joules(own.most).value},
                          {"others_j", to_joules(d.attribution->others.active).value},
                          {"idle_j", to_joules(d.attribution->idle).value},
                          {"unknown_j", to_joules(d.attribution->unknown).value},
                          {"coverage", d.attribution->coverage}};
  }
  if (d.check) {
    item["integral_over_counter"] = d.check->ratio ? json(*d.check->ratio) : json();
    item["integral_suspicious"] = d.check->suspicious;
  }
  item["energy_j"] = d.gross.energy ? json(to_joules(*d.gross.energy).value) : json();
  return item;
}

json total_json(const TotalEnergy& total, const std::optional<footprint::Grid>& grid) {
  json item{{"coverage", total.gross.coverage},     {"uncertainty", total.gross.uncertainty},
            {"why_absent", total.gross.why_absent}, {"idle_j", number(total.idle)},
            {"net_j", number(total.net)},           {"mean_power_w", number(total.mean)}};
  item["energy_j"] = total.gross.energy ? json(to_joules(*total.gross.energy).value) : json();
  if (grid && total.gross.energy) item["co2e_g"] = footprint::grams_co2e(to_joules(*total.gross.energy), *grid);
  return item;
}

json telemetry_json(const record::Record& record) {
  json measures = json::object();
  for (const energy::Measure& one : record.measures) {
    measures[one.name] = {{"unit", one.unit}, {"mean", one.mean}, {"maximum", one.maximum}, {"readings", one.readings}};
  }
  return measures;
}

json measurement_json(const Measurement& measurement, const std::optional<footprint::Grid>& grid) {
  const record::Record& record = measurement.record;
  json domains = json::array();
  for (const DomainEnergy& d : measurement.domains) domains.push_back(domain_json(d));
  json item{{"command", record.request.arguments},
            {"domains", domains},
            {"measured", total_json(measurement.measured, grid)},
            {"estimated", total_json(measurement.estimated, grid)},
            {"missing_domains", record.missing_domains},
            {"flags", record.flags},
            {"lost", measurement.lost},
            {"telemetry", telemetry_json(record)},
            {"user_cpu_s", record.resources.user_cpu.value},
            {"system_cpu_s", record.resources.system_cpu.value},
            {"peak_resident_bytes", record.resources.peak_resident_bytes}};
  item["duration_s"] = record.duration ? json(to_seconds(*record.duration).value) : json();
  item["exit_code"] = record.exit_code ? json(*record.exit_code) : json();
  item["signal"] = record.signal ? json(*record.signal) : json();
  return item;
}

json repeated_json(const std::vector<double>& values) {
  const meter::Repeated summary = meter::repeated(values);
  return {{"n", summary.n},
          {"mean", summary.n > 0 ? json(summary.mean) : json()},
          {"standard_deviation", summary.standard_deviation ? json(*summary.standard_deviation) : json()},
          {"half_width_95", summary.half_width ? json(*summary.half_width) : json()}};
}

std::vector<double> energies(const std::vector<Measurement>& runs, record::Total record::Record::*which) {
  std::vector<double> values;
  for (const Measurement& run : runs) {
    const auto& energy = (run.record.*which).energy;
    if (energy) values.push_back(to_joules(*energy).value);
  }
  return values;
}

std::vector<double> durations(const std::vector<Measurement>& runs) {
  std::vector<double> values;
  for (const Measurement& run : runs) {
    if (run.record.duration) values.push_back(to_seconds(*run.record.duration).value);
  }
  return values;
}

json as_json(const std::vector<Measurement>& runs, const Told& told) {
  json all = measurement_json(runs.back(), told.grid);
  if (told.grid) {
    all["grid"] = {{"country", told.grid->country},
                   {"g_per_kwh", told.grid->grams_per_kwh},
                   {"year", told.grid->year},
                   {"method", "location-based average"},
                   {"source", footprint::kGridSource}};
  }
  if (told.idle) {
    all["idle"] = {{"measured_wall_ns", told.idle->measured_wall.value},
                   {"listened_s", to_seconds(told.idle->listened).value},
                   {"busy", told.idle->busy ? json(*told.idle->busy) : json()}};
  }
  all["other_measurement_pid"] = told.other ? json(*told.other) : json();
  if (runs.size() > 1) {
    json each = json::array();
    for (const Measurement& run : runs) each.push_back(measurement_json(run, told.grid));
    all["repetitions"] = std::move(each);
    all["over_repetitions"] = {{"measured_energy_j", repeated_json(energies(runs, &record::Record::measured))},
                               {"estimated_energy_j", repeated_json(energies(runs, &record::Record::estimated))},
                               {"duration_s", repeated_json(durations(runs))}};
  }
  return all;
}

// --- Text ------------------------------------------------------------------------------------------------

template <class Quantity>
std::string shown(const std::optional<Quantity>& value) {
  return value ? human(*value) : "–";
}

std::string human_mass(double grams) {
  static constexpr std::array<std::pair<double, const char*>, 3> kUnits{{{1e3, "kg"}, {1.0, "g"}, {1e-3, "mg"}}};
  for (const auto& [unit, name] : kUnits) {
    if (grams >= unit) return fmt::format("{} {}", significant(grams / unit, 3), name);
  }
  return fmt::format("{} µg", significant(grams * 1e6, 3));
}

std::string source_text(const DomainEnergy& d) {
  std::string text = d.domain.source;
  const std::string_view provenance = energy::to_string(d.domain.provenance);
  if (text.find(provenance) == std::string::npos) text += fmt::format(", {}", provenance);
  if (d.gross.energy) text += fmt::format("  ±{} %", significant(100.0 * d.gross.uncertainty, 2));
  if (d.check && d.check->ratio) {
    text += fmt::format("; integral of power {:+.1f} %{}", 100.0 * (*d.check->ratio - 1.0),
                        d.check->suspicious ? " (!)" : "");
  }
  if (d.domain.simulated) text += "  simulated";
  return text;
}

// Only where something else ran beside the command: alone, the domain's energy says it all.
std::string shares_text(const DomainEnergy& d) {
  static constexpr double kWorthTelling = 0.05;
  if (!d.attribution || !d.attribution->why_absent.empty() || d.attribution->coverage < 0.5) return {};
  const energy::Share& own = d.attribution->consumers.front();
  const double others = to_joules(d.attribution->others.active).value;
  if (others < kWorthTelling * to_joules(d.attribution->total).value) return {};
  return fmt::format("attributed by {}: {} to the command [{}, {}], {} to others, {} idle", use_of(d),
                     human(to_joules(own.active)), human(to_joules(own.least)), human(to_joules(own.most)),
                     human(Joules{others}), human(to_joules(d.attribution->idle)));
}

void add_total(report::Table& table, const char* name, const TotalEnergy& total, bool with_idle, const Told& told) {
  if (!total.gross.energy) return;
  const Joules energy = to_joules(*total.gross.energy);
  std::string note = fmt::format("±{} %, coverage {} %", significant(100.0 * total.gross.uncertainty, 2),
                                 significant(100.0 * total.gross.coverage, 3));
  if (told.grid) {
    note += fmt::format("  {} CO2e", human_mass(footprint::grams_co2e(energy, *told.grid)));
  }
  std::vector<report::Cell> row{{name, report::Tone::strong}, {human(energy), report::Tone::strong}};
  if (with_idle) row.insert(row.end(), {{shown(total.idle)}, {shown(total.net)}});
  row.insert(row.end(), {{shown(total.mean)}, {""}, {note}});
  table.add_row(row);
}

bool any_idle(const Measurement& measurement) {
  return std::any_of(measurement.domains.begin(), measurement.domains.end(),
                     [](const DomainEnergy& d) { return d.idle.has_value(); });
}

std::string table_text(const Measurement& measurement, const Told& told, bool colour) {
  using report::Align;
  const bool with_idle = any_idle(measurement);
  std::vector<report::Column> columns{{"", Align::left, false}, {"energy", Align::right, false}};
  if (with_idle) columns.insert(columns.end(), {{"idle", Align::right, false}, {"net", Align::right, false}});
  columns.insert(columns.end(),
                 {{"mean", Align::right, false}, {"peak", Align::right, false}, {"source", Align::left, true}});
  report::Table table(std::move(columns));
  for (const DomainEnergy& d : measurement.domains) {
    const auto gross = d.gross.energy ? std::optional(to_joules(*d.gross.energy)) : std::nullopt;
    std::vector<report::Cell> row{{d.domain.name}, {shown(gross)}};
    if (with_idle) row.insert(row.end(), {{shown(d.idle)}, {shown(d.net)}});
    row.insert(row.end(), {{shown(d.mean)}, {shown(d.peak)}, {source_text(d)}});
    table.add_row(row);
    if (!gross) table.add_note({d.gross.why_absent, report::Tone::dim});
    if (const std::string shares = shares_text(d); !shares.empty()) table.add_note({shares, report::Tone::dim});
  }
  add_total(table, "measured", measurement.measured, with_idle, told);
  add_total(table, "estimated", measurement.estimated, with_idle, told);
  return table.render(80, colour);
}

std::string repetitions_text(const std::vector<Measurement>& runs) {
  std::string text;
  const auto line = [&](const char* name, const std::vector<double>& values, auto show) {
    const meter::Repeated summary = meter::repeated(values);
    if (summary.n < 2) return;
    text += fmt::format("{:<10}{} ± {} (95 %), sd {} %, n = {}\n", name, show(summary.mean),
                        summary.half_width ? show(*summary.half_width) : "–",
                        significant(100.0 * summary.standard_deviation.value_or(0.0) / summary.mean, 2), summary.n);
  };
  const auto joules = [](double value) { return human(Joules{value}); };
  line("measured", energies(runs, &record::Record::measured), joules);
  line("estimated", energies(runs, &record::Record::estimated), joules);
  line("time", durations(runs), [](double value) { return human(Seconds{value}); });
  return text.empty() ? text : "over the repetitions\n" + text;
}

std::string as_text(const std::vector<Measurement>& runs, const Told& told, bool colour) {
  const Measurement& last = runs.back();
  const record::Record& record = last.record;
  std::string text = last.domains.empty() ? "no energy: no source could be read\n" : table_text(last, told, colour);
  if (record.duration) text += human(to_seconds(*record.duration));
  text +=
      fmt::format("   CPU {}   peak memory {} MiB\n", human(record.resources.user_cpu + record.resources.system_cpu),
                  record.resources.peak_resident_bytes >> 20);
  if (runs.size() > 1) text += repetitions_text(runs);
  for (const std::string& missing : record.missing_domains) text += report::wrapped("lacks " + missing, 80);
  if (told.idle && told.idle->disturbed()) {
    text +=
        report::wrapped(fmt::format("! the machine was {:.0f} % busy while it was listened to: idle is too high, net "
                                    "too low",
                                    100.0 * *told.idle->busy),
                        80);
  }
  if (any_idle(last)) {
    text += report::wrapped(fmt::format("idle: mean over {} of {}", human(to_seconds(told.idle->listened)),
                                        local_time(told.idle->measured_wall)),
                            80);
  }
  if (told.grid) {
    text += report::wrapped(fmt::format("CO2e: location-based average of {}, {} g/kWh ({}); {}", told.grid->name,
                                        told.grid->grams_per_kwh, told.grid->year, footprint::kGridSource),
                            80);
  }
  if (told.other) {
    text +=
        report::wrapped(fmt::format("! process {} measured this machine too: both counted all of it, so their joules "
                                    "must not be added up",
                                    *told.other),
                        80);
  }
  if (!last.lost.empty()) text += report::wrapped("! " + last.lost, 80);
  if (last.estimated.gross.energy && !last.measured.gross.energy) {
    text += report::wrapped("! energy is estimated here, not measured: compare times", 80);
  }
  return text;
}

// --- Doing it ----------------------------------------------------------------------------------------------

int exit_of(const record::Record& record) {
  if (record.exit_code) return *record.exit_code;
  if (record.signal) return 128 + *record.signal;
  if (record.end == record::EndState::interrupted) return exit_code(ErrorKind::interrupted);
  return exit_code(ErrorKind::environment);
}

Result<Told> told_before(const Context& context, const Asked& asked, Clock& clock, const std::stop_token& stop) {
  Told told;
  if (!asked.country.empty()) {
    told.grid = footprint::find_grid(asked.country);
    if (!told.grid) {
      std::vector<std::string> codes;
      for (const footprint::Grid& grid : footprint::grids()) codes.emplace_back(grid.country);
      return fail(ErrorKind::bad_input, fmt::format("--country {}: not in the table", printable(asked.country)),
                  "there are " + join(codes, " "));
    }
  }
  if (!asked.baseline) {
    const auto kept = meter::load_idle(context.idle_file(), record::machine_fingerprint(context.sysroot));
    if (kept) told.idle = *kept;
    return told;
  }
  note(fmt::format("wattle: listening to the idle machine for {}", human(to_seconds(meter::kIdleListening))));
  auto idle = meter::measure_idle(context.probe_options(), clock, meter::kIdleListening, stop);
  if (!idle) return tl::unexpected(idle.error());
  told.idle = *std::move(idle);
  return told;
}

Result<meter::MeasureOptions> options_of(const Context& context, const Asked& asked) {
  meter::MeasureOptions options;
  options.runner = context.runner_options();
  options.repetitions = asked.repetitions;
  options.warm_ups = asked.warm_ups;
  const auto period = parse_duration(asked.interval);
  if (!period || *period < milliseconds(1) || *period > seconds(60)) {
    return fail(ErrorKind::bad_input,
                fmt::format("--interval {}: a duration from 1ms to 60s is needed", printable(asked.interval)),
                "for example --interval 100ms");
  }
  options.interval = *period;
  return options;
}

// A command that failed has made nothing, and joules that nobody knows are not written.
Result<void> keep_ledger(const std::string& weights, const Measurement& last) {
  if (exit_of(last.record) != 0) return {};
  std::error_code code;
  if (!std::filesystem::is_regular_file(weights, code)) {
    return fail(ErrorKind::bad_input, fmt::format("--ledger {}: the command left no such file", printable(weights)),
                "give the weights that it saves");
  }
  if (!last.ledger.energy) {
    return fail(ErrorKind::environment, "no ledger was written, for there is no energy",
                "`wattle doctor` says which sources there are");
  }
  return study::write_ledger(weights, {last.ledger});
}

int measure(const Context& context, const Asked& asked) {
  if (context.command.empty()) {
    return tell({ErrorKind::bad_input, "measure what? no command was given", "wattle measure -- COMMAND …"});
  }
  auto options = options_of(context, asked);
  if (!options) return tell(options.error());
  Signals signals({});
  std::stop_source stop;
  // Somebody else's command has no next run to wait for: the first ^C ends it.
  const std::stop_callback first(signals.after_run.get_token(), [&] { stop.request_stop(); });
  SystemClock clock;
  const meter::Owner owner(context.sysroot);
  auto told = told_before(context, asked, clock, stop.get_token());
  if (!told) return tell(told.error());
  told->other = owner.other();
  options->idle = told->idle;
  const auto runs = meter::measure(context.command, *options, clock, stop.get_token());
  if (!runs) return tell(runs.error());
  const record::Record& last = runs->back().record;
  if (!last.exit_code && !last.signal && !last.reason.empty()) note("wattle: " + last.reason);
  if (!asked.trace.empty()) {
    if (const auto kept = write_text(asked.trace, meter::trace_csv(runs->back().trace)); !kept) {
      return tell(kept.error());
    }
  }
  if (!asked.ledger.empty()) {
    if (const auto kept = keep_ledger(asked.ledger, runs->back()); !kept) return tell(kept.error());
  }
  int written = 0;
  if (context.json || !context.output.empty()) {
    written = give(context, as_json(*runs, *told));
  } else {
    // The command owns stdout: the table goes where it cannot be mistaken for its output.
    fmt::print(stderr, "{}", as_text(*runs, *told, wants_colour(2)));
  }
  return written != 0 ? written : exit_of(last);
}

}  // namespace

void add_measure(CLI::App& app, Context& context, Chosen& chosen) {
  CLI::App* sub = app.add_subcommand("measure", "Measure the energy of one command");
  auto asked = std::make_shared<Asked>();
  sub->add_option("--interval", asked->interval, "Time between samples")->type_name("DURATION")->capture_default_str();
  sub->add_option("--trace", asked->trace, "Write the samples as CSV, which --probe replay:FILE reads")
      ->type_name("FILE");
  sub->add_option("--ledger", asked->ledger,
                  "Weights that the command saves: FILE.ledger.json beside them will say what they cost")
      ->type_name("FILE");
  sub->add_option("--repeat", asked->repetitions, "Run it so often, and tell the spread")
      ->type_name("N")
      ->check(CLI::Range(1, 100'000))
      ->capture_default_str();
  sub->add_option("--warmup", asked->warm_ups, "Run it so often before, untold")
      ->type_name("N")
      ->check(CLI::Range(0, 100'000))
      ->capture_default_str();
  sub->add_flag("--baseline", asked->baseline,
                "Listen to the idle machine for 30 s first (otherwise what `wattle doctor` heard last is used)");
  sub->add_option("--country", asked->country, "Tell CO2e too, by this country's grid (FR, US, …)")->type_name("XX");
  sub->prefix_command();
  sub->footer(
      "The command's output and exit code pass through; the table goes to stderr, JSON (--json) to stdout or "
      "--output.\n"
      "Energy is the machine's while the command ran; idle is what it draws anyway, net the rest.\n"
      "Examples:\n  wattle measure -- ./train.sh\n  wattle measure --repeat 5 --warmup 1 --country FR -- python3 "
      "train.py\n  wattle measure --interval 20ms --trace run.csv --output run.json -- python3 train.py");
  sub->callback([&context, &chosen, asked, sub] {
    if (context.command.empty()) context.command = sub->remaining();
    chosen = [&context, asked] { return measure(context, *asked); };
  });
}

}  // namespace wattle::cli
