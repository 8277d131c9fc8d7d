// wattle stats: tests and effect sizes of two samples, or of pairs.
#include <fmt/format.h>

#include "base/text.h"
#include "cli/stats_data.h"
#include "stats/correlation.h"
#include "stats/effect_size.h"
#include "stats/hodges_lehmann.h"
#include "stats/means.h"
#include "stats/power.h"
#include "stats/rank_sum.h"
#include "stats/signed_rank.h"

namespace wattle::cli {
namespace {

using nlohmann::json;

std::string approximation(bool exact, bool continuity) {
  if (exact) return "exact";
  return continuity ? "normal approximation, corrected for ties and continuity"
                    : "normal approximation, corrected for ties";
}

// Differences of pairs, or the one column of differences.
struct Differences {
  std::vector<double> values;
  std::string what;  // "a - b", or the column
  std::optional<TwoSamples> sides;
};

Result<Differences> differences(StatsData& data, const StatsRequest& request, Infinite infinite) {
  const bool alone = request.x.empty() && request.y.empty() && request.pair.empty();
  if (alone && !request.by.empty()) {
    return fail(ErrorKind::bad_input,
                fmt::format("{} compares pairs, and nothing says which values belong together", request.test),
                "add --pair COLUMN; for independent samples ask mann-whitney or welch-t");
  }
  if (alone) {
    auto values = data.values(request.value, infinite);
    if (!values) return tl::unexpected(values.error());
    return Differences{std::move(*values), request.value, {}};
  }
  auto pairs = data.pairs(infinite);
  if (!pairs) return tl::unexpected(pairs.error());
  Differences found;
  found.what = fmt::format("{} - {}", pairs->x.name, pairs->y.name);
  for (std::size_t i = 0; i < pairs->x.values.size(); ++i) {
    const double x = pairs->x.values[i];
    const double y = pairs->y.values[i];
    found.values.push_back(x == y ? 0.0 : x - y);  // two failed runs are alike
  }
  found.sides = std::move(*pairs);
  return found;
}

void add_names(StatsAnswer& answer, const Differences& found) {
  if (found.sides) answer.json["groups"] = {found.sides->x.name, found.sides->y.name};
}

Result<StatsAnswer> wilcoxon(const StatsRequest& request) {
  StatsAnswer answer;
  auto data = StatsData::read(request, answer.notes);
  if (!data) return tl::unexpected(data.error());
  const auto found = differences(*data, request, Infinite::ranked);
  if (!found) return tl::unexpected(found.error());
  const auto test = stats::signed_rank(
      found->values, {request.shift, request.asked(), request.resolution, request.way(), !request.no_continuity});
  if (!test) return tl::unexpected(test.error());
  answer.json = {{"statistic", test->w_plus}, {"statistic_name", "w_plus"},
                 {"p_value", test->p_value},  {"n", test->n},
                 {"zeros", test->zeros},      {"method", approximation(test->exact, !request.no_continuity)}};
  if (test->rank_biserial) answer.json["effect"] = {{"name", "rank_biserial"}, {"value", *test->rank_biserial}};
  answer.figures.push_back(fmt::format("{} pairs that differ ({} equal), W+ = {}, W- = {}, {}, {}", test->n,
                                       test->zeros, figure(test->w_plus), figure(test->w_minus), p_text(test->p_value),
                                       answer.json["method"].get<std::string>()));
  if (const auto place = stats::hodges_lehmann(found->values, request.level)) {
    answer.json["estimate"] = {{"name", "hodges_lehmann"}, {"value", place->estimate}};
    std::string line = fmt::format("Hodges-Lehmann estimate of {}: {}", found->what, figure(place->estimate));
    if (place->interval) {
      answer.json["interval"] =
          interval_json("hodges_lehmann", place->interval->low, place->interval->high, place->interval->level);
      line += fmt::format(", {:.4g} % interval [{}, {}]", 100.0 * place->interval->level, figure(place->interval->low),
                          figure(place->interval->high));
    }
    answer.figures.push_back(line);
  }
  add_names(answer, *found);
  const double least = stats::smallest_p(test->n, request.asked());
  if (test->exact && least >= request.alpha) {
    answer.notes.push_back(fmt::format("{} pairs cannot give a p-value below {}: significance at {} is out of reach",
                                       test->n, figure(least), request.alpha));
    answer.next = fmt::format("wattle stats power --alpha {} --alternative {}", request.alpha, request.alternative);
  }
  answer.sentence = fmt::format("{} {} {}: {}", found->what, request.shift == 0.0 ? "differs from" : "lies off",
                                shortest(request.shift), against_chance(test->p_value));
  return answer;
}

void add_dominance(StatsAnswer& answer, const TwoSamples& two, double level) {
  const auto effect = stats::dominance(two.x.values, two.y.values, level);
  if (!effect) return;
  const auto size = stats::to_string(stats::magnitude(effect->delta));
  answer.json["effect"] = {{"name", "cliffs_delta"}, {"value", effect->delta}, {"magnitude", size}};
  std::string line = fmt::format("Cliff's delta {} ({})", figure(effect->delta), size);
  if (effect->interval) {
    answer.json["interval"] = interval_json("cliffs_delta", effect->interval->low, effect->interval->high, level);
    line += fmt::format(", {:.4g} % interval [{}, {}]", 100.0 * level, figure(effect->interval->low),
                        figure(effect->interval->high));
  }
  answer.figures.push_back(line);
}

json sizes(const TwoSamples& two) { return {two.x.values.size(), two.y.values.size()}; }
json names(const TwoSamples& two) { return {two.x.name, two.y.name}; }

Result<StatsAnswer> mann_whitney(const StatsRequest& request) {
  StatsAnswer answer;
  auto data = StatsData::read(request, answer.notes);
  if (!data) return tl::unexpected(data.error());
  const auto two = data->two_samples(Infinite::ranked);
  if (!two) return tl::unexpected(two.error());
  const auto test = stats::rank_sum(two->x.values, two->y.values,
                                    {request.shift, request.asked(), request.way(), !request.no_continuity});
  if (!test) return tl::unexpected(test.error());
  answer.json = {{"statistic", test->u},     {"statistic_name", "u"},
                 {"p_value", test->p_value}, {"n", sizes(*two)},
                 {"groups", names(*two)},    {"method", approximation(test->exact, !request.no_continuity)}};
  answer.figures.push_back(fmt::format("{} of `{}`, {} of `{}`, U = {}, {}, {}", test->n, two->x.name, test->m,
                                       two->y.name, figure(test->u), p_text(test->p_value),
                                       answer.json["method"].get<std::string>()));
  add_dominance(answer, *two, request.level);
  const double least = stats::smallest_rank_sum_p(test->n, test->m, request.asked());
  if (test->exact && least >= request.alpha) {
    answer.notes.push_back(
        fmt::format("{} and {} values cannot give a p-value below {}: significance at {} is out of reach", test->n,
                    test->m, figure(least), request.alpha));
  }
  answer.sentence = fmt::format("`{}` and `{}` lie apart: {}", two->x.name, two->y.name, against_chance(test->p_value));
  return answer;
}

Result<StatsAnswer> effect_size(const StatsRequest& request) {
  StatsAnswer answer;
  auto data = StatsData::read(request, answer.notes);
  if (!data) return tl::unexpected(data.error());
  const auto two = data->two_samples(Infinite::ranked);
  if (!two) return tl::unexpected(two.error());
  const auto effect = stats::dominance(two->x.values, two->y.values, request.level);
  if (!effect) return tl::unexpected(effect.error());
  // Vargha and Delaney's A is the same, from 0 to 1 instead of -1 to 1.
  const bool delta = request.test == "cliffs-delta";
  const auto scaled = [&](double value) { return delta ? value : (value + 1.0) / 2.0; };
  const char* name = delta ? "cliffs_delta" : "vargha_delaney_a";
  const auto size = stats::to_string(stats::magnitude(effect->delta));
  answer.json = {{"statistic", scaled(effect->delta)},
                 {"statistic_name", name},
                 {"p_value", nullptr},
                 {"n", sizes(*two)},
                 {"groups", names(*two)},
                 {"effect", {{"name", name}, {"value", scaled(effect->delta)}, {"magnitude", size}}},
                 {"method", "Cliff's consistent variance, Feng and Cliff's asymmetric interval"}};
  std::string line = fmt::format("{} {} ({})", delta ? "Cliff's delta" : "Vargha and Delaney's A",
                                 figure(scaled(effect->delta)), size);
  if (effect->interval) {
    const double low = scaled(effect->interval->low);
    const double high = scaled(effect->interval->high);
    answer.json["interval"] = interval_json(name, low, high, request.level);
    line += fmt::format(", {:.4g} % interval [{}, {}]", 100.0 * request.level, figure(low), figure(high));
  } else {
    answer.notes.emplace_back("one value in a group has no spread: no interval");
  }
  answer.figures.push_back(line);
  answer.sentence =
      fmt::format("a value of `{}` is above one of `{}` in {:.3g} % of pairs, ties counted half: the difference is {}",
                  two->x.name, two->y.name, 50.0 * (effect->delta + 1.0), size);
  answer.next = same_data(request, "mann-whitney");
  return answer;
}

void add_t(StatsAnswer& answer, const stats::TTest& test, const StatsRequest& request, const std::string& what) {
  answer.json["statistic"] = test.t;
  answer.json["statistic_name"] = "t";
  answer.json["degrees_of_freedom"] = test.degrees;
  answer.json["p_value"] = test.p_value;
  answer.json["estimate"] = {{"name", "mean_difference"}, {"value", test.estimate}};
  answer.json["effect"] = {{"name", "standardised_difference"}, {"value", test.standardised}};
  answer.json["interval"] = interval_json("mean_difference", test.interval.low, test.interval.high, request.level);
  answer.figures.push_back(
      fmt::format("t = {}, {} degrees of freedom, {}", figure(test.t), figure(test.degrees), p_text(test.p_value)));
  answer.figures.push_back(fmt::format("mean of {}: {}, {:.4g} % interval [{}, {}], {} standard deviations", what,
                                       figure(test.estimate), 100.0 * request.level, figure(test.interval.low),
                                       figure(test.interval.high), figure(test.standardised)));
  answer.sentence =
      fmt::format("the mean of {} is not {}: {}", what, shortest(request.shift), against_chance(test.p_value));
}

Result<StatsAnswer> welch_t(const StatsRequest& request) {
  StatsAnswer answer;
  auto data = StatsData::read(request, answer.notes);
  if (!data) return tl::unexpected(data.error());
  const auto two = data->two_samples(Infinite::refused);
  if (!two) return tl::unexpected(two.error());
  const auto test = stats::welch_t(two->x.values, two->y.values, {request.shift, request.asked(), request.level});
  if (!test) return tl::unexpected(test.error());
  answer.json = {{"n", sizes(*two)}, {"groups", names(*two)}, {"method", "Welch, degrees of freedom by Satterthwaite"}};
  add_t(answer, *test, request, fmt::format("{} - {}", two->x.name, two->y.name));
  return answer;
}

Result<StatsAnswer> paired_t(const StatsRequest& request) {
  StatsAnswer answer;
  auto data = StatsData::read(request, answer.notes);
  if (!data) return tl::unexpected(data.error());
  const auto found = differences(*data, request, Infinite::refused);
  if (!found) return tl::unexpected(found.error());
  const auto test = stats::one_sample_t(found->values, {request.shift, request.asked(), request.level});
  if (!test) return tl::unexpected(test.error());
  answer.json = {{"n", found->values.size()}, {"method", "Student's t of the differences"}};
  add_names(answer, *found);
  add_t(answer, *test, request, found->what);
  return answer;
}

Result<StatsAnswer> spearman(const StatsRequest& request) {
  StatsAnswer answer;
  auto data = StatsData::read(request, answer.notes);
  if (!data) return tl::unexpected(data.error());
  const auto two = data->pairs(Infinite::ranked);
  if (!two) return tl::unexpected(two.error());
  const auto test = stats::spearman(two->x.values, two->y.values, {request.asked(), request.way(), request.level});
  if (!test) return tl::unexpected(test.error());
  const bool exact = test->method == stats::CorrelationMethod::exact_permutation;
  answer.json = {{"statistic", test->rho},
                 {"statistic_name", "rho"},
                 {"p_value", test->p_value},
                 {"n", test->n},
                 {"columns", names(*two)},
                 {"method", exact ? "exact, all orders" : "Student's t approximation"},
                 {"effect", {{"name", "rho"}, {"value", test->rho}}}};
  std::string line = fmt::format("{} pairs, rho = {}, {}, {}", test->n, figure(test->rho), p_text(test->p_value),
                                 answer.json["method"].get<std::string>());
  answer.figures.push_back(line);
  if (test->low && test->high) {
    answer.json["interval"] = interval_json("rho", *test->low, *test->high, request.level);
    answer.figures.push_back(fmt::format("{:.4g} % interval of rho [{}, {}]", 100.0 * request.level, figure(*test->low),
                                         figure(*test->high)));
  }
  const double least = stats::smallest_spearman_p(test->n, request.asked());
  if (least >= request.alpha) {
    answer.notes.push_back(fmt::format("{} pairs cannot give a p-value below {}", test->n, figure(least)));
  }
  answer.sentence = fmt::format("`{}` and `{}` go {}: {}", two->x.name, two->y.name,
                                test->rho < 0.0 ? "against each other" : "together", against_chance(test->p_value));
  return answer;
}

constexpr const char* kPaired = "value by pair groups x y alternative shift level alpha";

}  // namespace

const std::vector<StatsTest>& pair_tests() {
  static const std::vector<StatsTest> kTests{
      {"spearman", "Spearman's rank correlation of --x and --y", "x y alternative method level alpha", spearman},
      {"wilcoxon",
       "Wilcoxon's signed-rank test of pairs (--x --y, or --value --by --pair) or of one column of differences",
       "value by pair groups x y alternative method no-continuity shift resolution level alpha", wilcoxon},
      {"mann-whitney", "Mann-Whitney test of two groups, with Cliff's delta",
       "value by groups x y alternative method no-continuity shift level alpha", mann_whitney},
      {"cliffs-delta", "Cliff's delta of two groups, with interval", "value by groups x y level", effect_size},
      {"vargha-delaney", "Vargha and Delaney's A of two groups, with interval", "value by groups x y level",
       effect_size},
      {"paired-t", "Student's t test of pairs, or of one column of differences", kPaired, paired_t},
      {"welch-t", "Welch's t test of two groups", "value by groups x y alternative shift level alpha", welch_t}};
  return kTests;
}

}  // namespace wattle::cli
