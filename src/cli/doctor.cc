// wattle doctor: what this machine can measure and what disturbs it.
#include "meter/doctor.h"

#include <fmt/format.h>
#include <unistd.h>

#include <nlohmann/json.hpp>

#include "base/text.h"
#include "cli/context.h"
#include "report/table.h"

namespace wattle::cli {
namespace {

const char* word(energy::Found::Status status) {
  switch (status) {
    case energy::Found::Status::found:
      return "found";
    case energy::Found::Status::denied:
      return "denied";
    case energy::Found::Status::absent:
      break;
  }
  return "absent";
}

const char* word(meter::MachineFact::Verdict verdict) {
  switch (verdict) {
    case meter::MachineFact::Verdict::good:
      return "good";
    case meter::MachineFact::Verdict::disturbs:
      return "disturbs";
    case meter::MachineFact::Verdict::unknown:
      break;
  }
  return "unknown";
}

using nlohmann::json;

json probe_json(const meter::ProbeReport& probe) {
  json domains = json::array();
  for (const energy::Domain& domain : probe.domains) {
    json item{{"domain", domain.name},
              {"kind", energy::to_string(domain.kind)},
              {"provenance", energy::to_string(domain.provenance)},
              {"gain_uncertainty", domain.gain_uncertainty}};
    for (const meter::SourceTiming& timing : probe.timings) {
      if (timing.domain != domain.name) continue;
      item["update_period_s"] = timing.update_period ? json(to_seconds(*timing.update_period).value) : json();
      item["read_cost_s"] = to_seconds(timing.read_cost).value;
    }
    domains.push_back(std::move(item));
  }
  return {{"probe", probe.name}, {"status", word(probe.status)},     {"reason", probe.reason},
          {"fix", probe.fix},    {"fix_lasting", probe.fix_lasting}, {"proven", probe.proven},
          {"domains", domains},  {"missing", probe.missing}};
}

json idle_json(const meter::Idle& idle) {
  json domains = json::array();
  for (const meter::IdlePower& one : idle.domains) {
    domains.push_back(
        {{"domain", one.domain}, {"power_w", one.mean.value}, {"sigma_w", one.sigma.value}, {"windows", one.windows}});
  }
  return {{"listened_s", to_seconds(idle.listened).value}, {"domains", domains}};
}

json control_json(const meter::Repeatability& control) {
  json counters = json::array();
  for (const energy::CounterCheck& one : control.counters) {
    counters.push_back({{"domain", one.domain},
                        {"integral_over_counter", one.ratio ? json(*one.ratio) : json()},
                        {"suspicious", one.suspicious},
                        {"why_absent", one.why_absent}});
  }
  json item{{"runs", control.runs},
            {"estimated", control.estimated},
            {"relative_sd_of_time", control.time_sd},
            {"duration_s", control.length.value},
            {"why_absent", control.why_absent},
            {"counters", counters}};
  item["relative_sd_of_energy"] = control.energy_sd ? json(*control.energy_sd) : json();
  return item;
}

json as_json(const meter::Diagnosis& diagnosis) {
  json probes = json::array();
  for (const meter::ProbeReport& probe : diagnosis.probes) probes.push_back(probe_json(probe));
  json machine = json::array();
  for (const meter::MachineFact& fact : diagnosis.machine) {
    machine.push_back(
        {{"name", fact.name}, {"value", fact.value}, {"verdict", word(fact.verdict)}, {"advice", fact.advice}});
  }
  json all{{"probes", probes},
           {"machine", machine},
           {"measures", diagnosis.measures},
           {"verdict", diagnosis.verdict},
           {"idle", diagnosis.idle ? idle_json(*diagnosis.idle) : json()},
           {"control", diagnosis.control ? control_json(*diagnosis.control) : json()}};
  json tells = json::array();
  for (const meter::Resolution& one : diagnosis.resolutions) {
    tells.push_back({{"difference", one.difference}, {"pairs", one.pairs ? json(*one.pairs) : json()}});
  }
  all["resolutions"] = tells;
  return all;
}

void add_probe(report::Table& table, const char* section, const meter::ProbeReport& probe) {
  using Tone = report::Tone;
  const Tone tone = probe.status == energy::Found::Status::found    ? Tone::good
                    : probe.status == energy::Found::Status::denied ? Tone::bad
                                                                    : Tone::dim;
  table.add_row({{section}, {probe.name}, report::Cell{word(probe.status), tone}});
  if (!probe.reason.empty()) table.add_note({probe.reason}, 10);
  if (!probe.fix.empty()) table.add_note({"fix: " + probe.fix}, 10);
  if (!probe.fix_lasting.empty()) table.add_note({"for good: " + probe.fix_lasting}, 10);
  for (const std::string& missing : probe.missing) table.add_note({"lacks " + missing}, 10);
  for (const meter::SourceTiming& timing : probe.timings) {
    table.add_note({fmt::format("{}: {}, a read takes {}", timing.domain,
                                timing.update_period ? "new every " + human(to_seconds(*timing.update_period))
                                                     : "no update period: " + timing.why_absent,
                                human(to_seconds(timing.read_cost)))},
                   10);
  }
  if (probe.status == energy::Found::Status::found) table.add_note({probe.proven, Tone::dim}, 10);
}

void add_examined(report::Table& table, const meter::Diagnosis& diagnosis) {
  if (diagnosis.idle) {
    const char* section = "idle";
    for (const meter::IdlePower& one : diagnosis.idle->domains) {
      table.add_row({{section},
                     {one.domain},
                     {human(one.mean)},
                     {fmt::format("sd {}, {} windows", human(one.sigma), one.windows)}});
      section = "";
    }
  }
  if (!diagnosis.control) return;
  const meter::Repeatability& control = *diagnosis.control;
  const char* unit = control.estimated ? "energy est." : "energy";
  table.add_row(
      {{"control"},
       {unit},
       {control.energy_sd ? fmt::format("sd {} %", significant(100.0 * *control.energy_sd, 2)) : "–"},
       {control.energy_sd ? fmt::format("{} runs of {}", control.runs, human(control.length)) : control.why_absent}});
  table.add_row({{""}, {"time"}, {fmt::format("sd {} %", significant(100.0 * control.time_sd, 2))}});
  for (const energy::CounterCheck& one : control.counters) {
    table.add_row(
        {{""},
         {one.domain},
         report::Cell{one.suspicious ? "!" : "✓", one.suspicious ? report::Tone::bad : report::Tone::plain},
         {one.ratio ? fmt::format("integral of power / counter = {}", significant(*one.ratio, 3)) : one.why_absent}});
  }
}

std::string as_text(const meter::Diagnosis& diagnosis, bool colour) {
  report::Table table({{"", report::Align::left, false},
                       {"", report::Align::left, false},
                       {"", report::Align::left, false},
                       {"", report::Align::left, true}});
  const char* section = "energy";
  for (const meter::ProbeReport& probe : diagnosis.probes) {
    add_probe(table, section, probe);
    section = "";
  }
  section = "machine";
  for (const meter::MachineFact& fact : diagnosis.machine) {
    using Verdict = meter::MachineFact::Verdict;
    const char* sign = fact.verdict == Verdict::good ? "✓" : fact.verdict == Verdict::disturbs ? "!" : "?";
    const auto tone = fact.verdict == Verdict::disturbs ? report::Tone::bad : report::Tone::plain;
    table.add_row({{section}, {fact.name}, report::Cell{sign, tone}, {fact.value}});
    if (!fact.advice.empty()) table.add_note({fact.advice}, 10);
    section = "";
  }
  add_examined(table, diagnosis);
  return table.render(80, colour) + report::wrapped(diagnosis.verdict, 80, "verdict   ");
}

// Kept for `measure`, which tells net energy by it. What was simulated is nobody's idle power.
void keep_idle(const Context& context, const meter::Diagnosis& diagnosis) {
  for (const meter::ProbeReport& probe : diagnosis.probes) {
    for (const energy::Domain& domain : probe.domains) {
      if (domain.simulated) return;
    }
  }
  const auto kept =
      meter::save_idle(context.idle_file(), *diagnosis.idle, record::machine_fingerprint(context.sysroot));
  if (!kept) note("wattle: idle power is not kept: " + kept.error().message);
}

int doctor(const Context& context, bool quick) {
  Signals signals({});
  std::stop_source stop;
  const std::stop_callback first(signals.after_run.get_token(), [&] { stop.request_stop(); });
  SystemClock clock;
  meter::Diagnosis diagnosis;
  if (quick) {
    diagnosis = meter::diagnose(context.probe_options(), clock, milliseconds(500));
  } else {
    meter::ExaminationOptions how;
    how.control.threads = static_cast<int>(std::max(1U, std::thread::hardware_concurrency()));
    auto examined = meter::examine(context.probe_options(), how, clock, stop.get_token(),
                                   [](const std::string& line) { note("wattle: " + line); });
    if (!examined) return tell(examined.error());
    diagnosis = *std::move(examined);
    keep_idle(context, diagnosis);
  }
  if (context.json) return give(context, as_json(diagnosis));
  return give(context, as_text(diagnosis, context.output.empty() && wants_colour(STDOUT_FILENO)));
}

}  // namespace

void add_doctor(CLI::App& app, Context& context, Chosen& chosen) {
  CLI::App* sub = app.add_subcommand("doctor", "Say what this machine can measure and what disturbs it");
  auto quick = std::make_shared<bool>(false);
  sub->add_flag("--quick", *quick, "Look, without trying: no idle power, no control workload");
  sub->footer(
      "Takes a minute and wants an idle machine. Idle power is kept for `wattle measure`, which tells net energy by "
      "it.\n"
      "Examples:\n  wattle doctor\n  wattle doctor --quick");
  sub->callback([&context, &chosen, quick] { chosen = [&context, quick] { return doctor(context, *quick); }; });
}

}  // namespace wattle::cli
