#include "study/identity.h"

#include <nlohmann/json.hpp>

#include "base/text.h"
#include "study/json_value.h"

namespace wattle::study {
namespace {

using nlohmann::json;

json colocation_identity(const Colocation& colocation) {
  return {{"mode", colocation.mode == GroupMode::background ? "background" : "together"},
          {"divided_cores", colocation.divided_cores},
          {"partners", colocation.partners},
          {"member", colocation.member},
          {"undivided", colocation.undivided}};
}

}  // namespace

json environment_identity(const Environment& environment) {
  json identity{{"device", environment.device}, {"threads", environment.threads}, {"variables", environment.variables}};
  if (!environment.cpus.empty()) identity["cpus"] = environment.cpus;
  if (!environment.wait_policy.empty()) identity["wait_policy"] = environment.wait_policy;
  if (!environment.precision.empty()) identity["precision"] = environment.precision;
  if (environment.nice != 0) identity["nice"] = environment.nice;
  if (environment.power_cap) identity["power_cap_w"] = environment.power_cap->value;
  return identity;
}

std::string environment_digest(const Environment& environment) {
  return sha256(canonical(environment_identity(environment)));
}

std::string configuration_id(const Configuration& configuration) {
  json identity{{"workload", configuration.workload},
                {"hyperparameters", assignment_to_json(configuration.hyperparameters)},
                {"environment", environment_identity(configuration.environment)}};
  if (!configuration.colocation.alone()) identity["colocation"] = colocation_identity(configuration.colocation);
  return sha256(canonical(identity)).substr(0, 12);
}

std::string group_digest(const std::vector<std::string>& keys) { return sha256(canonical(json(keys))); }

std::string run_key(const RunRequest& request) {
  json identity{{"workload", request.configuration.workload},
                {"workload_version", request.workload_version},
                {"hyperparameters", assignment_to_json(request.configuration.hyperparameters)},
                {"training_seed", request.training_seed},
                {"environment", environment_identity(request.configuration.environment)},
                {"protocol_version", Protocol::kVersion},
                {"block", request.block},
                {"purpose", std::string(to_string(request.purpose))}};
  if (!request.weights.key.empty()) identity["weights"] = request.weights.key;
  const Colocation& colocation = request.configuration.colocation;
  if (!colocation.alone()) identity["colocation"] = colocation_identity(colocation);
  return sha256(canonical(identity));
}

}  // namespace wattle::study
