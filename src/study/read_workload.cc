#include <fmt/format.h>

#include <algorithm>

#include "base/text.h"
#include "study/metric_pattern.h"
#include "study/placeholders.h"
#include "study/reading.h"

namespace wattle::study {
namespace {

using std::filesystem::path;

void read_metric_file(Section& section, Metric& metric) {
  metric.file = section.text("file").value_or("");
  metric.epoch_column = section.text("epoch").value_or("");
  if (metric.file.empty()) return;
  for (const std::string& name : placeholders(metric.file)) {
    if (name != "run_dir") section.complain("file", fmt::format("`file` cannot hold {{{}}}", name), "only {run_dir}");
  }
  const bool csv = metric.file.ends_with(".csv");
  if (!csv && !metric.file.ends_with(".jsonl") && !metric.file.ends_with(".json")) {
    section.complain("file", fmt::format("{} is neither .csv nor .jsonl nor .json", code(metric.file)),
                     "CSV has one line an epoch, JSON lines one object an epoch");
  }
  metric.source = csv ? MetricSource::csv_file : MetricSource::json_lines;
  const char* mine = csv ? "column" : "key";
  const char* other = csv ? "key" : "column";
  if (section.find(other) != nullptr) {
    section.complain(other, fmt::format("`{}` does not go with {}", other, csv ? "a CSV file" : "JSON lines"),
                     fmt::format("use `{}`", mine));
  }
  metric.value_column = section.text(mine).value_or(metric.name);
}

void read_metric_source(Section& section, Metric& metric, Mistakes& mistakes) {
  const auto regex = section.text("regex");
  const bool has_file = section.find("file") != nullptr;
  if (regex && has_file) {
    section.complain("file", "a metric has either `regex` or `file`, not both");
  } else if (regex) {
    metric.source = MetricSource::output;
    metric.regex = *regex;
    if (const auto compiled = MetricPattern::compile(*regex); !compiled) {
      section.complain("regex", compiled.error().message, compiled.error().hint);
    }
  }
  if (has_file) return read_metric_file(section, metric);
  for (const char* key : {"column", "key", "epoch"}) {
    if (section.find(key) == nullptr) continue;
    const bool group = regex && std::string_view(key) == "epoch";
    mistakes.add(section.position(key), fmt::format("`{}` needs a `file`", key),
                 group ? "in a regular expression name the group: (?<epoch>…)" : "");
  }
}

// A path from the study, as it is looked up. Absolute paths stay.
path located(const Reading& reading, const std::string& name) { return (reading.directory / name).lexically_normal(); }

void read_data(Section& section, Workload& workload, const TrainerSchema& schema, Reading& reading) {
  const bool wants_path = std::count(schema.path_datasets.begin(), schema.path_datasets.end(), workload.dataset) > 0;
  const bool plain = std::count(schema.datasets.begin(), schema.datasets.end(), workload.dataset) > 0;
  const auto data = section.text("data");
  workload.version = fmt::format("wattle-train {} {} {}", schema.version, workload.model, workload.dataset);
  if (section.find("data") == nullptr) {
    if (wants_path && !plain) {
      section.complain("dataset", fmt::format("dataset {} is read from files", code(workload.dataset)),
                       R"(add data = "path")");
    }
    return;
  }
  if (!data) return;
  if (!wants_path) {
    if (plain)
      section.complain("data", fmt::format("dataset {} takes no `data`", code(workload.dataset)), "leave it out");
    return;
  }
  const path where = located(reading, *data);
  const auto manifest = data_manifest(where);
  if (!manifest) return section.complain("data", manifest.error().message, manifest.error().hint);
  workload.data = where.string();
  workload.version += " data " + manifest->substr(0, 16);
}

void read_builtin_defaults(Section& section, ReadWorkload& read, const TrainerSchema& schema, Mistakes& mistakes) {
  read.workload.parameters = schema.hyperparameters;
  for (const Parameter& parameter : schema.hyperparameters) {
    read.workload.trainer_defaults[parameter.name] = parameter.default_value;
  }
  const toml::table* table = section.table("defaults", fmt::format("[workload.{}.defaults]", read.workload.name));
  if (table == nullptr) return;
  Section defaults(*table, fmt::format("[workload.{}.defaults]", read.workload.name), mistakes);
  for (Parameter& parameter : read.workload.parameters) {
    const toml::node* node = defaults.find(parameter.name);
    if (node == nullptr) continue;
    read.workload.trainer_defaults.erase(parameter.name);
    const auto value = value_of(*node);
    if (!value) {
      defaults.complain(parameter.name, fmt::format("`{}` cannot be {}", parameter.name, kind_of(*node)));
      continue;
    }
    const Value fitting = coerced(parameter, *value);
    if (const auto why = why_not(parameter, fitting); !why.empty()) {
      const auto* word = std::get_if<std::string>(&fitting);
      const auto meant = word == nullptr ? std::nullopt : nearest(*word, parameter.choices);
      defaults.complain(parameter.name, fmt::format("`{}`: {}", parameter.name, why),
                        meant ? fmt::format("did you mean `{}`?", *meant) : "");
      continue;
    }
    parameter.default_value = fitting;
  }
  defaults.finish();
}

void read_builtin(Section& section, ReadWorkload& read, Reading& reading) {
  Workload& workload = read.workload;
  workload.builtin = true;
  workload.use_terminal = false;
  for (const char* key : {"command", "parameters", "files", "render", "output", "version"}) {
    if (section.find(key) == nullptr) continue;
    section.complain(key, fmt::format("`{}` belongs to scripts; the built-in trainer has none", key),
                     std::string_view(key) == "command" ? "give either `trainer` or `command`" : "leave it out");
  }
  section.require("model", R"(for example model = "lenet5")");
  section.require("dataset", R"(for example dataset = "glyphs")");
  const TrainerSchema* schema = reading.schema.get(section.position("trainer"));
  read.usable = schema != nullptr;
  if (schema == nullptr) {
    for (const char* key : {"model", "dataset", "data", "defaults"}) section.find(key);
    return;
  }
  workload.model = section.word("model", schema->models).value_or("");
  std::vector<std::string> datasets = schema->datasets;
  datasets.insert(datasets.end(), schema->path_datasets.begin(), schema->path_datasets.end());
  workload.dataset = section.word("dataset", datasets).value_or("");
  read_data(section, workload, *schema, reading);
  read_builtin_defaults(section, read, *schema, reading.mistakes);
}

}  // namespace

Metric read_metric(Section& workload, bool builtin, Mistakes& mistakes) {
  Metric metric;
  static constexpr std::string_view kExample = R"(metric = { name = "accuracy", goal = "maximize", tolerance = 0.01 })";
  if (workload.require("metric", fmt::format("for example {}", kExample)) == nullptr) return metric;
  const toml::table* table = workload.table("metric", kExample);
  if (table == nullptr) return metric;
  Section section(*table, "metric", mistakes);
  if (section.require("name", R"(for example name = "accuracy")") != nullptr) {
    metric.name = section.text("name").value_or("");
  }
  if (section.require("goal", R"("maximize" or "minimize")") != nullptr) {
    metric.goal = section.word("goal", {"maximize", "minimize"}) == "minimize" ? Goal::minimize : Goal::maximize;
  }
  if (section.require("tolerance", "the loss still accepted as no damage, in the metric's unit: tolerance = 0.01") !=
      nullptr) {
    metric.tolerance = section.positive("tolerance").value_or(0.0);
  }
  metric.target = section.finite("target");
  if (!builtin) {
    read_metric_source(section, metric, mistakes);
  } else {
    for (const char* key : {"regex", "file", "column", "key", "epoch"}) {
      if (section.find(key) == nullptr) continue;
      section.complain(key,
                       fmt::format("`{}` belongs to scripts; the built-in trainer reports its metrics itself", key),
                       "leave it out");
    }
  }
  section.finish();
  return metric;
}

ReadWorkload read_workload(const std::string& name, const toml::table& table, Reading& reading) {
  ReadWorkload read;
  read.workload.name = name;
  Section section(table, fmt::format("[workload.{}]", printable(name)), reading.mistakes);
  const bool has_trainer = section.find("trainer") != nullptr;
  if (has_trainer) {
    section.word("trainer", {"builtin"});
    read_builtin(section, read, reading);
  } else {
    read_script(section, read, reading);
  }
  read_weights(section, read.workload, reading);
  read.workload.metric = read_metric(section, has_trainer, reading.mistakes);
  section.finish();
  return read;
}

}  // namespace wattle::study
