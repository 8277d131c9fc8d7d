#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <nlohmann/json.hpp>
#include <utility>

#include "base/text.h"
#include "study/json_value.h"
#include "study/plan.h"

namespace wattle::study {
namespace {

using nlohmann::json;

constexpr std::array<Purpose, 6> kPurposes{Purpose::score, Purpose::profile, Purpose::control,
                                           Purpose::proof, Purpose::partner, Purpose::warm_up};
constexpr std::array<std::pair<MetricSource, std::string_view>, 4> kSources{{{MetricSource::events, "events"},
                                                                             {MetricSource::output, "output"},
                                                                             {MetricSource::csv_file, "csv_file"},
                                                                             {MetricSource::json_lines, "json_lines"}}};

std::string source_name(MetricSource source) {
  const auto* found = std::find_if(kSources.begin(), kSources.end(), [&](const auto& e) { return e.first == source; });
  return std::string(found->second);
}

template <class Number>
json optional_number(const std::optional<Number>& value) {
  return value ? json(*value) : json();
}

json metric_to_json(const Metric& metric) {
  return {{"name", metric.name},
          {"goal", metric.goal == Goal::maximize ? "maximize" : "minimize"},
          {"tolerance", metric.tolerance},
          {"source", source_name(metric.source)},
          {"regex", metric.regex},
          {"file", metric.file},
          {"value_column", metric.value_column},
          {"epoch_column", metric.epoch_column},
          {"target", optional_number(metric.target)}};
}

json outliers_to_json(const std::vector<OutlierRule>& rules) {
  json list = json::array();
  for (const OutlierRule& rule : rules) {
    list.push_back({{"measure", rule.measure},
                    {"workloads", rule.workloads},
                    {"beyond_iqr", optional_number(rule.beyond_iqr)},
                    {"drop_highest", rule.drop_highest},
                    {"drop_lowest", rule.drop_lowest},
                    {"equals", optional_number(rule.equals)}});
  }
  return list;
}

json protocol_to_json(const Protocol& protocol) {
  return {{"version", Protocol::kVersion},
          {"outliers", outliers_to_json(protocol.outliers)},
          {"time_limit_ns", protocol.time_limit.value},
          {"silence_limit_ns", protocol.silence_limit.value},
          {"grace_ns", protocol.grace.value},
          {"warm_up_ns", protocol.warm_up.value},
          {"cool_down_ns", protocol.cool_down.value},
          {"cool_to_temperature", optional_number(protocol.cool_to_temperature)},
          {"cool_to_power", optional_number(protocol.cool_to_power)},
          {"cool_down_limit_ns", protocol.cool_down_limit.value},
          {"idle_baseline_ns", protocol.idle_baseline.value},
          {"control", protocol.control},
          {"foreign_load", protocol.foreign_load},
          {"repeat_flagged", protocol.repeat_flagged},
          {"sample_interval_ns", protocol.sample_interval.value},
          {"repetitions",
           {{"min", protocol.repetitions.min},
            {"max", protocol.repetitions.max},
            {"precision", optional_number(protocol.repetitions.precision)},
            {"until_decided", protocol.repetitions.until_decided}}}};
}

json environment_to_json(const Environment& environment) {
  json object{
      {"name", environment.name}, {"device", environment.device},           {"threads", environment.threads},
      {"cpus", environment.cpus}, {"wait_policy", environment.wait_policy}, {"precision", environment.precision},
      {"nice", environment.nice}, {"variables", environment.variables}};
  object["power_cap_w"] = environment.power_cap ? json(environment.power_cap->value) : json();
  return object;
}

json colocation_to_json(const Colocation& colocation) {
  return {{"mode", colocation.mode == GroupMode::together ? "together" : "background"},
          {"divided_cores", colocation.divided_cores},
          {"partners", colocation.partners},
          {"member", colocation.member},
          {"undivided", colocation.undivided}};
}

json configuration_to_json(const Configuration& configuration) {
  return {{"id", configuration.id},
          {"label", configuration.label},
          {"workload", configuration.workload},
          {"hyperparameters", assignment_to_json(configuration.hyperparameters)},
          {"environment", environment_to_json(configuration.environment)},
          {"varied", configuration.varied},
          {"mutation", configuration.mutation},
          {"colocation", colocation_to_json(configuration.colocation)}};
}

// Reads one object. The first mistake of a whole reading is kept, with the path of its field; after it everything comes
// back as a default.
class Fields {
 public:
  Fields(const json& object, std::string where, std::string& mistake)
      : object_(object), where_(std::move(where)), mistake_(mistake) {
    if (!object.is_object()) complain("", "is not an object");
  }

  bool has(const char* name) const { return object_.is_object() && object_.contains(name); }

  Fields child(const char* name) const { return {at(name), path(name) + ".", mistake_}; }

  std::string text(const char* name) const {
    const json& field = at(name);
    if (!field.is_string()) return complain(name, "is not text"), "";
    auto held = field.get<std::string>();
    if (held.find('\0') != std::string::npos) complain(name, "holds a NUL byte");
    return held;
  }

  std::int64_t integer(const char* name, std::int64_t least, std::int64_t most) const {
    const json& field = at(name);
    if (!field.is_number_integer()) return complain(name, "is not a whole number"), least;
    const bool beyond = field.is_number_unsigned() && field.get<std::uint64_t>() > static_cast<std::uint64_t>(most);
    if (beyond || field.get<std::int64_t>() < least || field.get<std::int64_t>() > most) {
      return complain(name, fmt::format("is not from {} to {}", least, most)), least;
    }
    return field.get<std::int64_t>();
  }

  double real(const char* name) const {
    const json& field = at(name);
    if (!field.is_number()) return complain(name, "is not a number"), 0.0;
    return field.get<double>();
  }

  std::optional<double> optional_real(const char* name) const {
    if (at(name).is_null()) return std::nullopt;
    return real(name);
  }

  bool truth(const char* name) const {
    const json& field = at(name);
    if (!field.is_boolean()) return complain(name, "is neither true nor false"), false;
    return field.get<bool>();
  }

  std::vector<std::string> texts(const char* name) const {
    std::vector<std::string> result;
    const json& field = at(name);
    if (!field.is_array()) return complain(name, "is not a list"), result;
    for (const json& element : field) {
      if (!element.is_string()) return complain(name, "holds something that is not text"), result;
      result.push_back(element.get<std::string>());
      if (result.back().find('\0') != std::string::npos) complain(name, "holds a NUL byte");
    }
    return result;
  }

  std::map<std::string, std::string> text_map(const char* name) const {
    std::map<std::string, std::string> result;
    const json& field = at(name);
    if (!field.is_object()) return complain(name, "is not an object"), result;
    for (const auto& [key, value] : field.items()) {
      if (!value.is_string()) return complain(name, "holds something that is not text"), result;
      result[key] = value.get<std::string>();
      const bool bad = key.empty() || key.find('=') != std::string::npos || key.find('\0') != std::string::npos ||
                       result[key].find('\0') != std::string::npos;
      if (bad) complain(name, "holds what cannot be a variable");
    }
    return result;
  }

  const json& at(const char* name) const {
    static const json kNothing;
    const auto found = object_.is_object() ? object_.find(name) : object_.end();
    if (object_.is_object() && found != object_.end()) return *found;
    complain(name, "is absent");
    return kNothing;
  }

  void complain(const char* name, const std::string& what) const {
    if (mistake_.empty()) mistake_ = fmt::format("{} {}", path(name), what);
  }

 private:
  std::string path(const char* name) const { return where_ + name; }

  const json& object_;
  std::string where_;
  std::string& mistake_;
};

Metric read_metric(const Fields& fields) {
  Metric metric;
  metric.name = fields.text("name");
  const std::string goal = fields.text("goal");
  if (goal != "maximize" && goal != "minimize") fields.complain("goal", "is neither maximize nor minimize");
  metric.goal = goal == "minimize" ? Goal::minimize : Goal::maximize;
  metric.tolerance = fields.real("tolerance");
  if (!std::isfinite(metric.tolerance) || metric.tolerance < 0.0) fields.complain("tolerance", "is negative");
  const std::string source = fields.text("source");
  const auto* found = std::find_if(kSources.begin(), kSources.end(), [&](const auto& e) { return e.second == source; });
  if (found == kSources.end()) {
    fields.complain("source", "is no source of metrics");
  } else {
    metric.source = found->first;
  }
  metric.regex = fields.text("regex");
  metric.file = fields.text("file");
  metric.value_column = fields.text("value_column");
  metric.epoch_column = fields.text("epoch_column");
  if (fields.has("target")) metric.target = fields.optional_real("target");  // absent before metrics had targets
  return metric;
}

std::vector<OutlierRule> read_outliers(const Fields& fields) {
  constexpr std::int64_t kMost = 1'000'000;
  std::vector<OutlierRule> rules;
  const json& list = fields.at("outliers");
  if (!list.is_array()) return fields.complain("outliers", "is not a list"), rules;
  std::string mistake;
  for (const json& object : list) {
    const Fields rule(object, "outliers: ", mistake);
    rules.push_back({rule.text("measure"), rule.texts("workloads"), rule.optional_real("beyond_iqr"),
                     static_cast<int>(rule.integer("drop_highest", 0, kMost)),
                     static_cast<int>(rule.integer("drop_lowest", 0, kMost)), rule.optional_real("equals")});
  }
  if (!mistake.empty()) fields.complain("", mistake);
  return rules;
}

Protocol read_protocol(const Fields& fields, bool before_designs) {
  constexpr std::int64_t kLongest = std::int64_t{366} * 24 * 3600 * 1'000'000'000;
  Protocol protocol;
  protocol.time_limit = {fields.integer("time_limit_ns", 0, kLongest)};
  protocol.silence_limit = {fields.integer("silence_limit_ns", 0, kLongest)};
  protocol.grace = {fields.integer("grace_ns", 0, kLongest)};
  protocol.cool_down = {fields.integer("cool_down_ns", 0, kLongest)};
  protocol.sample_interval = {fields.integer("sample_interval_ns", 1, kLongest)};
  if (before_designs) return protocol;
  protocol.warm_up = {fields.integer("warm_up_ns", 0, kLongest)};
  protocol.cool_to_temperature = fields.optional_real("cool_to_temperature");
  protocol.cool_to_power = fields.optional_real("cool_to_power");
  protocol.cool_down_limit = {fields.integer("cool_down_limit_ns", 0, kLongest)};
  protocol.idle_baseline = {fields.integer("idle_baseline_ns", 0, kLongest)};
  protocol.control = fields.truth("control");
  protocol.foreign_load = fields.real("foreign_load");
  protocol.repeat_flagged = static_cast<int>(fields.integer("repeat_flagged", 0, 1'000'000));
  if (fields.has("outliers")) protocol.outliers = read_outliers(fields);  // absent before there were rules
  const Fields repetitions = fields.child("repetitions");
  protocol.repetitions.min = static_cast<int>(repetitions.integer("min", 1, 1'000'000));
  protocol.repetitions.max = static_cast<int>(repetitions.integer("max", 1, 1'000'000));
  protocol.repetitions.precision = repetitions.optional_real("precision");
  protocol.repetitions.until_decided = repetitions.truth("until_decided");
  return protocol;
}

Environment read_environment(const Fields& fields, bool before_designs) {
  Environment environment;
  environment.name = fields.text("name");
  environment.device = fields.text("device");
  environment.threads = static_cast<int>(fields.integer("threads", 1, 1'000'000));
  environment.variables = fields.text_map("variables");
  if (before_designs) return environment;
  environment.cpus = fields.text("cpus");
  environment.wait_policy = fields.text("wait_policy");
  environment.precision = fields.text("precision");
  environment.nice = static_cast<int>(fields.integer("nice", 0, 19));
  if (const auto cap = fields.optional_real("power_cap_w")) environment.power_cap = Watts{*cap};
  return environment;
}

Colocation read_colocation(const Fields& fields) {
  Colocation colocation;
  const std::string mode = fields.text("mode");
  if (mode != "together" && mode != "background") fields.complain("mode", "is neither together nor background");
  colocation.mode = mode == "background" ? GroupMode::background : GroupMode::together;
  colocation.divided_cores = fields.truth("divided_cores");
  colocation.partners = fields.texts("partners");
  colocation.member = static_cast<int>(fields.integer("member", 0, 1'000));
  colocation.undivided = fields.text("undivided");
  return colocation;
}

// What was written before studies had designs names the one parameter that a mutant changed, and lacks what came later.
constexpr const char* kBeforeDesigns = "mutated_parameter";

Configuration read_configuration(const Fields& fields) {
  Configuration configuration;
  configuration.id = fields.text("id");
  configuration.label = fields.text("label");
  configuration.workload = fields.text("workload");
  const json& assignment = fields.at("hyperparameters");
  if (!assignment.is_object()) {
    fields.complain("hyperparameters", "is not an object");
  } else {
    for (const auto& [name, held] : assignment.items()) {
      if (const auto value = value_from_json(held)) {
        configuration.hyperparameters[name] = *value;
      } else {
        fields.complain("hyperparameters", fmt::format("holds no value for `{}`", printable(name)));
      }
    }
  }
  const bool before_designs = fields.has(kBeforeDesigns);
  configuration.environment = read_environment(fields.child("environment"), before_designs);
  if (!before_designs) {
    configuration.varied = fields.texts("varied");
    configuration.colocation = read_colocation(fields.child("colocation"));
  } else if (std::string one = fields.text(kBeforeDesigns); !one.empty()) {
    configuration.varied = {std::move(one)};
  }
  configuration.mutation = fields.text("mutation");
  return configuration;
}

std::vector<std::pair<std::string, std::string>> read_rendered(const Fields& fields) {
  std::vector<std::pair<std::string, std::string>> files;
  const json& list = fields.at("rendered_files");
  if (!list.is_array()) return fields.complain("rendered_files", "is not a list"), files;
  std::string mistake;
  for (const json& object : list) {
    const Fields file(object, "rendered_files: ", mistake);
    files.emplace_back(file.text("name"), file.text("content"));
    const std::string& name = files.back().first;
    if (name.empty() || name == "." || name == ".." || name.find('/') != std::string::npos) {
      file.complain("name", "is not a plain file name");
    }
  }
  if (!mistake.empty()) fields.complain("", mistake);
  return files;
}

// Opaque here, but others name folders by it.
std::string read_key(const Fields& fields, const char* name) {
  std::string key = fields.text(name);
  if (key.size() > 200 || key.find('/') != std::string::npos) fields.complain(name, "is no key");
  return key;
}

Purpose read_purpose(const Fields& fields) {
  const std::string name = fields.text("purpose");
  for (const Purpose purpose : kPurposes) {
    if (to_string(purpose) == name) return purpose;
  }
  fields.complain("purpose", "is no purpose");
  return Purpose::score;
}

json weights_to_json(const Weights& weights) {
  return {{"key", weights.key},
          {"workload", weights.workload},
          {"attempt", weights.attempt},
          {"file", weights.file},
          {"ledger", to_json(weights.ledger)}};
}

Weights read_weights(const Fields& fields) {
  Weights weights;
  weights.key = read_key(fields, "key");
  weights.workload = fields.text("workload");
  weights.attempt = static_cast<int>(fields.integer("attempt", 0, 1'000'000));
  weights.file = fields.text("file");
  if (auto ledger = ledger_from_json(fields.at("ledger"))) {
    weights.ledger = *std::move(ledger);
  } else {
    fields.complain("ledger", ledger.error().message);
  }
  return weights;
}

}  // namespace

json to_json(const RunRequest& request) {
  json rendered = json::array();
  for (const auto& [name, content] : request.rendered_files) rendered.push_back({{"name", name}, {"content", content}});
  json object{{"key", request.key},
              {"study", request.study},
              {"workload_version", request.workload_version},
              {"configuration", configuration_to_json(request.configuration)},
              {"block", request.block},
              {"order", request.order},
              {"training_seed", request.training_seed},
              {"purpose", std::string(to_string(request.purpose))},
              {"pair_key", request.pair_key},
              {"group", request.group},
              {"arguments", request.arguments},
              {"working_directory", request.working_directory},
              {"variables", request.variables},
              {"rendered_files", std::move(rendered)},
              {"use_terminal", request.use_terminal},
              {"metric", metric_to_json(request.metric)},
              {"protocol", protocol_to_json(request.protocol)}};
  if (request.weights != Weights{}) object["weights"] = weights_to_json(request.weights);
  return object;
}

Result<RunRequest> request_from_json(const json& object) {
  std::string mistake;
  const Fields fields(object, "", mistake);
  constexpr std::int64_t kLargestInt = std::numeric_limits<int>::max();
  RunRequest request;
  request.key = read_key(fields, "key");
  if (request.key.empty()) fields.complain("key", "is empty");
  request.study = fields.text("study");
  request.workload_version = fields.text("workload_version");
  request.configuration = read_configuration(fields.child("configuration"));
  request.block = static_cast<int>(fields.integer("block", 1, kLargestInt));
  request.order = static_cast<int>(fields.integer("order", 0, kLargestInt));
  request.training_seed = static_cast<std::uint64_t>(fields.integer("training_seed", 0, kLargestInt));
  request.purpose = read_purpose(fields);
  request.pair_key = read_key(fields, "pair_key");
  const bool before_designs = fields.child("configuration").has(kBeforeDesigns);
  if (!before_designs) request.group = read_key(fields, "group");
  if (fields.has("weights")) request.weights = read_weights(fields.child("weights"));
  request.arguments = fields.texts("arguments");
  if (request.arguments.empty()) fields.complain("arguments", "is empty");
  request.working_directory = fields.text("working_directory");
  request.variables = fields.text_map("variables");
  request.rendered_files = read_rendered(fields);
  request.use_terminal = fields.truth("use_terminal");
  request.metric = read_metric(fields.child("metric"));
  request.protocol = read_protocol(fields.child("protocol"), before_designs);
  if (!mistake.empty()) return fail(ErrorKind::bad_input, fmt::format("not a run request: {}", mistake));
  return request;
}

}  // namespace wattle::study
