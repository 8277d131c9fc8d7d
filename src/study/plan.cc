#include "study/plan.h"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "base/text.h"
#include "study/json_value.h"
#include "study/mutation.h"
#include "study/placeholders.h"
#include "study/random.h"

namespace wattle::study {
namespace {

using nlohmann::json;

json environment_identity(const Environment& environment) {
  // What has its default is left out, so that a new setting changes no old identity.
  json identity{{"device", environment.device}, {"threads", environment.threads}, {"variables", environment.variables}};
  if (!environment.cpus.empty()) identity["cpus"] = environment.cpus;
  if (!environment.wait_policy.empty()) identity["wait_policy"] = environment.wait_policy;
  if (!environment.precision.empty()) identity["precision"] = environment.precision;
  if (environment.nice != 0) identity["nice"] = environment.nice;
  if (environment.power_cap) identity["power_cap_w"] = environment.power_cap->value;
  return identity;
}

std::string configuration_id(const Configuration& configuration) {
  const json identity{{"workload", configuration.workload},
                      {"hyperparameters", assignment_to_json(configuration.hyperparameters)},
                      {"environment", environment_identity(configuration.environment)}};
  return sha256(canonical(identity)).substr(0, 12);
}

Configuration original_of(const Workload& workload, const Environment& environment) {
  Configuration original;
  original.label = "original";
  original.workload = workload.name;
  original.environment = environment;
  for (const Parameter& parameter : workload.parameters) {
    original.hyperparameters[parameter.name] = parameter.default_value;
  }
  original.id = configuration_id(original);
  return original;
}

Configuration mutated(Configuration configuration, const MutationRule& rule, const Value& value) {
  configuration.label = fmt::format("{} {}", rule.parameter, printable(to_text(value)));
  configuration.hyperparameters[rule.parameter] = value;
  configuration.varied = {rule.parameter};
  configuration.mutation = to_string(rule.op);
  configuration.id = configuration_id(configuration);
  return configuration;
}

std::string flag_of(const std::string& parameter) {
  std::string flag = "--" + parameter;
  std::replace(flag.begin(), flag.end(), '_', '-');
  return flag;
}

std::vector<std::string> builtin_arguments(const Workload& workload, const RunRequest& request,
                                           const std::string& trainer_program) {
  const Environment& environment = request.configuration.environment;
  std::vector<std::string> arguments{trainer_program, "--model", workload.model, "--dataset", workload.dataset};
  if (!workload.data.empty()) arguments.insert(arguments.end(), {"--data", workload.data});
  arguments.insert(arguments.end(), {"--seed", std::to_string(request.training_seed), "--device", environment.device,
                                     "--threads", std::to_string(environment.threads)});
  for (const Parameter& parameter : workload.parameters) {
    const Value& value = request.configuration.hyperparameters.at(parameter.name);
    const auto unspoken = workload.trainer_defaults.find(parameter.name);
    if (unspoken != workload.trainer_defaults.end() && unspoken->second == value) continue;
    arguments.insert(arguments.end(), {flag_of(parameter.name), to_text(value)});
  }
  return arguments;
}

std::optional<std::string> placeholder_value(const RunRequest& request, std::string_view name) {
  const Configuration& configuration = request.configuration;
  if (name == "seed") return std::to_string(request.training_seed);
  if (name == "threads") return std::to_string(configuration.environment.threads);
  if (name == "device") return configuration.environment.device;
  const auto found = configuration.hyperparameters.find(std::string(name));
  if (found == configuration.hyperparameters.end()) return std::nullopt;
  return to_text(found->second);
}

void fill_script(const Workload& workload, RunRequest& request) {
  const auto value = [&](std::string_view name) { return placeholder_value(request, name); };
  for (const std::string& element : workload.command) {
    if (const auto flag = as_switch(element)) {
      const auto found = request.configuration.hyperparameters.find(flag->parameter);
      const bool on = found != request.configuration.hyperparameters.end() && found->second == Value(true);
      if (on) request.arguments.push_back(flag->flag);
      continue;
    }
    request.arguments.push_back(filled(element, value));
  }
  for (const RenderedFile& file : workload.rendered) {
    request.rendered_files.emplace_back(file.target, filled(file.content, value));
  }
}

std::map<std::string, std::string> variables_of(const Workload& workload, const Environment& environment) {
  // What the author sets comes first: insert keeps it.
  std::map<std::string, std::string> variables = environment.variables;
  const std::string threads = std::to_string(environment.threads);
  for (const char* name : {"OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"}) {
    variables.insert({name, threads});
  }
  if (!workload.builtin) variables.insert({"PYTHONUNBUFFERED", "1"});
  return variables;
}

RunRequest request_for(const Study& study, const Workload& workload, const Configuration& configuration, int block,
                       const std::string& trainer_program) {
  RunRequest request;
  request.study = study.name;
  request.workload_version = workload.version;
  request.configuration = configuration;
  request.block = block;
  request.training_seed = derived_seed({"training", std::to_string(study.seed), std::to_string(block)}) & 0x7fff'ffffU;
  if (workload.builtin) {
    request.arguments = builtin_arguments(workload, request, trainer_program);
  } else {
    fill_script(workload, request);
  }
  request.working_directory = study.directory.string();
  request.variables = variables_of(workload, configuration.environment);
  request.use_terminal = workload.use_terminal;
  request.metric = workload.metric;
  request.protocol = study.protocol;
  request.key = run_key(request);
  return request;
}

const Workload& workload_named(const Study& study, const std::string& name) {
  return *std::find_if(study.workloads.begin(), study.workloads.end(),
                       [&](const Workload& workload) { return workload.name == name; });
}

// Block r: every configuration once, in an order that depends on the seed, r and the configurations alone, not on the
// order of the study file.
std::vector<RunRequest> block_of(const Study& study, const std::vector<Configuration>& configurations, int block,
                                 const std::string& trainer_program) {
  std::vector<RunRequest> runs;
  std::map<std::string, std::string> original_key;  // by workload
  for (const Configuration& configuration : configurations) {
    const Workload& workload = workload_named(study, configuration.workload);
    runs.push_back(request_for(study, workload, configuration, block, trainer_program));
    if (configuration.original()) original_key[configuration.workload] = runs.back().key;
    runs.back().pair_key = original_key[configuration.workload];
  }
  std::sort(runs.begin(), runs.end(), [](const RunRequest& a, const RunRequest& b) { return a.key < b.key; });
  Random random(derived_seed({"order", std::to_string(study.seed), std::to_string(block)}));
  shuffle(runs, random);
  return runs;
}

}  // namespace

std::string_view to_string(Purpose purpose) {
  switch (purpose) {
    case Purpose::profile:
      return "profile";
    case Purpose::control:
      return "control";
    case Purpose::proof:
      return "proof";
    case Purpose::partner:
      return "partner";
    case Purpose::warm_up:
      return "warm_up";
    case Purpose::score:
      break;
  }
  return "score";
}

Result<Plan> make_plan(const Study& study, const std::string& trainer_program) {
  Plan plan;
  for (const Workload& workload : study.workloads) {
    const Mutants drawn = draw_mutants(study.seed, workload, study.mutations);
    if (!drawn.failures.empty()) {
      const RuleFailure& first = drawn.failures.front();
      return fail(ErrorKind::bad_input, fmt::format("workload `{}`: {}", workload.name, first.message),
                  first.suggestion);
    }
    const Configuration original = original_of(workload, study.environments.front());
    plan.configurations.push_back(original);
    for (const Mutant& mutant : drawn.mutants) {
      plan.configurations.push_back(mutated(original, study.mutations[mutant.rule], mutant.value));
    }
  }
  for (int block = 1; block <= study.repetitions.max; ++block) {
    for (RunRequest& request : block_of(study, plan.configurations, block, trainer_program)) {
      request.order = static_cast<int>(plan.runs.size()) + 1;
      plan.runs.push_back(std::move(request));
    }
  }
  return plan;
}

std::string run_key(const RunRequest& request) {
  const json identity{{"workload", request.configuration.workload},
                      {"workload_version", request.workload_version},
                      {"hyperparameters", assignment_to_json(request.configuration.hyperparameters)},
                      {"training_seed", request.training_seed},
                      {"environment", environment_identity(request.configuration.environment)},
                      {"protocol_version", Protocol::kVersion},
                      {"block", request.block},
                      {"purpose", std::string(to_string(request.purpose))}};
  return sha256(canonical(identity));
}

}  // namespace wattle::study
