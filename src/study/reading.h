// The parts of a study file, each read by one function that reports every mistake and returns what was sound. Internal
// to study.
#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "study/document.h"

namespace wattle::study {

// The trainer's schema, asked for once and only when a workload needs it. Its error is reported at the first place that
// asked.
class LazySchema {
 public:
  LazySchema(SchemaSource& source, Mistakes& mistakes) : source_(source), mistakes_(mistakes) {}
  const TrainerSchema* get(Position asked_at);

 private:
  SchemaSource& source_;
  Mistakes& mistakes_;
  std::optional<Result<TrainerSchema>> answer_;
};

// A workload and what later checks need. `usable` is false where its parameters are not known, so that rules about it
// cannot be judged; `faulty` names declared parameters with a mistake.
struct ReadWorkload {
  Workload workload;
  bool usable = true;
  std::vector<std::string> faulty;
};

struct Reading {
  std::filesystem::path directory;
  LazySchema& schema;
  Mistakes& mistakes;
};

[[nodiscard]] ReadWorkload read_workload(const std::string& name, const toml::table& table, Reading& reading);
// The keys that only a script has: command, parameters, files, render, output, version.
void read_script(Section& section, ReadWorkload& read, Reading& reading);
// `weights_of` and `weights`, with the ledger beside the file.
void read_weights(Section& section, Workload& workload, Reading& reading);
// Whether those whose weights others begin with are there, fit, and do not wait for each other.
void check_weights(const toml::table& workload_tables, const Study& study, const std::vector<ReadWorkload>& workloads,
                   Mistakes& mistakes);
// Declared parameters. One with a mistake is among the names only, so that placeholders and rules that mean it are not
// reported too.
struct ReadParameters {
  std::vector<Parameter> sound;
  std::vector<std::string> names;
};
[[nodiscard]] ReadParameters read_parameters(const toml::table& table, const std::string& title, Mistakes& mistakes);
[[nodiscard]] Metric read_metric(Section& workload, bool builtin, Mistakes& mistakes);

// --- Whom a rule concerns ------------------------------------------------------------------------------------------

[[nodiscard]] bool knows(const ReadWorkload& read, const std::string& parameter);
// Workloads whose parameters are not known may have it.
[[nodiscard]] bool may_know(const ReadWorkload& read, const std::string& parameter);
[[nodiscard]] std::vector<std::string> parameters_of(const std::vector<ReadWorkload>& workloads);
[[nodiscard]] const ReadWorkload* workload_named(const std::vector<ReadWorkload>& workloads, std::string_view name);
// The workloads named under `workloads`, in order; nothing where the key is absent. Empty where one of them is a
// mistake, which has been reported.
[[nodiscard]] std::optional<std::vector<std::string>> read_workload_names(Section& section,
                                                                          const std::vector<ReadWorkload>& workloads,
                                                                          bool may_repeat, Mistakes& mistakes);

// --- Tables of the study ---------------------------------------------------------------------------------------------

[[nodiscard]] Protocol read_protocol(const toml::table& table, Mistakes& mistakes);
// `repetitions = 8` or { min, max, precision, until }.
[[nodiscard]] Repetitions read_repetitions(Section& study, Mistakes& mistakes);

// [environment], the first, and those of [environments] that vary it, in file order. One that varies nothing names the
// first.
void read_environments(Section& root, Study& study, Mistakes& mistakes);
// Where an environment sets the precision, every workload must take it: a script by {precision}, the built-in trainer
// by its hyperparameter of that name, which then is the environment's and no longer the workload's.
void settle_precision(Section& root, const Study& study, std::vector<ReadWorkload>& workloads, Mistakes& mistakes);

// [[sweep]], [[sample]] and [[configuration]]; draws each workload's points once to see that they can be had.
void read_designs(Section& root, Study& study, const std::vector<ReadWorkload>& workloads, Mistakes& mistakes);
void read_exclusions(Section& root, Study& study, const std::vector<ReadWorkload>& workloads, Mistakes& mistakes);
void read_outliers(Section& root, Study& study, const std::vector<ReadWorkload>& workloads, Mistakes& mistakes);
void read_groups(Section& root, Study& study, const std::vector<ReadWorkload>& workloads, Mistakes& mistakes);

// Reads every [[mutate]] entry, and draws each workload's mutants once to see that the rules can yield them.
void read_mutations(const toml::node& node, Study& study, const std::vector<ReadWorkload>& workloads,
                    Mistakes& mistakes);

// Version of a script: digest of its files, templates and command, free of absolute paths. Files by the name they are
// known by.
struct NamedContent {
  std::string name;
  std::string content;
};
[[nodiscard]] std::string script_version(std::vector<NamedContent> files, const std::vector<std::string>& command);
// Digest of name, size and modification time of a file, or of every file below a folder.
[[nodiscard]] Result<std::string> data_manifest(const std::filesystem::path& data);

}  // namespace wattle::study
