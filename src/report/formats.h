// One function per format; `render` chooses. Internal to this module.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "report/report.h"

namespace wattle::report {

[[nodiscard]] std::string render_text(const analysis::Findings& findings, const Options& options);
[[nodiscard]] std::string render_json(const analysis::Findings& findings);
// One row per mutant × measure: estimate, low and high are ratios mutant / original for energy and time, differences
// in the metric's own unit (more is better) for the metric; pair_sd is the standard deviation of the pairs' log ratios
// or differences.
[[nodiscard]] std::string findings_csv(const analysis::Findings& findings);
[[nodiscard]] std::string render_markdown(const analysis::Findings& findings, const Options& options);
[[nodiscard]] std::string render_latex(const analysis::Findings& findings);
[[nodiscard]] std::string render_html(const analysis::Findings& findings, std::span<const record::Record> records,
                                      const Options& options);

// One line of a CSV file, LF included; fields are quoted where RFC 4180 asks for it.
[[nodiscard]] std::string csv_line(const std::vector<std::string>& fields);

// Nothing of a user's text is markup: no table cell, emphasis, link, code or HTML. An underscore inside a word is none.
[[nodiscard]] std::string markdown_escaped(std::string_view text);

// LaTeX, as papers want it: booktabs, a caption, a label; cells are plain text.
inline constexpr std::string_view kLatexHead = "% needs \\usepackage{booktabs}\n";
struct LatexTable {
  std::string caption;
  std::string label;   // after "tab:"
  std::string places;  // "lrr"
  std::vector<std::string> heads;
  std::vector<std::vector<std::string>> rows;
};
[[nodiscard]] std::string latex_table(const LatexTable& table);
// Nothing of a user's text is a command to TeX.
[[nodiscard]] std::string tex_escaped(std::string_view text);

// How a number of the report is computed, in plain words and with its source.
struct Explanation {
  std::string term;
  std::string text;
};
[[nodiscard]] std::vector<Explanation> explanations(const analysis::Findings& findings);

}  // namespace wattle::report
