// Findings as a LaTeX table, and what other answers share with it.
#include <fmt/format.h>

#include "base/text.h"
#include "report/formats.h"
#include "report/wording.h"

namespace wattle::report {
namespace {

std::string line(const std::vector<std::string>& cells) {
  std::vector<std::string> escaped;
  escaped.reserve(cells.size());
  for (const std::string& cell : cells) escaped.push_back(tex_escaped(cell));
  return "    " + join(escaped, " & ") + " \\\\\n";
}

std::string together(const Figure& parts) {
  return parts.interval.empty() ? parts.estimate : parts.estimate + " " + parts.interval;
}

}  // namespace

std::string tex_escaped(std::string_view text) {
  std::string out;
  for (const char c : printable(text)) {
    if (std::string_view("&%$#_{}").find(c) != std::string_view::npos) {
      (out += '\\') += c;
    } else if (c == '\\') {
      out += "\\textbackslash{}";
    } else if (c == '~') {
      out += "\\textasciitilde{}";
    } else if (c == '^') {
      out += "\\textasciicircum{}";
    } else {
      out += c;
    }
  }
  const auto replace = [&](std::string_view from, std::string_view to) {
    for (auto at = out.find(from); at != std::string::npos; at = out.find(from, at + to.size())) {
      out.replace(at, from.size(), to);
    }
  };
  replace("−", "$-$");
  replace("–", "--");
  replace("±", "$\\pm$");
  replace("×", "$\\times$");
  replace("→", "$\\rightarrow$");
  replace("≥", "$\\geq$");
  replace("²", "$^2$");
  replace("µ", "$\\mu$");
  return out;
}

std::string latex_table(const LatexTable& table) {
  std::string out = fmt::format(
      "\\begin{{table}}\n  \\centering\n  \\caption{{{}}}\n  \\label{{tab:{}}}\n  \\begin{{tabular}}{{{}}}\n    "
      "\\toprule\n",
      tex_escaped(table.caption), table.label, table.places);
  out += line(table.heads) + "    \\midrule\n";
  for (const auto& row : table.rows) out += line(row);
  return out + "    \\bottomrule\n  \\end{tabular}\n\\end{table}\n";
}

std::string render_latex(const analysis::Findings& findings) {
  const Measures all = measures(findings);
  const auto names = families(findings);
  LatexTable table{findings.study + ": " +
                       (findings.headline.empty() ? "nothing has been found out yet" : findings.headline) + " " +
                       legend(findings),
                   "findings",
                   "lrrrl",
                   {"mutant", all.energy.head(), all.time.head(), all.metric.head(), "verdict"},
                   {}};
  for (const std::string& family : names) {
    const std::string prefix = names.size() > 1 ? family + ": " : "";
    if (const auto* base = original(findings, family)) {
      table.rows.push_back({prefix + "original (medians)", absolute(all.energy, base->median_energy_j),
                            absolute(all.time, base->median_time_s), absolute(all.metric, base->median_metric), ""});
    }
    for (const auto& mutant : findings.mutants) {
      if (mutant.family != family) continue;
      const Ruling rule = ruling(findings, mutant);
      table.rows.push_back({prefix + label_in_family(mutant), together(figure(all.energy, mutant.energy)),
                            together(figure(all.time, mutant.time)), together(figure(all.metric, mutant.metric)),
                            rule.word + " (" + rule.because + ")"});
    }
  }
  std::string out = std::string(kLatexHead) + latex_table(table);
  for (const std::string& warning : findings.warnings) out += "% " + printable(warning) + "\n";
  return out;
}

}  // namespace wattle::report
