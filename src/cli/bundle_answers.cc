#include "cli/bundle_answers.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <utility>
#include <vector>

#include "analysis/findings.h"
#include "base/text.h"
#include "cli/asked.h"
#include "record/version.h"
#include "report/answer.h"
#include "report/report.h"

namespace wattle::cli {
namespace {

using report::Format;

constexpr std::size_t kMostRows = 100'000;

struct Written {
  Format format;
  const char* name;
  const char* ending;
};
constexpr std::array kFormats{Written{Format::text, "text", "txt"}, Written{Format::json, "json", "json"},
                              Written{Format::csv, "csv", "csv"}, Written{Format::latex, "latex", "tex"}};

constexpr const char* kScript = R"sh(#!/bin/sh
# Makes every number of this bundle again from wattle.db, and compares: sh again.sh. Needs wattle {version} in the PATH.
cd "$(dirname "$0")" || exit 2
differ=0
same() {{
  file=$1
  shift
  if wattle --store wattle.db --output again.tmp "$@" --study {study} 2>again.err && cmp again.tmp "$file"; then
    echo "same: $file"
  else
    cat again.err >&2
    echo "NOT THE SAME: $file"
    differ=1
  fi
  rm -f again.tmp again.err
}}
)sh";

class Findings {
 public:
  Findings(std::span<const record::Record> records, const std::string& study, const analysis::Asked& asked,
           BundleFiles& files)
      : records_(records), study_(study), asked_(asked), files_(files) {
    layout_.store_name = "wattle.db";
    layout_.next = report_next();
    const std::vector<std::string> quoted{study};
    script_ =
        fmt::format(fmt::runtime(kScript), fmt::arg("version", version()), fmt::arg("study", shell_quoted(quoted)));
  }

  void add_all() {
    script_ += "same runs.csv export\n";
    const analysis::Findings findings = analysis::analyse(records_, {});
    for (const Written& written : kFormats) {
      put(fmt::format("report.{}", written.ending), {"report", "--format", written.name},
          report::render(findings, records_, written.format, layout_));
    }
    put("report.html", {"report", "--format", "html"}, report::render(findings, records_, Format::html, layout_));
    for (const analysis::Question& question : analysis::questions()) add(question);
    script_ += "exit $differ\n";
    files_["again.sh"] = script_;
    files_["answers/README.md"] =
        "# Answers\n\n" + table_ + (unanswered_.empty() ? "" : "\nNot answered here:\n\n") + unanswered_;
  }

 private:
  void put(const std::string& path, std::vector<std::string> arguments, std::string content) {
    script_ += fmt::format("same {} {}\n", path, shell_quoted(arguments));
    files_[path] = std::move(content);
  }

  void leave_out(const analysis::Question& question, const std::string& why) {
    unanswered_ += fmt::format("- `{}` ({}): {}\n", question.name, question.asks, printable(why));
  }

  void add(const analysis::Question& question) {
    auto answer = question.answer(records_, asked_);
    if (!answer) return leave_out(question, answer.error().message);
    answer->study = study_;
    std::size_t rows = 0;
    for (const analysis::AnswerTable& table : answer->tables) rows += table.rows.size();
    if (rows == 0 && !answer->tables.empty()) return leave_out(question, answer->sentence);
    for (const Written& written : kFormats) {
      if (written.format != Format::csv) add(question, *answer, written, "");
    }
    // CSV holds one table a file.
    for (const analysis::AnswerTable& table : answer->tables) {
      if (!table.rows.empty()) add(question, *answer, kFormats[2], table.name);
    }
    table_ += fmt::format("- `{}` ({}): {}\n", question.name, question.asks, printable(answer->sentence));
  }

  void add(const analysis::Question& question, const analysis::Answer& answer, const Written& written,
           const std::string& table) {
    const bool complete = written.format == Format::json || written.format == Format::csv;
    std::size_t rows = 0;
    for (const analysis::AnswerTable& one : answer.tables) {
      if (table.empty() || one.name == table) rows += one.rows.size();
    }
    const std::string name = fmt::format("{}{}{}", question.name, table.empty() ? "" : ".", table);
    if (complete && rows > kMostRows) {
      unanswered_ += fmt::format("- `{}` as {}, for it has {} rows: `wattle report --question` makes it\n", name,
                                 written.name, rows);
      return;
    }
    auto text = report::render(answer, written.format, layout_, table);
    if (!text) return;  // it names a table that is there
    std::vector<std::string> arguments{"report", "--question", name, "--format", written.name};
    const std::vector<std::string> further = arguments_of(asked_);
    arguments.insert(arguments.end(), further.begin(), further.end());
    put(fmt::format("answers/{}.{}", name, written.ending), std::move(arguments), std::move(*text));
  }

  std::span<const record::Record> records_;
  const std::string& study_;
  const analysis::Asked& asked_;
  BundleFiles& files_;
  report::Options layout_;
  std::string script_;
  std::string table_;
  std::string unanswered_;
};

}  // namespace

void add_findings(std::span<const record::Record> records, const std::string& study, const analysis::Asked& asked,
                  BundleFiles& files) {
  Findings(records, study, asked, files).add_all();
}

}  // namespace wattle::cli
