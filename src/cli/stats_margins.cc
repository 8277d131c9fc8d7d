// wattle stats: no worse than a margin, or the same within it.
#include <fmt/format.h>

#include <algorithm>

#include "base/text.h"
#include "cli/stats_data.h"
#include "stats/means.h"
#include "stats/rank_sum.h"
#include "stats/signed_rank.h"

namespace wattle::cli {
namespace {

// p-values of "above -margin" and "below +margin" of the first less the second, where more is better.
struct Sides {
  double above = 1.0;
  double below = 1.0;
  std::string method;
  std::size_t n = 0;
  std::string first;
  std::string second;
  nlohmann::json estimate;  // of means alone
};

Result<Sides> by_ranks(const TwoSamples& two, bool paired, double margin, double resolution) {
  Sides sides;
  if (paired) {
    std::vector<double> differences;
    for (std::size_t i = 0; i < two.x.values.size(); ++i) {
      const double x = two.x.values[i];
      const double y = two.y.values[i];
      differences.push_back(x == y ? 0.0 : x - y);
    }
    const auto test = stats::equivalence(differences, margin, resolution);
    if (!test) return tl::unexpected(test.error());
    sides.above = test->above_lower.p_value;
    sides.below = test->below_upper.p_value;
    sides.method =
        fmt::format("Wilcoxon's signed-rank test, {}", test->above_lower.exact ? "exact" : "normal approximation");
    return sides;
  }
  const auto above = stats::rank_sum(two.x.values, two.y.values, {-margin, stats::Alternative::greater});
  if (!above) return tl::unexpected(above.error());
  const auto below = stats::rank_sum(two.x.values, two.y.values, {margin, stats::Alternative::less});
  if (!below) return tl::unexpected(below.error());
  sides.above = above->p_value;
  sides.below = below->p_value;
  sides.method = fmt::format("Mann-Whitney test, {}", above->exact ? "exact" : "normal approximation");
  return sides;
}

Result<Sides> by_means(const TwoSamples& two, bool paired, double margin) {
  std::vector<double> differences;
  for (std::size_t i = 0; paired && i < two.x.values.size(); ++i)
    differences.push_back(two.x.values[i] - two.y.values[i]);
  const auto test = paired ? stats::mean_equivalence(differences, margin)
                           : stats::mean_equivalence(two.x.values, two.y.values, margin);
  if (!test) return tl::unexpected(test.error());
  Sides sides{test->above_lower.p_value,
              test->below_upper.p_value,
              paired ? "Student's t of the differences" : "Welch's t",
              0,
              {},
              {},
              {}};
  const stats::TTest& either = test->above_lower;
  sides.estimate = {{"value", either.estimate},
                    {"low", either.interval.low},
                    {"high", either.interval.high},
                    {"level", either.interval.level}};
  return sides;
}

Result<Sides> tested(const StatsRequest& request, std::vector<std::string>& notes) {
  if (!request.margin) {
    return fail(ErrorKind::bad_input, fmt::format("{} needs --margin", request.test),
                "how much worse is still good enough, in the unit of --value");
  }
  const bool means = request.method == "mean";
  auto data = StatsData::read(request, notes);
  if (!data) return tl::unexpected(data.error());
  const bool paired = !request.pair.empty() || !request.x.empty() || !request.y.empty();
  const Infinite infinite = means ? Infinite::refused : Infinite::ranked;
  auto two = paired ? data->pairs(infinite) : data->two_samples(infinite);
  if (!two) return tl::unexpected(two.error());
  const std::string first = two->x.name;
  const std::string second = two->y.name;
  const std::size_t n = paired ? two->x.values.size() : two->x.values.size() + two->y.values.size();
  if (request.better == "lower") std::swap(two->x, two->y);  // second less first: more is better again
  auto sides =
      means ? by_means(*two, paired, *request.margin) : by_ranks(*two, paired, *request.margin, request.resolution);
  if (!sides) return tl::unexpected(sides.error());
  sides->first = first;
  sides->second = second;
  sides->n = n;
  return sides;
}

StatsAnswer answer_of(const StatsRequest& request, const Sides& sides, double p, std::vector<std::string> notes) {
  StatsAnswer answer;
  answer.notes = std::move(notes);
  answer.json = {{"statistic", nullptr},
                 {"p_value", p},
                 {"n", sides.n},
                 {"groups", {sides.first, sides.second}},
                 {"margin", *request.margin},
                 {"better", request.better},
                 {"method", sides.method},
                 {"shown", p < request.alpha}};
  if (!sides.estimate.is_null()) {
    const auto& e = sides.estimate;
    answer.json["estimate"] = {{"name", "mean_difference"}, {"value", e["value"]}};
    answer.json["interval"] = interval_json("mean_difference", e["low"], e["high"], e["level"]);
  }
  return answer;
}

Result<StatsAnswer> non_inferiority(const StatsRequest& request) {
  std::vector<std::string> notes;
  const auto sides = tested(request, notes);
  if (!sides) return tl::unexpected(sides.error());
  StatsAnswer answer = answer_of(request, *sides, sides->above, std::move(notes));
  answer.figures.push_back(fmt::format("{}, {}", p_text(sides->above), sides->method));
  answer.sentence =
      fmt::format("`{}` is worse than `{}` by less than {}: {} at {}", sides->first, sides->second,
                  shortest(*request.margin), sides->above < request.alpha ? "shown" : "not shown", request.alpha);
  return answer;
}

Result<StatsAnswer> equivalence(const StatsRequest& request) {
  std::vector<std::string> notes;
  const auto sides = tested(request, notes);
  if (!sides) return tl::unexpected(sides.error());
  const double p = std::max(sides->above, sides->below);
  StatsAnswer answer = answer_of(request, *sides, p, std::move(notes));
  answer.json["comparisons"] = {{{"hypothesis", "no worse than the margin"}, {"p_value", sides->above}},
                                {{"hypothesis", "no better than the margin"}, {"p_value", sides->below}}};
  answer.figures.push_back(fmt::format("{} (no worse: {:.3g}, no better: {:.3g}), {}", p_text(p), sides->above,
                                       sides->below, sides->method));
  answer.sentence = fmt::format("`{}` and `{}` are the same within {}: {} at {}", sides->first, sides->second,
                                shortest(*request.margin), p < request.alpha ? "shown" : "not shown", request.alpha);
  return answer;
}

constexpr const char* kOptions = "value by pair groups x y margin better method resolution alpha";

}  // namespace

const std::vector<StatsTest>& margin_tests() {
  static const std::vector<StatsTest> kTests{
      {"non-inferiority",
       "Is the first group no worse than the second by more than --margin? By ranks, or --method mean", kOptions,
       non_inferiority},
      {"equivalence", "Are two groups the same within --margin? Two one-sided tests, by ranks or --method mean",
       kOptions, equivalence}};
  return kTests;
}

}  // namespace wattle::cli
