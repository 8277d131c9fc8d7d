#include "meter/exposition.h"

#include <fmt/format.h>

#include "base/text.h"

namespace wattle::meter {
namespace {

std::string escaped(std::string_view value) {
  std::string text;
  for (const char c : value) {
    if (c == '\\') {
      text += "\\\\";
    } else if (c == '"') {
      text += "\\\"";
    } else if (c == '\n') {
      text += "\\n";
    } else {
      text += c;
    }
  }
  return text;
}

std::string labels(const energy::Domain& domain) {
  return fmt::format(R"({{domain="{}",kind="{}",provenance="{}",source="{}"}})", escaped(domain.name),
                     energy::to_string(domain.kind), energy::to_string(domain.provenance), escaped(domain.source));
}

std::string head(std::string_view metric, std::string_view type, std::string_view help) {
  return fmt::format("# HELP {} {}\n# TYPE {} {}\n", metric, help, metric, type);
}

std::string one(std::string_view metric, std::string_view type, std::string_view help, std::int64_t value) {
  return head(metric, type, help) + fmt::format("{} {}\n", metric, value);
}

}  // namespace

std::string exposition(const MonitorNow& now, std::string_view version) {
  std::string text = head("wattle_energy_joules_total", "counter",
                          "Energy since the monitor began. Domains overlap: a package contains its cores, a wall "
                          "meter everything. Never add what is measured (provenance counter, integrated_power) to "
                          "what is estimated.");
  for (const DomainNow& d : now.domains) {
    if (!d.energy) continue;
    text += fmt::format("wattle_energy_joules_total{} {}.{:06}\n", labels(d.domain), d.energy->value / 1'000'000,
                        d.energy->value % 1'000'000);
  }
  text += head("wattle_power_watts", "gauge",
               "Mean power over the last second, or interval. No sample: it is not known now.");
  for (const DomainNow& d : now.domains) {
    if (d.power) text += fmt::format("wattle_power_watts{} {}\n", labels(d.domain), shortest(d.power->value));
  }
  text += head("wattle_readings_failed_total", "counter", "Readings that gave nothing: their intervals are gaps.");
  for (const DomainNow& d : now.domains) {
    text += fmt::format("wattle_readings_failed_total{} {}\n", labels(d.domain), d.failures);
  }
  text += one("wattle_sampler_rounds_total", "counter", "Reads of energy probes, all together.", now.reads);
  text += one("wattle_sampler_dropped_total", "counter", "Reads that came more than one period late.", now.dropped);
  text += head("wattle_build_info", "gauge", "Which wattle this is.");
  return text + fmt::format("wattle_build_info{{version=\"{}\"}} 1\n", escaped(version));
}

}  // namespace wattle::meter
