// Findings as Markdown: tables that GitHub and Pandoc read.
#include <fmt/format.h>

#include <array>
#include <cctype>

#include "base/text.h"
#include "report/formats.h"
#include "report/wording.h"

namespace wattle::report {
namespace {

using analysis::Findings;

std::string row(const std::vector<std::string>& cells) { return "| " + join(cells, " | ") + " |\n"; }

std::string together(const Figure& parts) {
  return parts.interval.empty() ? parts.estimate : parts.estimate + " " + parts.interval;
}

std::string mutants(const Findings& findings) {
  const Measures all = measures(findings);
  std::string out =
      row({"mutant", all.energy.head(), all.time.head(), markdown_escaped(all.metric.head()), "verdict"}) +
      "|---|---|---|---|---|\n";
  const auto names = families(findings);
  for (const std::string& family : names) {
    const std::string prefix = names.size() > 1 ? markdown_escaped(family) + ": " : "";
    if (const auto* base = original(findings, family)) {
      out += row({prefix + "original (medians)", absolute(all.energy, base->median_energy_j),
                  absolute(all.time, base->median_time_s), absolute(all.metric, base->median_metric), ""});
    }
    for (const auto& mutant : findings.mutants) {
      if (mutant.family != family) continue;
      const Ruling rule = ruling(findings, mutant);
      out += row({prefix + markdown_escaped(label_in_family(mutant)), together(figure(all.energy, mutant.energy)),
                  together(figure(all.time, mutant.time)), together(figure(all.metric, mutant.metric)),
                  "**" + rule.word + "** (" + markdown_escaped(rule.because) + ")"});
    }
  }
  return out + "\n" + markdown_escaped(legend(findings)) + "\n";
}

template <std::size_t rows, std::size_t columns>
std::string grid(const std::string& name, const int (&cells)[rows][columns]) {
  static constexpr std::array<std::string_view, 4> kVerdicts{"win", "tie", "loss", "undecided"};
  std::vector<std::string> head{name};
  for (std::size_t column = 0; column < columns; ++column) head.emplace_back(kVerdicts[column]);
  std::string out = "\n" + row(head) + "|---|";
  for (std::size_t column = 0; column < columns; ++column) out += "--:|";
  out += "\n";
  for (std::size_t r = 0; r < rows; ++r) {
    std::vector<std::string> line{std::string(kVerdicts[r])};
    for (const int count : cells[r]) line.push_back(fmt::format("{}", count));
    out += row(line);
  }
  return out;
}

std::string correlations(const Findings& findings) {
  const Measures all = measures(findings);
  std::string out = "\n## What moves it\n\n" +
                    row({"hyperparameter", "measure", "rho", "interval 95 %", "bin", "p", "n"}) +
                    "|---|---|--:|---|---|---|--:|\n";
  const bool several = families(findings).size() > 1;
  for (const auto& correlation : findings.correlations) {
    const bool known = correlation.rho.has_value();
    out += row({(several ? markdown_escaped(correlation.family) + ": " : "") + markdown_escaped(correlation.parameter),
                markdown_escaped(correlation.measure) + (correlation.measure == "energy" ? all.energy.qualifier : ""),
                known ? number(*correlation.rho, 2, true) : std::string(kAbsent),
                known ? rho_interval(correlation) : markdown_escaped(correlation.why_absent), bin_words(correlation),
                p_number(correlation.p_value), fmt::format("{}", correlation.n)});
  }
  return out;
}

}  // namespace

std::string markdown_escaped(std::string_view text) {
  const std::string clean = printable(text);
  const auto in_word = [&](std::size_t i) {
    const auto alphanumeric = [&](std::size_t at) {
      return at < clean.size() && std::isalnum(static_cast<unsigned char>(clean[at])) != 0;
    };
    return i > 0 && alphanumeric(i - 1) && alphanumeric(i + 1);
  };
  std::string out;
  for (std::size_t i = 0; i < clean.size(); ++i) {
    const char c = clean[i];
    if (c == '<') {
      out += "&lt;";
      continue;
    }
    if (std::string_view("\\`*[]|~&#").find(c) != std::string_view::npos || (c == '_' && !in_word(i))) out += '\\';
    out += c;
  }
  return out;
}

std::string render_markdown(const Findings& findings, const Options& options) {
  const Measures all = measures(findings);
  const std::string tag = status(findings);
  std::string out = "# " + markdown_escaped(findings.study.empty() ? "study" : findings.study) + "\n\n";
  out += "**" + markdown_escaped(findings.headline.empty() ? "Nothing has been found out yet." : findings.headline) +
         "**" + (tag.empty() ? "" : " \\[" + tag + "\\]") + "\n";
  if (const std::string detail = best_in_words(findings); !detail.empty())
    out += "\n" + markdown_escaped(detail) + "\n";
  if (!findings.mutants.empty() || !findings.configurations.empty()) out += "\n" + mutants(findings);
  if (!findings.mutants.empty()) {
    out += "\n## Trade-off\n" +
           grid("energy" + all.energy.qualifier + " \\\\ " + markdown_escaped(all.metric.name), findings.grid) +
           grid("wang-grid", findings.wang.cells);
  }
  if (!findings.correlations.empty()) out += correlations(findings);
  if (!findings.warnings.empty()) out += "\n## Limits\n\n";
  for (const std::string& warning : findings.warnings) out += "- " + markdown_escaped(warning) + "\n";
  if (options.explain) {
    out += "\n## How it is computed\n\n";
    for (const auto& [term, text] : explanations(findings))
      out += "- **" + markdown_escaped(term) + "**: " + markdown_escaped(text) + "\n";
  }
  return out + "\n" + markdown_escaped(extent(findings) + "; " + footprint(findings)) + "\n";
}

}  // namespace wattle::report
