#include "analysis/runs.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <set>
#include <tuple>
#include <utility>

#include "base/text.h"
#include "stats/descriptive.h"

namespace wattle::analysis {
namespace {

using record::Record;

bool scored(const Record& record) {
  return record.request.purpose == study::Purpose::score && record::finished(record.end);
}

bool later(const Record& a, const Record& b) {
  return std::pair(a.attempt, a.started_wall.value) > std::pair(b.attempt, b.started_wall.value);
}

bool same_metric(const study::Metric& a, const study::Metric& b) {
  return a.name == b.name && a.goal == b.goal && a.tolerance == b.tolerance;
}

void settle_metric(WorkloadRuns& workload) {
  const auto started = [](const auto& entry) {
    return std::pair(entry.second.record->started_wall.value, entry.first);
  };
  const auto last = std::max_element(workload.runs.begin(), workload.runs.end(),
                                     [&](const auto& a, const auto& b) { return started(a) < started(b); });
  workload.metric = last->second.record->request.metric;
  workload.metric_changed = std::any_of(workload.runs.begin(), workload.runs.end(), [&](const auto& entry) {
    return !same_metric(entry.second.record->request.metric, workload.metric);
  });
}

void judge_ends(WorkloadRuns& workload) {
  std::set<record::Split> splits;
  std::vector<std::pair<Run*, record::Performance>> values;
  for (auto& [key, run] : workload.runs) {
    const record::EndState end = run.record->end;
    run.succeeded = record::successful(end);
    run.lost = record::lost(end);
    const auto reached = record::performance(*run.record);
    if (!run.succeeded || !reached || run.record->request.metric.name != workload.metric.name) continue;
    if (!std::isfinite(reached->value)) {
      run.succeeded = false;
      run.lost = true;
      continue;
    }
    splits.insert(reached->split);
    values.emplace_back(&run, *reached);
  }
  if (splits.empty()) return;
  const record::Split used = splits.contains(record::Split::test) ? record::Split::test : *splits.begin();
  workload.metric_split = std::string(record::to_string(used));
  for (const auto& [run, reached] : values) {
    if (reached.split == used) {
      run->metric = reached.value;
    } else {
      ++workload.split_left_out;
    }
  }
}

void take_energies(WorkloadRuns& workload) {
  std::vector<std::pair<Run*, record::RunEnergy>> energies;
  long estimated = 0;
  bool simulated = false;
  bool imported = false;
  for (auto& [key, run] : workload.runs) {
    if (!run.succeeded) continue;
    if (run.record->duration && run.record->duration->value > 0) run.time_s = to_seconds(*run.record->duration).value;
    const auto energy = record::run_energy(*run.record);
    if (!energy || !std::isfinite(energy->energy.value) || energy->energy.value <= 0.0) continue;
    energies.emplace_back(&run, *energy);
    estimated += energy->estimated ? 1 : 0;
    simulated = simulated || run.record->simulated;
    imported = imported || run.record->fingerprint.contains("imported");
  }
  if (energies.empty()) return;
  const long measured = static_cast<long>(energies.size()) - estimated;
  workload.provenance_mixed = estimated > 0 && measured > 0;
  workload.basis = simulated       ? Basis::simulated
                   : estimated > 0 ? Basis::estimated
                   : imported      ? Basis::imported
                                   : Basis::measured;
  const bool kept_kind = estimated >= measured;
  for (const auto& [run, energy] : energies) {
    if (energy.estimated == kept_kind) run->energy_j = energy.energy.value;
  }
}

std::optional<double> mutated_number(const study::Configuration& configuration) {
  if (configuration.original()) return std::nullopt;
  const auto value = configuration.hyperparameters.find(configuration.varied.front());
  if (value == configuration.hyperparameters.end()) return std::nullopt;
  return study::to_number(value->second);
}

bool shown_before(const Configured& a, const Configured& b) {
  const auto place = [](const study::Configuration& configuration) {
    return std::tuple(!configuration.original(), configuration.varied, mutated_number(configuration),
                      configuration.label, configuration.id);
  };
  return place(*a.configuration) < place(*b.configuration);
}

void group(WorkloadRuns& workload) {
  std::map<std::string, Configured> by_id;
  std::set<int> blocks;
  for (const auto& [key, run] : workload.runs) {
    Configured& configured = by_id[run.record->request.configuration.id];
    configured.configuration = &run.record->request.configuration;
    configured.runs.push_back(&run);
    blocks.insert(run.record->request.block);
  }
  workload.blocks = static_cast<int>(blocks.size());
  for (auto& [id, configured] : by_id) {
    std::stable_sort(configured.runs.begin(), configured.runs.end(),
                     [](const Run* a, const Run* b) { return a->record->request.block < b->record->request.block; });
    workload.configurations.push_back(std::move(configured));
  }
  std::sort(workload.configurations.begin(), workload.configurations.end(), shown_before);
}

// --- Outliers ------------------------------------------------------------------------------------------------------

struct Ranked {
  double value = 0.0;
  Run* run = nullptr;
};

std::vector<Ranked> ranked(WorkloadRuns& workload, const Configured& configured, const std::string& measure) {
  std::vector<Ranked> values;
  for (const Run* shown : configured.runs) {
    Run& run = workload.runs.at(shown->record->request.key);
    if (!run.succeeded) continue;
    if (const auto value = value_of(run, measure)) values.push_back({*value, &run});
  }
  std::stable_sort(values.begin(), values.end(), [](const Ranked& a, const Ranked& b) { return a.value < b.value; });
  return values;
}

void mark(const Ranked& outlier, const std::string& why) {
  if (outlier.run->left_out.empty()) outlier.run->left_out = fmt::format("{} ({})", why, shortest(outlier.value));
}

// Marks of one configuration's runs.
void mark_outliers(const std::vector<Ranked>& values, const study::OutlierRule& rule) {
  const std::size_t n = values.size();
  for (std::size_t i = 0; i < n; ++i) {
    if (i >= n - std::min<std::size_t>(n, static_cast<std::size_t>(rule.drop_highest))) {
      mark(values[i], fmt::format("of the {} highest {}", rule.drop_highest, rule.measure));
    }
    if (i < static_cast<std::size_t>(rule.drop_lowest)) {
      mark(values[i], fmt::format("of the {} lowest {}", rule.drop_lowest, rule.measure));
    }
    if (rule.equals && values[i].value == *rule.equals) {
      mark(values[i], fmt::format("{} is {}", rule.measure, shortest(*rule.equals)));
    }
  }
  if (!rule.beyond_iqr) return;
  std::vector<double> plain;
  for (const Ranked& value : values) plain.push_back(value.value);
  const auto low = stats::quantile(plain, 0.25);
  const auto high = stats::quantile(plain, 0.75);
  if (!low || !high) return;
  const double reach = *rule.beyond_iqr * (*high - *low);
  for (const Ranked& value : values) {
    if (value.value < *low - reach || value.value > *high + reach) {
      mark(value, fmt::format("{} beyond {} interquartile ranges", rule.measure, shortest(*rule.beyond_iqr)));
    }
  }
}

// As declared with the run that started last.
const std::vector<study::OutlierRule>& rules_of(const WorkloadRuns& workload) {
  const auto last = std::max_element(workload.runs.begin(), workload.runs.end(), [](const auto& a, const auto& b) {
    return a.second.record->started_wall.value < b.second.record->started_wall.value;
  });
  return last->second.record->request.protocol.outliers;
}

// Every rule looks at all runs, so their order changes nothing.
void leave_out(WorkloadRuns& workload) {
  for (const study::OutlierRule& rule : rules_of(workload)) {
    for (const Configured& configured : workload.configurations) {
      mark_outliers(ranked(workload, configured, rule.measure), rule);
    }
  }
  for (auto& [key, run] : workload.runs) {
    if (run.left_out.empty()) continue;
    run.succeeded = false;
    run.lost = false;
    run.energy_j.reset();
    run.time_s.reset();
    run.metric.reset();
    ++workload.left_out;
  }
}

// --- Families ------------------------------------------------------------------------------------------------------

// Workload, environment and company; the last two are empty where runs of all stand together.
using Family = std::array<std::string, 3>;

// Partners by their workloads: beside a mutant as beside its original.
std::string company_of(const study::Colocation& colocation) {
  if (colocation.alone()) return {};
  std::vector<std::string> partners;
  for (const std::string& partner : colocation.partners) partners.push_back(partner.substr(0, partner.find('/')));
  std::string text = "beside " + join(partners, ", ");
  if (colocation.mode == study::GroupMode::background) {
    text = colocation.member == 0 ? text + " in the background" : "behind " + join(partners, ", ");
  } else if (std::count(partners.begin(), partners.end(), partners.front()) > 0 && colocation.member > 0) {
    text += fmt::format(", #{}", colocation.member + 1);
  }
  return colocation.divided_cores ? text : text + ", cores shared";
}

Family family_of(const Record& record, bool apart) {
  const study::Configuration& configuration = record.request.configuration;
  if (!apart) return {configuration.workload, "", ""};
  return {configuration.workload, configuration.environment.name, company_of(configuration.colocation)};
}

std::vector<WorkloadRuns> gather(std::span<const Record> records, Outliers outliers, bool apart) {
  std::map<Family, WorkloadRuns> by_family;
  std::map<std::string, std::set<std::string>> environments;
  for (const Record& record : records) {
    if (!scored(record)) continue;
    const Family family = family_of(record, apart);
    environments[family[0]].insert(family[1]);
    Run& run = by_family[family].runs[record.request.key];
    if (run.record == nullptr || later(record, *run.record)) run.record = &record;
  }
  std::vector<WorkloadRuns> workloads;
  workloads.reserve(by_family.size());
  for (auto& [family, gathered] : by_family) {
    WorkloadRuns& workload = workloads.emplace_back(std::move(gathered));
    workload.workload = family[0];
    workload.environment = family[1];
    workload.name = family[0] + (family[2].empty() ? "" : " ") + family[2];
    if (environments[family[0]].size() > 1) workload.name += " @" + family[1];
    settle_metric(workload);
    judge_ends(workload);
    take_energies(workload);
    group(workload);
    if (outliers == Outliers::apply) leave_out(workload);
  }
  return workloads;
}

}  // namespace

std::vector<WorkloadRuns> collect(std::span<const Record> records, Outliers outliers) {
  return gather(records, outliers, false);
}

std::vector<WorkloadRuns> families(std::span<const Record> records, Outliers outliers) {
  return gather(records, outliers, true);
}

std::optional<double> value_of(const Run& run, std::string_view name) {
  if (!run.succeeded) return std::nullopt;
  if (name == "energy") return run.energy_j;
  if (name == "time") return run.time_s;
  const record::Record& record = *run.record;
  if (name == "energy_per_image" || name == "time_per_image") {
    const auto images = value_of(run, "images_seen");
    const auto spent = name == "energy_per_image" ? run.energy_j : run.time_s;
    if (!images || *images <= 0.0 || !spent) return std::nullopt;
    return *spent / *images;
  }
  if (name == record.request.metric.name) return run.metric;
  for (const record::MetricPoint& point : record.metrics) {
    if (point.name == name && !point.epoch && std::isfinite(point.value)) return point.value;
  }
  for (const energy::Measure& told : record.measures) {
    if (told.name == name) return told.mean;
  }
  return std::nullopt;
}

std::vector<Pair> pairs_of(const WorkloadRuns& workload, const Configured& mutant) {
  std::vector<Pair> pairs;
  for (const Run* run : mutant.runs) {
    const auto original = workload.runs.find(run->record->request.pair_key);
    if (original == workload.runs.end() || !original->second.succeeded) continue;
    if (!original->second.record->request.configuration.original()) continue;
    if (run->succeeded || run->lost) pairs.push_back({&original->second, run});
  }
  return pairs;
}

const study::Configuration* original_of(const WorkloadRuns& workload, const Configured& mutant) {
  for (const Run* run : mutant.runs) {
    const auto original = workload.runs.find(run->record->request.pair_key);
    if (original == workload.runs.end()) continue;
    const study::Configuration& configuration = original->second.record->request.configuration;
    if (configuration.original()) return &configuration;
  }
  const study::Configuration& first = *workload.configurations.front().configuration;
  return first.original() ? &first : nullptr;
}

}  // namespace wattle::analysis
