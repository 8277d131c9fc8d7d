// wattle stats: runs that never reached their target are censored, not dropped.
#include <fmt/format.h>

#include "base/text.h"
#include "cli/stats_data.h"

namespace wattle::cli {
namespace {

using nlohmann::json;

json or_null(const std::optional<double>& value) { return value ? json(*value) : json(); }
std::string or_dash(const std::optional<double>& value) { return value ? figure(*value) : "-"; }

json curve_json(const stats::SurvivalCurve& curve) {
  json steps = json::array();
  for (const stats::SurvivalStep& step : curve.steps) {
    steps.push_back({{"time", step.time},
                     {"at_risk", step.at_risk},
                     {"events", step.events},
                     {"censored", step.censored},
                     {"survival", step.survival},
                     {"standard_error", step.standard_error},
                     {"low", or_null(step.low)},
                     {"high", or_null(step.high)}});
  }
  return steps;
}

Result<StatsAnswer> kaplan_meier(const StatsRequest& request) {
  StatsAnswer answer;
  auto data = StatsData::read(request, answer.notes);
  if (!data) return tl::unexpected(data.error());
  const auto groups = data->lifetimes();
  if (!groups) return tl::unexpected(groups.error());
  answer.json["method"] = "Kaplan-Meier, Greenwood's variance, intervals on the log(-log) scale";
  json comparisons = json::array();
  for (const auto& [name, lifetimes] : *groups) {
    const auto curve = stats::kaplan_meier(lifetimes, request.level);
    if (!curve) return tl::unexpected(curve.error());
    const auto area = stats::restricted_mean(*curve, request.horizon);
    if (!area && request.horizon) return tl::unexpected(area.error());
    json one{{"group", name},
             {"n", curve->n},
             {"events", curve->events},
             {"statistic", or_null(curve->median)},
             {"statistic_name", "median"},
             {"p_value", nullptr},
             {"curve", curve_json(*curve)}};
    one["interval"] = {{"of", "median"},
                       {"low", or_null(curve->median_low)},
                       {"high", or_null(curve->median_high)},
                       {"level", request.level}};
    std::string line = fmt::format("`{}`: {} of {} reached it, median {} [{}, {}]", name, curve->events, curve->n,
                                   or_dash(curve->median), or_dash(curve->median_low), or_dash(curve->median_high));
    if (area) {
      one["restricted_mean"] = {{"value", area->mean},
                                {"standard_error", area->standard_error},
                                {"horizon", area->horizon},
                                {"low", area->interval.low},
                                {"high", area->interval.high}};
      line += fmt::format(", mean up to {} {} [{}, {}]", figure(area->horizon), figure(area->mean),
                          figure(area->interval.low), figure(area->interval.high));
    }
    answer.figures.push_back(line);
    comparisons.push_back(std::move(one));
  }
  if (comparisons.empty()) return fail(ErrorKind::bad_input, "there are no rows with a time and an event");
  if (request.by.empty()) {
    answer.json.update(comparisons.front());
    answer.json.erase("group");
  } else {
    answer.json["comparisons"] = std::move(comparisons);
    answer.next = same_data(request, "log-rank") + " --event " + request.event;
  }
  answer.sentence = "the value by which half had reached the event; `-` where too few did";
  return answer;
}

Result<StatsAnswer> comparison(const StatsRequest& request) {
  StatsAnswer answer;
  auto data = StatsData::read(request, answer.notes);
  if (!data) return tl::unexpected(data.error());
  if (request.by.empty())
    return fail(ErrorKind::bad_input, fmt::format("{} needs --by COLUMN", request.test),
                "the column that tells groups apart");
  const auto groups = data->lifetimes();
  if (!groups) return tl::unexpected(groups.error());
  std::vector<std::span<const stats::Lifetime>> views;
  json names = json::array();
  json sizes = json::array();
  for (const auto& [name, lifetimes] : *groups) {
    views.emplace_back(lifetimes);
    names.push_back(name);
    sizes.push_back(lifetimes.size());
  }
  const bool gehan = request.test == "gehan-wilcoxon";
  const auto test =
      stats::compare_survival(views, gehan ? stats::SurvivalWeight::gehan : stats::SurvivalWeight::log_rank);
  if (!test) return tl::unexpected(test.error());
  answer.json = {{"statistic", test->chi_squared},
                 {"statistic_name", "chi_squared"},
                 {"degrees_of_freedom", test->degrees},
                 {"p_value", test->p_value},
                 {"n", sizes},
                 {"groups", names},
                 {"observed", test->observed},
                 {"expected", test->expected},
                 {"method", gehan ? "weights: the number at risk" : "weights: all alike"}};
  answer.figures.push_back(fmt::format("chi-squared = {}, {} degrees of freedom, {}", figure(test->chi_squared),
                                       figure(test->degrees), p_text(test->p_value)));
  for (std::size_t g = 0; g < groups->size(); ++g) {
    answer.figures.push_back(fmt::format("`{}`: {} of {} reached it, {} expected", (*groups)[g].first,
                                         figure(test->observed[g]), (*groups)[g].second.size(),
                                         figure(test->expected[g])));
  }
  answer.sentence = fmt::format("the groups of `{}` get there at different times: {}", request.by.front(),
                                against_chance(test->p_value));
  return answer;
}

constexpr const char* kOptions = "value by groups event alpha";

}  // namespace

const std::vector<StatsTest>& lifetime_tests() {
  static const std::vector<StatsTest> kTests{
      {"kaplan-meier", "Curve, median and restricted mean of --value until --event (1, or 0 where censored)",
       "value by groups event level horizon", kaplan_meier},
      {"log-rank", "Do groups reach the event at different times?", kOptions, comparison},
      {"gehan-wilcoxon", "The same, early events weighing more", kOptions, comparison}};
  return kTests;
}

}  // namespace wattle::cli
