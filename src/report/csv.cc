#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <concepts>
#include <map>
#include <set>

#include "base/text.h"
#include "report/formats.h"
#include "report/wording.h"

namespace wattle::report {
namespace {

using record::Record;

std::string field(std::optional<double> value) { return value ? shortest(*value) : std::string{}; }
std::string field(double value) { return shortest(value); }
template <std::integral Whole>
std::string field(Whole value) {
  return fmt::format("{}", value);
}

// Energy in J, exact to the microjoule: doubles lose nothing below 9 GJ.
std::string joules(std::optional<Microjoules> energy) {
  return energy ? shortest(to_joules(*energy).value) : std::string{};
}

std::vector<std::string> measure_row(const analysis::Findings& findings, const analysis::MutantFinding& mutant,
                                     const Measure& measure) {
  const analysis::Comparison& comparison = mutant.*measure.comparison;
  const bool energy = measure.comparison == &analysis::MutantFinding::energy;
  std::string basis = measure.ratio ? "measured" : "reported";
  if (energy) basis = to_string(findings.basis);
  return {findings.study,
          mutant.workload,
          mutant.environment,
          mutant.family,
          mutant.configuration,
          mutant.label,
          mutant.parameter,
          mutant.original_value,
          mutant.mutant_value,
          measure.name,
          measure.ratio ? "ratio" : "difference",
          basis,
          field(comparison.pairs),
          field(mutant.failed_pairs),
          field(comparison.estimate),
          field(comparison.low),
          field(comparison.high),
          field(comparison.interval_level),
          field(comparison.p_two_sided),
          field(comparison.p_two_sided_holm),
          field(comparison.p_floor),
          field(comparison.cliffs_delta),
          field(comparison.spread),
          std::string(to_string(comparison.verdict)),
          std::string(to_string(mutant.greener)),
          field(mutant.p_greener_holm),
          mutant.faster_at_no_loss ? "true" : "false",
          field(mutant.p_faster_holm)};
}

// Hyperparameters whose value (or presence) differs between the records, and the column each gets.
std::map<std::string, std::string> varied(std::span<const Record> records, const std::vector<std::string>& taken) {
  std::map<std::string, std::set<std::string>> values;
  std::map<std::string, std::size_t> present;
  for (const Record& record : records) {
    for (const auto& [name, value] : record.request.configuration.hyperparameters) {
      values[name].insert(study::to_text(value));
      ++present[name];
    }
  }
  std::map<std::string, std::string> columns;
  for (const auto& [name, seen] : values) {
    if (seen.size() < 2 && present[name] == records.size()) continue;
    const bool collides = std::find(taken.begin(), taken.end(), name) != taken.end();
    columns[name] = collides ? "parameter_" + name : name;
  }
  return columns;
}

std::string domain_column(const energy::Domain& domain) {
  return (energy::measured(domain.provenance) ? "measured_energy_j:" : "estimated_energy_j:") + domain.name;
}

// Telemetry's mean over the run, with its unit: "mean:cpu_frequency [Hz]".
std::string gauge_column(const energy::Measure& measure) {
  return fmt::format("mean:{}{}", measure.name, measure.unit == "1" ? "" : " [" + measure.unit + "]");
}

std::string gauge_mean(const Record& run, const std::string& column) {
  for (const energy::Measure& measure : run.measures) {
    if (gauge_column(measure) == column) return field(measure.mean);
  }
  return {};
}

constexpr std::array<std::string_view, 30> kRunColumns{"study",
                                                       "workload",
                                                       "run",
                                                       "attempt",
                                                       "configuration",
                                                       "label",
                                                       "block",
                                                       "order",
                                                       "purpose",
                                                       "training_seed",
                                                       "end",
                                                       "reason",
                                                       "exit_code",
                                                       "signal",
                                                       "started",
                                                       "duration_s",
                                                       "metric",
                                                       "metric_value",
                                                       "metric_split",
                                                       "measured_energy_j",
                                                       "measured_coverage",
                                                       "measured_uncertainty",
                                                       "estimated_energy_j",
                                                       "estimated_coverage",
                                                       "estimated_uncertainty",
                                                       "simulated",
                                                       "user_cpu_s",
                                                       "system_cpu_s",
                                                       "peak_resident_bytes",
                                                       "flags"};

std::vector<std::string> run_fields(const Record& run) {
  const study::RunRequest& request = run.request;
  const auto performance = record::performance(run);
  std::vector<std::string> fields{request.study,
                                  request.configuration.workload,
                                  request.key,
                                  field(run.attempt),
                                  request.configuration.id,
                                  request.configuration.label,
                                  field(request.block),
                                  field(request.order),
                                  std::string(to_string(request.purpose)),
                                  field(request.training_seed),
                                  std::string(to_string(run.end)),
                                  run.reason,
                                  run.exit_code ? field(*run.exit_code) : "",
                                  run.signal ? field(*run.signal) : "",
                                  utc(run.started_wall),
                                  run.duration ? shortest(to_seconds(*run.duration).value) : "",
                                  request.metric.name,
                                  performance ? shortest(performance->value) : "",
                                  performance ? std::string(to_string(performance->split)) : ""};
  for (const record::Total* total : {&run.measured, &run.estimated}) {
    fields.push_back(joules(total->energy));
    fields.push_back(total->energy ? shortest(total->coverage) : "");
    fields.push_back(total->energy ? shortest(total->uncertainty) : "");
  }
  for (std::string text :
       {std::string(run.simulated ? "true" : "false"), shortest(run.resources.user_cpu.value),
        shortest(run.resources.system_cpu.value), field(run.resources.peak_resident_bytes), join(run.flags, "; ")}) {
    fields.push_back(std::move(text));
  }
  return fields;
}

std::string domain_joules(const Record& run, const std::string& column) {
  if (run.windows.empty()) return {};
  const auto& energies = run.windows.front().energies;
  for (std::size_t d = 0; d < run.domains.size() && d < energies.size(); ++d) {
    if (domain_column(run.domains[d]) == column) return joules(energies[d].energy);
  }
  return {};
}

}  // namespace

std::string csv_line(const std::vector<std::string>& fields) {
  std::string line;
  for (std::size_t f = 0; f < fields.size(); ++f) {
    if (f > 0) line += ',';
    if (fields[f].find_first_of(",\"\r\n") == std::string::npos) {
      line += fields[f];
      continue;
    }
    line += '"';
    for (const char c : fields[f]) line += c == '"' ? std::string("\"\"") : std::string(1, c);
    line += '"';
  }
  return line + "\n";
}

std::string findings_csv(const analysis::Findings& findings) {
  std::string out = csv_line({"study",
                              "workload",
                              "environment",
                              "family",
                              "configuration",
                              "label",
                              "parameter",
                              "original_value",
                              "mutant_value",
                              "measure",
                              "quantity",
                              "basis",
                              "pairs",
                              "failed_pairs",
                              "estimate",
                              "low",
                              "high",
                              "interval_level",
                              "p_value",
                              "p_value_holm",
                              "p_value_floor",
                              "cliffs_delta",
                              "pair_sd",
                              "verdict",
                              "greener",
                              "p_value_greener_holm",
                              "faster_at_no_loss",
                              "p_value_faster_holm"});
  const Measures all = measures(findings);
  for (const auto& mutant : findings.mutants) {
    for (const Measure* measure : {&all.energy, &all.time, &all.metric}) {
      out += csv_line(measure_row(findings, mutant, *measure));
    }
  }
  return out;
}

std::string runs_csv(std::span<const Record> records) {
  std::vector<std::string> head(kRunColumns.begin(), kRunColumns.end());
  const auto parameters = varied(records, head);
  std::set<std::string> domains;
  std::set<std::string> gauges;
  std::set<std::string> machine;
  for (const Record& record : records) {
    for (const energy::Domain& domain : record.domains) domains.insert(domain_column(domain));
    for (const energy::Measure& one : record.measures) gauges.insert(gauge_column(one));
    for (const auto& [name, value] : record.fingerprint) machine.insert(name);
  }
  for (const auto& [name, column] : parameters) head.push_back(column);
  head.insert(head.end(), domains.begin(), domains.end());
  head.insert(head.end(), gauges.begin(), gauges.end());
  for (const std::string& name : machine) head.push_back("machine:" + name);

  std::string out = csv_line(head);
  for (const Record& record : records) {
    std::vector<std::string> row = run_fields(record);
    for (const auto& [name, column] : parameters) {
      const auto& values = record.request.configuration.hyperparameters;
      const auto value = values.find(name);
      row.push_back(value == values.end() ? std::string{} : study::to_text(value->second));
    }
    for (const std::string& domain : domains) row.push_back(domain_joules(record, domain));
    for (const std::string& gauge : gauges) row.push_back(gauge_mean(record, gauge));
    for (const std::string& name : machine) {
      const auto value = record.fingerprint.find(name);
      row.push_back(value == record.fingerprint.end() ? std::string{} : value->second);
    }
    out += csv_line(row);
  }
  return out;
}

std::string epochs_csv(std::span<const Record> records) {
  std::string out =
      csv_line({"study", "workload", "run", "attempt", "configuration", "label", "block", "epoch", "window", "window_s",
                "quantity", "of", "split", "provenance", "value", "coverage", "uncertainty", "why_absent"});
  for (const Record& record : records) {
    const study::RunRequest& request = record.request;
    const auto add = [&](int epoch, const std::vector<std::string>& rest) {
      std::vector<std::string> row{request.study,
                                   request.configuration.workload,
                                   request.key,
                                   field(record.attempt),
                                   request.configuration.id,
                                   request.configuration.label,
                                   field(request.block),
                                   field(epoch)};
      row.insert(row.end(), rest.begin(), rest.end());
      out += csv_line(row);
    };
    for (const record::MeasuredWindow& measured : record.windows) {
      const energy::Window& window = measured.window;
      if (!window.epoch) continue;
      for (std::size_t d = 0; d < record.domains.size() && d < measured.energies.size(); ++d) {
        const energy::WindowEnergy& energy = measured.energies[d];
        const bool told = energy.energy && measured.void_reason.empty();
        add(*window.epoch,
            {window.name, shortest(to_seconds(window.end - window.begin).value), "energy_j", record.domains[d].name, "",
             std::string(to_string(record.domains[d].provenance)), told ? joules(energy.energy) : "",
             shortest(energy.coverage), told ? shortest(energy.uncertainty) : "",
             measured.void_reason.empty() ? energy.why_absent : measured.void_reason});
      }
    }
    for (const record::MetricPoint& point : record.metrics) {
      if (!point.epoch) continue;
      add(*point.epoch, {"epoch", "", "metric", point.name, std::string(to_string(point.split)), "",
                         shortest(point.value), "", "", ""});
    }
  }
  return out;
}

}  // namespace wattle::report
