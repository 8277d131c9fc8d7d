#include <fmt/format.h>

#include <algorithm>

#include "base/text.h"
#include "study/mutation.h"
#include "study/reading.h"

namespace wattle::study {
namespace {

constexpr std::size_t kLongestStudy = 1U << 20U;
constexpr std::int64_t kMostRepetitions = 10'000;
constexpr std::int64_t kMostRuns = 100'000;
constexpr std::int64_t kMostThreads = 4096;

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
  study.repetitions.max = static_cast<int>(section.integer("repetitions", 1, kMostRepetitions).value_or(8));
  study.repetitions.min = study.repetitions.max;
  study.budget = read_budget(section, mistakes);
  section.finish();
}

Protocol read_protocol(const toml::table& table, Mistakes& mistakes) {
  Protocol protocol;
  Section section(table, "[protocol]", mistakes);
  const auto read = [&](std::string_view key, Nanoseconds& into, Nanoseconds least, Nanoseconds most,
                        std::string_view limits) {
    if (const auto duration = section.duration(key, least, most, limits)) into = *duration;
  };
  const Nanoseconds month = seconds(30L * 24 * 3600);
  read("time_limit", protocol.time_limit, seconds(1), month, "from 1s to 30d");
  read("silence_limit", protocol.silence_limit, seconds(1), month, "from 1s to 30d");
  read("cool_down", protocol.cool_down, Nanoseconds{}, seconds(24L * 3600), "at most 1d");
  read("grace", protocol.grace, Nanoseconds{}, seconds(3600), "at most 1h");
  read("sample_interval", protocol.sample_interval, milliseconds(20), seconds(10), "from 20ms to 10s");
  section.finish();
  return protocol;
}

void read_variables(const toml::table& table, Environment& environment, Mistakes& mistakes) {
  for (auto&& [key, node] : table) {
    const std::string name(key.str());
    if (name.empty() || name.find('=') != std::string::npos || name.find('\0') != std::string::npos) {
      mistakes.add(position_of(key), fmt::format("{} cannot be the name of a variable", code(name)));
    } else if (name.starts_with("WATTLE_")) {
      mistakes.add(position_of(key),
                   fmt::format("{} is Wattle's own; names with WATTLE_ are set by the run", code(name)));
    } else if (const auto* text = node.as_string(); text == nullptr) {
      const auto value = value_of(node);
      mistakes.add(position_of(node),
                   fmt::format("variable {} must be text in quotes, not {}", code(name), kind_of(node)),
                   value ? fmt::format("write \"{}\"", to_text(*value)) : "");
    } else if (text->get().find('\0') != std::string::npos) {
      mistakes.add(position_of(node), fmt::format("variable {} holds a NUL byte", code(name)));
    } else {
      environment.variables[name] = text->get();
    }
  }
}

Environment read_environment(const toml::table& table, Mistakes& mistakes) {
  Environment environment;
  Section section(table, "[environment]", mistakes);
  if (const auto device = section.text("device")) {
    environment.device = *device;
    const std::string kind = device->substr(0, device->find(':'));
    const std::string index = device->substr(std::min(device->size(), kind.size()));
    const bool plain = !kind.empty() && kind.find_first_not_of("abcdefghijklmnopqrstuvwxyz") == std::string::npos;
    const bool indexed = index.empty() || (index.size() > 1 && parse_unsigned(index.substr(1)));
    if (!plain || !indexed) {
      section.complain("device", fmt::format("{} is no device", code(*device)), "for example cpu, cuda or cuda:0");
    }
  }
  environment.threads = static_cast<int>(section.integer("threads", 1, kMostThreads).value_or(1));
  if (const auto* variables = section.table("variables", R"(variables = { NAME = "value" })")) {
    read_variables(*variables, environment, mistakes);
  }
  section.finish();
  return environment;
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

void check_size(const Study& study, Section& root, Mistakes& mistakes) {
  std::int64_t configurations = 0;
  for (const Workload& workload : study.workloads) {
    configurations += 1 + static_cast<std::int64_t>(draw_mutants(study.seed, workload, study.mutations).mutants.size());
  }
  const std::int64_t runs = configurations * study.repetitions.max;
  if (runs <= kMostRuns) return;
  const toml::table* table = root.table("study", "[study]");
  mistakes.add(Section(*table, "[study]", mistakes).position("repetitions"),
               fmt::format("{} configurations × {} repetitions are {} runs; a study may have {}", configurations,
                           study.repetitions.max, runs, kMostRuns),
               "repeat less, or draw fewer mutants");
}

void read_root(const toml::table& document, Study& study, SchemaSource& source, Mistakes& mistakes) {
  Section root(document, "the study file", mistakes);
  if (const toml::table* table = root.table("study", "[study]")) {
    read_study_table(*table, study, mistakes);
  } else if (!root.has("study")) {
    mistakes.add({}, "there is no [study]", R"(begin with [study] and name = "…")");
  }
  if (const auto* table = root.table("protocol", "[protocol]")) study.protocol = read_protocol(*table, mistakes);
  if (const auto* table = root.table("environment", "[environment]")) {
    study.environments.front() = read_environment(*table, mistakes);
  }
  LazySchema schema(source, mistakes);
  Reading reading{study.directory, schema, mistakes};
  std::vector<ReadWorkload> workloads;
  if (const auto* table = root.table("workload", "[workload.NAME]")) workloads = read_workloads(*table, reading);
  if (!root.has("workload")) mistakes.add({}, "there is no workload", "add a table [workload.NAME]");
  const toml::node* mutate = root.find("mutate");
  if (mutate != nullptr) read_mutations(*mutate, study, workloads, mistakes);
  root.finish();
  for (ReadWorkload& read : workloads) {
    for (const MutationRule& rule : study.mutations) {
      if (std::count(rule.workloads.begin(), rule.workloads.end(), read.workload.name) > 0) {
        read.workload.trainer_defaults.erase(rule.parameter);
      }
    }
    study.workloads.push_back(std::move(read.workload));
  }
  if (mistakes.count() == 0) check_size(study, root, mistakes);
}

}  // namespace

const TrainerSchema* LazySchema::get(Position asked_at) {
  if (!answer_) {
    answer_ = source_.schema();
    if (!*answer_) mistakes_.add(asked_at, answer_->error().message, answer_->error().hint);
  }
  return *answer_ ? &**answer_ : nullptr;
}

StudyOrDiagnostics parse_study(std::string_view text, const std::filesystem::path& file, SchemaSource& source) {
  Mistakes mistakes;
  Study study;
  std::error_code ignored;
  study.file = std::filesystem::absolute(file, ignored).lexically_normal();
  study.directory = study.file.parent_path();
  if (text.size() > kLongestStudy) {
    mistakes.add({}, fmt::format("the file has {} bytes; a study may have {}", text.size(), kLongestStudy));
  } else if (const auto document = parse_toml(text, mistakes)) {
    if (document->empty()) {
      mistakes.add({}, "the file is empty", "a study needs [study] and a [workload.NAME]");
    } else {
      read_root(*document, study, source, mistakes);
    }
  }
  if (mistakes.count() > 0) return {std::nullopt, mistakes.in_file_order()};
  return {std::move(study), {}};
}

StudyOrDiagnostics load_study(const std::filesystem::path& file, SchemaSource& source) {
  const auto text = read_text(file, kLongestStudy);
  if (!text) return {std::nullopt, {Diagnostic{0, 0, text.error().message, text.error().hint}}};
  return parse_study(*text, file, source);
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
