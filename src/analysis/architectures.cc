// Architecture × training environment (del Rey et al.): what a trained image costs, the front, complexity, where to
// train what, and what outlier rules leave out.
#include "analysis/architectures.h"

#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "analysis/comparison.h"
#include "base/text.h"
#include "stats/correlation.h"
#include "stats/descriptive.h"
#include "stats/pareto.h"
#include "stats/rank_sum.h"

namespace wattle::analysis {

using record::Record;

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
