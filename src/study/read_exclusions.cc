#include <fmt/format.h>

#include <algorithm>

#include "base/text.h"
#include "study/reading.h"

namespace wattle::study {
namespace {

constexpr std::int64_t kMostDropped = 10'000;

std::optional<std::string> read_named(Section& section, std::string_view key, const std::vector<std::string>& names) {
  auto name = section.text(key);
  if (!name || std::count(names.begin(), names.end(), *name) > 0) return name;
  section.complain(key, fmt::format("there is no {} {}", key, code(*name)), did_you_mean(*name, names));
  return name;
}

// A value that some workload concerned can take; what is wrong has been reported otherwise.
std::optional<Value> read_value(const toml::key& key, const toml::node& node,
                                const std::optional<std::string>& workload, const std::vector<ReadWorkload>& workloads,
                                Mistakes& mistakes) {
  const std::string name(key.str());
  const auto value = value_of(node);
  if (!value) {
    mistakes.add(position_of(node), fmt::format("{} cannot be {}", code(name), kind_of(node)));
    return std::nullopt;
  }
  std::string why;
  bool known = false;
  for (const ReadWorkload& read : workloads) {
    if (workload && read.workload.name != *workload) continue;
    known = known || may_know(read, name);
    for (const Parameter& parameter : read.workload.parameters) {
      if (parameter.name != name) continue;
      Value fitting = coerced(parameter, *value);
      const auto reason = why_not(parameter, fitting);
      if (reason.empty()) return fitting;
      if (why.empty()) why = fmt::format("`{}`: {}", name, reason);
    }
  }
  if (!known) {
    mistakes.add(position_of(key),
                 workload ? fmt::format("workload {} has no parameter {}", code(*workload), code(name))
                          : fmt::format("no workload has a parameter {}", code(name)),
                 did_you_mean(name, parameters_of(workloads)));
  } else if (!why.empty()) {
    mistakes.add(position_of(node), why);
  }
  return std::nullopt;
}

// Where the measure is a metric, only those who have it.
std::vector<std::string> measured(const std::string& measure, const std::vector<ReadWorkload>& workloads) {
  std::vector<std::string> all;
  std::vector<std::string> with_metric;
  for (const ReadWorkload& read : workloads) {
    all.push_back(read.workload.name);
    if (read.workload.metric.name == measure) with_metric.push_back(read.workload.name);
  }
  return with_metric.empty() ? all : with_metric;
}

void read_measure(Section& section, OutlierRule& rule, const std::vector<ReadWorkload>& workloads, Mistakes& mistakes) {
  section.require("measure", R"("energy", "time", a metric's name, or a gauge (see `wattle metrics`))");
  rule.measure = section.text("measure").value_or("");
  const auto named = read_workload_names(section, workloads, false, mistakes);
  const auto possible = measured(rule.measure, workloads);
  rule.workloads = named.value_or(possible);
  for (const std::string& name : rule.workloads) {
    if (std::count(possible.begin(), possible.end(), name) > 0) continue;
    section.complain("workloads", fmt::format("workload {} has no metric {}", code(name), code(rule.measure)));
  }
}

}  // namespace

void read_exclusions(Section& root, Study& study, const std::vector<ReadWorkload>& workloads, Mistakes& mistakes) {
  std::vector<std::string> names;
  std::vector<std::string> environments;
  for (const ReadWorkload& read : workloads) names.push_back(read.workload.name);
  for (const Environment& environment : study.environments) environments.push_back(environment.name);
  for (const toml::table* table : root.tables("exclude")) {
    Section section(*table, "[[exclude]]", mistakes);
    Exclusion rule;
    section.require("reason", R"(for example reason = "does not fit into memory")");
    rule.reason = section.text("reason").value_or("");
    rule.workload = read_named(section, "workload", names);
    rule.environment = read_named(section, "environment", environments);
    const toml::table* parameters = section.table("parameters", "parameters = { batch_size = 128 }");
    if (parameters != nullptr) {
      if (parameters->empty()) section.complain("parameters", "`parameters` is empty", "leave it out");
      for (auto&& [key, node] : *parameters) {
        if (auto value = read_value(key, node, rule.workload, workloads, mistakes)) {
          rule.parameters[std::string(key.str())] = std::move(*value);
        }
      }
    }
    if (!section.has("workload") && !section.has("environment") && !section.has("parameters")) {
      mistakes.add(section.position(), "[[exclude]] does not say what", "give workload, environment or parameters");
    }
    section.finish();
    study.exclusions.push_back(std::move(rule));
  }
}

void read_outliers(Section& root, Study& study, const std::vector<ReadWorkload>& workloads, Mistakes& mistakes) {
  for (const toml::table* table : root.tables("outlier")) {
    Section section(*table, "[[outlier]]", mistakes);
    OutlierRule rule;
    read_measure(section, rule, workloads, mistakes);
    rule.drop_highest = static_cast<int>(section.integer("drop_highest", 1, kMostDropped).value_or(0));
    rule.drop_lowest = static_cast<int>(section.integer("drop_lowest", 1, kMostDropped).value_or(0));
    rule.beyond_iqr = section.positive("beyond_iqr");
    rule.equals = section.finite("equals");
    const bool says =
        section.has("drop_highest") || section.has("drop_lowest") || section.has("beyond_iqr") || section.has("equals");
    if (!says) {
      mistakes.add(section.position(), "[[outlier]] does not say which runs",
                   "give drop_highest, drop_lowest, beyond_iqr or equals");
    }
    const int dropped = rule.drop_highest + rule.drop_lowest;
    if (dropped >= study.repetitions.min) {
      section.complain(rule.drop_highest > 0 ? "drop_highest" : "drop_lowest",
                       fmt::format("{} of at least {} runs of a configuration would be dropped: none is left", dropped,
                                   study.repetitions.min),
                       "repeat more often, or drop fewer");
    }
    section.finish();
    study.protocol.outliers.push_back(std::move(rule));
  }
}

}  // namespace wattle::study
