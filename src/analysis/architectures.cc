// Architecture × training environment (del Rey et al.): what a trained image costs, what another architecture would
// save, which differences are significant, the front, complexity, interaction, and where to train what.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <set>

#include "analysis/cells.h"
#include "analysis/comparison.h"
#include "analysis/questions.h"
#include "base/text.h"
#include "stats/anova.h"
#include "stats/correlation.h"
#include "stats/descriptive.h"
#include "stats/effect_size.h"
#include "stats/groups.h"
#include "stats/interaction.h"
#include "stats/kruskal_wallis.h"
#include "stats/pareto.h"
#include "stats/rank_sum.h"
#include "stats/shapiro_wilk.h"

namespace wattle::analysis {
namespace {

using record::Record;

struct Asking {
  std::vector<WorkloadRuns> workloads;
  std::vector<CellRuns> cells;
  std::string cost;
  std::string metric;
  Basis basis = Basis::absent;
  bool minimise_metric = false;
};

Asking asking(std::span<const Record> records) {
  Asking all;
  all.workloads = collect(records);
  all.cells = cells_of(all.workloads);
  all.cost = cost_of(all.cells);
  all.metric = metric_of(all.workloads);
  all.basis = basis_of(all.workloads);
  all.minimise_metric = !all.workloads.empty() && all.workloads.front().metric.goal == study::Goal::minimize;
  return all;
}

Answer begun(std::string_view question, const Asking& all) {
  Answer answer;
  answer.question = question;
  answer.basis = to_string(all.basis);
  warn_of_basis(all.basis, answer.warnings);
  int left_out = 0;
  for (const WorkloadRuns& workload : all.workloads) left_out += workload.left_out;
  if (left_out > 0) {
    answer.warnings.push_back(
        fmt::format("declared outlier rules leave {} runs out: wattle report --question outliers", left_out));
  }
  return answer;
}

std::string kind_of(Basis basis) { return testable(basis) ? "" : std::string(to_string(basis)) + " "; }

Cell quartiles(const std::vector<double>& values, const std::string& why) {
  Cell cell = Cell::of(stats::median(values), why);
  if (values.size() > 1) {
    cell.low = stats::quantile(values, 0.25);
    cell.high = stats::quantile(values, 0.75);
  }
  return cell;
}

Cell count_of(std::size_t n) { return Cell::of(static_cast<double>(n)); }

std::string percent(double part) { return fmt::format("{:.2f} %", 100.0 * part); }

// --- Omnibus ---------------------------------------------------------------------------------------------------------

struct Group {
  std::string name;
  std::vector<double> values;
  std::vector<double> ascending;  // every pair of groups sorts them again
};

std::vector<Group> groups_in(const Asking& all, const std::string& environment, const std::string& measure) {
  std::vector<Group> groups;
  for (const CellRuns& cell : all.cells) {
    if (cell.environment != environment) continue;
    std::vector<double> values = values_of(cell, measure);
    if (values.size() < 2) continue;
    std::vector<double> ascending = values;
    std::sort(ascending.begin(), ascending.end());
    groups.push_back({cell.architecture, std::move(values), std::move(ascending)});
  }
  return groups;
}

std::vector<std::span<const double>> spans_of(const std::vector<Group>& groups) {
  std::vector<std::span<const double>> spans;
  spans.reserve(groups.size());
  for (const Group& group : groups) spans.emplace_back(group.values);
  return spans;
}

template <class Test>
Cell p_of(const Result<Test>& test) {
  return test ? Cell::of(test->p_value) : Cell::absent(test.error().message);
}

void add_omnibus(const std::string& environment, const std::string& measure, const std::vector<Group>& groups,
                 AnswerTable& table) {
  const auto spans = spans_of(groups);
  const auto kruskal = stats::kruskal_wallis(spans);
  const std::string why = kruskal ? "" : kruskal.error().message;
  std::size_t n = 0;
  for (const Group& group : groups) n += group.values.size();
  const auto number = [&](auto member) { return kruskal ? Cell::of((*kruskal).*member) : Cell::absent(why); };
  table.rows.push_back({Cell::of(environment), Cell::of(words_of(measure)), count_of(groups.size()), count_of(n),
                        p_of(stats::levene(spans)), number(&stats::KruskalWallis::h), p_of(kruskal),
                        number(&stats::KruskalWallis::eta_squared), number(&stats::KruskalWallis::epsilon_squared)});
}

void add_pairs(const std::string& environment, const std::string& measure, const std::vector<Group>& groups,
               AnswerTable& table) {
  const auto dunn = stats::dunn(spans_of(groups));
  if (!dunn) return;
  table.rows.reserve(table.rows.size() + dunn->size());
  for (const stats::DunnPair& pair : *dunn) {
    const auto delta = stats::dominance(groups[pair.first].ascending, groups[pair.second].ascending);
    Cell effect = Cell::absent("too few runs");
    if (delta) {
      effect = Cell::of(delta->delta);
      if (delta->interval) {
        effect.low = delta->interval->low;
        effect.high = delta->interval->high;
      }
    }
    table.rows.push_back({Cell::of(environment), Cell::of(words_of(measure)), Cell::of(groups[pair.first].name),
                          Cell::of(groups[pair.second].name), Cell::of(pair.z), Cell::of(pair.p_value),
                          Cell::of(pair.adjusted), effect});
  }
}

void add_normality(const std::string& environment, const std::string& measure, const std::vector<Group>& groups,
                   AnswerTable& table) {
  for (const Group& group : groups) {
    const auto test = stats::shapiro_wilk(group.values);
    table.rows.push_back({Cell::of(environment), Cell::of(words_of(measure)), Cell::of(group.name),
                          count_of(group.values.size()), test ? Cell::of(test->w) : Cell::absent(test.error().message),
                          p_of(test)});
  }
}

// --- Reduction -------------------------------------------------------------------------------------------------------

struct Priced;
struct Saving {
  const Priced* from = nullptr;
  const Priced* to = nullptr;
  double part = 0.0;                  // 0.81: 81 % less
  std::optional<double> metric_loss;  // relative, of the metric's median
  std::optional<double> p_value;
  std::string why_untested;
  std::optional<double> delta;
};

// A cell's numbers, looked up once: every cell is compared with all others of its environment.
struct Priced {
  const CellRuns* cell = nullptr;
  std::vector<double> costs;  // ascending
  double median = 0.0;
  std::optional<double> metric;
};

std::vector<Priced> priced(const Asking& all) {
  std::vector<Priced> cells;
  for (const CellRuns& cell : all.cells) {
    Priced one{&cell, values_of(cell, all.cost), 0.0, median_of(cell, all.metric)};
    std::sort(one.costs.begin(), one.costs.end());
    const auto median = stats::median(one.costs);
    if (!median) continue;
    one.median = *median;
    cells.push_back(std::move(one));
  }
  return cells;
}

std::optional<double> metric_loss(const Asking& all, const Priced& from, const Priced& to) {
  if (!from.metric || !to.metric || *from.metric == 0.0) return std::nullopt;
  const double change = (*to.metric - *from.metric) / std::abs(*from.metric);
  return all.minimise_metric ? change : -change;
}

void compare_costs(const Asking& all, const Priced& from, const Priced& to, std::vector<Saving>& savings) {
  Saving saving{&from, &to, 1.0 - to.median / from.median, metric_loss(all, from, to), {}, {}, {}};
  const auto test = stats::rank_sum(from.costs, to.costs);
  if (test) saving.p_value = test->p_value;
  if (!test) saving.why_untested = test.error().message;
  // u counts the pairs in which the first costs more, ties half: Cliff's delta is that of a pair, scaled.
  const auto pairs = static_cast<double>(from.costs.size()) * static_cast<double>(to.costs.size());
  if (test) saving.delta = (pairs - 2.0 * test->u) / pairs;
  savings.push_back(std::move(saving));
}

}  // namespace

Result<Answer> cost_per_image(std::span<const Record> records, const Asked&) {
  const Asking all = asking(records);
  Answer answer = begun("cost-per-image", all);
  AnswerTable table{"cells",
                    "medians, with quartiles in brackets",
                    {{"environment", "environment"},
                     {"architecture", "architecture"},
                     {"n", "n", Unit::count},
                     {"energy_per_image_j", "J/image", Unit::per_item, true},
                     {"time_per_image_s", "s/image", Unit::per_item, true},
                     {"energy_j", "energy", Unit::joules, true},
                     {"duration_s", "time", Unit::seconds},
                     {"metric", all.metric.empty() ? "metric" : all.metric, Unit::none},
                     {"gflops", "GFLOPs", Unit::none}},
                    {}};
  const CellRuns* least = nullptr;
  for (const CellRuns& cell : all.cells) {
    const std::string unseen = "no run tells images_seen";
    table.rows.push_back(
        {Cell::of(cell.environment), Cell::of(cell.architecture), count_of(values_of(cell, "time").size()),
         quartiles(values_of(cell, "energy_per_image"), unseen), quartiles(values_of(cell, "time_per_image"), unseen),
         quartiles(values_of(cell, "energy"), "no energy was read"),
         Cell::of(median_of(cell, "time"), "no run succeeded"), Cell::of(median_of(cell, all.metric), "no run told it"),
         Cell::of(median_of(cell, "gflops"), "not told")});
    const auto cost = median_of(cell, all.cost);
    if (cost && (least == nullptr || *cost < *median_of(*least, all.cost))) least = &cell;
  }
  answer.sentence = least == nullptr ? "No run of this study succeeded."
                                     : fmt::format("{} in {} has the least {}{}: {} {} (median).", least->architecture,
                                                   least->environment, kind_of(all.basis), words_of(all.cost),
                                                   significant(*median_of(*least, all.cost), 4),
                                                   all.cost.starts_with("energy") ? "J" : "s");
  answer.method = {"per image: of all images seen, training and validation, as the run tells them (images_seen)"};
  answer.tables.push_back(std::move(table));
  return answer;
}

Result<Answer> reduction(std::span<const Record> records, const Asked&) {
  const Asking all = asking(records);
  Answer answer = begun("reduction", all);
  const std::vector<Priced> cells = priced(all);
  std::vector<Saving> savings;
  for (const Priced& from : cells) {
    for (const Priced& to : cells) {
      if (from.cell->environment != to.cell->environment || from.median <= to.median) continue;
      compare_costs(all, from, to, savings);
    }
  }
  std::vector<std::optional<double>> p_values;
  p_values.reserve(savings.size());
  for (const Saving& saving : savings) p_values.push_back(saving.p_value);
  const auto adjusted = holm_across(p_values);
  std::vector<std::size_t> order(savings.size());
  for (std::size_t i = 0; i < order.size(); ++i) order[i] = i;
  std::stable_sort(order.begin(), order.end(),
                   [&](std::size_t a, std::size_t b) { return savings[a].part > savings[b].part; });
  AnswerTable table{"pairs",
                    fmt::format("how much less {} (medians), in the same environment", words_of(all.cost)),
                    {{"environment", "environment"},
                     {"from", "from"},
                     {"to", "to"},
                     {"reduction", "reduction", Unit::percent},
                     {"metric_loss", all.metric + " loss, relative", Unit::percent},
                     {"p_value", "p", Unit::p_value},
                     {"p_value_holm", "p Holm", Unit::p_value},
                     {"cliffs_delta", "delta", Unit::effect}},
                    {}};
  table.rows.reserve(order.size());
  for (const std::size_t i : order) {
    const Saving& one = savings[i];
    table.rows.push_back({Cell::of(one.from->cell->environment), Cell::of(one.from->cell->architecture),
                          Cell::of(one.to->cell->architecture), Cell::of(one.part),
                          Cell::of(one.metric_loss, "no run told the metric"), Cell::of(one.p_value, one.why_untested),
                          Cell::of(adjusted[i], "not tested"), Cell::of(one.delta, "no runs")});
  }
  if (order.empty()) {
    answer.sentence = "No two architectures ran in the same environment.";
  } else {
    const Saving& best = savings[order.front()];
    answer.sentence = fmt::format(
        "{} instead of {} takes {} less {}{} in {}{}.", best.to->cell->architecture, best.from->cell->architecture,
        percent(best.part), kind_of(all.basis), words_of(all.cost), best.from->cell->environment,
        best.metric_loss ? fmt::format(", for a relative {} {} of {}", percent(std::abs(*best.metric_loss)),
                                       *best.metric_loss >= 0.0 ? "loss" : "gain", all.metric)
                         : "");
  }
  answer.method = {"reduction: 1 - median of the one / median of the other, both of runs that succeeded",
                   "p: Mann-Whitney, two-sided; Holm over all rows",
                   "delta: Cliff's, below 0 where the second takes less"};
  answer.tables.push_back(std::move(table));
  return answer;
}

Result<Answer> omnibus(std::span<const Record> records, const Asked& asked) {
  const Asking all = asking(records);
  Answer answer = begun("omnibus", all);
  AnswerTable tests{"tests",
                    "do architectures differ at all?",
                    {{"environment", "environment"},
                     {"measure", "measure"},
                     {"groups", "groups", Unit::count},
                     {"n", "n", Unit::count},
                     {"levene_p_value", "Levene p", Unit::p_value},
                     {"h", "H", Unit::none},
                     {"p_value", "Kruskal-Wallis p", Unit::p_value},
                     {"eta_squared", "eta²", Unit::effect},
                     {"epsilon_squared", "epsilon²", Unit::effect}},
                    {}};
  AnswerTable pairs{"pairs",
                    "which ones: Dunn's test with Holm",
                    {{"environment", "environment"},
                     {"measure", "measure"},
                     {"first", "first"},
                     {"second", "second"},
                     {"z", "z", Unit::effect},
                     {"p_value", "p", Unit::p_value},
                     {"p_value_holm", "p Holm", Unit::p_value},
                     {"cliffs_delta", "delta", Unit::effect, true}},
                    {}};
  AnswerTable normality{"normality",
                        "are the runs of a cell normal? Shapiro-Wilk",
                        {{"environment", "environment"},
                         {"measure", "measure"},
                         {"architecture", "architecture"},
                         {"n", "n", Unit::count},
                         {"w", "W", Unit::none},
                         {"p_value", "p", Unit::p_value}},
                        {}};
  for (const std::string& environment : environments_of(all.cells)) {
    for (const std::string& measure : {all.cost, std::string("time"), all.metric}) {
      if (measure.empty()) continue;
      const std::vector<Group> groups = groups_in(all, environment, measure);
      if (groups.size() < 2) continue;
      add_omnibus(environment, measure, groups, tests);
      add_pairs(environment, measure, groups, pairs);
      add_normality(environment, measure, groups, normality);
    }
  }
  int significant_tests = 0;
  for (const auto& row : tests.rows) significant_tests += row[6].value && *row[6].value < asked.alpha ? 1 : 0;
  answer.sentence =
      tests.rows.empty()
          ? "There are no two architectures with two runs each in one environment."
          : fmt::format("Architectures differ significantly in {} of {} tests (Kruskal-Wallis, alpha {}).",
                        significant_tests, tests.rows.size(), shortest(asked.alpha));
  answer.method = {
      "eta² = (H - k + 1)/(n - k) and epsilon² = H (n + 1)/(n² - 1), of Kruskal-Wallis' H",
      "Dunn's z from the mean ranks of all, corrected for ties; Holm over the pairs of a row above",
      "delta: Cliff's with 95 % interval; p-values of different measures are not corrected for each other"};
  for (AnswerTable* table : {&tests, &pairs, &normality}) answer.tables.push_back(std::move(*table));
  return answer;
}

Result<Answer> front(std::span<const Record> records, const Asked&) {
  const Asking all = asking(records);
  Answer answer = begun("front", all);
  std::vector<const CellRuns*> placed;
  std::vector<double> points;
  for (const CellRuns& cell : all.cells) {
    const auto cost = median_of(cell, all.cost);
    const auto metric = median_of(cell, all.metric);
    if (!cost || !metric) continue;
    placed.push_back(&cell);
    points.insert(points.end(), {*cost, *metric});
  }
  const std::vector<stats::Goal> goals{stats::Goal::minimise,
                                       all.minimise_metric ? stats::Goal::minimise : stats::Goal::maximise};
  const auto places = stats::pareto_front({points, goals});
  AnswerTable table{"cells",
                    fmt::format("{} against {} (medians)", all.metric, words_of(all.cost)),
                    {{"environment", "environment"},
                     {"architecture", "architecture"},
                     {"cost", words_of(all.cost), unit_of(all.cost)},
                     {"metric", all.metric, Unit::none},
                     {"front", "on the front"}},
                    {}};
  std::vector<std::string> best;
  for (std::size_t i = 0; i < placed.size(); ++i) {
    const bool on = places && std::find(places->begin(), places->end(), i) != places->end();
    if (on) best.push_back(placed[i]->architecture + " in " + placed[i]->environment);
    table.rows.push_back({Cell::of(placed[i]->environment), Cell::of(placed[i]->architecture), Cell::of(points[2 * i]),
                          Cell::of(points[2 * i + 1]), Cell::of(on ? "yes" : "no")});
  }
  answer.sentence = best.empty()
                        ? "No run told both its metric and its cost."
                        : fmt::format("{} of {} cells are on the front of {} and {}{}: {}.", best.size(), placed.size(),
                                      all.metric, kind_of(all.basis), words_of(all.cost), join(best, "; "));
  answer.method = {"on the front: no other cell has a median as good in both and better in one"};
  answer.tables.push_back(std::move(table));
  return answer;
}

namespace {

void add_relation(const Asking& all, const std::string& environment, const std::string& x, const std::string& y,
                  AnswerTable& table) {
  std::vector<double> xs;
  std::vector<double> ys;
  for (const CellRuns& cell : all.cells) {
    if (cell.environment != environment) continue;
    for (const Run* run : cell.runs) {
      const auto a = value_of(*run, x);
      const auto b = value_of(*run, y);
      if (!a || !b) continue;
      xs.push_back(*a);
      ys.push_back(*b);
    }
  }
  if (xs.empty()) return;
  const auto rho = stats::spearman(xs, ys);
  table.rows.push_back({Cell::of(environment), Cell::of(words_of(x)), Cell::of(words_of(y)), count_of(xs.size()),
                        rho ? Cell::of(rho->rho, rho->low, rho->high) : Cell::absent(rho.error().message), p_of(rho)});
}

std::string gpu_gauge(std::span<const Record> records) {
  for (const Record& record : records) {
    for (const energy::Measure& measure : record.measures) {
      if (measure.name.starts_with("gpu-") && measure.name.ends_with("_utilisation")) return measure.name;
    }
  }
  return "cpu_utilisation";
}

}  // namespace

Result<Answer> complexity(std::span<const Record> records, const Asked&) {
  const Asking all = asking(records);
  Answer answer = begun("complexity", all);
  AnswerTable table{"relations",
                    "how they move together, over runs",
                    {{"environment", "environment"},
                     {"x", "x"},
                     {"y", "y"},
                     {"n", "n", Unit::count},
                     {"rho", "rho", Unit::effect, true},
                     {"p_value", "p", Unit::p_value}},
                    {}};
  const std::string utilisation = gpu_gauge(records);
  for (const std::string& environment : environments_of(all.cells)) {
    add_relation(all, environment, all.cost, "gflops", table);
    add_relation(all, environment, utilisation, "gflops", table);
    add_relation(all, environment, all.metric, all.cost, table);
    add_relation(all, environment, all.metric, "gflops", table);
    add_relation(all, environment, utilisation, all.cost, table);
  }
  answer.sentence = "No run tells its GFLOPs.";
  for (const auto& row : table.rows) {
    if (row[2].text != "gflops" || row[1].text != words_of(all.cost) || !row[4].value) continue;
    answer.sentence = fmt::format("{}{} and GFLOPs move together with rho = {:.3f} in {} ({} runs).",
                                  kind_of(all.basis), words_of(all.cost), *row[4].value, row[0].text, *row[3].value);
    answer.sentence.front() = static_cast<char>(std::toupper(static_cast<unsigned char>(answer.sentence.front())));
    break;
  }
  answer.method = {"rho: Spearman's, with 95 % interval; GFLOPs are of one forward pass, 2 x multiply-adds"};
  answer.tables.push_back(std::move(table));
  return answer;
}

Result<Answer> interaction(std::span<const Record> records, const Asked& asked) {
  const Asking all = asking(records);
  Answer answer = begun("interaction", all);
  const std::vector<std::string> environments = environments_of(all.cells);
  std::set<std::string> architectures;
  for (const CellRuns& cell : all.cells) architectures.insert(cell.architecture);
  std::vector<double> values;
  std::vector<int> first;
  std::vector<int> second;
  for (const CellRuns& cell : all.cells) {
    for (const double value : values_of(cell, all.cost)) {
      values.push_back(std::log(value));
      first.push_back(static_cast<int>(std::distance(architectures.begin(), architectures.find(cell.architecture))));
      second.push_back(static_cast<int>(
          std::distance(environments.begin(), std::find(environments.begin(), environments.end(), cell.environment))));
    }
  }
  AnswerTable table{"test",
                    fmt::format("log {}: architecture x environment", words_of(all.cost)),
                    {{"n", "n", Unit::count},
                     {"f", "F", Unit::none},
                     {"p_value", "p", Unit::p_value},
                     {"partial_eta_squared", "partial eta²", Unit::effect}},
                    {}};
  const auto test = stats::interaction(values, first, second);
  if (architectures.size() < 2 || environments.size() < 2) {
    answer.sentence = fmt::format(
        "Whether architecture and environment act together takes two of each: here {} of the former meet {} of "
        "the latter.",
        architectures.size(), environments.size());
  } else if (!test) {
    answer.sentence =
        fmt::format("Whether architecture and environment act together cannot be tested: {}.", test.error().message);
  } else {
    table.rows.push_back({Cell::of(static_cast<double>(test->n)), Cell::of(test->f), Cell::of(test->p_value),
                          Cell::of(test->partial_eta_squared)});
    answer.sentence =
        test->p_value < asked.alpha
            ? fmt::format("What an architecture costs depends on where it trains (p = {:.2g}).", test->p_value)
            : fmt::format("That what an architecture costs depends on where it trains is not shown (p = {:.2g}).",
                          test->p_value);
  }
  answer.method = {
      "permutation test of the interaction in the two-way layout of the logarithms (Freedman & Lane 1983), "
      "9,999 permutations with a fixed seed"};
  answer.tables.push_back(std::move(table));
  return answer;
}

Result<Answer> placement(std::span<const Record> records, const Asked& asked) {
  const Asking all = asking(records);
  Answer answer = begun("placement", all);
  AnswerTable table{"placement",
                    "where each architecture costs least",
                    {{"architecture", "architecture"},
                     {"environment", "least in"},
                     {"cost", words_of(all.cost), unit_of(all.cost), true},
                     {"next", "next"},
                     {"reduction", "less than next", Unit::percent, true},
                     {"p_value_holm", "p Holm", Unit::p_value},
                     {"decided", "decided"}},
                    {}};
  std::set<std::string> architectures;
  for (const CellRuns& cell : all.cells) architectures.insert(cell.architecture);
  std::vector<std::optional<double>> p_values;
  for (const std::string& architecture : architectures) {
    std::vector<const CellRuns*> here;
    for (const CellRuns& cell : all.cells) {
      if (cell.architecture == architecture && median_of(cell, all.cost)) here.push_back(&cell);
    }
    std::sort(here.begin(), here.end(), [&](const CellRuns* a, const CellRuns* b) {
      return *median_of(*a, all.cost) < *median_of(*b, all.cost);
    });
    if (here.size() < 2) continue;
    const std::vector<double> best = values_of(*here[0], all.cost);
    const std::vector<double> next = values_of(*here[1], all.cost);
    const Shift shift = ratio_of_samples(best, next);
    const auto test = stats::rank_sum(best, next);
    p_values.push_back(test ? std::optional(test->p_value) : std::nullopt);
    Cell less = Cell::of(1.0 - shift.ratio);
    if (shift.low && shift.high) {
      less.low = 1.0 - *shift.high;
      less.high = 1.0 - *shift.low;
    }
    table.rows.push_back({Cell::of(architecture),
                          Cell::of(here[0]->environment),
                          quartiles(best, "no run"),
                          Cell::of(here[1]->environment),
                          less,
                          {},
                          {}});
  }
  const auto adjusted = holm_across(p_values);
  int decided = 0;
  for (std::size_t i = 0; i < table.rows.size(); ++i) {
    const bool sure = adjusted[i] && *adjusted[i] < asked.alpha;
    decided += sure ? 1 : 0;
    table.rows[i][5] = Cell::of(adjusted[i], "not tested");
    table.rows[i][6] = Cell::of(sure ? "yes" : "no");
  }
  answer.sentence =
      table.rows.empty()
          ? "No architecture ran in two environments, so where to train what cannot be said."
          : fmt::format("Where it trains cheapest is decided for {} of {} architectures{}.", decided, table.rows.size(),
                        testable(all.basis) ? "" : " (by energy that was not measured: untestable here)");
  answer.method = {
      "less than next: Hodges-Lehmann shift of the logarithms of two samples, with the interval of the "
      "Mann-Whitney test; p: Mann-Whitney, Holm over architectures"};
  answer.tables.push_back(std::move(table));
  return answer;
}

Result<Answer> outliers(std::span<const Record> records, const Asked&) {
  const std::vector<WorkloadRuns> with = collect(records, Outliers::apply);
  const std::vector<WorkloadRuns> without = collect(records, Outliers::ignore);
  Answer answer;
  answer.question = "outliers";
  answer.basis = to_string(basis_of(without));
  AnswerTable runs{"runs",
                   "left out, by rules declared in the study",
                   {{"environment", "environment"},
                    {"workload", "workload"},
                    {"configuration", "configuration"},
                    {"block", "block", Unit::count},
                    {"reason", "why"}},
                   {}};
  for (const WorkloadRuns& workload : with) {
    for (const auto& [key, run] : workload.runs) {
      if (run.left_out.empty()) continue;
      const study::RunRequest& request = run.record->request;
      runs.rows.push_back({Cell::of(request.configuration.environment.name), Cell::of(workload.name),
                           Cell::of(request.configuration.label), Cell::of(static_cast<double>(request.block)),
                           Cell::of(run.left_out)});
    }
  }
  AnswerTable medians{"medians",
                      "with the rules, and without",
                      {{"environment", "environment"},
                       {"architecture", "architecture"},
                       {"n", "n", Unit::count},
                       {"n_without", "n without", Unit::count},
                       {"cost", "with", Unit::none},
                       {"cost_without", "without", Unit::none},
                       {"change", "change", Unit::change}},
                      {}};
  const std::vector<CellRuns> kept = cells_of(with);
  const std::vector<CellRuns> whole = cells_of(without);
  const std::string cost = cost_of(whole);
  medians.columns[4].unit = medians.columns[5].unit = unit_of(cost);
  for (std::size_t i = 0; i < kept.size(); ++i) {
    const auto a = median_of(kept[i], cost);
    const auto b = median_of(whole[i], cost);
    const auto change = a && b && *b > 0.0 ? std::optional(*a / *b) : std::nullopt;
    medians.rows.push_back({Cell::of(kept[i].environment), Cell::of(kept[i].architecture),
                            count_of(values_of(kept[i], cost).size()), count_of(values_of(whole[i], cost).size()),
                            Cell::of(a, "no run is left"), Cell::of(b, "no run"),
                            Cell::of(change, "nothing to compare")});
  }
  medians.title = fmt::format("median {} with the rules, and without", words_of(cost));
  answer.sentence = runs.rows.empty() ? "No rule leaves a run out."
                                      : fmt::format("Declared rules leave {} runs out.", runs.rows.size());
  answer.method = {"every rule looks at all runs of a configuration that succeeded; highest and lowest are of those"};
  for (AnswerTable* table : {&runs, &medians}) answer.tables.push_back(std::move(*table));
  return answer;
}

}  // namespace wattle::analysis
