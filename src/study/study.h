// A study as its author wrote it: workloads, what to vary, the protocol. An immutable value read from one TOML
// file; `plan` turns it into configurations and runs.
#pragma once

#include <filesystem>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "base/result.h"
#include "base/units.h"
#include "study/ledger.h"
#include "study/value.h"

namespace wattle::study {

// What the built-in trainer says of itself (`wattle-train --list`), as a value.
struct TrainerSchema {
  std::string program;  // path of the executable that was asked
  std::string version;  // of its mathematics: part of a run's identity
  std::vector<std::string> models;
  std::vector<std::string> datasets;       // names that need no data path
  std::vector<std::string> path_datasets;  // names that need `data = "path"`
  std::vector<Parameter> hyperparameters;
};
// Reads the JSON that `wattle-train --list` prints (docs/trainer_protocol.md).
[[nodiscard]] Result<TrainerSchema> parse_trainer_schema(std::string_view json, std::string program);

enum class Goal { maximize, minimize };

// Where a run's metrics come from.
enum class MetricSource {
  events,      // the trainer speaks the event protocol
  output,      // a regular expression over the lines of its standard output
  csv_file,    // a CSV file it leaves behind, one line an epoch
  json_lines,  // a JSON-lines file it leaves behind, one object an epoch
};

struct Metric {
  std::string name;
  Goal goal = Goal::maximize;
  double tolerance = 0.0;  // the loss still accepted as "no damage", in the metric's own unit, > 0
  MetricSource source = MetricSource::events;
  std::string regex;             // ECMAScript with (?<value>…) and, where lines come per epoch, (?<epoch>…)
  std::string file;              // of csv_file and json_lines: relative to the working directory; may hold {run_dir}
  std::string value_column;      // CSV column or JSON key of the value; defaults to the metric's name
  std::string epoch_column;      // CSV column or JSON key of the epoch; may be empty
  std::optional<double> target;  // of its validation value: what energy to target is asked for
};

// A configuration file written for every run: the template with {name} filled in.
struct RenderedFile {
  std::string template_file;  // relative to the study file
  std::string target;         // file name inside {run_dir}
  std::string content;        // of the template, as it was when the study was read
};

struct Workload {
  std::string name;
  bool builtin = false;
  std::string model;    // built-in only
  std::string dataset;  // built-in only
  std::string data;     // built-in only: absolute path, or empty
  // Weights that it begins with: those of this workload's original in the same block, or those of a file (absolute
  // path, with what they cost as the file beside them tells). At most one of them.
  std::string weights_of;
  std::string weights;
  Ledger ledger;
  // A script's argument vector with placeholders {parameter}, {seed}, {threads}, {device}, {precision}, {run_dir} and,
  // where it begins with weights, {weights_path}: their file, or the folder that was the other run's {run_dir}. A
  // boolean parameter may stand as a switch: the element "{--nesterov:nesterov}" becomes "--nesterov" or vanishes.
  std::vector<std::string> command;
  std::vector<std::string> files;  // content that makes up the version: the script and what it lists
  std::vector<RenderedFile> rendered;
  bool use_terminal = true;  // standard output through a pseudo-terminal, so that lines arrive when they are written
  // Declared; else for a script the digest of its files, templates and command, for the built-in the trainer's version,
  // model, dataset and a manifest of the data.
  std::string version;
  Metric metric;
  std::vector<Parameter> parameters;  // default_value is this workload's default
  // Built-in only: what the trainer takes for the hyperparameters that the study neither sets nor mutates. One whose
  // value is still this one is left off the command line.
  Assignment trainer_defaults;
};

// Where a workload trains, as asked for. Variations of one environment are a factor of the study like any other.
struct Environment {
  std::string name = "default";
  std::string device = "cpu";
  int threads = 1;
  std::string cpus;                // a CPU list as in cpuset(7), "0-3,8"; empty: all that Wattle itself may use
  std::string wait_policy;         // of OpenMP's threads: "active" (they spin), "passive" (they sleep), or not set
  std::string precision;           // what the placeholder {precision} gets; empty: the program's own
  int nice = 0;                    // 0 to 19, as in nice(1)
  std::optional<Watts> power_cap;  // of every CPU package, or of the GPU that the device names; only where allowed
  std::map<std::string, std::string> variables;  // set for the child, beside the OpenMP ones

  friend bool operator==(const Environment&, const Environment&) = default;
};

// How many blocks. Adaptive where min < max: blocks go on until every comparison is decided or known well enough.
struct Repetitions {
  int min = 8;
  int max = 8;
  std::optional<double> precision;  // half-width of the interval of the energy ratio, 0.02 = 2 %
  bool until_decided = false;       // until every mutant is greener, lossy or shown to be neither
  [[nodiscard]] bool adaptive() const { return min < max; }

  friend bool operator==(const Repetitions&, const Repetitions&) = default;
};

// Runs to be left out of findings, by a rule that was declared before they were made.
struct OutlierRule {
  std::string measure;                 // "energy", "time", the metric's name, or a gauge of telemetry
  std::vector<std::string> workloads;  // never empty
  std::optional<double> beyond_iqr;    // outside of the quartiles by more than so many interquartile ranges
  int drop_highest = 0;                // of each configuration's runs
  int drop_lowest = 0;
  std::optional<double> equals;  // exactly this value (a metric of 0)

  friend bool operator==(const OutlierRule&, const OutlierRule&) = default;
};

struct Protocol {
  static constexpr int kVersion = 1;  // part of a run's identity: raise it when runs stop being comparable
  Nanoseconds time_limit = seconds(24L * 3600);
  Nanoseconds silence_limit = seconds(3600);  // without a line or an event
  Nanoseconds grace = seconds(5);             // between SIGTERM and SIGKILL
  Nanoseconds warm_up{};                      // of work before the first run of a session: runs of an original
  Nanoseconds cool_down{};                    // idle time before each run, at least
  // Cooling goes on until the processors' temperature is at most this (degC), or the machine's power within this part
  // of what it was idle, for cool_down_limit at most; what was not reached is a flag on the run.
  std::optional<double> cool_to_temperature;
  std::optional<double> cool_to_power;  // 0.05: within 5 % of idle
  Nanoseconds cool_down_limit = seconds(600);
  Nanoseconds idle_baseline{};  // idle power is heard so long before each block
  bool control = false;         // each block begins with a control run of the first original, its seed always the same
  double foreign_load = 0.10;   // of the machine's CPU time that others may use during a run before it is flagged
  int repeat_flagged = 0;       // how often a run flagged for foreign load is made again
  Nanoseconds sample_interval = milliseconds(20);
  Repetitions repetitions;  // of the run's study: what may be said of its runs depends on when they were to end
  std::vector<OutlierRule> outliers;  // declared when the run was planned; those of its workload
};

// Workloads that train side by side on one machine.
enum class GroupMode {
  together,    // all begin at once, each runs once
  background,  // the first is scored; the others run again and again for as long as it lives
};
struct GroupRule {
  std::vector<std::string> workloads;  // 2 or more; one may stand twice
  GroupMode mode = GroupMode::together;
  bool divide_cores = true;  // each gets its own CPUs and as many threads; else all share all (oversubscribed)
  bool mutants = false;      // also every mutant of the first beside the originals of the others
};

struct Budget {  // stops new runs, never a run; absent is unlimited
  std::optional<double> hours;
  std::optional<double> kwh;
  std::optional<int> runs;
};

enum class MutationOperator { scale, log_scale, values, step };

// One [[mutate]] entry, checked: it can yield its mutants for every workload that it names.
struct MutationRule {
  std::string parameter;
  std::vector<std::string> workloads;  // never empty
  MutationOperator op = MutationOperator::scale;
  double low = 1.0;  // scale, log_scale: range × default
  double high = 1.0;
  std::vector<Value> values;  // values: taken in order
  double step = 0.0;          // step: default ± k × step, nearest first
  int mutants = 1;
};

// Values that one hyperparameter takes in a sweep or a sample.
struct Factor {
  std::string parameter;
  std::vector<Value> values;  // of a grid, or to choose from; empty: a range
  double low = 0.0;
  double high = 0.0;
  bool logarithmic = false;
};
enum class SampleMethod { random, latin_hypercube };

// [[sweep]]: every combination of its factors' values. [[sample]]: `count` points of their space. [[configuration]]:
// one stated combination, a sweep of one value each.
struct DesignRule {
  enum class Kind { sweep, sample, configuration };
  Kind kind = Kind::sweep;
  std::vector<std::string> workloads;  // never empty
  std::vector<Factor> factors;
  SampleMethod method = SampleMethod::latin_hypercube;  // sample
  int count = 0;                                        // sample
  std::string label;                                    // configuration; empty: what differs
};

// Cells of workload × environment (× hyperparameters) that are not to be run, with the reason that reports print.
struct Exclusion {
  std::optional<std::string> workload;
  std::optional<std::string> environment;
  Assignment parameters;  // all of them must match
  std::string reason;
};

struct Study {
  std::filesystem::path file;       // absolute
  std::filesystem::path directory;  // where relative paths start and commands run
  std::string name;
  std::uint64_t seed = 0;
  Repetitions repetitions;
  Budget budget;
  Protocol protocol;
  std::vector<Environment> environments{Environment{}};  // never empty; the first is the one others vary
  std::vector<Workload> workloads;
  std::vector<MutationRule> mutations;
  std::vector<DesignRule> designs;
  std::vector<Exclusion> exclusions;
  std::vector<GroupRule> groups;
};

// One mistake in a study file. line and column are 1-based; 0 means the file as a whole.
struct Diagnostic {
  int line = 0;
  int column = 0;
  std::string message;
  std::string suggestion;  // "did you mean `learning_rate`?", or empty
};

struct StudyOrDiagnostics {
  std::optional<Study> study;           // present exactly when there are no diagnostics
  std::vector<Diagnostic> diagnostics;  // all of them, in file order
};

// Reads and checks a study file. Pure but for the file system (the study file, the scripts it names, the data
// path). `schema` is asked for only when a workload uses the built-in trainer; its error becomes a diagnostic.
class SchemaSource {
 public:
  SchemaSource() = default;
  SchemaSource(const SchemaSource&) = delete;
  SchemaSource& operator=(const SchemaSource&) = delete;
  virtual ~SchemaSource() = default;
  [[nodiscard]] virtual Result<TrainerSchema> schema() = 0;
};
// `settings` change it before it is read, each "KEY=VALUE": KEY is a dotted path in the file, a key of [study], or a
// hyperparameter, whose default it then is in every workload that has it; VALUE is TOML, or else text.
[[nodiscard]] StudyOrDiagnostics load_study(const std::filesystem::path& file, SchemaSource& source,
                                            std::span<const std::string> settings = {});
// The same on text, for tests: `file` need not exist, its folder is where relative paths start.
[[nodiscard]] StudyOrDiagnostics parse_study(std::string_view toml, const std::filesystem::path& file,
                                             SchemaSource& source, std::span<const std::string> settings = {});

// "study.toml:14:1: unknown key …; did you mean …?" per diagnostic, one line each.
[[nodiscard]] std::string describe(const std::vector<Diagnostic>& diagnostics, const std::filesystem::path& file);

}  // namespace wattle::study
