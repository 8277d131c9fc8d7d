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

nlohmann::json as_json(const meter::Diagnosis& diagnosis) {
  nlohmann::json probes = nlohmann::json::array();
  for (const meter::ProbeReport& probe : diagnosis.probes) {
    nlohmann::json domains = nlohmann::json::array();
    for (const energy::Domain& domain : probe.domains) {
      domains.push_back({{"domain", domain.name},
                         {"kind", energy::to_string(domain.kind)},
                         {"provenance", energy::to_string(domain.provenance)},
                         {"gain_uncertainty", domain.gain_uncertainty}});
    }
    probes.push_back({{"probe", probe.name},
                      {"status", word(probe.status)},
                      {"reason", probe.reason},
                      {"fix", probe.fix},
                      {"proven", probe.proven},
                      {"domains", domains},
                      {"missing", probe.missing}});
  }
  nlohmann::json machine = nlohmann::json::array();
  for (const meter::MachineFact& fact : diagnosis.machine) {
    machine.push_back(
        {{"name", fact.name}, {"value", fact.value}, {"verdict", word(fact.verdict)}, {"advice", fact.advice}});
  }
  return {{"probes", probes}, {"machine", machine}, {"measures", diagnosis.measures}, {"verdict", diagnosis.verdict}};
}

std::string as_text(const meter::Diagnosis& diagnosis, bool colour) {
  using Tone = report::Tone;
  report::Table table({{"", report::Align::left, false},
                       {"", report::Align::left, false},
                       {"", report::Align::left, false},
                       {"", report::Align::left, true}});
  const char* section = "energy";
  for (const meter::ProbeReport& probe : diagnosis.probes) {
    const Tone tone = probe.status == energy::Found::Status::found    ? Tone::good
                      : probe.status == energy::Found::Status::denied ? Tone::bad
                                                                      : Tone::dim;
    table.add_row({{section}, {probe.name}, report::Cell{word(probe.status), tone}});
    if (!probe.reason.empty()) table.add_note({probe.reason}, 10);
    if (!probe.fix.empty()) table.add_note({"fix: " + probe.fix}, 10);
    for (const std::string& missing : probe.missing) table.add_note({"lacks " + missing}, 10);
    section = "";
  }
  section = "machine";
  for (const meter::MachineFact& fact : diagnosis.machine) {
    using Verdict = meter::MachineFact::Verdict;
    const char* sign = fact.verdict == Verdict::good ? "✓" : fact.verdict == Verdict::disturbs ? "!" : "?";
    const Tone tone = fact.verdict == Verdict::disturbs ? Tone::bad : Tone::plain;
    table.add_row({{section}, {fact.name}, report::Cell{sign, tone}, {fact.value}});
    if (!fact.advice.empty()) table.add_note({fact.advice}, 10);
    section = "";
  }
  return table.render(80, colour) + report::wrapped(diagnosis.verdict, 80, "verdict   ");
}

int doctor(const Context& context, bool quick) {
  if (!quick) {
    return tell({ErrorKind::bad_input, "only the quick look exists: idle power and repeatability are not measured",
                 "wattle doctor --quick"});
  }
  SystemClock clock;
  const meter::Diagnosis diagnosis = meter::diagnose(context.probe_options(), clock, milliseconds(500));
  if (context.json) return give(context, as_json(diagnosis));
  return give(context, as_text(diagnosis, context.output.empty() && wants_colour(STDOUT_FILENO)));
}

}  // namespace

void add_doctor(CLI::App& app, Context& context, Chosen& chosen) {
  CLI::App* sub = app.add_subcommand("doctor", "Say what this machine can measure and what disturbs it");
  auto quick = std::make_shared<bool>(false);
  sub->add_flag("--quick", *quick, "Look, without waiting for idle power");
  sub->footer("Example:\n  wattle doctor --quick");
  sub->callback([&context, &chosen, quick] { chosen = [&context, quick] { return doctor(context, *quick); }; });
}

}  // namespace wattle::cli
