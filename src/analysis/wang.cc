// Wang et al.'s questions beyond the findings: correlations counted in bins, the grids as tables, mutants with their
// failures' joules, and whether parallel training makes hyperparameters matter more.
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <map>

#include "analysis/cells.h"
#include "analysis/correlations.h"
#include "analysis/questions.h"
#include "base/text.h"
#include "stats/correlation.h"
#include "stats/descriptive.h"
#include "stats/random.h"

namespace wattle::analysis {
namespace {

using record::Record;

constexpr std::array kBins{Bin::strong_negative, Bin::weak_negative, Bin::none, Bin::weak_positive,
                           Bin::strong_positive};

// Domains' joules as measures of their own: "energy of package-0".
std::vector<std::string> domain_names(const WorkloadRuns& workload) {
  std::vector<std::string> names;
  for (const auto& [key, run] : workload.runs) {
    for (const energy::Domain& domain : run.record->domains) {
      if (std::find(names.begin(), names.end(), domain.name) == names.end()) names.push_back(domain.name);
    }
  }
  return names;
}

void count_in(const Correlation& correlation,
              std::map<std::pair<std::string, std::string>, std::array<int, 6>>& counts) {
  auto& row = counts[{correlation.parameter, correlation.measure}];
  if (!correlation.bin) {
    ++row[5];
    return;
  }
  for (std::size_t i = 0; i < kBins.size(); ++i) row[i] += *correlation.bin == kBins[i] ? 1 : 0;
}

}  // namespace

Result<Answer> correlation_table(std::span<const Record> records, const Asked&) {
  const std::vector<WorkloadRuns> workloads = families(records);
  Answer answer;
  answer.question = "correlation";
  answer.basis = to_string(basis_of(workloads));
  warn_of_basis(basis_of(workloads), answer.warnings);
  AnswerTable each{"relations",
                   "Spearman's rho of each hyperparameter with each measure",
                   {{"workload", "workload"},
                    {"parameter", "hyperparameter"},
                    {"measure", "measure"},
                    {"n", "n", Unit::count},
                    {"rho", "rho", Unit::effect, true},
                    {"p_value", "p", Unit::p_value},
                    {"relation", "relation"}},
                   {}};
  AnswerTable counts{"counts",
                     "how many workloads show which relation",
                     {{"parameter", "hyperparameter"},
                      {"measure", "measure"},
                      {"strong_negative", "strong −", Unit::count},
                      {"weak_negative", "weak −", Unit::count},
                      {"none", "none", Unit::count},
                      {"weak_positive", "weak +", Unit::count},
                      {"strong_positive", "strong +", Unit::count},
                      {"unknown", "unknown", Unit::count}},
                     {}};
  std::map<std::pair<std::string, std::string>, std::array<int, 6>> counted;
  for (const WorkloadRuns& workload : workloads) {
    for (const Correlation& one : correlate(workload, domain_names(workload))) {
      each.rows.push_back({Cell::of(one.family), Cell::of(one.parameter), Cell::of(one.measure),
                           Cell::of(static_cast<double>(one.n)),
                           one.rho ? Cell::of(*one.rho, one.low, one.high) : Cell::absent(one.why_absent),
                           Cell::of(one.p_value, one.why_absent),
                           one.bin ? Cell::of(std::string(to_string(*one.bin))) : Cell::absent(one.why_absent)});
      count_in(one, counted);
    }
  }
  int strongest = 0;
  std::string parameter;
  for (const auto& [key, bins] : counted) {
    std::vector<Cell> row{Cell::of(key.first), Cell::of(key.second)};
    for (const int bin : bins) row.push_back(Cell::of(static_cast<double>(bin)));
    counts.rows.push_back(std::move(row));
    if (key.second == "energy" && bins[0] + bins[4] > strongest) {
      strongest = bins[0] + bins[4];
      parameter = key.first;
    }
  }
  answer.sentence = each.rows.empty() ? "No hyperparameter of this study varies."
                    : strongest == 0  ? "No hyperparameter moves energy strongly in any workload."
                                      : fmt::format("{} moves {}energy strongly in {} of {} workloads.", parameter,
                                                   testable(basis_of(workloads)) ? "" : answer.basis + " ", strongest,
                                                    workloads.size());
  answer.method = {
      "bins: not significant at 0.05 (not corrected, as in Wang et al.) is none; strong from |rho| = 0.6, our own "
      "threshold; energies of domains stand beside the whole"};
  answer.tables = {std::move(counts), std::move(each)};
  return answer;
}

Result<Answer> grids(std::span<const Record> records, const Asked&) {
  const Findings findings = analyse(records);
  Answer answer;
  answer.question = "grid";
  answer.basis = to_string(findings.basis);
  warn_of_basis(findings.basis, answer.warnings);
  const std::vector<Column> columns{{"energy", "energy"},
                                    {"win", "win", Unit::count},
                                    {"tie", "tie", Unit::count},
                                    {"loss", "loss", Unit::count},
                                    {"undecided", "undecided", Unit::count}};
  if (findings.mutants.empty()) {
    answer.sentence = findings.headline;
    answer.tables = {{"grid", {}, columns, {}}, {"wang-grid", {}, columns, {}}};
    return answer;
  }
  AnswerTable grid{"grid", fmt::format("mutants by energy (rows) and {} (columns)", findings.metric), columns, {}};
  AnswerTable wang{"wang-grid", "the same as Wang et al. count, by significance alone", columns, {}};
  wang.columns.pop_back();
  static constexpr std::array<const char*, 4> kVerdicts{"win", "tie", "loss", "undecided"};
  for (std::size_t row = 0; row < 4; ++row) {
    std::vector<Cell> cells{Cell::of(kVerdicts[row])};
    for (const int count : findings.grid[row]) cells.push_back(Cell::of(static_cast<double>(count)));
    grid.rows.push_back(std::move(cells));
    if (row == 3) continue;
    std::vector<Cell> theirs{Cell::of(kVerdicts[row])};
    for (const int count : findings.wang.cells[row]) theirs.push_back(Cell::of(static_cast<double>(count)));
    wang.rows.push_back(std::move(theirs));
  }
  answer.sentence = fmt::format("Of {} mutants {} win in energy without losing {}; {} stay undecided.",
                                findings.mutants.size(), findings.grid[0][0] + findings.grid[0][1], findings.metric,
                                findings.grid[3][0] + findings.grid[3][1] + findings.grid[3][2] + findings.grid[3][3]);
  if (findings.wang.unattainable > 0) {
    answer.warnings.push_back(
        fmt::format("wang-grid: {} mutants have fewer than 6 pairs, with which no two-sided test reaches 0.05",
                    findings.wang.unattainable));
  }
  answer.method = {
      "win, loss: exact two-sided signed-rank test, Holm across mutants; tie of the metric: equivalence within the "
      "tolerance; undecided: neither",
      "wang-grid: p < 0.05, not corrected, and |Cliff's delta| >= 0.147, else tie"};
  answer.tables = {std::move(grid), std::move(wang)};
  return answer;
}

namespace {

struct Spent {
  double joules = 0.0;  // of all attempts that finished, failed ones included
  int successes = 0;
  int failures = 0;
  std::vector<double> completed;
};

}  // namespace

Result<Answer> greener(std::span<const Record> records, const Asked&) {
  const Findings findings = analyse(records);
  const std::vector<WorkloadRuns> workloads = collect(records);
  Answer answer;
  answer.question = "greener";
  answer.basis = to_string(findings.basis);
  answer.warnings = findings.warnings;
  std::map<std::string, Spent> spent;
  for (const WorkloadRuns& workload : workloads) {
    for (const auto& [key, run] : workload.runs) {
      Spent& one = spent[run.record->request.configuration.id];
      const auto energy = record::run_energy(*run.record);
      if (!energy || !run.left_out.empty()) continue;
      one.joules += energy->energy.value;
      one.successes += run.succeeded ? 1 : 0;
      one.failures += run.lost ? 1 : 0;
      if (run.succeeded) one.completed.push_back(energy->energy.value);
    }
  }
  AnswerTable table{"configurations",
                    "energy for each success: what failures cost is paid too",
                    {{"workload", "workload"},
                     {"configuration", "configuration"},
                     {"successes", "successes", Unit::count},
                     {"failures", "failures", Unit::count},
                     {"energy_per_success_j", "per success", Unit::joules},
                     {"completers_only_energy_j", "completers only", Unit::joules},
                     {"metric", findings.metric, Unit::none},
                     {"greener", "greener"},
                     {"p_value_holm", "p Holm", Unit::p_value}},
                    {}};
  int screened = 0;
  for (const ConfigurationSummary& one : findings.configurations) {
    const Spent& cost = spent[one.id];
    const auto mutant = std::find_if(findings.mutants.begin(), findings.mutants.end(),
                                     [&](const MutantFinding& m) { return m.configuration == one.id; });
    const bool is_mutant = mutant != findings.mutants.end();
    screened += is_mutant && mutant->greener == Greener::screened ? 1 : 0;
    const auto per_success =
        cost.successes > 0 ? std::optional(cost.joules / static_cast<double>(cost.successes)) : std::nullopt;
    table.rows.push_back({Cell::of(one.family), Cell::of(one.label), Cell::of(static_cast<double>(cost.successes)),
                          Cell::of(static_cast<double>(cost.failures)), Cell::of(per_success, "it never succeeded"),
                          Cell::of(stats::mean(cost.completed), "it never succeeded"),
                          Cell::of(one.median_metric, "not told"),
                          Cell::of(is_mutant ? std::string(to_string(mutant->greener)) : "original"),
                          Cell::of(is_mutant ? mutant->p_greener_holm : std::nullopt, "not tested")});
  }
  answer.sentence = findings.headline.empty() ? fmt::format("{} mutants are greener.", screened) : findings.headline;
  answer.method = {
      "per success: joules of all finished runs, failed ones included, by the number that succeeded: the expected "
      "energy of one success where one tries until it succeeds",
      "completers only: mean of those that succeeded, which hides what failures cost",
      "greener: less energy and no loss of the metric beyond the tolerance, each one-sided, p the larger, Holm"};
  answer.tables.push_back(std::move(table));
  return answer;
}

namespace {

// Runs of one workload that trained alone, or beside the same partners in the same mode.
struct Company {
  std::string name;
  std::vector<const Run*> runs;
};

std::string company_of(const study::Colocation& colocation) {
  if (colocation.alone()) return {};
  return fmt::format("beside {}{}", join(colocation.partners, ", "), colocation.divided_cores ? "" : ", cores shared");
}

struct Sample {
  std::vector<double> x;
  std::vector<double> y;
};

Sample sample_of(const std::vector<const Run*>& runs, const std::string& parameter, const std::string& measure) {
  Sample sample;
  for (const Run* run : runs) {
    const study::Configuration& configuration = run->record->request.configuration;
    const auto& varied = configuration.varied;
    if (!configuration.original() && std::find(varied.begin(), varied.end(), parameter) == varied.end()) continue;
    const auto value = configuration.hyperparameters.find(parameter);
    if (value == configuration.hyperparameters.end()) continue;
    const auto number = study::to_number(value->second);
    const auto measured = value_of(*run, measure);
    if (!number || !measured) continue;
    sample.x.push_back(*number);
    sample.y.push_back(*measured);
  }
  return sample;
}

std::optional<double> rho_of(const Sample& sample) {
  const auto rho = stats::spearman(sample.x, sample.y);
  return rho ? std::optional(rho->rho) : std::nullopt;
}

Sample resampled(const Sample& sample, stats::Random& random) {
  Sample drawn;
  const auto n = static_cast<std::uint32_t>(sample.x.size());
  for (std::uint32_t i = 0; i < n; ++i) {
    const std::uint32_t at = random.below(n);
    drawn.x.push_back(sample.x[at]);
    drawn.y.push_back(sample.y[at]);
  }
  return drawn;
}

// Difference of rho beside less alone, with the percentile interval of 2,000 resamples of both.
Cell difference_of_rho(const Sample& alone, const Sample& beside) {
  const auto a = rho_of(alone);
  const auto b = rho_of(beside);
  if (!a || !b) return Cell::absent("rho is not known in both");
  stats::Random random(stats::kDefaultSeed);
  std::vector<double> differences;
  for (int i = 0; i < 2000; ++i) {
    const auto one = rho_of(resampled(alone, random));
    const auto other = rho_of(resampled(beside, random));
    if (one && other) differences.push_back(*other - *one);
  }
  return Cell::of(*b - *a, stats::quantile(differences, 0.025), stats::quantile(differences, 0.975));
}

// Mean of |E - E_original| / E_original over mutants' medians.
std::optional<double> relative_change(const std::vector<const Run*>& runs, const std::string& parameter) {
  std::map<std::string, std::vector<double>> by_label;
  std::vector<double> original;
  for (const Run* run : runs) {
    const auto energy = value_of(*run, "energy");
    const study::Configuration& configuration = run->record->request.configuration;
    if (!energy) continue;
    if (configuration.original()) {
      original.push_back(*energy);
    } else if (configuration.varied == std::vector<std::string>{parameter}) {
      by_label[configuration.id].push_back(*energy);
    }
  }
  const auto base = stats::median(original);
  if (!base || *base <= 0.0 || by_label.empty()) return std::nullopt;
  double sum = 0.0;
  for (const auto& [id, energies] : by_label) sum += std::abs(*stats::median(energies) - *base) / *base;
  return sum / static_cast<double>(by_label.size());
}

std::optional<double> variation(const std::vector<double>& values) {
  const auto mean = stats::mean(values);
  const auto deviation = stats::standard_deviation(values);
  if (!mean || !deviation || *mean <= 0.0) return std::nullopt;
  return *deviation / *mean;
}

}  // namespace

Result<Answer> susceptible(std::span<const Record> records, const Asked&) {
  const std::vector<WorkloadRuns> workloads = collect(records);
  Answer answer;
  answer.question = "susceptible";
  answer.basis = to_string(basis_of(workloads));
  warn_of_basis(basis_of(workloads), answer.warnings);
  AnswerTable table{"parameters",
                    "does a hyperparameter move energy more side by side than alone?",
                    {{"workload", "workload"},
                     {"environment", "environment"},
                     {"parameter", "hyperparameter"},
                     {"company", "company"},
                     {"rho_alone", "rho alone", Unit::effect},
                     {"rho_beside", "rho beside", Unit::effect},
                     {"difference", "difference", Unit::effect, true},
                     {"relative_change_alone", "|ΔE|/E alone", Unit::percent},
                     {"relative_change_beside", "beside", Unit::percent},
                     {"variation_alone", "variation alone", Unit::percent},
                     {"variation_beside", "beside", Unit::percent}},
                    {}};
  int more = 0;
  for (const WorkloadRuns& workload : workloads) {
    std::map<std::pair<std::string, std::string>, std::vector<const Run*>> companies;  // by environment and company
    std::vector<std::string> parameters;
    for (const Configured& configured : workload.configurations) {
      const study::Configuration& configuration = *configured.configuration;
      auto& runs = companies[{configuration.environment.name, company_of(configuration.colocation)}];
      runs.insert(runs.end(), configured.runs.begin(), configured.runs.end());
      for (const std::string& name : configuration.varied) {
        if (std::find(parameters.begin(), parameters.end(), name) == parameters.end()) parameters.push_back(name);
      }
    }
    for (const auto& [place, runs] : companies) {
      const auto& [environment, company] = place;
      if (company.empty()) continue;
      const auto alone_there = companies.find({environment, ""});
      const std::vector<const Run*> alone =
          alone_there == companies.end() ? std::vector<const Run*>() : alone_there->second;
      for (const std::string& parameter : parameters) {
        const Sample a = sample_of(alone, parameter, "energy");
        const Sample b = sample_of(runs, parameter, "energy");
        const Cell difference = difference_of_rho(a, b);
        more += difference.low && *difference.low > 0.0 ? 1 : 0;
        table.rows.push_back({Cell::of(workload.name), Cell::of(environment), Cell::of(parameter), Cell::of(company),
                              Cell::of(rho_of(a), "too few runs"), Cell::of(rho_of(b), "too few runs"), difference,
                              Cell::of(relative_change(alone, parameter), "no mutant of it alone"),
                              Cell::of(relative_change(runs, parameter), "no mutant of it beside"),
                              Cell::of(variation(a.y), "too few runs"), Cell::of(variation(b.y), "too few runs")});
      }
    }
  }
  answer.sentence =
      table.rows.empty()
          ? "No mutant of this study ran both alone and side by side ([[group]] with mutants = true)."
          : fmt::format("Side by side energy follows a hyperparameter more closely than alone in {} of {} cases.", more,
                        table.rows.size());
  answer.method = {
      "difference: rho beside less rho alone (Spearman), percentile interval of 2,000 bootstrap resamples",
      "|ΔE|/E: mean over mutants of the relative change of median energy against the original; beside others "
      "energy is each one's attributed part",
      "variation: standard deviation by mean over all runs of original and mutants"};
  answer.tables.push_back(std::move(table));
  return answer;
}

}  // namespace wattle::analysis
