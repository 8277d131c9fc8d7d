// Did the machine change while the study ran? The same run, with the same seed, at the begin of every block.
#include <fmt/format.h>

#include <algorithm>
#include <map>

#include "analysis/questions.h"
#include "base/text.h"
#include "stats/correlation.h"
#include "stats/descriptive.h"

namespace wattle::analysis {
namespace {

using record::Record;

struct Point {
  int block = 0;
  double hours = 0.0;  // since the first control run began
  double time_s = 0.0;
  std::optional<double> energy_j;
  std::optional<double> temperature;  // degC, mean over the run
};

std::vector<Point> points_of(std::span<const Record> records) {
  std::vector<const Record*> controls;
  for (const Record& record : records) {
    const bool control = record.request.purpose == study::Purpose::control;
    if (control && record::successful(record.end) && record.duration) controls.push_back(&record);
  }
  std::sort(controls.begin(), controls.end(),
            [](const Record* a, const Record* b) { return a->started_wall.value < b->started_wall.value; });
  std::vector<Point> points;
  for (const Record* record : controls) {
    Point point;
    point.block = record->request.block;
    point.hours = to_seconds(record->started_wall - controls.front()->started_wall).value / 3600.0;
    point.time_s = to_seconds(*record->duration).value;
    if (const auto energy = record::run_energy(*record)) point.energy_j = energy->energy.value;
    for (const energy::Measure& measure : record->measures) {
      if (measure.name == "cpu_temperature") point.temperature = measure.mean;
    }
    points.push_back(point);
  }
  return points;
}

AnswerTable runs_table(const std::vector<Point>& points) {
  AnswerTable table{"runs",
                    "control runs: the same work, with the same seed, at the begin of every block",
                    {{"block", "block", Unit::count},
                     {"since_start_h", "hours", Unit::none},
                     {"duration_s", "time", Unit::seconds},
                     {"energy_j", "energy", Unit::joules},
                     {"cpu_temperature_degc", "degC", Unit::none}},
                    {}};
  for (const Point& point : points) {
    table.rows.push_back({Cell::of(static_cast<double>(point.block)), Cell::of(point.hours), Cell::of(point.time_s),
                          Cell::of(point.energy_j, "no energy was read"),
                          Cell::of(point.temperature, "no sensor tells it")});
  }
  return table;
}

struct Trend {
  std::optional<double> rho;
  std::optional<double> p_value;
};

std::vector<Cell> trend_row(const std::string& measure, const std::vector<double>& order,
                            const std::vector<double>& values, Trend& trend) {
  const auto rho = stats::spearman(order, values);
  const auto mean = stats::mean(values);
  const auto deviation = stats::standard_deviation(values);
  const auto variation = mean && deviation && *mean > 0.0 ? std::optional(*deviation / *mean) : std::nullopt;
  const auto ratio =
      values.size() > 1 && values.front() > 0.0 ? std::optional(values.back() / values.front()) : std::nullopt;
  if (rho) trend = {rho->rho, rho->p_value};
  const std::string why = rho ? std::string() : rho.error().message;
  return {Cell::of(measure),
          Cell::of(static_cast<double>(values.size())),
          Cell::of(variation, "too few runs"),
          Cell::of(ratio, "too few runs"),
          rho ? Cell::of(rho->rho, rho->low, rho->high) : Cell::absent(why),
          Cell::of(rho ? std::optional(rho->p_value) : std::nullopt, why)};
}

}  // namespace

Result<Answer> drift(std::span<const Record> records, const Asked& asked) {
  const std::vector<Point> points = points_of(records);
  Answer answer;
  answer.question = "drift";
  AnswerTable trends{"trend",
                     "does it rise or fall with time?",
                     {{"measure", "measure"},
                      {"n", "n", Unit::count},
                      {"coefficient_of_variation", "variation", Unit::percent},
                      {"last_to_first", "last to first", Unit::change},
                      {"rho", "rho with order", Unit::effect, true},
                      {"p_value", "p", Unit::p_value}},
                     {}};
  std::vector<double> order;
  std::vector<double> times;
  std::vector<double> energy_order;
  std::vector<double> energies;
  for (std::size_t i = 0; i < points.size(); ++i) {
    order.push_back(static_cast<double>(i));
    times.push_back(points[i].time_s);
    if (!points[i].energy_j) continue;
    energy_order.push_back(static_cast<double>(i));
    energies.push_back(*points[i].energy_j);
  }
  Trend time;
  Trend energy;
  if (!points.empty()) {
    trends.rows.push_back(trend_row("time", order, times, time));
    if (!energies.empty()) trends.rows.push_back(trend_row("energy", energy_order, energies, energy));
  }
  const bool drifted =
      (time.p_value && *time.p_value < asked.alpha) || (energy.p_value && *energy.p_value < asked.alpha);
  answer.sentence =
      points.empty()  ? "This study has no control runs; `control = true` under [protocol] makes them."
      : !time.p_value ? fmt::format("{} control run{} cannot tell a drift; it takes 5 or more.", points.size(),
                                    points.size() == 1 ? "" : "s")
      : drifted
          ? fmt::format("The machine drifted: over {} control runs {} (p = {:.3g}).", points.size(),
                        time.p_value < asked.alpha
                            ? (*time.rho > 0 ? "the same work took ever longer" : "the same work took ever less time")
                            : "the same work changed its energy",
                        std::min(time.p_value.value_or(1.0), energy.p_value.value_or(1.0)))
          : fmt::format("No drift is shown by {} control runs (p = {:.2g} for time).", points.size(), *time.p_value);
  if (drifted) {
    answer.warnings.emplace_back(
        "comparisons within blocks stand; comparing runs of different blocks, or medians over all, does not");
  }
  answer.method = {
      "control runs have the original's settings and always the first block's training seed: what differs is the "
      "machine",
      "rho: Spearman's with the order of the runs, p not corrected"};
  answer.tables = {std::move(trends), runs_table(points)};
  return answer;
}

}  // namespace wattle::analysis
