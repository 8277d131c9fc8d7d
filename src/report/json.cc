// Findings as JSON. Keys are stable and carry their units; a number that is absent or not finite is null, and
// "<key>_why_absent" beside it says why.
#include <cmath>
#include <nlohmann/json.hpp>

#include "report/formats.h"
#include "report/wording.h"

namespace wattle::report {
namespace {

using analysis::Findings;
using nlohmann::ordered_json;

void put(ordered_json& object, const std::string& key, std::optional<double> value, std::string_view why_absent) {
  if (value && std::isfinite(*value)) {
    object[key] = *value;
    return;
  }
  object[key] = nullptr;
  object[key + "_why_absent"] = value ? std::string("not a finite number") : std::string(why_absent);
}

ordered_json numbers(const std::vector<double>& values) {
  ordered_json list = ordered_json::array();
  for (const double value : values) list.push_back(std::isfinite(value) ? ordered_json(value) : ordered_json());
  return list;
}

std::string_view why_absent(analysis::Basis basis) {
  return basis == analysis::Basis::absent ? "no energy domain was read" : "no successful run";
}

ordered_json comparison_json(const analysis::Comparison& comparison, std::string_view quantity,
                             std::string_view basis) {
  const std::string name(quantity);
  const std::string_view none = comparison.pairs == 0 ? "no complete pair" : "too few pairs";
  ordered_json object{{"pairs", comparison.pairs}};
  put(object, name, comparison.estimate, none);
  put(object, name + "_low", comparison.low, none);
  put(object, name + "_high", comparison.high, none);
  object["interval_level"] = comparison.interval_level;
  object["interval_covers"] = "repetition only";
  put(object, "p_value", comparison.p_two_sided, none);
  put(object, "p_value_holm", comparison.p_two_sided_holm, none);
  put(object, "p_value_floor", comparison.p_floor, none);
  put(object, "cliffs_delta", comparison.cliffs_delta, none);
  put(object, (name == "ratio" ? "log_ratio" : name) + "_sd", comparison.spread, none);
  object["verdict"] = to_string(comparison.verdict);
  object["basis"] = basis;
  return object;
}

ordered_json configuration_json(const analysis::ConfigurationSummary& configuration, analysis::Basis basis) {
  ordered_json object{{"configuration", configuration.id},  {"label", configuration.label},
                      {"workload", configuration.workload}, {"environment", configuration.environment},
                      {"family", configuration.family},     {"original", configuration.original},
                      {"runs", configuration.runs},         {"failed", configuration.failed}};
  put(object, "median_energy_j", configuration.median_energy_j, why_absent(basis));
  put(object, "median_duration_s", configuration.median_time_s, "no successful run");
  put(object, "median_metric", configuration.median_metric, "no run reported the metric");
  object["energy_basis"] = to_string(basis);
  object["energy_j"] = numbers(configuration.energy_j);
  object["duration_s"] = numbers(configuration.time_s);
  object["metric"] = numbers(configuration.metric);
  return object;
}

ordered_json mutant_json(const Findings& findings, const analysis::MutantFinding& mutant) {
  static constexpr std::string_view kNoTest = "no complete pair to test";
  const Ruling rule = ruling(findings, mutant);
  ordered_json object{{"configuration", mutant.configuration},
                      {"label", mutant.label},
                      {"workload", mutant.workload},
                      {"environment", mutant.environment},
                      {"family", mutant.family},
                      {"parameter", mutant.parameter},
                      {"original_value", mutant.original_value},
                      {"mutant_value", mutant.mutant_value},
                      {"verdict", rule.word},
                      {"verdict_because", rule.because},
                      {"greener", to_string(mutant.greener)},
                      {"faster_at_no_loss", mutant.faster_at_no_loss},
                      {"failed_pairs", mutant.failed_pairs}};
  object["energy"] = comparison_json(mutant.energy, "ratio", to_string(findings.basis));
  object["duration"] = comparison_json(mutant.time, "ratio", "measured");
  object["metric"] = comparison_json(mutant.metric, "difference", "reported by the trainer");
  put(object, "p_value_noninferior", mutant.p_noninferior, kNoTest);
  put(object, "p_value_less_energy", mutant.p_less_energy, kNoTest);
  put(object, "p_value_less_time", mutant.p_less_time, kNoTest);
  put(object, "p_value_greener", mutant.p_greener, kNoTest);
  put(object, "p_value_greener_holm", mutant.p_greener_holm, kNoTest);
  put(object, "p_value_faster", mutant.p_faster, kNoTest);
  put(object, "p_value_faster_holm", mutant.p_faster_holm, kNoTest);
  return object;
}

ordered_json correlation_json(const Findings& findings, const analysis::Correlation& correlation) {
  const std::string_view why = correlation.why_absent.empty() ? "not known" : std::string_view(correlation.why_absent);
  ordered_json object{{"workload", correlation.workload}, {"environment", correlation.environment},
                      {"family", correlation.family},     {"parameter", correlation.parameter},
                      {"measure", correlation.measure},   {"n", correlation.n},
                      {"statistic", "Spearman's rho"}};
  put(object, "rho", correlation.rho, why);
  put(object, "rho_low", correlation.low, why);
  put(object, "rho_high", correlation.high, why);
  put(object, "p_value", correlation.p_value, why);
  object["bin"] = correlation.bin ? ordered_json(to_string(*correlation.bin)) : ordered_json();
  if (!correlation.bin) object["bin_why_absent"] = why;
  if (correlation.measure == "energy") object["basis"] = to_string(findings.basis);
  return object;
}

template <std::size_t rows, std::size_t columns>
ordered_json grid_json(const int (&cells)[rows][columns]) {
  static constexpr std::string_view kVerdicts[] = {"win", "tie", "loss", "undecided"};
  ordered_json object;
  for (std::size_t row = 0; row < rows; ++row) {
    for (std::size_t column = 0; column < columns; ++column) {
      object["energy_" + std::string(kVerdicts[row])]["metric_" + std::string(kVerdicts[column])] = cells[row][column];
    }
  }
  return object;
}

}  // namespace

std::string render_json(const Findings& findings) {
  ordered_json root{{"study", findings.study},
                    {"headline", findings.headline},
                    {"status", status(findings)},
                    {"metric", findings.metric},
                    {"metric_split", findings.metric_split},
                    {"energy_basis", to_string(findings.basis)}};
  put(root, "tolerance", findings.tolerance, "not set");
  put(root, "alpha", findings.alpha, "not set");
  root["blocks"] = findings.blocks;
  root["runs"] = findings.runs;
  root["failed"] = findings.failed;
  const bool known = findings.basis != analysis::Basis::absent;
  put(root, "spent_energy_j", known ? std::optional(findings.spent_j) : std::nullopt, "no energy domain was read");
  put(root, "wasted_energy_j", known ? std::optional(findings.wasted_j) : std::nullopt, "no energy domain was read");
  root["warnings"] = findings.warnings;
  for (const char* list : {"mutants", "correlations", "configurations"}) root[list] = ordered_json::array();
  for (const auto& mutant : findings.mutants) root["mutants"].push_back(mutant_json(findings, mutant));
  for (const auto& correlation : findings.correlations) {
    root["correlations"].push_back(correlation_json(findings, correlation));
  }
  root["grid"] = grid_json(findings.grid);
  root["wang_grid"] = grid_json(findings.wang.cells);
  root["wang_grid"]["unattainable"] = findings.wang.unattainable;
  for (const auto& configuration : findings.configurations) {
    root["configurations"].push_back(configuration_json(configuration, findings.basis));
  }
  return root.dump(2, ' ', false, ordered_json::error_handler_t::replace) + "\n";
}

}  // namespace wattle::report
