#include "report/answer.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <nlohmann/json.hpp>

#include "base/text.h"
#include "report/formats.h"
#include "report/html.h"
#include "report/table.h"
#include "report/wording.h"

namespace wattle::report {
namespace {

using analysis::Answer;
using analysis::AnswerTable;
using analysis::Cell;
using analysis::Column;
using analysis::Unit;
using nlohmann::ordered_json;

// --- One number for people: the unit stands beside it, so that a column may hold joules and kilojoules -------------

std::string shown(double value, Unit unit) {
  if (!std::isfinite(value)) return number(value, 0);
  switch (unit) {
    case Unit::count:
      return fmt::format("{:.0f}", value);
    case Unit::joules:
      return human(Joules{value});
    case Unit::seconds:
      return human(Seconds{value});
    case Unit::watts:
      return human(Watts{value});
    case Unit::percent:
      return number(100.0 * value, std::abs(value) < 0.0995 ? 1 : 0) + " %";
    case Unit::change:
      return number(100.0 * (value - 1.0), std::abs(value - 1.0) < 0.0995 ? 1 : 0, true) + " %";
    case Unit::p_value:
      return p_number(value);
    case Unit::effect:
      return number(value, 2, true);
    case Unit::per_item:
    case Unit::none:
      break;
  }
  return significant(value, 4);
}

std::string interval_shown(const Cell& cell, Unit unit) {
  if (!cell.low || !cell.high) return {};
  std::string low = shown(*cell.low, unit);
  const std::string high = shown(*cell.high, unit);
  // "[−27, −15 %]": one unit is enough where both have the same.
  const auto unit_of = [](const std::string& text) {
    const auto blank = text.rfind(' ');
    return blank == std::string::npos ? std::string() : text.substr(blank);
  };
  if (!unit_of(low).empty() && unit_of(low) == unit_of(high)) low.resize(low.rfind(' '));
  return fmt::format("[{}, {}]", low, high);
}

std::string text_of(const Cell& cell, const Column& column) {
  if (!cell.text.empty()) return printable(cell.text);
  if (!cell.value) return std::string(kAbsent);
  std::string text = (cell.at_least ? "≥ " : "") + shown(*cell.value, column.unit);
  if (const std::string interval = interval_shown(cell, column.unit); !interval.empty()) text += " " + interval;
  return text;
}

bool numeric(const AnswerTable& table, std::size_t column) {
  return std::any_of(table.rows.begin(), table.rows.end(),
                     [&](const auto& row) { return column < row.size() && row[column].value.has_value(); });
}

// Reasons for absent cells, each once: "– : it did not run alone".
std::vector<std::string> reasons(const AnswerTable& table) {
  std::vector<std::string> out;
  for (const auto& row : table.rows) {
    for (std::size_t column = 0; column < row.size(); ++column) {
      if (row[column].why_absent.empty()) continue;
      std::string reason = fmt::format("{}: {}", table.columns[column].head, printable(row[column].why_absent));
      if (std::find(out.begin(), out.end(), reason) == out.end()) out.push_back(std::move(reason));
    }
  }
  return out;
}

// --- Formats --------------------------------------------------------------------------------------------------------

constexpr std::size_t kMostReasons = 5;

std::string reasons_text(const AnswerTable& table, const Options& options) {
  const std::vector<std::string> absent = reasons(table);
  if (absent.empty() || absent.size() > kMostReasons) return {};
  return wrapped(fmt::format("{} {}", kAbsent, join(absent, "; ")), options.width);
}

// Columns that the table would fill if nothing were shortened.
std::size_t natural_width(const AnswerTable& table) {
  std::size_t total = 0;
  for (std::size_t i = 0; i < table.columns.size(); ++i) {
    std::size_t widest = display_width(table.columns[i].head);
    for (const auto& row : table.rows) widest = std::max(widest, display_width(text_of(row[i], table.columns[i])));
    total += widest + (i > 0 ? 2 : 0);
  }
  return total;
}

// A row that is too wide for a line: its words as a heading, its numbers with their names below.
std::string row_text(const AnswerTable& table, const std::vector<Cell>& row, const Options& options) {
  std::vector<std::string> words;
  std::string numbers;
  for (std::size_t i = 0; i < row.size(); ++i) {
    const std::string text = text_of(row[i], table.columns[i]);
    if (!row[i].text.empty()) {
      words.push_back(text);
      continue;
    }
    if (row[i].value || !row[i].why_absent.empty()) {
      numbers += fmt::format("{}{} {}", numbers.empty() ? "" : " · ", table.columns[i].head, text);
    }
  }
  return wrapped(join(words, ", "), options.width) + wrapped(numbers, options.width, "  ");
}

std::string table_text(const AnswerTable& table, const Options& options) {
  if (natural_width(table) > static_cast<std::size_t>(options.width)) {
    std::string out = "\n" + wrapped(printable(table.title), options.width);
    for (const auto& row : table.rows) out += row_text(table, row, options);
    return out + reasons_text(table, options);
  }
  std::vector<report::Column> columns;
  for (std::size_t i = 0; i < table.columns.size(); ++i) {
    const bool words = !numeric(table, i);
    columns.push_back({table.columns[i].head, words ? Align::left : Align::right, words});
  }
  Table laid_out(std::move(columns));
  for (const auto& row : table.rows) {
    std::vector<report::Cell> cells;
    for (std::size_t i = 0; i < row.size(); ++i) cells.push_back({text_of(row[i], table.columns[i]), Tone::plain});
    laid_out.add_row(cells);
  }
  std::string out =
      "\n" + wrapped(printable(table.title), options.width) + laid_out.render(options.width, options.colour);
  return out + reasons_text(table, options);
}

std::string text(const Answer& answer, const std::vector<const AnswerTable*>& tables, const Options& asked) {
  Options options = asked;
  options.width = std::max(asked.width, 40);
  std::string sentence = wrapped(printable(answer.sentence), options.width);
  if (!sentence.empty()) sentence.pop_back();
  std::string out = toned(sentence, Tone::strong, options.colour) + "\n";
  for (const AnswerTable* table : tables) out += table_text(*table, options);
  if (!answer.warnings.empty()) out += "\n";
  for (const std::string& warning : answer.warnings) out += wrapped(printable(warning), options.width, "! ");
  if (options.explain) {
    out += "\nhow it is computed\n";
    for (const std::string& line : answer.method) out += wrapped(line, options.width, "  ");
  }
  return out;
}

// Laid out as by nlohmann's dump(2), `indent` blanks further in.
std::string dumped(const ordered_json& value, std::size_t indent) {
  std::string text = value.dump(2, ' ', false, ordered_json::error_handler_t::replace);
  const std::string blanks(indent, ' ');
  for (std::size_t at = text.find('\n'); at != std::string::npos; at = text.find('\n', at + 1)) {
    text.insert(at + 1, blanks);
  }
  return text;
}

// Laid out as by nlohmann's dump(2) three levels down, without the tree: a million rows of it take half a minute.
std::string row_json(const AnswerTable& table, const std::vector<Cell>& row) {
  std::string out;
  const auto put = [&](const std::string& key, const ordered_json& value) {
    out += fmt::format("{}\n        {}: {}", out.empty() ? "" : ",", dumped(key, 0), dumped(value, 0));
  };
  const auto number = [](const std::optional<double>& value) {
    return value && std::isfinite(*value) ? ordered_json(*value) : ordered_json();
  };
  for (std::size_t i = 0; i < row.size(); ++i) {
    const Column& column = table.columns[i];
    const Cell& cell = row[i];
    if (!cell.text.empty()) {
      put(column.key, cell.text);
    } else if (cell.value && column.unit == Unit::count) {
      put(column.key, static_cast<std::int64_t>(*cell.value));
    } else {
      put(column.key, number(cell.value));
    }
    if (column.interval) {
      put(column.key + "_low", number(cell.low));
      put(column.key + "_high", number(cell.high));
    }
    if (cell.at_least) put(column.key + "_at_least", true);
    if (!cell.why_absent.empty()) put(column.key + "_why_absent", cell.why_absent);
  }
  return out.empty() ? "{}" : "{" + out + "\n      }";
}

// Row by row: a tree of a million rows takes gigabytes.
std::string json(const Answer& answer) {
  std::string tables;
  for (const AnswerTable& table : answer.tables) {
    std::string rows;
    for (const auto& row : table.rows) rows += (rows.empty() ? "\n      " : ",\n      ") + row_json(table, row);
    tables += fmt::format("{}\n    {}: [{}{}]", tables.empty() ? "" : ",", dumped(table.name, 4), rows,
                          rows.empty() ? "" : "\n    ");
  }
  std::string out = "{";
  for (const auto& [key, value] : {std::pair<const char*, ordered_json>("question", answer.question),
                                   {"study", answer.study},
                                   {"answer", answer.sentence},
                                   {"basis", answer.basis}}) {
    out += fmt::format("\n  \"{}\": {},", key, dumped(value, 2));
  }
  out += "\n  \"tables\": {" + tables + (tables.empty() ? "}" : "\n  }");
  out += fmt::format(",\n  \"warnings\": {},\n  \"method\": {}\n}}\n", dumped(answer.warnings, 2),
                     dumped(answer.method, 2));
  return out;
}

std::string csv(const AnswerTable& table) {
  std::vector<std::string> head;
  for (const Column& column : table.columns) {
    head.push_back(column.key);
    if (column.interval) head.insert(head.end(), {column.key + "_low", column.key + "_high"});
  }
  const auto field = [](const std::optional<double>& value) { return value ? shortest(*value) : std::string(); };
  std::string out = csv_line(head);
  for (const auto& row : table.rows) {
    std::vector<std::string> fields;
    for (std::size_t i = 0; i < row.size(); ++i) {
      const std::string value = (row[i].at_least ? ">=" : "") + field(row[i].value);
      fields.push_back(row[i].text.empty() ? value : row[i].text);
      if (table.columns[i].interval) fields.insert(fields.end(), {field(row[i].low), field(row[i].high)});
    }
    out += csv_line(fields);
  }
  return out;
}

std::string markdown(const Answer& answer, const std::vector<const AnswerTable*>& tables, const Options& options) {
  const auto line = [](const std::vector<std::string>& cells) { return "| " + join(cells, " | ") + " |\n"; };
  std::string out = "**" + markdown_escaped(answer.sentence) + "**\n";
  for (const AnswerTable* table : tables) {
    out += "\n" + markdown_escaped(table->title) + "\n\n";
    std::vector<std::string> head;
    std::string rule = "|";
    for (std::size_t i = 0; i < table->columns.size(); ++i) {
      head.push_back(markdown_escaped(table->columns[i].head));
      rule += numeric(*table, i) ? "---:|" : "---|";
    }
    out += line(head) + rule + "\n";
    for (const auto& row : table->rows) {
      std::vector<std::string> cells;
      for (std::size_t i = 0; i < row.size(); ++i) {
        cells.push_back(markdown_escaped(text_of(row[i], table->columns[i])));
      }
      out += line(cells);
    }
  }
  if (!answer.warnings.empty()) out += "\n";
  for (const std::string& warning : answer.warnings) out += "- " + markdown_escaped(warning) + "\n";
  if (options.explain && !answer.method.empty()) {
    out += "\nHow it is computed:\n\n";
    for (const std::string& method : answer.method) out += "- " + markdown_escaped(method) + "\n";
  }
  return out;
}

std::string latex(const Answer& answer, const std::vector<const AnswerTable*>& tables) {
  if (answer.tables.empty()) return tex_escaped(answer.sentence) + "\n";
  std::string out(kLatexHead);
  for (const AnswerTable* table : tables) {
    LatexTable laid_out{
        answer.study + ": " + table->title + ". " + answer.sentence, answer.question + "-" + table->name, {}, {}, {}};
    for (std::size_t i = 0; i < table->columns.size(); ++i) {
      laid_out.places += numeric(*table, i) ? 'r' : 'l';
      laid_out.heads.push_back(table->columns[i].head);
    }
    for (const auto& row : table->rows) {
      std::vector<std::string>& cells = laid_out.rows.emplace_back();
      for (std::size_t i = 0; i < row.size(); ++i) cells.push_back(text_of(row[i], table->columns[i]));
    }
    out += latex_table(laid_out);
  }
  for (const std::string& warning : answer.warnings) out += "% " + printable(warning) + "\n";
  return out;
}

std::string html(const Answer& answer, const std::vector<const AnswerTable*>& tables) {
  const auto element = [](std::string_view tag, const std::string& content) {
    return fmt::format("<{0}>{1}</{0}>", tag, content);
  };
  std::string body = element("h1", html_escaped(answer.sentence));
  for (const AnswerTable* table : tables) {
    std::string rows;
    for (const Column& column : table->columns) rows += element("th", html_escaped(column.head));
    rows = element("tr", rows);
    for (const auto& row : table->rows) {
      std::string cells;
      for (std::size_t i = 0; i < row.size(); ++i) {
        cells += element("td", html_escaped(text_of(row[i], table->columns[i])));
      }
      rows += element("tr", cells) + "\n";
    }
    body += element("h2", html_escaped(table->title)) + "\n" + element("table", rows);
  }
  std::string notes;
  for (const std::string& warning : answer.warnings) notes += element("li", html_escaped(warning));
  if (!notes.empty()) body += element("ul", notes);
  std::string methods;
  for (const std::string& method : answer.method) methods += element("li", html_escaped(method));
  if (!methods.empty()) body += element("h2", "How it is computed") + element("ul", methods);
  return html_page(answer.study + ": " + answer.question, body);
}

constexpr std::size_t kMostRows = 200;

AnswerTable beginning(const AnswerTable& table, const std::string& question) {
  AnswerTable cut{table.name,
                  fmt::format("{}: the first {} of {} rows (all: --question {}.{}, or --format json)", table.title,
                              kMostRows, table.rows.size(), question, table.name),
                  table.columns,
                  {}};
  cut.rows.assign(table.rows.begin(), table.rows.begin() + kMostRows);
  return cut;
}

}  // namespace

Result<std::string> render(const Answer& answer, Format format, const Options& options, std::string_view named) {
  std::vector<const AnswerTable*> tables;
  std::vector<std::string> names;
  for (const AnswerTable& table : answer.tables) {
    names.push_back(table.name);
    if (named.empty() ? !table.rows.empty() : table.name == named) tables.push_back(&table);
  }
  if (!named.empty() && tables.empty()) {
    return fail(ErrorKind::bad_input,
                fmt::format("the answer to {} has no table `{}`", answer.question, printable(named)),
                fmt::format("it has {}", join(names, ", ")));
  }
  if (format == Format::json) return json(answer);
  if (format == Format::csv) {
    return answer.tables.empty() ? std::string() : csv(named.empty() ? answer.tables.front() : *tables.front());
  }
  // For people: who wants every row of a long table names it.
  std::vector<AnswerTable> cut;
  cut.reserve(tables.size());
  for (const AnswerTable*& table : tables) {
    if (!named.empty() || table->rows.size() <= kMostRows) continue;
    table = &cut.emplace_back(beginning(*table, answer.question));
  }
  switch (format) {
    case Format::json:
    case Format::csv:
      break;
    case Format::md:
      return markdown(answer, tables, options);
    case Format::latex:
      return latex(answer, tables);
    case Format::html:
      return html(answer, tables);
    case Format::text:
      break;
  }
  return text(answer, tables, options);
}

}  // namespace wattle::report
