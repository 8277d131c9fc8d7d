// What another architecture of the same environment would save, and at which loss (del Rey et al.).
#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "analysis/architectures.h"
#include "analysis/comparison.h"
#include "base/text.h"
#include "stats/descriptive.h"
#include "stats/rank_sum.h"

namespace wattle::analysis {

using record::Record;

namespace {

std::string percent(double part) { return fmt::format("{:.2f} %", 100.0 * part); }

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

}  // namespace wattle::analysis
