// Findings and records made by hand, for this module's tests only.
#pragma once

#include <cmath>
#include <string>
#include <vector>

#include "analysis/findings.h"
#include "record/record.h"

namespace wattle::report {

inline analysis::Comparison compared(double estimate, double low, double high, double p, analysis::Verdict verdict) {
  analysis::Comparison comparison;
  comparison.pairs = 8;
  comparison.estimate = estimate;
  comparison.low = low;
  comparison.high = high;
  comparison.interval_level = 0.9609375;
  comparison.p_two_sided = p;
  comparison.p_two_sided_holm = std::min(1.0, p * 4);
  comparison.p_floor = 0.0078125;
  comparison.spread = (high - low) / 2;
  comparison.cliffs_delta = estimate < 1 ? -0.9 : 0.4;
  comparison.verdict = verdict;
  return comparison;
}

inline std::vector<double> spread(double middle, double width) {
  static constexpr double kShape[] = {-1.0, -0.5, -0.1, 0.0, 0.05, 0.2, 0.4, 1.0};
  std::vector<double> values;
  for (const double place : kShape) values.push_back(middle + place * width);
  return values;
}

inline analysis::ConfigurationSummary configuration(std::string id, std::string label, double energy, double time,
                                                    double metric) {
  analysis::ConfigurationSummary summary;
  summary.id = std::move(id);
  summary.label = std::move(label);
  summary.workload = summary.family = "lenet";
  summary.original = summary.label == "original";
  summary.runs = 8;
  summary.energy_j = spread(energy, energy * 0.05);
  summary.time_s = spread(time, time * 0.04);
  summary.metric = spread(metric, 0.006);
  summary.median_energy_j = energy;
  summary.median_time_s = time;
  summary.median_metric = metric;
  return summary;
}

inline analysis::MutantFinding mutant(std::string id, std::string parameter, std::string from, std::string to) {
  analysis::MutantFinding finding;
  finding.configuration = std::move(id);
  finding.label = parameter + " " + to;
  finding.workload = finding.family = "lenet";
  finding.parameter = std::move(parameter);
  finding.original_value = std::move(from);
  finding.mutant_value = std::move(to);
  return finding;
}

inline analysis::Correlation correlated(std::string parameter, std::string measure, double rho, analysis::Bin bin) {
  analysis::Correlation correlation;
  correlation.workload = correlation.family = "lenet";
  correlation.parameter = std::move(parameter);
  correlation.measure = std::move(measure);
  correlation.n = 24;
  correlation.rho = rho;
  correlation.low = rho - 0.11;
  correlation.high = std::min(1.0, rho + 0.09);
  correlation.p_value = std::abs(rho) > 0.5 ? 0.0002 : 0.31;
  correlation.bin = bin;
  return correlation;
}

// Four mutants: greener (faster, where energy is only estimated), undecided, loss of accuracy and energy, all failed.
inline analysis::Findings sample_findings(analysis::Basis basis = analysis::Basis::measured) {
  using analysis::Bin;
  using analysis::Greener;
  using analysis::Verdict;
  const bool measured = basis == analysis::Basis::measured;
  analysis::Findings findings;
  findings.study = "lenet-on-glyphs";
  findings.metric = "accuracy";
  findings.metric_split = "test";
  findings.tolerance = 0.01;
  findings.basis = basis;
  findings.blocks = 8;
  findings.runs = 40;
  findings.failed = 8;
  findings.spent_j = 15230.5;
  findings.wasted_j = 211.25;
  findings.headline = measured ? "A learning rate of 0.021 keeps the accuracy on 21 % less energy."
                               : "A learning rate of 0.021 keeps the accuracy and is 20 % faster.";
  findings.configurations = {configuration("aaaa", "original", 412.0, 6.1, 0.953),
                             configuration("bbbb", "learning_rate 0.021", 326.0, 4.9, 0.951),
                             configuration("cccc", "epochs 5", 346.0, 5.1, 0.942),
                             configuration("dddd", "learning_rate 0.24", 540.0, 7.9, 0.915)};
  analysis::ConfigurationSummary dead;
  dead.id = "eeee";
  dead.label = "learning_rate 0.5";
  dead.workload = dead.family = "lenet";
  dead.runs = dead.failed = 8;
  findings.configurations.push_back(dead);

  auto good = mutant("bbbb", "learning_rate", "0.05", "0.021");
  good.energy = compared(0.79, 0.73, 0.85, 0.0078, Verdict::win);
  good.time = compared(0.80, 0.77, 0.83, 0.0078, Verdict::win);
  good.metric = compared(-0.002, -0.005, 0.001, 0.38, Verdict::tie);
  good.p_noninferior = 0.0039;
  good.p_less_energy = good.p_less_time = 0.0039;
  good.p_greener = good.p_faster = 0.0039;
  good.p_greener_holm = measured ? std::optional(0.0156) : std::nullopt;
  good.p_faster_holm = 0.0156;
  good.greener = measured ? Greener::screened : Greener::untestable;
  good.faster_at_no_loss = true;

  auto open = mutant("cccc", "epochs", "6", "5");
  open.energy = compared(0.84, 0.82, 0.86, 0.0078, Verdict::win);
  open.time = compared(0.84, 0.83, 0.85, 0.0078, Verdict::win);
  open.metric = compared(-0.011, -0.016, -0.004, 0.055, Verdict::undecided);
  open.p_greener = open.p_faster = 0.63;
  open.p_greener_holm = open.p_faster_holm = 1.0;
  open.greener = measured ? Greener::undecided : Greener::untestable;

  auto bad = mutant("dddd", "learning_rate", "0.05", "0.24");
  bad.energy = compared(1.31, 1.12, 1.58, 0.0078, Verdict::loss);
  bad.time = compared(1.29, 1.10, 1.55, 0.0078, Verdict::loss);
  bad.metric = compared(-0.038, -0.052, -0.021, 0.0078, Verdict::loss);
  bad.greener = Greener::no;

  auto failed = mutant("eeee", "learning_rate", "0.05", "0.5");
  failed.failed_pairs = 8;
  failed.greener = Greener::no;
  failed.metric.verdict = Verdict::loss;
  failed.metric.pairs = 8;
  failed.metric.p_two_sided = 0.0078;
  failed.metric.p_two_sided_holm = 0.0312;
  findings.mutants = {good, open, bad, failed};

  findings.correlations = {correlated("epochs", "energy", 0.91, Bin::strong_positive),
                           correlated("epochs", "time", 0.89, Bin::strong_positive),
                           correlated("epochs", "accuracy", 0.34, Bin::none),
                           correlated("learning_rate", "energy", 0.22, Bin::none),
                           correlated("learning_rate", "time", 0.24, Bin::none),
                           correlated("learning_rate", "accuracy", -0.72, Bin::strong_negative)};
  findings.correlations[3].rho = findings.correlations[3].low = findings.correlations[3].high = std::nullopt;
  findings.correlations[3].bin = std::nullopt;
  findings.correlations[3].p_value = std::nullopt;
  findings.correlations[3].why_absent = "all values of energy are equal";
  findings.grid[0][1] = 1;
  findings.grid[0][3] = 1;
  findings.grid[2][2] = 1;
  findings.grid[3][2] = 1;
  findings.wang.cells[0][1] = 2;
  findings.wang.cells[2][2] = 1;
  findings.wang.unattainable = 1;
  findings.warnings = {"learning_rate 0.5 failed in all 8 blocks: a failed run is a loss of performance"};
  if (!measured) {
    findings.warnings.emplace_back(
        "energy here is estimated from time and CPU use: compare times, and confirm on a machine with a counter");
  }
  return findings;
}

inline record::Record sample_record(int block, std::string label, double learning_rate) {
  record::Record record;
  record.request.key = std::string(63, 'a') + std::to_string(block);
  record.request.study = "lenet-on-glyphs";
  record.request.configuration.id = label == "original" ? "aaaa" : "bbbb";
  record.request.configuration.label = std::move(label);
  record.request.configuration.workload = "lenet";
  record.request.configuration.hyperparameters = {{"epochs", std::int64_t{6}}, {"learning_rate", learning_rate}};
  record.request.block = block;
  record.request.order = block;
  record.request.training_seed = 17;
  record.request.metric.name = "accuracy";
  record.end = record::EndState::completed;
  record.exit_code = 0;
  record.started_wall = {1'770'000'000'000'000'000 + block * 60'000'000'000};
  record.duration = milliseconds(6125);
  record.resources = {{5.5}, {0.25}, 120 << 20};
  record.metrics = {{"accuracy", record::Split::validation, 1, 0.91, {}},
                    {"accuracy", record::Split::test, {}, 0.953, {}}};
  energy::Domain domain;
  domain.name = "package-0";
  domain.source = "powercap";
  record.domains = {domain};
  record.windows = {{{energy::WindowKind::run, "run", {}, seconds(10), seconds(16)},
                     "",
                     {{Microjoules{412'000'001}, "", 1.0, 0.003}}},
                    {{energy::WindowKind::epoch, "epoch", 1, seconds(10), seconds(13)},
                     "",
                     {{Microjoules{200'000'000}, "", 0.99, 0.004}}}};
  record.measured = {Microjoules{412'000'001}, "", 1.0, 0.003};
  record.estimated.why_absent = "a measured domain covers it";
  record.missing_domains = {"dram-0: permission denied"};
  record.fingerprint = {{"cpu", "Example CPU, 2 GHz"}, {"cores", "2"}, {"wattle", "0.1.0"}};
  return record;
}

}  // namespace wattle::report
