// wattle stats: fronts, families of p-values, and what a number of runs can show.
#include <fmt/format.h>

#include "base/text.h"
#include "cli/stats_data.h"
#include "stats/multiplicity.h"
#include "stats/pareto.h"
#include "stats/power.h"
#include "stats/sample_size.h"
#include "stats/signed_rank.h"

namespace wattle::cli {
namespace {

using nlohmann::json;

Result<StatsAnswer> pareto(const StatsRequest& request) {
  StatsAnswer answer;
  std::vector<std::string> columns = request.minimize;
  columns.insert(columns.end(), request.maximize.begin(), request.maximize.end());
  if (columns.empty()) {
    return fail(ErrorKind::bad_input, "pareto needs objectives", "for example --minimize energy_j --maximize accuracy");
  }
  std::vector<stats::Goal> goals(request.minimize.size(), stats::Goal::minimise);
  goals.resize(columns.size(), stats::Goal::maximise);
  auto data = StatsData::read(request, answer.notes);
  if (!data) return tl::unexpected(data.error());
  const auto matrix = data->matrix(columns);
  if (!matrix) return tl::unexpected(matrix.error());
  std::vector<std::string> labels;
  if (!request.by.empty()) {
    auto texts = data->texts(request.by.front(), matrix->rows);
    if (!texts) return tl::unexpected(texts.error());
    labels = std::move(*texts);
  }
  const auto front = stats::pareto_front({matrix->values, goals});
  if (!front) return tl::unexpected(front.error());
  json points = json::array();
  for (const std::size_t point : *front) {
    json one{{"line", matrix->lines[point]}};
    std::string line =
        labels.empty() ? fmt::format("line {}:", matrix->lines[point]) : fmt::format("`{}`:", labels[point]);
    if (!labels.empty()) one["label"] = labels[point];
    for (std::size_t c = 0; c < columns.size(); ++c) {
      const double value = matrix->values[point * columns.size() + c];
      one["values"][columns[c]] = value;
      line += fmt::format(" {} {}", columns[c], figure(value));
    }
    points.push_back(std::move(one));
    answer.figures.push_back(line);
  }
  answer.json = {
      {"statistic", front->size()}, {"statistic_name", "front_size"},           {"p_value", nullptr},
      {"n", matrix->rows.size()},   {"method", "dominance in every objective"}, {"front", std::move(points)}};
  if (!request.reference.empty()) {
    const auto volume = stats::hypervolume({matrix->values, goals}, request.reference);
    if (!volume) return tl::unexpected(volume.error());
    answer.json["effect"] = {{"name", "hypervolume"}, {"value", *volume}};
    answer.figures.push_back(fmt::format("hypervolume {}", figure(*volume)));
  }
  answer.sentence =
      fmt::format("{} of {} rows are not beaten in every objective by another", front->size(), matrix->rows.size());
  return answer;
}

Result<StatsAnswer> adjusted(const StatsRequest& request) {
  StatsAnswer answer;
  auto data = StatsData::read(request, answer.notes);
  if (!data) return tl::unexpected(data.error());
  if (request.value.empty())
    return fail(ErrorKind::bad_input, fmt::format("{} needs --value COLUMN", request.test), "the column of p-values");
  const auto matrix = data->matrix({request.value});
  if (!matrix) return tl::unexpected(matrix.error());
  std::vector<std::string> labels;
  if (!request.by.empty()) {
    auto texts = data->texts(request.by.front(), matrix->rows);
    if (!texts) return tl::unexpected(texts.error());
    labels = std::move(*texts);
  }
  const bool step_down = request.test == "holm";
  const auto found = step_down ? stats::holm(matrix->values) : stats::benjamini_hochberg(matrix->values);
  if (!found) return tl::unexpected(found.error());
  json comparisons = json::array();
  std::size_t below = 0;
  for (std::size_t i = 0; i < found->size(); ++i) {
    json one{{"line", matrix->lines[i]}, {"p_value", matrix->values[i]}, {"adjusted_p_value", (*found)[i]}};
    if (!labels.empty()) one["label"] = labels[i];
    comparisons.push_back(std::move(one));
    below += static_cast<std::size_t>((*found)[i] < request.alpha);
    answer.figures.push_back(fmt::format("{}: {}, adjusted {:.3g}",
                                         labels.empty() ? fmt::format("line {}", matrix->lines[i]) : labels[i],
                                         p_text(matrix->values[i]), (*found)[i]));
  }
  answer.json = {{"statistic", nullptr},
                 {"p_value", nullptr},
                 {"n", found->size()},
                 {"method", step_down ? "Holm 1979" : "Benjamini and Hochberg 1995"},
                 {"comparisons", std::move(comparisons)}};
  answer.sentence = fmt::format("{} of {} stay below {}", below, found->size(), request.alpha);
  return answer;
}

json number_or_null(const std::optional<double>& value) { return value ? json(*value) : json(); }
json number_or_null(const std::optional<int>& value) { return value ? json(*value) : json(); }

struct Planned {
  const char* test;
  double smallest_p;  // of n; absent below 0
  std::optional<int> fewest;
  std::optional<double> power;
  std::optional<int> size;
};

std::vector<Planned> planned(const StatsRequest& request) {
  const auto side = request.asked();
  const int n = request.n.value_or(0);
  const double pairs_alpha = side == stats::Alternative::two_sided ? request.alpha / 2.0 : request.alpha;
  std::vector<Planned> all{
      {"wilcoxon", stats::smallest_p(n, side), stats::pairs_for_any_significance(pairs_alpha), {}, {}},
      {"mann-whitney",
       stats::smallest_rank_sum_p(n, n, side),
       stats::rank_sum_size_for_any_significance(request.alpha, side),
       {},
       {}},
      {"spearman",
       stats::smallest_spearman_p(n, side),
       stats::spearman_pairs_for_any_significance(request.alpha, side),
       {},
       {}},
      {"paired-t", -1.0, {}, {}, {}},
      {"welch-t", -1.0, {}, {}, {}}};
  if (!request.effect) return all;
  const double effect = *request.effect;
  all[0].size = stats::signed_rank_size(effect, request.alpha, request.power, side);
  all[3].size = stats::paired_t_size(effect, request.alpha, request.power, side);
  all[4].size = stats::two_sample_t_size(effect, request.alpha, request.power, side);
  if (!request.n) return all;
  all[0].power = stats::signed_rank_power(n, effect, request.alpha, side);
  all[3].power = stats::paired_t_power(n, effect, request.alpha, side);
  all[4].power = stats::two_sample_t_power(n, effect, request.alpha, side);
  return all;
}

Result<StatsAnswer> power(const StatsRequest& request) {
  if (request.n && (*request.n < 1 || *request.n > 1'000'000))
    return fail(ErrorKind::bad_input, "--n is not between 1 and 1,000,000");
  StatsAnswer answer;
  json comparisons = json::array();
  for (const Planned& one : planned(request)) {
    json item{{"test", one.test}};
    std::vector<std::string> parts;
    if (one.smallest_p >= 0.0) {
      item["fewest_for_any_significance"] = number_or_null(one.fewest);
      if (one.fewest) parts.push_back(fmt::format("at least {} for any p below {}", *one.fewest, request.alpha));
      if (request.n) {
        item["smallest_p_value"] = one.smallest_p;
        parts.push_back(fmt::format("{} give {:.3g} at best", *request.n, one.smallest_p));
      }
    }
    if (request.effect && (one.size || one.power)) {
      item["n_for_power"] = number_or_null(one.size);
      if (one.size) parts.push_back(fmt::format("{} for a power of {}", *one.size, request.power));
      item["power"] = number_or_null(one.power);
      if (one.power) parts.push_back(fmt::format("{} have a power of {:.3g}", *request.n, *one.power));
    }
    if (item.size() == 1) continue;
    answer.figures.push_back(fmt::format("{}: {}", one.test, join(parts, ", ")));
    comparisons.push_back(std::move(item));
  }
  answer.json = {{"statistic", nullptr},
                 {"p_value", nullptr},
                 {"n", number_or_null(request.n)},
                 {"alpha", request.alpha},
                 {"alternative", request.alternative},
                 {"method", "exact smallest p-values; noncentral t; normal approximation for wilcoxon"},
                 {"comparisons", std::move(comparisons)}};
  if (request.effect) answer.json["effect"] = {{"name", "standardised_difference"}, {"value", *request.effect}};
  answer.sentence =
      request.effect ? fmt::format("counts are pairs, or values in each group, for an effect of {} standard deviations",
                                   shortest(*request.effect))
                     : "counts are pairs, or values in each group; --effect adds power";
  return answer;
}

constexpr const char* kFamily = "value by alpha";

}  // namespace

const std::vector<StatsTest>& planning_tests() {
  static const std::vector<StatsTest> kTests{
      {"pareto", "Rows that none beats in every objective; with --reference the hypervolume, too",
       "minimize maximize reference by", pareto},
      {"holm", "Adjust a column of p-values: any false rejection at most alpha", kFamily, adjusted},
      {"benjamini-hochberg", "Adjust a column of p-values: false share of rejections at most alpha", kFamily, adjusted},
      {"power", "What --n runs can show of an --effect in standard deviations; needs no data",
       "n effect alpha power alternative", power}};
  return kTests;
}

}  // namespace wattle::cli
