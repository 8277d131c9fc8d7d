// wattle metrics: every quantity that Wattle tells, with its unit and meaning. docs/metrics.md is its output.
#include <fmt/format.h>

#include <array>
#include <nlohmann/json.hpp>

#include "base/text.h"
#include "cli/context.h"
#include "energy/telemetry.h"
#include "meter/exposition.h"

namespace wattle::cli {
namespace {

using energy::Gauge;

// Keys of JSON results and columns of the store and of CSV. What a reader of one asks first.
const std::vector<Gauge>& energy_quantities() {
  static const std::vector<Gauge> kQuantities{
      {"energy_j", "J", "energy of one domain, or of a total, in the window (gross)"},
      {"measured_energy_j", "J",
       "the run's energy from counters and integrated power alone; absent where nothing measures"},
      {"estimated_energy_j", "J",
       "the run's energy from models, shares and constants alone; never part of the measured"},
      {"idle_j", "J", "what the domain would have used anyway: idle power by time"},
      {"net_j", "J", "gross less idle"},
      {"mean_power_w", "W", "energy by time"},
      {"peak_power_w", "W", "the highest mean power over 100 ms"},
      {"coverage", "1", "part of the window inside valid sample intervals, 0 to 1"},
      {"uncertainty", "1", "relative half-width of about 95 %: edges, gain and gaps (measurement.md)"},
      {"co2e_g", "g", "greenhouse gas of the energy, by the location-based average of a country's grid"},
      {"duration_s", "s", "from the start of the program to its end"},
      {"user_cpu_s, system_cpu_s", "s", "CPU time of the whole process tree"},
      {"peak_resident_bytes", "B", "of the largest process of the tree"}};
  return kQuantities;
}

struct Exposed {
  std::string name;
  std::string type;
  std::string help;
};

// From the exposition of a monitor that knows nothing yet: every metric has its HELP and TYPE there.
std::vector<Exposed> exposed() {
  std::vector<Exposed> all;
  for (const std::string& line : split(meter::exposition({}, "0"), '\n')) {
    const auto words = split(line, ' ');
    if (words.size() < 4 || words[0] != "#") continue;
    if (words[1] == "HELP") {
      const auto text = line.find(words[2]) + words[2].size() + 1;
      all.push_back({words[2], {}, line.substr(text)});
    } else if (!all.empty()) {
      all.back().type = words[3];
    }
  }
  return all;
}

std::string table_of(const std::vector<Gauge>& gauges) {
  std::string text = "| Name | Unit | Meaning |\n|---|---|---|\n";
  for (const Gauge& gauge : gauges) text += fmt::format("| `{}` | {} | {} |\n", gauge.name, gauge.unit, gauge.meaning);
  return text;
}

std::string as_markdown() {
  std::string text =
      "# Metrics\n\nEvery quantity that Wattle tells. Made by `wattle metrics`; a test compares. What is not known is "
      "absent,\nnever 0. [measurement.md](measurement.md) says how energy comes about.\n";
  text += "\n## Energy and time\n\nKeys of JSON results, columns of the store and of CSV.\n\n" +
          table_of(energy_quantities());
  text +=
      "\n## Telemetry\n\nRead once a second beside every run (`telemetry.jsonl`), and told as mean and maximum over "
      "the "
      "run.\n\n" +
      table_of(energy::known_gauges());
  text +=
      "\n## Prometheus\n\nOf `wattle monitor --listen`, at `/metrics`.\n\n| Name | Type | Meaning |\n|---|---|---|\n";
  for (const Exposed& one : exposed()) text += fmt::format("| `{}` | {} | {} |\n", one.name, one.type, one.help);
  return text;
}

nlohmann::json as_json() {
  const auto list = [](const std::vector<Gauge>& gauges) {
    nlohmann::json all = nlohmann::json::array();
    for (const Gauge& gauge : gauges) {
      all.push_back({{"name", gauge.name}, {"unit", gauge.unit}, {"meaning", gauge.meaning}});
    }
    return all;
  };
  nlohmann::json prometheus = nlohmann::json::array();
  for (const Exposed& one : exposed()) {
    prometheus.push_back({{"name", one.name}, {"type", one.type}, {"meaning", one.help}});
  }
  return {
      {"energy", list(energy_quantities())}, {"telemetry", list(energy::known_gauges())}, {"prometheus", prometheus}};
}

}  // namespace

void add_metrics(CLI::App& app, Context& context, Chosen& chosen) {
  CLI::App* sub = app.add_subcommand("metrics", "List every quantity that Wattle tells, with unit and meaning");
  sub->footer("Example:\n  wattle metrics --json");
  sub->callback([&context, &chosen] {
    chosen = [&context] { return context.json ? give(context, as_json()) : give(context, as_markdown()); };
  });
}

}  // namespace wattle::cli
