// What makes a configuration and a run themselves: see run_key in plan.h. Internal to study.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>

#include "study/plan.h"

namespace wattle::study {

// What an environment asks for; its name and what has its default are left out, so that a new setting changes no old
// identity.
[[nodiscard]] nlohmann::json environment_identity(const Environment& environment);
// All of its digest, for members of a group that get a part of it.
[[nodiscard]] std::string environment_digest(const Environment& environment);
// First 12 hexadecimal digits of the digest of workload, hyperparameters, environment and co-location.
[[nodiscard]] std::string configuration_id(const Configuration& configuration);
// Of runs that are made side by side: a digest of their keys, which hold the block.
[[nodiscard]] std::string group_digest(const std::vector<std::string>& keys);

}  // namespace wattle::study
