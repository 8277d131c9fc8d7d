#include "study/smoke.h"

#include <algorithm>
#include <array>
#include <cmath>

namespace wattle::study {
namespace {

constexpr std::array<std::string_view, 9> kLengths{"epochs",     "n_epochs",         "num_epochs",
                                                   "max_epochs", "num_train_epochs", "steps",
                                                   "max_steps",  "num_steps",        "iterations"};

bool is_length(const std::string& parameter) {
  return std::find(kLengths.begin(), kLengths.end(), parameter) != kLengths.end();
}

void shorten(Parameter& parameter) {
  if (!is_length(parameter.name) || (parameter.type != ParameterType::integer && parameter.type != ParameterType::real))
    return;
  const double least = std::max(1.0, std::ceil(parameter.minimum.value_or(1.0)));
  if (to_number(parameter.default_value).value_or(least) <= least) return;
  parameter.default_value =
      parameter.type == ParameterType::integer ? Value(static_cast<std::int64_t>(least)) : Value(least);
}

}  // namespace

Study smoke(Study study) {
  study.name += " (smoke)";
  study.repetitions = {.min = 1, .max = 1, .precision = {}, .until_decided = false};
  study.protocol.warm_up = {};
  study.protocol.cool_down = {};
  study.protocol.cool_to_temperature.reset();
  study.protocol.cool_to_power.reset();
  study.protocol.idle_baseline = {};
  for (Workload& workload : study.workloads) {
    for (Parameter& parameter : workload.parameters) shorten(parameter);
  }
  // Mutants of a length are longer, or the same.
  std::erase_if(study.mutations, [](const MutationRule& rule) { return is_length(rule.parameter); });
  return study;
}

}  // namespace wattle::study
