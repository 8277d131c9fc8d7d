// The terminal's report.
#include "base/text.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "report/formats.h"
#include "report/wording.h"

namespace wattle::report {
namespace {

using analysis::Findings;
using analysis::MutantFinding;

constexpr int kShapeWidth = 76;  // narrower terminals do without the small bars
constexpr std::size_t kMetricName = 14;

std::string padded_left(const std::string& text, std::size_t width) {
  const std::size_t used = display_width(text);
  return (used < width ? std::string(width - used, ' ') : std::string{}) + text;
}

// Cells of one measure, the estimates aligned: "−21 ▂▅▃▁▂ [−27, −15]".
std::vector<std::string> cells_of(const Findings& findings, const Measure& measure, bool with_shape) {
  std::size_t widest = 0;
  std::vector<Figure> figures;
  for (const MutantFinding& mutant : findings.mutants) {
    figures.push_back(figure(measure, mutant.*measure.comparison));
    widest = std::max(widest, display_width(figures.back().estimate));
  }
  std::vector<std::string> cells;
  for (std::size_t m = 0; m < figures.size(); ++m) {
    std::string cell = padded_left(figures[m].estimate, widest);
    if (with_shape) {
      const auto* configuration = summary(findings, findings.mutants[m].configuration);
      const std::string shape = configuration ? sparkline(configuration->*measure.values) : std::string{};
      cell += " " + (shape.empty() ? std::string(5, ' ') : shape);
    }
    if (!figures[m].interval.empty()) cell += " " + figures[m].interval;
    cell.erase(cell.find_last_not_of(' ') + 1);
    cells.push_back(std::move(cell));
  }
  return cells;
}

std::string heading(const Findings& findings, const Options& options) {
  std::string out;
  const std::string tag = status(findings);
  std::string sentence = findings.headline.empty() ? std::string("Nothing has been found out yet.") : findings.headline;
  const bool tagged = tag.empty() || sentence.find(tag) != std::string::npos;
  if (!tagged) sentence += " [" + tag + "]";
  std::string lines = wrapped(sentence, options.width);
  lines.pop_back();
  out += toned(lines, Tone::strong, options.colour) + "\n";
  if (const std::string detail = best_in_words(findings); !detail.empty()) out += wrapped(detail, options.width, "  ");
  return out;
}

std::string mutants(const Findings& findings, const Options& options) {
  const Measures all = measures(findings);
  Measure metric = all.metric;
  metric.name = shortened(metric.name, kMetricName);
  Table table({{"mutant", Align::left, true}, {all.energy.head()}, {all.time.head()}, {metric.head()}});
  const auto energy = cells_of(findings, all.energy, options.width >= kShapeWidth);
  const auto time = cells_of(findings, all.time, false);
  const auto difference = cells_of(findings, all.metric, false);
  const std::vector<std::string> names = families(findings);
  for (const std::string& family : names) {
    if (names.size() > 1) table.add_note({"workload " + family, Tone::strong}, 0);
    if (const auto* base = original(findings, family)) {
      table.add_row({{"original"},
                     {absolute(all.energy, base->median_energy_j)},
                     {absolute(all.time, base->median_time_s)},
                     {absolute(all.metric, base->median_metric)}});
    }
    for (std::size_t m = 0; m < findings.mutants.size(); ++m) {
      const MutantFinding& mutant = findings.mutants[m];
      if (mutant.family != family) continue;
      const Ruling rule = ruling(findings, mutant);
      const Cell verdict{rule.word + " (" + rule.because + ")", rule.tone};
      table.add_row({{label_in_family(mutant)}, {energy[m]}, {time[m]}, {difference[m]}});
      table.add_note(verdict);
    }
  }
  return "\n" + table.render(options.width, options.colour) + wrapped(legend(findings), options.width);
}

// Two small tables beside each other: Wattle's own counts, and Wang's.
std::string grids(const Findings& findings, const Options& options) {
  static constexpr std::array<std::string_view, 4> kVerdicts{"win", "tie", "loss", "undecided"};
  const Measures all = measures(findings);
  Table table({{"energy" + all.energy.qualifier + " \\ " + shortened(all.metric.name, kMetricName)},
               {"win", Align::right},
               {"tie", Align::right},
               {"loss", Align::right},
               {"undecided", Align::right},
               {"    wang-grid"},
               {"win", Align::right},
               {"tie", Align::right},
               {"loss", Align::right}});
  const auto count = [](int value) { return value == 0 ? std::string("·") : fmt::format("{}", value); };
  for (std::size_t row = 0; row < kVerdicts.size(); ++row) {
    std::vector<Cell> cells{{std::string(kVerdicts[row])}};
    for (const int value : findings.grid[row]) cells.push_back({count(value)});
    if (row < 3) {
      cells.push_back({"    " + std::string(kVerdicts[row])});
      for (const int value : findings.wang.cells[row]) cells.push_back({count(value)});
    }
    table.add_row(cells);
  }
  std::string out = "\n" + table.render(options.width, options.colour);
  if (findings.wang.unattainable > 0) {
    out += wrapped(fmt::format("wang-grid: {} cannot reach significance with so few pairs, and {}",
                               counted(findings.wang.unattainable, "mutant", "mutants"),
                               findings.wang.unattainable == 1 ? "counts as a tie" : "count as ties"),
                   options.width);
  }
  return out;
}

std::string correlations(const Findings& findings, const Options& options) {
  const Measures all = measures(findings);
  const bool several = families(findings).size() > 1;
  Table table({{"what moves it", Align::left, true},
               {"measure"},
               {"rho", Align::right},
               {"95 % interval"},
               {"relation"},
               {"p", Align::right},
               {"n", Align::right}});
  std::string before;
  for (const auto& correlation : findings.correlations) {
    std::string name = (several ? correlation.family + ": " : "") + correlation.parameter;
    const std::string shown = name == before ? std::string{} : name;
    before = std::move(name);
    const std::string measure = correlation.measure + (correlation.measure == "energy" ? all.energy.qualifier : "");
    table.add_row({{shown},
                   {measure},
                   {correlation.rho ? number(*correlation.rho, 2, true) : std::string(kAbsent), Tone::strong},
                   {rho_interval(correlation)},
                   {bin_words(correlation)},
                   {p_number(correlation.p_value)},
                   {fmt::format("{}", correlation.n)}});
    if (!correlation.rho && !correlation.why_absent.empty()) table.add_note({correlation.why_absent, Tone::dim}, 4);
  }
  return "\n" + table.render(options.width, options.colour) +
         wrapped("rho: Spearman's rank correlation, p not corrected for their number", options.width);
}

std::string footer(const Findings& findings, const Options& options) {
  std::string out = "\n" + wrapped(extent(findings) + "; " + footprint(findings) +
                                       (options.store_name.empty() ? "" : "; store " + options.store_name),
                                   options.width);
  const auto width = static_cast<std::size_t>(options.width);
  std::string line;
  for (const std::string& command : options.next) {
    if (!line.empty() && display_width(line) + 3 + display_width(command) > width) {
      out += shortened(line, width) + "\n";
      line.clear();
    }
    line += (line.empty() ? "" : "   ") + command;
  }
  return line.empty() ? out : out + shortened(line, width) + "\n";
}

}  // namespace

std::string render_text(const Findings& findings, const Options& asked) {
  Options options = asked;
  options.width = std::max(asked.width, 40);
  std::string out = heading(findings, options);
  if (!findings.mutants.empty() || !findings.configurations.empty()) out += mutants(findings, options);
  if (!findings.mutants.empty()) out += grids(findings, options);
  if (!findings.correlations.empty()) out += correlations(findings, options);
  if (!findings.warnings.empty()) out += "\n";
  for (const std::string& warning : findings.warnings) out += wrapped(warning, options.width, "! ");
  if (options.explain) {
    out += "\n" + toned("how it is computed", Tone::strong, options.colour) + "\n";
    for (const Explanation& explanation : explanations(findings)) {
      out += wrapped(explanation.term + ": " + explanation.text, options.width, "  ");
    }
  }
  return out + footer(findings, options);
}

}  // namespace wattle::report
