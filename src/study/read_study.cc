#include <fmt/format.h>

#include <algorithm>

#include "base/text.h"
#include "study/layout.h"
#include "study/overrides.h"
#include "study/reading.h"

namespace wattle::study {
namespace {

constexpr std::size_t kLongestStudy = 1U << 20U;
constexpr std::int64_t kMostRuns = 100'000;

Budget read_budget(Section& study, Mistakes& mistakes) {
  Budget budget;
  const toml::table* table = study.table("budget", "budget = { hours = 1 }");
  if (table == nullptr) return budget;
  Section section(*table, "budget", mistakes);
  budget.hours = section.positive("hours");
  budget.kwh = section.positive("kwh");
  if (const auto runs = section.integer("runs", 1, kMostRuns)) budget.runs = static_cast<int>(*runs);
  if (table->empty()) study.complain("budget", "`budget` is empty", "give hours, kwh or runs, or leave it out");
  section.finish();
  return budget;
}

void read_study_table(const toml::table& table, Study& study, Mistakes& mistakes) {
  Section section(table, "[study]", mistakes);
  if (section.require("name", R"(for example name = "lenet-on-glyphs")") != nullptr) {
    study.name = section.text("name").value_or("");
    const bool control = std::any_of(study.name.begin(), study.name.end(),
                                     [](char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7F; });
    if (control || study.name.size() > 200) section.complain("name", "`name` must be one line of at most 200 bytes");
  }
  study.seed =
      static_cast<std::uint64_t>(section.integer("seed", 0, std::numeric_limits<std::int64_t>::max()).value_or(0));
  study.repetitions = read_repetitions(section, mistakes);
  study.budget = read_budget(section, mistakes);
  section.finish();
}

std::vector<ReadWorkload> read_workloads(const toml::table& table, Reading& reading) {
  struct Entry {
    const toml::key* key;
    const toml::node* node;
  };
  std::vector<Entry> entries;
  for (auto&& [key, node] : table) entries.push_back({&key, &node});
  // Tables are sorted by name; people expect the order of the file.
  std::sort(entries.begin(), entries.end(),
            [](const Entry& a, const Entry& b) { return a.key->source().begin < b.key->source().begin; });
  std::vector<ReadWorkload> workloads;
  for (const auto& [key, node] : entries) {
    const std::string name(key->str());
    const bool fits = !name.empty() && name.size() <= 64 &&
                      name.find_first_not_of("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-.") ==
                          std::string::npos;
    if (!fits) {
      reading.mistakes.add(position_of(*key), fmt::format("{} cannot be a workload's name", code(name)),
                           "use letters, digits, `-`, `_` and `.`, at most 64");
    }
    if (!node->is_table()) {
      reading.mistakes.add(position_of(*key),
                           fmt::format("workload {} must be a table, not {}", code(name), kind_of(*node)),
                           fmt::format("write [workload.{}]", fits ? name : "NAME"));
      continue;
    }
    workloads.push_back(read_workload(name, *node->as_table(), reading));
  }
  return workloads;
}

// Judges the cells once all else is sound: not too many, and not none.
void check_cells(const Study& study, Section& root, Mistakes& mistakes) {
  const auto cells = runs_in_block(study);
  if (!cells) return mistakes.add({}, cells.error().message, cells.error().hint);
  const std::int64_t runs = *cells * study.repetitions.max;
  if (runs > kMostRuns) {
    const toml::table* table = root.table("study", "[study]");
    return mistakes.add(Section(*table, "[study]", mistakes).position("repetitions"),
                        fmt::format("{} configurations × {} repetitions are {} runs; a study may have {}", *cells,
                                    study.repetitions.max, runs, kMostRuns),
                        "repeat less, or draw fewer mutants");
  }
  const auto layout = lay_out(study, {});
  if (!layout) mistakes.add(root.position("exclude"), layout.error().message, layout.error().hint);
}

// What the study names or varies is spelled on the command line, whatever the trainer's own default.
void spell_what_varies(const Study& study, Workload& workload) {
  const auto concerns = [&](const std::vector<std::string>& names) {
    return std::count(names.begin(), names.end(), workload.name) > 0;
  };
  for (const MutationRule& rule : study.mutations) {
    if (concerns(rule.workloads)) workload.trainer_defaults.erase(rule.parameter);
  }
  for (const DesignRule& rule : study.designs) {
    if (!concerns(rule.workloads)) continue;
    for (const Factor& factor : rule.factors) workload.trainer_defaults.erase(factor.parameter);
  }
}

void read_root(const toml::table& document, Study& study, SchemaSource& source, Mistakes& mistakes) {
  Section root(document, "the study file", mistakes);
  if (const toml::table* table = root.table("study", "[study]")) {
    read_study_table(*table, study, mistakes);
  } else if (!root.has("study")) {
    mistakes.add({}, "there is no [study]", R"(begin with [study] and name = "…")");
  }
  if (const auto* table = root.table("protocol", "[protocol]")) study.protocol = read_protocol(*table, mistakes);
  read_environments(root, study, mistakes);
  LazySchema schema(source, mistakes);
  Reading reading{study.directory, schema, mistakes};
  std::vector<ReadWorkload> workloads;
  if (const auto* table = root.table("workload", "[workload.NAME]")) {
    workloads = read_workloads(*table, reading);
    check_weights(*table, study, workloads, mistakes);
  }
  if (!root.has("workload")) mistakes.add({}, "there is no workload", "add a table [workload.NAME]");
  settle_precision(root, study, workloads, mistakes);
  const toml::node* mutate = root.find("mutate");
  if (mutate != nullptr) read_mutations(*mutate, study, workloads, mistakes);
  read_designs(root, study, workloads, mistakes);
  read_exclusions(root, study, workloads, mistakes);
  read_groups(root, study, workloads, mistakes);
  read_outliers(root, study, workloads, mistakes);
  root.finish();
  for (ReadWorkload& read : workloads) {
    spell_what_varies(study, read.workload);
    study.workloads.push_back(std::move(read.workload));
  }
  if (mistakes.count() == 0) check_cells(study, root, mistakes);
}

}  // namespace

const TrainerSchema* LazySchema::get(Position asked_at) {
  if (!answer_) {
    answer_ = source_.schema();
    if (!*answer_) mistakes_.add(asked_at, answer_->error().message, answer_->error().hint);
  }
  return *answer_ ? &**answer_ : nullptr;
}

StudyOrDiagnostics parse_study(std::string_view text, const std::filesystem::path& file, SchemaSource& source,
                               std::span<const std::string> settings) {
  Mistakes mistakes;
  Study study;
  std::error_code ignored;
  study.file = std::filesystem::absolute(file, ignored).lexically_normal();
  study.directory = study.file.parent_path();
  if (text.size() > kLongestStudy) {
    mistakes.add({}, fmt::format("the file has {} bytes; a study may have {}", text.size(), kLongestStudy));
  } else if (auto document = parse_toml(text, mistakes)) {
    if (document->empty()) {
      mistakes.add({}, "the file is empty", "a study needs [study] and a [workload.NAME]");
    } else {
      apply(settings, *document, mistakes);
      read_root(*document, study, source, mistakes);
    }
  }
  if (mistakes.count() > 0) return {std::nullopt, mistakes.in_file_order()};
  return {std::move(study), {}};
}

StudyOrDiagnostics load_study(const std::filesystem::path& file, SchemaSource& source,
                              std::span<const std::string> settings) {
  const auto text = read_text(file, kLongestStudy);
  if (!text) return {std::nullopt, {Diagnostic{0, 0, text.error().message, text.error().hint}}};
  return parse_study(*text, file, source, settings);
}

std::string describe(const std::vector<Diagnostic>& diagnostics, const std::filesystem::path& file) {
  std::string lines;
  for (const Diagnostic& diagnostic : diagnostics) {
    lines += printable(file.string());
    if (diagnostic.line > 0) lines += fmt::format(":{}:{}", diagnostic.line, diagnostic.column);
    lines += ": " + printable(diagnostic.message);
    if (!diagnostic.suggestion.empty()) lines += "; " + printable(diagnostic.suggestion);
    lines += '\n';
  }
  return lines;
}

}  // namespace wattle::study
