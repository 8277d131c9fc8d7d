#include "report/wording.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <cmath>

#include "base/text.h"

namespace wattle::report {
namespace {

using analysis::Basis;
using analysis::Comparison;
using analysis::Findings;
using analysis::Greener;
using analysis::MutantFinding;
using analysis::Verdict;

// Decimals that leave an interval this wide about two digits: 12 -> 0, 2 -> 1, 0.2 -> 2. `one_until`: widths below it,
// down to a tenth of it, are told to one decimal.
int decimals_for(double width, double one_until) {
  if (!std::isfinite(width) || width <= 0.0) return 1;
  return std::clamp(static_cast<int>(-std::floor(std::log10(width / one_until))), 0, 6);
}

// One precision for a whole column: that of the middle interval.
int column_decimals(const Findings& findings, const Measure& measure) {
  std::vector<double> sizes;
  for (const MutantFinding& mutant : findings.mutants) {
    const Comparison& comparison = mutant.*measure.comparison;
    const auto low = measure.shown(comparison.low);
    const auto high = measure.shown(comparison.high);
    if (low && high && std::isfinite(*high - *low)) sizes.push_back(*high - *low);
  }
  if (sizes.empty()) return 1;
  const auto middle = sizes.begin() + static_cast<std::ptrdiff_t>(sizes.size() / 2);
  std::nth_element(sizes.begin(), middle, sizes.end());
  // A tolerance of performance is often one point: differences of a fraction of it must stay to be seen.
  return measure.ratio ? std::min(decimals_for(*middle, 3.0), 2) : decimals_for(*middle, 10.0);
}

// Shares are known by name and by value: a loss between 0 and 1 is no share.
bool is_share(const Findings& findings) {
  static constexpr std::array<std::string_view, 12> kShares{
      "acc", "f1", "precision", "recall", "auc", "iou", "dice", "top1", "top5", "rank@", "sensitivity", "specificity"};
  std::string name = findings.metric;
  std::transform(name.begin(), name.end(), name.begin(),
                 [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; });
  const bool named =
      std::any_of(kShares.begin(), kShares.end(), [&](auto share) { return name.find(share) != std::string::npos; });
  const auto in_range = [](double value) { return !std::isfinite(value) || (value >= 0.0 && value <= 1.0); };
  return named && name.find("loss") == std::string::npos &&
         std::all_of(findings.configurations.begin(), findings.configurations.end(), [&](const auto& configuration) {
           return std::all_of(configuration.metric.begin(), configuration.metric.end(), in_range);
         });
}

std::string_view qualifier(Basis basis) {
  if (basis == Basis::estimated) return " est.";
  if (basis == Basis::simulated) return " simulated";
  if (basis == Basis::imported) return " imported";
  return "";
}

// Why energy decides nothing here; empty where it may.
std::string energy_caveat(const Findings& findings) {
  if (findings.basis == Basis::estimated) return "energy untestable here";
  if (findings.basis == Basis::simulated) return "energy simulated";
  if (findings.basis == Basis::absent) return "no energy known";
  return "";
}

// What is shown against the mutant; empty when nothing is.
std::vector<std::string> losses(const Findings& findings, const MutantFinding& mutant) {
  std::vector<std::string> reasons;
  const auto lost = [&](const Comparison& comparison, std::string_view what) {
    if (comparison.verdict != Verdict::loss || !comparison.estimate) return;
    const auto p = comparison.p_two_sided_holm;
    reasons.push_back(std::string(what) + (p ? ", " + p_words(p) + " Holm" : ""));
  };
  lost(mutant.metric, "worse " + findings.metric);
  if (testable(findings.basis)) {
    lost(mutant.energy, "more energy");
  } else {
    lost(mutant.time, "slower");
  }
  return reasons;
}

std::string verdict_word(const Findings& findings, const MutantFinding& mutant, bool shown_against) {
  if (mutant.greener == Greener::screened) return "greener";
  if (mutant.faster_at_no_loss) return "faster, no loss";
  const bool slower = !testable(findings.basis) && mutant.time.verdict == Verdict::loss;
  return shown_against || slower || mutant.greener == Greener::no ? "loss" : "undecided";
}

}  // namespace

std::string number(double value, int decimals, bool sign) {
  if (std::isnan(value)) return "not a number";
  if (std::isinf(value)) return value > 0 ? "infinite" : "−infinite";
  const bool huge = std::abs(value) >= 1e5;
  std::string text = huge ? fmt::format("{:.1e}", std::abs(value)) : fmt::format("{:.{}f}", std::abs(value), decimals);
  if (text.find_first_of("123456789") == std::string::npos) return text;
  if (value < 0) return "−" + text;
  return sign ? "+" + text : text;
}

std::string counted(int count, std::string_view one, std::string_view many) {
  return fmt::format("{} {}", count, count == 1 ? one : many);
}

std::string p_number(std::optional<double> p) {
  if (!p || !std::isfinite(*p)) return std::string(kAbsent);
  return *p < 0.001 ? "< 0.001" : significant(*p, 2);
}

std::string p_words(std::optional<double> p) {
  if (!p || !std::isfinite(*p)) return "no p-value";
  return (*p < 0.001 ? "p " : "p = ") + p_number(p);
}

std::string utc(Nanoseconds wall) {
  if (wall.value <= 0) return {};
  namespace c = std::chrono;
  const c::sys_seconds instant{c::seconds{wall.value / 1'000'000'000}};
  const auto day = c::floor<c::days>(instant);
  const c::year_month_day date{day};
  const c::hh_mm_ss time{instant - day};
  return fmt::format("{:04}-{:02}-{:02}T{:02}:{:02}:{:02}Z", static_cast<int>(date.year()),
                     static_cast<unsigned>(date.month()), static_cast<unsigned>(date.day()), time.hours().count(),
                     time.minutes().count(), time.seconds().count());
}

std::string sparkline(std::span<const double> values) {
  static constexpr std::array<std::string_view, 8> kBars{"▁", "▂", "▃", "▄", "▅", "▆", "▇", "█"};
  std::vector<double> finite;
  std::copy_if(values.begin(), values.end(), std::back_inserter(finite), [](double v) { return std::isfinite(v); });
  if (finite.size() < 3) return {};
  const auto [least, greatest] = std::minmax_element(finite.begin(), finite.end());
  const double low = *least;
  const double range = *greatest - low;
  std::array<std::size_t, 5> bins{};
  for (const double value : finite) {
    const double place = range > 0.0 ? (value - low) / range * 5.0 : 2.0;
    ++bins[static_cast<std::size_t>(std::clamp(place, 0.0, 4.0))];
  }
  const std::size_t most = *std::max_element(bins.begin(), bins.end());
  std::string out;
  for (const std::size_t count : bins) out += kBars[count * (kBars.size() - 1) / most];
  return out;
}

std::string Measure::head() const { return name + qualifier + (unit.empty() ? "" : ", " + unit); }

std::optional<double> Measure::shown(std::optional<double> value) const {
  if (!value || std::isnan(*value)) return std::nullopt;
  return (*value - (ratio ? 1.0 : 0.0)) * scale;
}

Measures measures(const Findings& findings) {
  const bool share = is_share(findings);
  using Summary = analysis::ConfigurationSummary;
  Measures all{{"energy", std::string(qualifier(findings.basis)), "%", true, 100.0, 0, &MutantFinding::energy,
                &Summary::median_energy_j, &Summary::energy_j},
               {"time", "", "%", true, 100.0, 0, &MutantFinding::time, &Summary::median_time_s, &Summary::time_s},
               {findings.metric.empty() ? "metric" : findings.metric, "", share ? "pp" : "", false, share ? 100.0 : 1.0,
                0, &MutantFinding::metric, &Summary::median_metric, &Summary::metric}};
  for (Measure* measure : {&all.energy, &all.time, &all.metric})
    measure->decimals = column_decimals(findings, *measure);
  return all;
}

Figure figure(const Measure& measure, const Comparison& comparison) {
  const auto estimate = measure.shown(comparison.estimate);
  if (!estimate) return {std::string(kAbsent), {}};
  const auto low = measure.shown(comparison.low);
  const auto high = measure.shown(comparison.high);
  const auto text = [&](double value) { return number(value, measure.decimals, true); };
  return {text(*estimate), low && high ? fmt::format("[{}, {}]", text(*low), text(*high)) : std::string{}};
}

std::string in_words(const Measure& measure, const Comparison& comparison) {
  const Figure parts = figure(measure, comparison);
  std::vector<std::string> words{measure.name + measure.qualifier, parts.estimate};
  if (!measure.unit.empty()) words.push_back(measure.unit);
  if (!parts.interval.empty()) words.push_back(parts.interval);
  return join(words, " ");
}

std::string absolute(const Measure& measure, std::optional<double> value) {
  if (!value || !std::isfinite(*value)) return std::string(kAbsent);
  if (measure.name == "energy" && measure.ratio) return human(Joules{*value});
  if (measure.ratio) return human(Seconds{*value});
  if (measure.unit == "pp") return number(*value, *value > 0.99 ? 4 : 3);
  return significant(*value, 3);
}

Ruling ruling(const Findings& findings, const MutantFinding& mutant) {
  const bool measured = testable(findings.basis);
  const std::string caveat = energy_caveat(findings);
  std::vector<std::string> parts = losses(findings, mutant);
  Ruling rule{verdict_word(findings, mutant, !parts.empty()), {}, Tone::dim};
  if (rule.word == "greener") {
    rule.tone = Tone::good;
    parts = {"screened", p_words(mutant.p_greener_holm) + " Holm"};
  } else if (rule.word == "faster, no loss") {
    rule.tone = Tone::good;
    if (parts.empty()) parts = {measured ? "energy undecided" : caveat};
    parts.push_back(p_words(mutant.p_faster_holm) + " Holm");
  } else if (rule.word == "loss") {
    rule.tone = Tone::bad;
  } else {
    const auto p = measured ? mutant.p_greener_holm : mutant.p_faster_holm;
    parts = {p_words(p) + (p ? " Holm" : "")};
  }
  if (mutant.failed_pairs > 0) {
    const int tried = std::max(mutant.metric.pairs, mutant.failed_pairs);
    parts.push_back(fmt::format("{} of {} failed", mutant.failed_pairs, counted(tried, "pair", "pairs")));
  }
  const int pairs = std::min((measured ? mutant.energy : mutant.time).pairs, mutant.metric.pairs);
  if (pairs > 0 || mutant.failed_pairs == 0) parts.push_back("n = " + counted(pairs, "pair", "pairs"));
  const bool said = std::find(parts.begin(), parts.end(), caveat) != parts.end();
  if (!caveat.empty() && !said) parts.push_back(caveat);
  rule.because = join(parts, ", ");
  return rule;
}

std::string status(const Findings& findings) {
  if (findings.mutants.empty()) return {};
  const bool screened = std::any_of(findings.mutants.begin(), findings.mutants.end(),
                                    [](const auto& mutant) { return mutant.greener == Greener::screened; });
  if (screened) return "screened";
  if (!testable(findings.basis)) return "untestable here";
  const bool open = std::any_of(findings.mutants.begin(), findings.mutants.end(),
                                [](const auto& mutant) { return mutant.greener == Greener::undecided; });
  return open ? "undecided" : "not greener";
}

const MutantFinding* best(const Findings& findings) {
  const auto cost = [](const Comparison& comparison) { return comparison.estimate.value_or(1e300); };
  const MutantFinding* found = nullptr;
  for (const MutantFinding& mutant : findings.mutants) {
    if (mutant.greener != Greener::screened) continue;
    if (!found || cost(mutant.energy) < cost(found->energy)) found = &mutant;
  }
  if (testable(findings.basis)) return found;
  for (const MutantFinding& mutant : findings.mutants) {
    if (!mutant.faster_at_no_loss) continue;
    if (!found || cost(mutant.time) < cost(found->time)) found = &mutant;
  }
  return found;
}

std::string best_in_words(const Findings& findings) {
  const MutantFinding* mutant = best(findings);
  if (!mutant) return {};
  const Measures all = measures(findings);
  const Measure& metric = all.metric;
  const std::string tolerance =
      shortest(findings.tolerance * metric.scale) + (metric.unit.empty() ? "" : " " + metric.unit);
  return fmt::format("{} {} → {}: {}, {}, {} (non-inferior at {}, {})", mutant->parameter, mutant->original_value,
                     mutant->mutant_value, in_words(all.energy, mutant->energy), in_words(all.time, mutant->time),
                     in_words(metric, mutant->metric), tolerance,
                     "n = " + counted(mutant->metric.pairs, "pair", "pairs"));
}

std::string extent(const Findings& findings) {
  std::string text = counted(findings.blocks, "block", "blocks") + ", " + counted(findings.runs, "run", "runs");
  if (findings.failed > 0) text += fmt::format(", {} failed", findings.failed);
  return text;
}

std::string footprint(const Findings& findings) {
  if (findings.basis == Basis::absent) return "energy spent: not known, no domain was read";
  const std::string_view how = qualifier(findings.basis);
  return fmt::format("spent {}{}, of it {}{} wasted in interrupted attempts", human(Joules{findings.spent_j}), how,
                     human(Joules{findings.wasted_j}), how);
}

std::string legend(const Findings& findings) {
  double least = 1.0;
  double most = 0.0;
  for (const MutantFinding& mutant : findings.mutants) {
    for (const Comparison* comparison : {&mutant.energy, &mutant.time, &mutant.metric}) {
      if (!comparison->low || !comparison->high) continue;
      least = std::min(least, comparison->interval_level);
      most = std::max(most, comparison->interval_level);
    }
  }
  const Measures all = measures(findings);
  std::string text = fmt::format("change against the original; for {}{} + is better", all.metric.name,
                                 findings.metric_split.empty() ? "" : fmt::format(" ({})", findings.metric_split));
  if (most <= 0.0) return text + "; no intervals: too few pairs";
  const std::string low = number(least * 100.0, 1);
  const std::string high = number(most * 100.0, 1);
  return text + fmt::format("; [signed-rank interval, {} %, repetition only]", low == high ? low : low + "–" + high);
}

std::vector<std::string> families(const Findings& findings) {
  std::vector<std::string> names;
  const auto add = [&](const std::string& name) {
    if (std::find(names.begin(), names.end(), name) == names.end()) names.push_back(name);
  };
  for (const auto& configuration : findings.configurations) add(configuration.family);
  for (const auto& mutant : findings.mutants) add(mutant.family);
  return names;
}

const analysis::ConfigurationSummary* summary(const Findings& findings, std::string_view id) {
  const auto found = std::find_if(findings.configurations.begin(), findings.configurations.end(),
                                  [&](const auto& configuration) { return configuration.id == id; });
  return found == findings.configurations.end() ? nullptr : &*found;
}

const analysis::ConfigurationSummary* original(const Findings& findings, std::string_view family) {
  const auto found =
      std::find_if(findings.configurations.begin(), findings.configurations.end(),
                   [&](const auto& configuration) { return configuration.original && configuration.family == family; });
  return found == findings.configurations.end() ? nullptr : &*found;
}

std::string bin_words(const analysis::Correlation& correlation) {
  if (!correlation.bin) return {};
  std::string words(to_string(*correlation.bin));
  std::replace(words.begin(), words.end(), '_', ' ');
  return words;
}

std::string rho_interval(const analysis::Correlation& correlation) {
  if (!correlation.low || !correlation.high) return {};
  return fmt::format("[{}, {}]", number(*correlation.low, 2, true), number(*correlation.high, 2, true));
}

}  // namespace wattle::report
