#include "report/report.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <limits>
#include <nlohmann/json.hpp>

#include "base/text.h"
#include "report/formats.h"
#include "report/html.h"
#include "report/sample_findings.h"
#include "report/wording.h"

namespace wattle::report {
namespace {

using analysis::Basis;
using analysis::Findings;
using ::testing::Each;
using ::testing::HasSubstr;
using ::testing::Not;

constexpr double kNan = std::numeric_limits<double>::quiet_NaN();
constexpr double kInfinity = std::numeric_limits<double>::infinity();
constexpr Format kAll[] = {Format::text, Format::json, Format::csv, Format::md, Format::latex, Format::html};

Options sample_options() {
  Options options;
  options.store_name = "wattle.db";
  options.next = {"report: wattle report --format html", "runs: wattle list", "how computed: wattle report --explain"};
  return options;
}

std::vector<record::Record> sample_records() {
  std::vector<record::Record> records;
  for (int block = 1; block <= 2; ++block) {
    records.push_back(sample_record(block, "original", 0.05));
    records.push_back(sample_record(block, "learning_rate 0.021", 0.021));
  }
  records[1].flags = {"oversubscribed"};
  records[3].end = record::EndState::failed;
  records[3].reason = "exit code 5: out of memory";
  records[3].metrics.clear();
  return records;
}

// Compares with the approved file. With WATTLE_APPROVE set the file is written anew, to be read before it is committed.
void expect_approved(const std::string& name, const std::string& output) {
  const std::string path = std::string(WATTLE_REPORT_GOLDEN) + "/" + name;
  if (std::getenv("WATTLE_APPROVE") != nullptr) {
    ASSERT_TRUE(write_text(path, output));
    GTEST_SKIP() << "WATTLE_APPROVE is set: wrote " << path;
  }
  const auto approved = read_text(path);
  ASSERT_TRUE(approved) << approved.error().message;
  EXPECT_EQ(output, *approved) << "differs from " << path << "; if that is meant, run again with WATTLE_APPROVE=1";
}

void expect_lines_fit(const std::string& text, std::size_t width) {
  for (const std::string& line : split(text, '\n')) EXPECT_LE(display_width(line), width) << line;
}

// No row of a CSV file may have more or fewer fields than its head. Understands quotes.
std::vector<std::vector<std::string>> parse_csv(const std::string& text) {
  std::vector<std::vector<std::string>> rows{{""}};
  bool quoted = false;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (quoted && c == '"' && i + 1 < text.size() && text[i + 1] == '"') {
      rows.back().back() += text[++i];
    } else if (c == '"') {
      quoted = !quoted;
    } else if (!quoted && c == ',') {
      rows.back().emplace_back();
    } else if (!quoted && c == '\n') {
      rows.push_back({""});
    } else {
      rows.back().back() += c;
    }
  }
  rows.pop_back();
  return rows;
}

std::string value_in(const std::vector<std::vector<std::string>>& rows, std::size_t row, const std::string& column) {
  const auto at = std::find(rows[0].begin(), rows[0].end(), column);
  return at == rows[0].end() ? "no such column" : rows[row][static_cast<std::size_t>(at - rows[0].begin())];
}

void expect_no_nan(const nlohmann::json& json) {
  if (json.is_number_float()) {
    EXPECT_TRUE(std::isfinite(json.get<double>()));
  }
  if (json.is_structured()) {
    for (const auto& item : json) expect_no_nan(item);
  }
  if (!json.is_object()) return;
  for (const auto& [key, value] : json.items()) {
    if (value.is_null()) {
      EXPECT_TRUE(json.contains(key + "_why_absent")) << key;
    }
  }
}

Findings hostile_findings() {
  Findings findings = sample_findings();
  const std::string evil = "<script>alert(1)</script>\"'&|`*_\x1b[31m\n\xff";
  findings.study = findings.headline = findings.metric = evil;
  findings.warnings = {evil};
  for (auto& configuration : findings.configurations)
    configuration.label = configuration.workload = configuration.family = evil;
  for (auto& mutant : findings.mutants) {
    mutant.label = mutant.parameter = mutant.workload = mutant.family = mutant.original_value = mutant.mutant_value =
        evil;
  }
  for (auto& correlation : findings.correlations) {
    correlation.parameter = correlation.family = correlation.why_absent = evil;
    if (correlation.measure == "accuracy") correlation.measure = evil;
  }
  return findings;
}

Findings not_numbers() {
  Findings findings = sample_findings();
  for (auto& mutant : findings.mutants) {
    mutant.energy.estimate = kNan;
    mutant.time.estimate = mutant.time.high = kInfinity;
    mutant.metric.low = -kInfinity;
    mutant.metric.p_two_sided = kNan;
    mutant.p_greener_holm = kNan;
  }
  findings.mutants[0].energy.estimate = kInfinity;
  findings.mutants[1].energy.estimate = 1e307;
  findings.mutants[1].energy.high = kInfinity;
  findings.mutants[2].energy.estimate = 0.7;
  findings.mutants[2].metric.high = kInfinity;
  for (auto& configuration : findings.configurations) {
    configuration.metric = {kNan, kInfinity, 0.9};
    configuration.energy_j = {kNan, kNan, kNan};
    configuration.median_metric = kNan;
  }
  for (auto& correlation : findings.correlations) correlation.rho = kNan;
  findings.spent_j = kInfinity;
  return findings;
}

Findings fifty_mutants() {
  Findings findings = sample_findings();
  const auto good = findings.mutants[0];
  findings.mutants.clear();
  for (int m = 0; m < 50; ++m) {
    findings.mutants.push_back(good);
    findings.mutants.back().label = "learning_rate " + std::to_string(m);
    findings.mutants.back().energy.estimate = 0.5 + 0.02 * m;
  }
  return findings;
}

Findings huge_labels() {
  Findings findings = sample_findings();
  for (auto& mutant : findings.mutants) mutant.label = mutant.parameter = mutant.mutant_value = std::string(5000, 'x');
  for (auto& configuration : findings.configurations) configuration.label = std::string(5000, 'x');
  for (auto& correlation : findings.correlations) correlation.parameter = std::string(5000, 'x');
  findings.metric = std::string(3000, 'm');
  findings.headline = std::string(4000, 'h');
  findings.mutants[0].energy.estimate = 1e9;
  return findings;
}

TEST(Golden, text_of_measured_energy) {
  expect_approved("measured.txt", render(sample_findings(), {}, Format::text, sample_options()));
}

TEST(Golden, text_of_estimated_energy_with_its_explanation) {
  Options options = sample_options();
  options.explain = true;
  expect_approved("estimated.txt", render(sample_findings(Basis::estimated), {}, Format::text, options));
}

TEST(Golden, json) { expect_approved("measured.json", render(sample_findings(), {}, Format::json, {})); }
TEST(Golden, csv) { expect_approved("measured.csv", render(sample_findings(), {}, Format::csv, {})); }
TEST(Golden, markdown) {
  expect_approved("estimated.md", render(sample_findings(Basis::estimated), {}, Format::md, {}));
}
TEST(Golden, runs) { expect_approved("runs.csv", runs_csv(sample_records())); }
TEST(Golden, epochs) { expect_approved("epochs.csv", epochs_csv(sample_records())); }
TEST(Golden, html) {
  expect_approved("measured.html", render(sample_findings(), sample_records(), Format::html, sample_options()));
}

TEST(Formats, every_name_is_a_format_and_nothing_else_is) {
  EXPECT_EQ(format_names().size(), std::size(kAll));
  for (const std::string& name : format_names()) EXPECT_TRUE(parse_format(name)) << name;
  for (const char* name : {"", "TEXT", "pdf", "json "}) EXPECT_FALSE(parse_format(name)) << name;
}

TEST(Text, no_line_is_wider_than_asked_whatever_goes_in) {
  for (const Findings& findings : {sample_findings(), sample_findings(Basis::estimated), hostile_findings(),
                                   not_numbers(), fifty_mutants(), huge_labels(), Findings{}}) {
    for (const int width : {40, 60, 80, 200}) {
      Options options = sample_options();
      options.width = width;
      options.explain = true;
      options.next.emplace_back(300, 'n');
      expect_lines_fit(render(findings, {}, Format::text, options), static_cast<std::size_t>(width));
    }
  }
}

TEST(Text, estimated_energy_is_called_so_and_never_greener) {
  Options options = sample_options();
  options.explain = true;
  for (const Format format : kAll) {
    const std::string out = render(sample_findings(Basis::estimated), sample_records(), format, options);
    EXPECT_THAT(out, Not(HasSubstr("proved")));
    EXPECT_THAT(out, Not(HasSubstr("proven")));
  }
  const std::string text = render(sample_findings(Basis::estimated), {}, Format::text, sample_options());
  EXPECT_THAT(text, HasSubstr("energy est., %"));
  EXPECT_THAT(text, HasSubstr("faster, no loss (energy untestable here, p = 0.016 Holm, n = 8 pairs)"));
  EXPECT_THAT(text, HasSubstr("[untestable here]"));
  EXPECT_THAT(text, Not(HasSubstr("greener (")));
  EXPECT_THAT(text, HasSubstr("15.2 kJ est."));
}

TEST(Text, measured_energy_is_not_called_estimated) {
  const std::string text = render(sample_findings(), {}, Format::text, sample_options());
  EXPECT_THAT(text, Not(HasSubstr("est.")));
  EXPECT_THAT(text, HasSubstr("[screened]"));
  EXPECT_THAT(text, HasSubstr("greener (screened, p = 0.016 Holm, n = 8 pairs)"));
}

TEST(Text, control_bytes_of_a_label_never_reach_the_terminal) {
  const std::string text = render(hostile_findings(), {}, Format::text, sample_options());
  EXPECT_EQ(text.find('\x1b'), std::string::npos);
}

TEST(Text, colour_changes_nothing_but_escapes) {
  Options options = sample_options();
  const std::string plain = render(sample_findings(), {}, Format::text, options);
  options.colour = true;
  std::string coloured = render(sample_findings(), {}, Format::text, options);
  EXPECT_NE(coloured, plain);
  for (auto at = coloured.find('\x1b'); at != std::string::npos; at = coloured.find('\x1b')) {
    coloured.erase(at, coloured.find('m', at) - at + 1);
  }
  EXPECT_EQ(coloured, plain);
}

TEST(Text, failed_mutants_stand_there_with_their_count) {
  const std::string text = render(sample_findings(), {}, Format::text, sample_options());
  EXPECT_THAT(text, HasSubstr("loss (8 of 8 pairs failed)"));
  EXPECT_THAT(text, HasSubstr("40 runs, 8 failed"));
}

TEST(Text, a_tag_that_the_headline_holds_is_not_said_twice) {
  Findings findings = sample_findings();
  findings.headline = "learning_rate 0.021 reaches the same accuracy on less energy (screened, n = 8 pairs).";
  EXPECT_THAT(render(findings, {}, Format::text, {}), Not(HasSubstr("[screened]")));
}

TEST(Text, one_failed_pair_is_told_and_is_no_loss_by_itself) {
  Findings findings = sample_findings();
  findings.mutants[1].failed_pairs = 1;
  const Ruling rule = ruling(findings, findings.mutants[1]);
  EXPECT_EQ(rule.word, "undecided");
  EXPECT_THAT(rule.because, HasSubstr("1 of 8 pairs failed"));
}

TEST(Text, a_study_where_everything_failed_says_so) {
  Findings findings = sample_findings();
  findings.mutants = {findings.mutants[3]};
  for (auto& configuration : findings.configurations) {
    configuration = findings.configurations[4];
  }
  for (const Format format : {Format::text, Format::json, Format::md, Format::html}) {
    EXPECT_THAT(render(findings, {}, format, {}), HasSubstr("8 of 8 pairs failed"));
  }
}

TEST(Text, one_is_one_and_many_are_many) {
  Findings findings = sample_findings();
  findings.blocks = findings.runs = 1;
  findings.failed = 0;
  findings.mutants.resize(1);
  findings.mutants[0].energy.pairs = findings.mutants[0].metric.pairs = 1;
  const std::string text = render(findings, {}, Format::text, {});
  EXPECT_THAT(text, HasSubstr("1 block, 1 run; "));
  EXPECT_THAT(text, HasSubstr("n = 1 pair)"));
  EXPECT_THAT(text, Not(HasSubstr("1 mutants")));
}

TEST(Text, empty_findings_still_give_a_report) {
  for (const Format format : kAll) EXPECT_FALSE(render(Findings{}, {}, format, {}).empty());
  EXPECT_THAT(render(Findings{}, {}, Format::text, {}), HasSubstr("Nothing has been found out yet."));
}

TEST(Json, parses_and_a_null_has_its_reason) {
  for (const Findings& findings : {sample_findings(), sample_findings(Basis::estimated), sample_findings(Basis::absent),
                                   hostile_findings(), not_numbers(), fifty_mutants(), huge_labels(), Findings{}}) {
    const auto json = nlohmann::json::parse(render(findings, {}, Format::json, {}), nullptr, false);
    ASSERT_FALSE(json.is_discarded());
    expect_no_nan(json);
    EXPECT_EQ(json["mutants"].size(), findings.mutants.size());
  }
}

TEST(Json, every_energy_says_what_it_rests_on) {
  const auto json = nlohmann::json::parse(render(sample_findings(Basis::estimated), {}, Format::json, {}));
  EXPECT_EQ(json["energy_basis"], "estimated");
  for (const auto& mutant : json["mutants"]) EXPECT_EQ(mutant["energy"]["basis"], "estimated");
  for (const auto& configuration : json["configurations"]) EXPECT_EQ(configuration["energy_basis"], "estimated");
}

TEST(Json, unknown_energy_is_null_not_zero) {
  const auto json = nlohmann::json::parse(render(sample_findings(Basis::absent), {}, Format::json, {}));
  EXPECT_TRUE(json["spent_energy_j"].is_null());
  EXPECT_EQ(json["spent_energy_j_why_absent"], "no energy domain was read");
}

TEST(Csv, every_row_has_the_heads_fields_whatever_the_labels) {
  for (const Findings& findings : {sample_findings(), hostile_findings(), not_numbers(), huge_labels()}) {
    const auto rows = parse_csv(render(findings, {}, Format::csv, {}));
    EXPECT_EQ(rows.size(), 1 + 3 * findings.mutants.size());
    for (const auto& row : rows) EXPECT_EQ(row.size(), rows[0].size());
  }
  EXPECT_EQ(csv_line({"a", "b,c", "d\"e", "f\ng", ""}), "a,\"b,c\",\"d\"\"e\",\"f\ng\",\n");
}

TEST(Csv, foreign_text_comes_back_as_it_was) {
  const Findings findings = hostile_findings();
  const auto rows = parse_csv(render(findings, {}, Format::csv, {}));
  EXPECT_EQ(value_in(rows, 1, "label"), findings.mutants[0].label);
}

TEST(RunsCsv, only_what_varies_becomes_a_column) {
  const auto rows = parse_csv(runs_csv(sample_records()));
  EXPECT_EQ(value_in(rows, 2, "learning_rate"), "0.021");
  EXPECT_EQ(value_in(rows, 2, "epochs"), "no such column");
  EXPECT_EQ(value_in(rows, 2, "machine:cpu"), "Example CPU, 2 GHz");
}

TEST(RunsCsv, a_parameter_that_only_some_runs_have_varies) {
  auto records = sample_records();
  records[0].request.configuration.hyperparameters["momentum"] = 0.9;
  const auto rows = parse_csv(runs_csv(records));
  EXPECT_EQ(value_in(rows, 1, "momentum"), "0.9");
  EXPECT_EQ(value_in(rows, 2, "momentum"), "");
}

TEST(RunsCsv, a_parameter_named_like_a_column_keeps_its_own) {
  auto records = sample_records();
  records[0].request.configuration.hyperparameters["block"] = std::int64_t{16};
  records[1].request.configuration.hyperparameters["block"] = std::int64_t{32};
  const auto rows = parse_csv(runs_csv(records));
  EXPECT_EQ(value_in(rows, 2, "block"), "1");
  EXPECT_EQ(value_in(rows, 2, "parameter_block"), "32");
}

TEST(RunsCsv, measured_and_estimated_joules_never_share_a_column) {
  auto records = sample_records();
  energy::Domain model;
  model.name = "cpu (model)";
  model.provenance = energy::Provenance::model;
  records[0].domains = {model};
  std::swap(records[0].measured, records[0].estimated);
  const auto rows = parse_csv(runs_csv(records));
  EXPECT_EQ(value_in(rows, 1, "measured_energy_j"), "");
  EXPECT_EQ(value_in(rows, 1, "estimated_energy_j"), "412.000001");
  EXPECT_EQ(value_in(rows, 1, "estimated_energy_j:cpu (model)"), "412.000001");
  EXPECT_EQ(value_in(rows, 1, "measured_energy_j:package-0"), "");
  EXPECT_EQ(value_in(rows, 2, "measured_energy_j"), "412.000001");
  EXPECT_EQ(value_in(rows, 2, "estimated_energy_j"), "");
}

TEST(RunsCsv, telemetry_has_its_unit_in_the_column) {
  auto records = sample_records();
  records[0].measures = {{"run_cpu", "1", 1.5, 2.0, 9}, {"cpu_frequency", "Hz", 2.5e9, 3e9, 9}};
  const auto rows = parse_csv(runs_csv(records));
  EXPECT_EQ(value_in(rows, 1, "mean:run_cpu"), "1.5");
  EXPECT_EQ(value_in(rows, 1, "mean:cpu_frequency [Hz]"), "2.5e+09");
  EXPECT_EQ(value_in(rows, 2, "mean:run_cpu"), "");
}

TEST(RunsCsv, no_records_give_the_head_alone) { EXPECT_EQ(parse_csv(runs_csv({})).size(), 1U); }

TEST(EpochsCsv, a_void_window_has_no_joules_but_a_reason) {
  auto records = sample_records();
  records[0].windows[1].void_reason = "output came bunched";
  const auto rows = parse_csv(epochs_csv(records));
  EXPECT_EQ(value_in(rows, 1, "value"), "");
  EXPECT_EQ(value_in(rows, 1, "why_absent"), "output came bunched");
  EXPECT_EQ(value_in(rows, 2, "quantity"), "metric");
  EXPECT_EQ(value_in(rows, 2, "value"), "0.91");
}

TEST(Markdown, foreign_text_opens_no_cell_and_no_markup) {
  const std::string out = render(hostile_findings(), {}, Format::md, {});
  EXPECT_THAT(out, Not(HasSubstr("<script")));
  EXPECT_THAT(out, HasSubstr("&lt;script>"));
  for (const std::string& line : split(out, '\n')) {
    if (!line.starts_with("| ") || line.find("Holm") == std::string::npos) continue;
    int bars = 0;
    for (std::size_t i = 0; i < line.size(); ++i) bars += line[i] == '|' && (i == 0 || line[i - 1] != '\\') ? 1 : 0;
    EXPECT_EQ(bars, 6) << line;
  }
}

TEST(Html, foreign_text_is_no_markup) {
  auto records = sample_records();
  for (auto& record : records) {
    record.reason = record.request.configuration.label = "<script>x</script>";
    record.flags = {"\"><img src=x onerror=alert(1)>"};
    record.fingerprint["cpu"] = "<script>";
    record.missing_domains = {"<script>"};
    record.domains[0].name = record.domains[0].source = "<script>";
  }
  Options options;
  options.store_name = "<script>";
  const std::string out = render(hostile_findings(), records, Format::html, options);
  EXPECT_THAT(out, Not(HasSubstr("<script")));
  EXPECT_THAT(out, Not(HasSubstr("<img")));
  EXPECT_THAT(out, HasSubstr("&lt;script&gt;"));
}

TEST(Html, asks_nothing_of_the_network) {
  const std::string out = render(sample_findings(), sample_records(), Format::html, sample_options());
  EXPECT_THAT(out, HasSubstr("default-src 'none'"));
  for (const char* reference : {"http:", "https:", "src=", "url(", "@import", "<link", "href="}) {
    EXPECT_THAT(out, Not(HasSubstr(reference)));
  }
}

TEST(Html, no_coordinate_is_not_a_number) {
  for (const Findings& findings : {not_numbers(), fifty_mutants(), huge_labels(), Findings{}}) {
    const std::string out = render(findings, sample_records(), Format::html, {});
    for (const char* bad :
         {"=\"nan", "=\"inf", "=\"-nan", "Mnan", "M-nan", " nan", "Hnan", "Vnan", "Hinf", "Vinf", "Minf"}) {
      EXPECT_THAT(out, Not(HasSubstr(bad)));
    }
  }
}

TEST(Html, every_tag_that_opens_closes) {
  const std::string out = render(sample_findings(), sample_records(), Format::html, {});
  const auto count = [&](const std::string& what) {
    std::size_t found = 0;
    for (auto at = out.find(what); at != std::string::npos; at = out.find(what, at + 1)) ++found;
    return found;
  };
  for (const std::string tag :
       {"table", "tr", "td", "th", "section", "svg", "g", "text", "p", "div", "dl", "dd", "small"}) {
    EXPECT_EQ(count("<" + tag + ">") + count("<" + tag + " "), count("</" + tag + ">")) << tag;
  }
}

TEST(Html, the_greener_mutant_is_labelled_in_the_chart) {
  const std::string chart = tradeoff_chart(sample_findings());
  EXPECT_THAT(chart, HasSubstr(">learning_rate 0.021</text>"));
  EXPECT_THAT(chart, HasSubstr(">original</text>"));
  EXPECT_THAT(tradeoff_chart(sample_findings(Basis::absent)), HasSubstr("time against the original"));
}

}  // namespace
}  // namespace wattle::report
