// The report as one page without scripts: it asks nothing of the network (its policy forbids it) and prints.
#include "report/html.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <set>

#include "base/text.h"
#include "report/formats.h"
#include "report/html_style.h"

namespace wattle::report {
namespace {

using analysis::Findings;
using record::Record;

constexpr std::array<std::string_view, 4> kVerdicts{"win", "tie", "loss", "undecided"};

std::string element(std::string_view tag, const std::string& content, std::string_view attributes = {}) {
  return fmt::format("<{0}{1}{2}>{3}</{0}>", tag, attributes.empty() ? "" : " ", attributes, content);
}

std::string cell(const std::string& text, std::string_view css = {}) {
  return element("td", text, css.empty() ? "" : fmt::format("class=\"{}\"", css));
}

std::string_view css_class(Tone tone) { return tone == Tone::good ? "good" : tone == Tone::bad ? "bad" : ""; }

std::string with_interval(const Figure& parts) {
  return parts.estimate + (parts.interval.empty() ? "" : " <small>" + parts.interval + "</small>");
}

std::string head_row(const std::vector<std::string>& heads) {
  std::string out;
  for (const std::string& head : heads) out += element("th", html_escaped(head));
  return element("tr", out);
}

template <std::size_t rows, std::size_t columns>
std::string grid(const std::string& corner, const int (&cells)[rows][columns], bool mark_greener) {
  std::string out = "<tr>" + element("th", corner);
  for (std::size_t column = 0; column < columns; ++column) out += element("th", std::string(kVerdicts[column]));
  out += "</tr>";
  for (std::size_t row = 0; row < rows; ++row) {
    out += "<tr>" + element("th", std::string(kVerdicts[row]));
    for (std::size_t column = 0; column < columns; ++column) {
      const int count = cells[row][column];
      const bool target = mark_greener && row == 0 && column < 2;
      out += cell(count == 0 ? "·" : fmt::format("{}", count),
                  std::string(count == 0 ? "zero" : "") + (target ? " target" : ""));
    }
    out += "</tr>";
  }
  return element("table", out, "class=\"grid\"");
}

std::string grids(const Findings& findings, const Measures& all) {
  const std::string corner = "energy" + all.energy.qualifier + " \\ " + html_escaped(shortened(all.metric.name, 16));
  std::string out = element("section", element("h3", "Trade-off: mutants by verdict") + "<div class=\"wide\">" +
                                           grid(corner, findings.grid, analysis::testable(findings.basis)) + "</div>");
  std::string wang = element("h3", "wang-grid <span class=\"soft\">(not corrected, ties by non-significance)</span>") +
                     "<div class=\"wide\">" + grid(corner, findings.wang.cells, false) + "</div>";
  if (findings.wang.unattainable > 0) {
    wang += element(
        "p", counted(findings.wang.unattainable, "mutant has", "mutants have") + " too few pairs for significance",
        "class=\"soft\"");
  }
  return out + element("section", wang);
}

std::string heat_map(const Findings& findings, const Measures& all) {
  std::vector<std::string> rows;
  std::vector<std::string> columns;
  const bool several = families(findings).size() > 1;
  const auto row_of = [&](const analysis::Correlation& c) { return (several ? c.family + ": " : "") + c.parameter; };
  const auto note = [](std::vector<std::string>& names, const std::string& name) {
    if (std::find(names.begin(), names.end(), name) == names.end()) names.push_back(name);
  };
  for (const auto& correlation : findings.correlations) {
    note(rows, row_of(correlation));
    note(columns, correlation.measure);
  }
  std::vector<std::string> heads{""};
  for (const std::string& column : columns) heads.push_back(column + (column == "energy" ? all.energy.qualifier : ""));
  std::string out = head_row(heads);
  for (const std::string& row : rows) {
    std::string line = cell(html_escaped(row), "name");
    for (const std::string& column : columns) {
      const auto found = std::find_if(findings.correlations.begin(), findings.correlations.end(),
                                      [&](const auto& c) { return row_of(c) == row && c.measure == column; });
      if (found == findings.correlations.end() || !found->rho || !std::isfinite(*found->rho)) {
        const bool known = found != findings.correlations.end();
        line += element("td", std::string(kAbsent),
                        fmt::format("title=\"{}\"", known ? html_escaped(found->why_absent) : ""));
        continue;
      }
      const double rho = *found->rho;
      std::string interval = rho_interval(*found);
      if (!interval.empty()) interval = element("div", element("small", interval));
      line += element(
          "td", number(rho, 2, true) + interval,
          fmt::format("style=\"background:rgba(var(--{}),{:.2f})\" title=\"{}, {}, n = {}\"", rho < 0 ? "less" : "more",
                      0.6 * std::min(1.0, std::abs(rho)), bin_words(*found), p_words(found->p_value), found->n));
    }
    out += element("tr", line);
  }
  return element("section", element("h3", "What moves it <span class=\"soft\">Spearman's rho [95 %]</span>") +
                                "<div class=\"wide\">" + element("table", out, "class=\"heat\"") + "</div>");
}

std::string mutants_table(const Findings& findings, const Measures& all) {
  std::string out = head_row({"mutant", all.energy.head(), all.time.head(), all.metric.head(), "verdict"});
  const auto names = families(findings);
  for (const std::string& family : names) {
    if (names.size() > 1) out += "<tr class=\"group\"><td colspan=\"5\">" + html_escaped(family) + "</td></tr>";
    if (const auto* base = original(findings, family)) {
      out += element("tr", cell("original <small>medians</small>", "name") +
                               cell(absolute(all.energy, base->median_energy_j), "num") +
                               cell(absolute(all.time, base->median_time_s), "num") +
                               cell(absolute(all.metric, base->median_metric), "num") + cell(""));
    }
    for (const auto& mutant : findings.mutants) {
      if (mutant.family != family) continue;
      const Ruling rule = ruling(findings, mutant);
      out += element("tr", cell(html_escaped(label_in_family(mutant)), "name") +
                               cell(with_interval(figure(all.energy, mutant.energy)), "num") +
                               cell(with_interval(figure(all.time, mutant.time)), "num") +
                               cell(with_interval(figure(all.metric, mutant.metric)), "num") +
                               cell(element("b", rule.word, fmt::format("class=\"{}\"", css_class(rule.tone))) +
                                        " <small>" + html_escaped(rule.because) + "</small>",
                                    "name"));
    }
  }
  return "<div class=\"wide\">" + element("table", out, "class=\"mutants\"") + "</div>" +
         element("p", html_escaped(legend(findings)), "class=\"soft\"");
}

// Dots of every successful run; one scale per family and measure, its ends in the family's first row.
std::string distributions(const Findings& findings, const Measures& all) {
  std::string out = head_row({"configuration", "energy" + all.energy.qualifier, "time", all.metric.name, "runs"});
  for (const std::string& family : families(findings)) {
    std::array<std::pair<double, double>, 3> ends{};
    std::string scale = cell(html_escaped(family), "soft");
    const std::array<const Measure*, 3> columns{&all.energy, &all.time, &all.metric};
    for (std::size_t m = 0; m < columns.size(); ++m) {
      std::vector<double> values;
      for (const auto& configuration : findings.configurations) {
        if (configuration.family != family) continue;
        const auto& own = configuration.*columns[m]->values;
        std::copy_if(own.begin(), own.end(), std::back_inserter(values), [](double v) { return std::isfinite(v); });
      }
      if (!values.empty())
        ends[m] = {*std::min_element(values.begin(), values.end()), *std::max_element(values.begin(), values.end())};
      scale +=
          cell(values.empty() ? std::string(kAbsent)
                              : absolute(*columns[m], ends[m].first) + " … " + absolute(*columns[m], ends[m].second),
               "soft num");
    }
    out += element("tr", scale + cell(""));
    for (const auto& configuration : findings.configurations) {
      if (configuration.family != family) continue;
      std::string line = cell(html_escaped(configuration.label), "name");
      for (std::size_t m = 0; m < columns.size(); ++m) {
        line += cell(strip_chart(configuration.*columns[m]->values, configuration.*columns[m]->median, ends[m].first,
                                 ends[m].second));
      }
      out += element("tr", line + cell(fmt::format("{}{}", configuration.runs,
                                                   configuration.failed > 0
                                                       ? fmt::format(" <small>{} failed</small>", configuration.failed)
                                                       : ""),
                                       "num"));
    }
  }
  return "<div class=\"wide\">" + element("table", out) + "</div>";
}

std::string runs_list(std::span<const Record> records) {
  std::string out = head_row({"block", "configuration", "ended", "time", "energy", "metric", "remarks"});
  for (const Record& record : records) {
    const auto energy = record::run_energy(record);
    const auto performance = record::performance(record);
    std::vector<std::string> remarks = record.flags;
    if (!record.reason.empty()) remarks.push_back(record.reason);
    if (record.attempt > 1) remarks.push_back(fmt::format("attempt {}", record.attempt));
    std::string energy_text(kAbsent);
    if (energy) {
      energy_text = human(energy->energy) + (record.simulated ? " simulated" : energy->estimated ? " est." : "");
    }
    out += element("tr", cell(fmt::format("{}", record.request.block), "num") +
                             cell(html_escaped(record.request.configuration.label), "name") +
                             cell(std::string(to_string(record.end))) +
                             cell(record.duration ? human(to_seconds(*record.duration)) : std::string(kAbsent), "num") +
                             cell(energy_text, "num") +
                             cell(performance ? fmt::format("{} <small>{}</small>", number(performance->value, 4),
                                                            to_string(performance->split))
                                              : std::string(kAbsent),
                                  "num") +
                             cell(html_escaped(join(remarks, "; ")), "name"));
  }
  return fmt::format("<details{}><summary>{}</summary><div class=\"wide\">", records.size() <= 60 ? " open" : "",
                     counted(static_cast<int>(records.size()), "attempt", "attempts")) +
         element("table", out) + "</div></details>";
}

std::string facts(const Findings& findings, std::span<const Record> records, const Options& options) {
  std::set<std::string> machines;
  std::set<std::string> builds;
  std::set<std::string> probes;
  std::set<std::string> missing;
  Nanoseconds first{};
  Nanoseconds last{};
  for (const Record& record : records) {
    const auto fact = [&](const char* name) {
      const auto found = record.fingerprint.find(name);
      return found == record.fingerprint.end() ? std::string{} : found->second;
    };
    if (!fact("cpu").empty())
      machines.insert(fact("cpu") + (fact("cores").empty() ? "" : ", " + fact("cores") + " cores"));
    if (!fact("wattle").empty()) builds.insert("wattle " + fact("wattle"));
    for (const auto& domain : record.domains) {
      probes.insert(fmt::format("{}: {}, {}", domain.name, domain.source, to_string(domain.provenance)));
    }
    missing.insert(record.missing_domains.begin(), record.missing_domains.end());
    if (first.value == 0 || record.started_wall < first) first = record.started_wall;
    last = std::max(last, record.started_wall);
  }
  const auto list = [](const std::set<std::string>& items) {
    return items.empty() ? std::string("not known") : html_escaped(fmt::format("{}", fmt::join(items, "; ")));
  };
  std::string out;
  const auto add = [&](std::string_view term, const std::string& text) {
    out += "<div>" + element("dt", std::string(term)) + element("dd", text) + "</div>";
  };
  add("machine", list(machines));
  add("energy domains", list(probes));
  if (!missing.empty()) add("not read", list(missing));
  add("energy is", std::string(to_string(findings.basis)));
  const std::string begun = utc(first).substr(0, 10);
  const std::string ended = utc(last).substr(0, 10);
  if (!begun.empty()) add("date (UTC)", begun == ended ? begun : begun + " to " + ended);
  add("extent", extent(findings));
  add("this study's own footprint", html_escaped(footprint(findings)));
  if (!builds.empty()) add("made with", list(builds));
  if (!options.store_name.empty()) add("store", html_escaped(options.store_name));
  return element("dl", out, "class=\"facts\"");
}

std::string first_screen(const Findings& findings, const Measures& all) {
  const std::string tag = status(findings);
  std::string out = element("p", html_escaped(findings.study), "class=\"study\"");
  out += element("h1", html_escaped(findings.headline.empty() ? "Nothing has been found out yet." : findings.headline));
  if (!tag.empty()) out += element("span", tag, fmt::format("class=\"tag{}\"", tag == "screened" ? " good" : ""));
  if (const std::string detail = best_in_words(findings); !detail.empty()) out += element("p", html_escaped(detail));
  if (findings.mutants.empty()) return out;
  const std::string chart = tradeoff_chart(findings);
  std::string caption =
      "Dots are the mutants with their intervals, dashes the front; a triangle lies off the scale; shaded is "
      "no worse than the tolerance.";
  for (const std::string& family : families(findings)) {
    const auto* base = original(findings, family);
    if (!base) continue;
    caption +=
        fmt::format(" Original of {}: {}{}, {}, {} {} (medians).", family, absolute(all.energy, base->median_energy_j),
                    all.energy.qualifier, absolute(all.time, base->median_time_s), all.metric.name,
                    absolute(all.metric, base->median_metric));
  }
  std::string side = grids(findings, all);
  if (!findings.correlations.empty()) side += heat_map(findings, all);
  return out + "<div class=\"first\"><section>" +
         (chart.empty() ? element("p", "No mutant has a complete pair, so there is nothing to draw.", "class=\"soft\"")
                        : chart + element("p", html_escaped(caption), "class=\"soft\"")) +
         "</section><div>" + side + "</div></div>";
}

}  // namespace

std::string html_escaped(std::string_view text) {
  std::string out;
  for (const char c : printable(text)) {
    switch (c) {
      case '&':
        out += "&amp;";
        break;
      case '<':
        out += "&lt;";
        break;
      case '>':
        out += "&gt;";
        break;
      case '"':
        out += "&quot;";
        break;
      case '\'':
        out += "&#39;";
        break;
      default:
        out += c;
    }
  }
  return out;
}

std::string render_html(const Findings& findings, std::span<const Record> records, const Options& options) {
  const Measures all = measures(findings);
  std::string out = first_screen(findings, all) + facts(findings, records, options);
  for (const std::string& warning : findings.warnings) out += element("p", html_escaped(warning), "class=\"warning\"");
  if (!findings.configurations.empty() || !findings.mutants.empty()) {
    out += "\n" + element("h2", "Mutants") + mutants_table(findings, all);
    out += "\n" + element("h2", "Every successful run") + distributions(findings, all);
  }
  if (!records.empty()) out += "\n" + element("h2", "Runs, failures and flags") + runs_list(records);
  std::string how;
  for (const auto& [term, text] : explanations(findings)) {
    how += element("dt", html_escaped(term)) + element("dd", html_escaped(text));
  }
  out += "\n" + element("h2", "How it is computed") + element("dl", how, "class=\"how\"");
  return html_page(findings.study.empty() ? "Wattle report" : findings.study + " – Wattle report", out);
}

std::string html_page(std::string_view title, const std::string& body) {
  return "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">"
         "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'; "
         "base-uri "
         "'none'; "
         "form-action 'none'\"><meta name=\"viewport\" content=\"width=device-width,initial-scale=1\">" +
         element("title", html_escaped(title)) + "<style>" + std::string(kStyle) + "</style></head>\n<body><main>\n" +
         body + "\n</main></body></html>\n";
}

}  // namespace wattle::report
