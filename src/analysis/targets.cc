// Energy to target and what it is asked for (Geissler et al.): its distribution with runs that never reached it, the
// spread between settings, the map over two hyperparameters, other machines.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <set>

#include "analysis/cells.h"
#include "analysis/questions.h"
#include "base/text.h"
#include "record/until_epoch.h"
#include "stats/descriptive.h"
#include "stats/survival.h"

namespace wattle::analysis {
namespace {

using record::Record;

// All runs of one setting in one environment.
struct Setting {
  std::string workload;
  std::string environment;
  std::string label;
  bool original = false;
  study::Assignment hyperparameters;
  std::vector<stats::Lifetime> lifetimes;  // joules
  std::vector<stats::Lifetime> times;      // seconds, of those whose time is known
  int lost = 0;                            // failed or diverged: they never reach, and are not censored
  int unknown = 0;                         // no metric by epoch, or no energy

  [[nodiscard]] int reached() const {
    return static_cast<int>(
        std::count_if(lifetimes.begin(), lifetimes.end(), [](const auto& one) { return one.event; }));
  }
  [[nodiscard]] std::string name() const { return workload + (original ? "" : " " + label); }
};

struct Settings {
  std::vector<Setting> all;
  Basis basis = Basis::absent;
  std::vector<std::string> targets;  // "accuracy >= 0.9"
};

Result<double> target_of(const WorkloadRuns& workload, const Asked& asked) {
  if (asked.target) return *asked.target;
  if (workload.metric.target) return *workload.metric.target;
  const bool by_ends = std::any_of(workload.runs.begin(), workload.runs.end(), [](const auto& run) {
    return run.second.record->end == record::EndState::reached || run.second.record->end == record::EndState::censored;
  });
  if (by_ends) return 0.0;  // they were stopped by a target of their own
  return fail(ErrorKind::bad_input,
              fmt::format("energy to target needs a target for {} of {}", workload.metric.name, workload.name),
              "give it: --target 0.9, or as `target` of the study's metric");
}

void add_run(const Run& run, double target, bool estimated, Setting& setting) {
  if (run.lost) {
    ++setting.lost;
    return;
  }
  const auto told = record::energy_to_target(*run.record, target);
  if (!told || !told->joules || told->estimated != estimated) {
    ++setting.unknown;
    return;
  }
  setting.lifetimes.push_back({*told->joules, told->reached});
  if (told->seconds) setting.times.push_back({*told->seconds, told->reached});
}

Result<Settings> settings_of(std::span<const Record> records, const Asked& asked) {
  Settings settings;
  const std::vector<WorkloadRuns> workloads = collect(records);
  settings.basis = basis_of(workloads);
  std::map<std::string, Setting> by_id;
  for (const WorkloadRuns& workload : workloads) {
    const auto target = target_of(workload, asked);
    if (!target) return tl::unexpected(target.error());
    if (asked.target || workload.metric.target) {
      settings.targets.push_back(
          fmt::format("{} {} {}", workload.metric.name,
                      workload.metric.goal == study::Goal::maximize ? ">=" : "<=", shortest(*target)));
    }
    for (const Configured& configured : workload.configurations) {
      const study::Configuration& configuration = *configured.configuration;
      if (!configuration.colocation.alone()) continue;
      Setting& setting = by_id[configuration.environment.name + "\n" + workload.name + "\n" + configuration.label];
      setting.workload = workload.name;
      setting.environment = configuration.environment.name;
      setting.label = configuration.label;
      setting.original = configuration.original();
      setting.hyperparameters = configuration.hyperparameters;
      for (const Run* run : configured.runs) {
        if (run->left_out.empty()) add_run(*run, *target, workload.basis == Basis::estimated, setting);
      }
    }
  }
  for (auto& [id, setting] : by_id) settings.all.push_back(std::move(setting));
  return settings;
}

Answer begun(std::string_view question, const Settings& settings) {
  Answer answer;
  answer.question = question;
  answer.basis = to_string(settings.basis);
  warn_of_basis(settings.basis, answer.warnings);
  answer.method = {
      "energy to target: joules from the run's begin, validation included, to the end of the first epoch whose "
      "validation "
      "metric reaches the target; a run that never did is right-censored at what it used",
      "a run that failed or diverged never reaches, and is counted apart: no more training would have helped"};
  if (!settings.targets.empty()) answer.method.push_back("target: " + join(settings.targets, ", "));
  return answer;
}

// What a setting is known to take: its Kaplan-Meier median, or a bound where more than half never reached it.
struct Taken {
  std::optional<double> value;
  bool bound = false;  // at least so much
};

double longest_of(const std::vector<stats::Lifetime>& lifetimes) {
  double longest = 0.0;
  for (const auto& one : lifetimes) longest = std::max(longest, one.time);
  return longest;
}

// `lost`: those that never reach, for the curve ones that are censored last.
Taken median_of(std::vector<stats::Lifetime> lifetimes, int lost) {
  if (lifetimes.empty()) return {};
  const double longest = longest_of(lifetimes);
  for (int i = 0; i < lost; ++i) lifetimes.push_back({longest, false});
  const auto curve = stats::kaplan_meier(lifetimes);
  if (!curve) return {};
  if (curve->median) return {curve->median, false};
  return {longest, true};
}

Taken taken(const Setting& setting) { return median_of(setting.lifetimes, setting.lost); }

Cell cell_of(const Taken& taken, const char* why = "no run with a metric by epoch and energy") {
  if (!taken.value) return Cell::absent(why);
  Cell cell = Cell::of(*taken.value);
  cell.at_least = taken.bound;
  return cell;
}

// Up to where every setting's curve is known: one whose last run reached the target is known to its end, and 0 behind
// it; one whose last run was censored is not known any further. Infinite without any run.
double common_horizon(const std::vector<Setting>& settings) {
  double known = std::numeric_limits<double>::infinity();
  double furthest = 0.0;
  for (const Setting& setting : settings) {
    const double longest = longest_of(setting.lifetimes);
    furthest = std::max(furthest, longest);
    const bool censored_last = std::any_of(setting.lifetimes.begin(), setting.lifetimes.end(),
                                           [&](const auto& one) { return !one.event && one.time == longest; });
    if (censored_last) known = std::min(known, longest);
  }
  return std::isfinite(known) || furthest == 0.0 ? known : furthest;
}

std::string ratio_text(const Taken& worst, const Taken& best) {
  return fmt::format("{}{:.2f}", worst.bound ? ">= " : "", *worst.value / *best.value);
}

// Hyperparameters that differ between settings of one workload.
std::vector<std::string> varied_in(const std::vector<const Setting*>& settings) {
  std::map<std::string, std::set<std::string>> values;
  for (const Setting* setting : settings) {
    for (const auto& [name, value] : setting->hyperparameters) values[name].insert(study::to_text(value));
  }
  std::vector<std::string> names;
  for (const auto& [name, seen] : values) {
    if (seen.size() > 1) names.push_back(name);
  }
  return names;
}

using Grouped = std::map<std::pair<std::string, std::string>, std::vector<const Setting*>>;

// By workload and environment.
Grouped grouped(const Settings& settings) {
  Grouped groups;
  for (const Setting& setting : settings.all) groups[{setting.workload, setting.environment}].push_back(&setting);
  return groups;
}

std::string time_text(const Setting& setting) {
  const Taken time = median_of(setting.times, setting.lost);
  return time.value && !time.bound ? fmt::format(", in {}", human(Seconds{*time.value})) : "";
}

}  // namespace

Result<Answer> to_target(std::span<const Record> records, const Asked& asked) {
  const auto settings = settings_of(records, asked);
  if (!settings) return tl::unexpected(settings.error());
  Answer answer = begun("target", *settings);
  AnswerTable table{"settings",
                    "energy to target, Kaplan-Meier",
                    {{"environment", "environment"},
                     {"setting", "setting"},
                     {"n", "n", Unit::count},
                     {"reached", "reached", Unit::count},
                     {"censored", "censored", Unit::count},
                     {"failed", "failed", Unit::count},
                     {"median_energy_j", "median", Unit::joules, true},
                     {"restricted_mean_energy_j", "restricted mean", Unit::joules, true},
                     {"horizon_j", "up to", Unit::joules},
                     {"median_duration_s", "time (median)", Unit::seconds}},
                    {}};
  std::vector<std::vector<stats::Lifetime>> groups;
  const double horizon = common_horizon(settings->all);
  const Setting* best = nullptr;
  for (const Setting& setting : settings->all) {
    const int n = static_cast<int>(setting.lifetimes.size());
    const auto curve = stats::kaplan_meier(setting.lifetimes);
    Cell median = cell_of(taken(setting));
    Cell mean = Cell::absent("no run");
    if (curve) {
      if (curve->median_low) median.low = curve->median_low;
      if (curve->median_high) median.high = curve->median_high;
      groups.push_back(setting.lifetimes);
      if (const auto restricted = stats::restricted_mean(*curve, horizon)) {
        mean = Cell::of(restricted->mean, restricted->interval.low, restricted->interval.high);
      }
    }
    table.rows.push_back(
        {Cell::of(setting.environment), Cell::of(setting.name()), Cell::of(static_cast<double>(n)),
         Cell::of(static_cast<double>(setting.reached())), Cell::of(static_cast<double>(n - setting.reached())),
         Cell::of(static_cast<double>(setting.lost)), median, mean,
         std::isfinite(horizon) ? Cell::of(horizon) : Cell::absent("no run"),
         cell_of(median_of(setting.times, setting.lost), "no run with a metric by epoch and its time")});
    const Taken now = taken(setting);
    if (now.value && !now.bound && (best == nullptr || *now.value < *taken(*best).value)) best = &setting;
  }
  if (best == nullptr) {
    answer.sentence = "No setting reached the target in half of its runs.";
  } else {
    answer.sentence = fmt::format("{} in {} reaches the target on the least {}energy: {} (median){}.", best->name(),
                                  best->environment, testable(settings->basis) ? "" : answer.basis + " ",
                                  human(Joules{*taken(*best).value}), time_text(*best));
  }
  std::vector<std::span<const stats::Lifetime>> spans(groups.begin(), groups.end());
  AnswerTable tests{"tests",
                    "do settings share one curve?",
                    {{"test", "test"}, {"chi_squared", "chi²", Unit::none}, {"p_value", "p", Unit::p_value}},
                    {}};
  for (const auto& [name, weight] : {std::pair("log-rank", stats::SurvivalWeight::log_rank),
                                     std::pair("Gehan-Wilcoxon", stats::SurvivalWeight::gehan)}) {
    const auto test = stats::compare_survival(spans, weight);
    if (test) tests.rows.push_back({Cell::of(name), Cell::of(test->chi_squared), Cell::of(test->p_value)});
  }
  answer.method.emplace_back(
      "median with 95 % interval (Brookmeyer & Crowley 1982); restricted mean up to where every setting's curve is "
      "known, normal interval; \">=\": half of the runs never reached it");
  answer.tables = {std::move(table), std::move(tests)};
  return answer;
}

Result<Answer> spread(std::span<const Record> records, const Asked& asked) {
  const auto settings = settings_of(records, asked);
  if (!settings) return tl::unexpected(settings.error());
  Answer answer = begun("spread", *settings);
  AnswerTable table{"spread",
                    "the worst setting against the best: same model, machine and target",
                    {{"workload", "workload"},
                     {"environment", "environment"},
                     {"settings", "settings", Unit::count},
                     {"best", "best"},
                     {"best_energy_j", "energy", Unit::joules},
                     {"worst", "worst"},
                     {"worst_energy_j", "energy", Unit::joules},
                     {"spread", "worst / best"},
                     {"default_to_best", "default / best", Unit::none}},
                    {}};
  double most = 0.0;
  std::string most_text;
  std::string most_where;
  for (const auto& [key, group] : grouped(*settings)) {
    std::vector<std::pair<const Setting*, Taken>> known;
    for (const Setting* setting : group) {
      const Taken now = taken(*setting);
      if (now.value) known.emplace_back(setting, now);
    }
    const auto best = std::min_element(known.begin(), known.end(), [](const auto& a, const auto& b) {
      return std::pair(a.second.bound, *a.second.value) < std::pair(b.second.bound, *b.second.value);
    });
    // A bound above everything known, else any bound: its true value may be larger still.
    const auto worst = std::max_element(known.begin(), known.end(),
                                        [](const auto& a, const auto& b) { return *a.second.value < *b.second.value; });
    if (known.size() < 2 || best->second.bound) continue;
    const auto original = std::find_if(known.begin(), known.end(), [](const auto& one) { return one.first->original; });
    const bool some_bound = std::any_of(known.begin(), known.end(), [](const auto& one) { return one.second.bound; });
    Taken top = worst->second;
    top.bound = some_bound;
    std::optional<double> of_default;
    if (original != known.end() && !original->second.bound) {
      of_default = *original->second.value / *best->second.value;
    }
    table.rows.push_back({Cell::of(key.first), Cell::of(key.second), Cell::of(static_cast<double>(known.size())),
                          Cell::of(best->first->label), cell_of(best->second), Cell::of(worst->first->label),
                          cell_of(worst->second), Cell::of(ratio_text(top, best->second)),
                          Cell::of(of_default, "the default never reached it, or did not run")});
    const double ratio = *top.value / *best->second.value;
    if (ratio > most) {
      most = ratio;
      most_text = ratio_text(top, best->second);
      most_where = key.first + " in " + key.second;
    }
  }
  answer.sentence = table.rows.empty()
                        ? "No two settings of one workload can be compared."
                        : fmt::format("The worst setting takes {} times the {}energy of the best ({}).", most_text,
                                      testable(settings->basis) ? "" : answer.basis + " ", most_where);
  answer.method.emplace_back(
      "spread: ratio of Kaplan-Meier medians; \">=\" where some setting never reached the target");
  answer.tables.push_back(std::move(table));
  return answer;
}

Result<Answer> heat_map(std::span<const Record> records, const Asked& asked) {
  const auto settings = settings_of(records, asked);
  if (!settings) return tl::unexpected(settings.error());
  Answer answer = begun("heat-map", *settings);
  answer.sentence = "No workload of this study varies two hyperparameters at once.";
  for (const auto& [key, group] : grouped(*settings)) {
    std::vector<std::string> names = varied_in(group);
    if (names.size() < 2) continue;
    // Batch size and learning rate where there are more than two.
    std::stable_sort(names.begin(), names.end(), [](const std::string& a, const std::string& b) {
      const auto place = [](const std::string& name) {
        return name == "batch_size" ? 0 : name == "learning_rate" ? 1 : 2;
      };
      return place(a) < place(b);
    });
    AnswerTable table{
        fmt::format("map{}", answer.tables.empty() ? "" : std::to_string(answer.tables.size() + 1)),
        fmt::format("{} in {}: energy to target, {} down, {} across", key.first, key.second, names[0], names[1]),
        {{names[0], names[0]}},
        {}};
    const auto by_number = [](const study::Value& a, const study::Value& b) {
      const auto x = study::to_number(a);
      const auto y = study::to_number(b);
      return x && y ? *x < *y : study::to_text(a) < study::to_text(b);
    };
    std::set<study::Value, decltype(by_number)> downs(by_number);
    std::set<study::Value, decltype(by_number)> acrosses(by_number);
    std::map<std::pair<std::string, std::string>, const Setting*> cells;
    for (const Setting* setting : group) {
      const auto down = setting->hyperparameters.find(names[0]);
      const auto across = setting->hyperparameters.find(names[1]);
      if (down == setting->hyperparameters.end() || across == setting->hyperparameters.end()) continue;
      downs.insert(down->second);
      acrosses.insert(across->second);
      cells[{study::to_text(down->second), study::to_text(across->second)}] = setting;
    }
    for (const study::Value& across : acrosses) {
      const std::string text = study::to_text(across);
      table.columns.push_back({names[1] + "_" + text, text, Unit::joules});
    }
    for (const study::Value& down : downs) {
      std::vector<Cell> row{Cell::of(study::to_text(down))};
      for (const study::Value& across : acrosses) {
        const auto setting = cells.find({study::to_text(down), study::to_text(across)});
        row.push_back(setting == cells.end() ? Cell::absent("not run") : cell_of(taken(*setting->second)));
      }
      table.rows.push_back(std::move(row));
    }
    answer.tables.push_back(std::move(table));
  }
  if (!answer.tables.empty()) {
    answer.sentence =
        fmt::format("Energy to target over two hyperparameters, for {} workload{} and environment{}.",
                    answer.tables.size(), answer.tables.size() == 1 ? "" : "s", answer.tables.size() == 1 ? "" : "s");
  }
  return answer;
}

Result<Answer> machines(std::span<const Record> records, const Asked& asked) {
  const auto settings = settings_of(records, asked);
  if (!settings) return tl::unexpected(settings.error());
  Answer answer = begun("machines", *settings);
  AnswerTable table{"transfer",
                    "the best setting of one environment, used in another",
                    {{"workload", "workload"},
                     {"best_of", "best of"},
                     {"setting", "setting"},
                     {"used_in", "used in"},
                     {"best_there", "best there"},
                     {"same", "same"},
                     {"ratio", "energy against best there", Unit::change}},
                    {}};
  const Grouped groups = grouped(*settings);
  const auto best_of = [](const std::vector<const Setting*>& group) -> const Setting* {
    const Setting* best = nullptr;
    for (const Setting* setting : group) {
      const Taken now = taken(*setting);
      if (now.value && !now.bound && (best == nullptr || *now.value < *taken(*best).value)) best = setting;
    }
    return best;
  };
  int same = 0;
  for (const auto& [here, group] : groups) {
    for (const auto& [there, other] : groups) {
      const Setting* best = best_of(group);
      const Setting* best_there = best_of(other);
      if (here.first != there.first || here.second == there.second || !best || !best_there) continue;
      const auto used = std::find_if(other.begin(), other.end(),
                                     [&](const Setting* one) { return one->hyperparameters == best->hyperparameters; });
      const Taken cost = used == other.end() ? Taken{} : taken(**used);
      const bool equal = best->hyperparameters == best_there->hyperparameters;
      same += equal ? 1 : 0;
      Cell ratio = Cell::absent(used == other.end() ? "it did not run there" : "it never reached the target there");
      if (cost.value && !cost.bound) ratio = Cell::of(*cost.value / *taken(*best_there).value);
      table.rows.push_back({Cell::of(here.first), Cell::of(here.second), Cell::of(best->label), Cell::of(there.second),
                            Cell::of(best_there->label), Cell::of(equal ? "yes" : "no"), ratio});
    }
  }
  answer.sentence = table.rows.empty() ? "No workload reached the target in two environments."
                                       : fmt::format(
                                             "In {} of {} cases the best setting of one environment is the best of "
                                             "the other too.",
                                             same, table.rows.size());
  answer.tables.push_back(std::move(table));
  return answer;
}

}  // namespace wattle::analysis
