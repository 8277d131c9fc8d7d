// Which differences between architectures are significant, and whether they depend on the environment (del Rey et al.).
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <set>

#include "analysis/architectures.h"
#include "analysis/comparison.h"
#include "base/text.h"
#include "stats/anova.h"
#include "stats/effect_size.h"
#include "stats/groups.h"
#include "stats/interaction.h"
#include "stats/kruskal_wallis.h"
#include "stats/shapiro_wilk.h"

namespace wattle::analysis {

using record::Record;

namespace {

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

}  // namespace

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

}  // namespace wattle::analysis
