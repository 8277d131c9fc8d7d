// wattle stats: one sample, several groups, two factors.
#include <fmt/format.h>

#include <cmath>

#include "base/text.h"
#include "cli/stats_data.h"
#include "stats/anova.h"
#include "stats/bootstrap.h"
#include "stats/descriptive.h"
#include "stats/interaction.h"
#include "stats/kruskal_wallis.h"
#include "stats/shapiro_wilk.h"

namespace wattle::cli {
namespace {

using nlohmann::json;

std::vector<std::span<const double>> views(const std::vector<Group>& groups) {
  std::vector<std::span<const double>> all;
  for (const Group& group : groups) all.emplace_back(group.values);
  return all;
}

json names(const std::vector<Group>& groups) {
  json all = json::array();
  for (const Group& group : groups) all.push_back(group.name);
  return all;
}

json sizes(const std::vector<Group>& groups) {
  json all = json::array();
  for (const Group& group : groups) all.push_back(group.values.size());
  return all;
}

// The values of --value: one group without --by.
Result<std::vector<Group>> samples(StatsData& data, const StatsRequest& request) {
  if (!request.by.empty()) return data.groups(Infinite::refused);
  auto values = data.values(request.value, Infinite::refused);
  if (!values) return tl::unexpected(values.error());
  return std::vector<Group>{{request.value, std::move(*values)}};
}

// One comparison a group: the answer itself where there is one group.
void add_comparison(StatsAnswer& answer, const StatsRequest& request, const std::string& group, json found) {
  if (request.by.empty()) {
    answer.json.update(found);
  } else {
    found["group"] = group;
    answer.json["comparisons"].push_back(std::move(found));
  }
}

Result<StatsAnswer> shapiro_wilk(const StatsRequest& request) {
  StatsAnswer answer;
  auto data = StatsData::read(request, answer.notes);
  if (!data) return tl::unexpected(data.error());
  const auto groups = samples(*data, request);
  if (!groups) return tl::unexpected(groups.error());
  answer.json["method"] = "Royston 1995 (AS R94)";
  std::string doubtful;
  for (const Group& group : *groups) {
    const auto test = stats::shapiro_wilk(group.values);
    if (!test)
      return fail(test.error().kind, fmt::format("`{}`: {}", printable(group.name), test.error().message),
                  test.error().hint);
    add_comparison(answer, request, group.name,
                   {{"statistic", test->w}, {"statistic_name", "w"}, {"p_value", test->p_value}, {"n", test->n}});
    answer.figures.push_back(
        fmt::format("`{}`: {} values, W = {}, {}", group.name, test->n, figure(test->w), p_text(test->p_value)));
    if (test->p_value < request.alpha) doubtful += (doubtful.empty() ? "`" : ", `") + group.name + "`";
  }
  if (doubtful.empty()) {
    answer.sentence =
        fmt::format("nothing speaks against normal values at {}, which does not show that they are", request.alpha);
  } else {
    answer.sentence = fmt::format("{}: not normal; use tests of ranks", doubtful);
    if (!request.by.empty()) answer.next = same_data(request, groups->size() > 2 ? "kruskal-wallis" : "mann-whitney");
  }
  return answer;
}

Result<std::vector<Group>> two_or_more(StatsData& data, Infinite infinite) {
  auto groups = data.groups(infinite);
  if (!groups) return tl::unexpected(groups.error());
  if (groups->size() < 2)
    return fail(ErrorKind::bad_input,
                groups->empty()
                    ? "no row has a value and a group: there is nothing to test"
                    : fmt::format("all values are of one group, `{}`; 2 are needed", printable(groups->front().name)),
                "--by names the column that tells groups apart");
  return groups;
}

std::string centres(const std::vector<Group>& groups) {
  std::string line = "medians:";
  for (const Group& group : groups) {
    const auto middle = stats::median(group.values);
    line += fmt::format(" {} {} ({} values)", group.name, middle ? figure(*middle) : "-", group.values.size());
    if (&group != &groups.back()) line += ",";
  }
  return line;
}

Result<StatsAnswer> kruskal_wallis(const StatsRequest& request) {
  StatsAnswer answer;
  auto data = StatsData::read(request, answer.notes);
  if (!data) return tl::unexpected(data.error());
  const auto groups = two_or_more(*data, Infinite::ranked);
  if (!groups) return tl::unexpected(groups.error());
  const auto test = stats::kruskal_wallis(views(*groups));
  if (!test) return tl::unexpected(test.error());
  answer.json = {
      {"statistic", test->h},
      {"statistic_name", "h"},
      {"degrees_of_freedom", test->groups - 1},
      {"p_value", test->p_value},
      {"effect", {{"name", "eta_squared"}, {"value", test->eta_squared}, {"epsilon_squared", test->epsilon_squared}}},
      {"n", sizes(*groups)},
      {"groups", names(*groups)},
      {"method", "chi-squared approximation, corrected for ties"}};
  answer.figures.push_back(
      fmt::format("H = {}, {} degrees of freedom, {}", figure(test->h), test->groups - 1, p_text(test->p_value)));
  answer.figures.push_back(
      fmt::format("eta squared {}, epsilon squared {}", figure(test->eta_squared), figure(test->epsilon_squared)));
  answer.figures.push_back(centres(*groups));
  answer.sentence = fmt::format("the groups of `{}` differ: {}", request.by.front(), against_chance(test->p_value));
  if (test->p_value < request.alpha && groups->size() > 2) answer.next = same_data(request, "dunn");
  return answer;
}

Result<StatsAnswer> dunn(const StatsRequest& request) {
  StatsAnswer answer;
  auto data = StatsData::read(request, answer.notes);
  if (!data) return tl::unexpected(data.error());
  const auto groups = two_or_more(*data, Infinite::ranked);
  if (!groups) return tl::unexpected(groups.error());
  const auto pairs = stats::dunn(views(*groups));
  if (!pairs) return tl::unexpected(pairs.error());
  answer.json = {{"n", sizes(*groups)},
                 {"groups", names(*groups)},
                 {"method", "normal approximation, corrected for ties; p-values adjusted by Holm"}};
  json comparisons = json::array();
  std::size_t apart = 0;
  for (const stats::DunnPair& pair : *pairs) {
    const std::string& first = (*groups)[pair.first].name;
    const std::string& second = (*groups)[pair.second].name;
    comparisons.push_back({{"groups", {first, second}},
                           {"statistic", pair.z},
                           {"statistic_name", "z"},
                           {"p_value", pair.p_value},
                           {"adjusted_p_value", pair.adjusted}});
    answer.figures.push_back(fmt::format("{} - {}: z = {}, {}, adjusted {:.3g}", first, second, figure(pair.z),
                                         p_text(pair.p_value), pair.adjusted));
    apart += static_cast<std::size_t>(pair.adjusted < request.alpha);
  }
  answer.json["comparisons"] = std::move(comparisons);
  answer.sentence = fmt::format("{} of {} pairs differ at {} after Holm", apart, pairs->size(), request.alpha);
  return answer;
}

struct VarianceTest {
  const char* name;
  Result<stats::FTest> (*run)(stats::Groups);
  const char* method;
  const char* claim;
};

constexpr VarianceTest kVarianceTests[] = {
    {"anova", stats::anova, "one-way analysis of variance", "the means differ"},
    {"welch-anova", stats::welch_anova, "Welch's one-way analysis, spreads may differ", "the means differ"},
    {"levene", stats::levene, "distances from the means", "the spreads differ"},
    {"brown-forsythe", stats::brown_forsythe, "distances from the medians", "the spreads differ"}};

Result<StatsAnswer> of_variance(const StatsRequest& request) {
  const VarianceTest* chosen = kVarianceTests;
  while (request.test != chosen->name) ++chosen;
  StatsAnswer answer;
  auto data = StatsData::read(request, answer.notes);
  if (!data) return tl::unexpected(data.error());
  const auto groups = two_or_more(*data, Infinite::refused);
  if (!groups) return tl::unexpected(groups.error());
  const auto test = chosen->run(views(*groups));
  if (!test) return tl::unexpected(test.error());
  answer.json = {{"statistic", test->f},
                 {"statistic_name", "f"},
                 {"degrees_of_freedom", {test->between_degrees, test->within_degrees}},
                 {"p_value", test->p_value},
                 {"n", sizes(*groups)},
                 {"groups", names(*groups)},
                 {"method", chosen->method}};
  if (std::isinf(test->f)) answer.notes.emplace_back("nothing varies within groups: F is infinite, null in JSON");
  std::string line = fmt::format("F = {}, {} and {} degrees of freedom, {}", figure(test->f),
                                 figure(test->between_degrees), figure(test->within_degrees), p_text(test->p_value));
  if (test->eta_squared) {
    answer.json["effect"] = {{"name", "eta_squared"}, {"value", *test->eta_squared}};
    line += fmt::format(", eta squared {}", figure(*test->eta_squared));
  }
  answer.figures.push_back(line);
  answer.sentence = fmt::format("{}: {}", chosen->claim, against_chance(test->p_value));
  const bool spreads = request.test == "levene" || request.test == "brown-forsythe";
  if (spreads && test->p_value < request.alpha) answer.next = same_data(request, "welch-anova");
  return answer;
}

Result<StatsAnswer> interaction(const StatsRequest& request) {
  StatsAnswer answer;
  auto data = StatsData::read(request, answer.notes);
  if (!data) return tl::unexpected(data.error());
  const auto found = data->crossed();
  if (!found) return tl::unexpected(found.error());
  const auto test =
      stats::interaction(found->values, found->first, found->second, {request.permutations, request.seed});
  if (!test) return tl::unexpected(test.error());
  answer.json = {{"statistic", test->f},
                 {"statistic_name", "f"},
                 {"degrees_of_freedom", {test->interaction_degrees, test->residual_degrees}},
                 {"p_value", test->p_value},
                 {"effect", {{"name", "partial_eta_squared"}, {"value", test->partial_eta_squared}}},
                 {"n", test->n},
                 {"method", fmt::format("{} permutations of residuals (Freedman and Lane), seed {}",
                                        request.permutations, request.seed)}};
  answer.figures.push_back(fmt::format("{} values of {} x {} levels, F = {}, {}, partial eta squared {}", test->n,
                                       found->first_names.size(), found->second_names.size(), figure(test->f),
                                       p_text(test->p_value), figure(test->partial_eta_squared)));
  answer.figures.push_back(answer.json["method"]);
  answer.sentence =
      fmt::format("what `{}` does depends on `{}`: {}", request.by[0], request.by[1], against_chance(test->p_value));
  return answer;
}

Result<stats::Bootstrap> resampled(const std::vector<double>& values, const StatsRequest& request) {
  stats::BootstrapOptions options{request.resamples, request.level, request.seed, stats::BootstrapMethod::bca};
  if (request.method == "percentile") options.method = stats::BootstrapMethod::percentile;
  constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();
  if (request.statistic == "median") {
    return stats::bootstrap(
        values, [&](std::span<const double> x) { return stats::median(x).value_or(kNaN); }, options);
  }
  if (request.statistic == "standard-deviation") {
    return stats::bootstrap(
        values, [&](std::span<const double> x) { return stats::standard_deviation(x).value_or(kNaN); }, options);
  }
  return stats::bootstrap_mean(values, options);
}

Result<StatsAnswer> bootstrap(const StatsRequest& request) {
  StatsAnswer answer;
  auto data = StatsData::read(request, answer.notes);
  if (!data) return tl::unexpected(data.error());
  const auto groups = samples(*data, request);
  if (!groups) return tl::unexpected(groups.error());
  answer.json["method"] =
      fmt::format("{}, {} resamples, seed {}", request.method == "percentile" ? "percentile" : "bca", request.resamples,
                  request.seed);
  for (const Group& group : *groups) {
    const auto found = resampled(group.values, request);
    if (!found)
      return fail(found.error().kind, fmt::format("`{}`: {}", printable(group.name), found.error().message),
                  found.error().hint);
    add_comparison(answer, request, group.name,
                   {{"statistic", found->estimate},
                    {"statistic_name", request.statistic},
                    {"p_value", nullptr},
                    {"n", group.values.size()},
                    {"standard_error", found->standard_error},
                    {"interval", interval_json(request.statistic.c_str(), found->interval.low, found->interval.high,
                                               request.level)}});
    answer.figures.push_back(fmt::format(
        "`{}`: {} of {} values {}, {:.4g} % interval [{}, {}]", group.name, request.statistic, group.values.size(),
        figure(found->estimate), 100.0 * request.level, figure(found->interval.low), figure(found->interval.high)));
  }
  answer.figures.push_back(answer.json["method"]);
  answer.sentence = fmt::format("where the {} of such values may lie, were they drawn again", request.statistic);
  return answer;
}

constexpr const char* kGroups = "value by groups alpha";

}  // namespace

const std::vector<StatsTest>& group_tests() {
  static const std::vector<StatsTest> kTests{
      {"shapiro-wilk", "Are the values (of each group) normal?", kGroups, shapiro_wilk},
      {"levene", "Do groups spread alike? About means", kGroups, of_variance},
      {"brown-forsythe", "Do groups spread alike? About medians", kGroups, of_variance},
      {"anova", "One-way analysis of variance", kGroups, of_variance},
      {"welch-anova", "Welch's one-way analysis, where spreads differ", kGroups, of_variance},
      {"kruskal-wallis", "Do groups differ? By ranks, with eta and epsilon squared", kGroups, kruskal_wallis},
      {"dunn", "Which groups differ? All pairs, adjusted by Holm", kGroups, dunn},
      {"interaction", "Do two factors (--by twice) act together? Permutation test", "value by permutations alpha",
       interaction},
      {"bootstrap", "Interval of a mean, median or standard-deviation (--statistic) by resampling",
       "value by groups statistic method resamples level", bootstrap}};
  return kTests;
}

}  // namespace wattle::cli
