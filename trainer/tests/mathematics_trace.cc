#include <fmt/format.h>

#include <cstdlib>
#include <nlohmann/json.hpp>

#include "../optimizer.h"
#include "../schedule.h"

/// Prints what an optimizer and a schedule do to a small fixed problem, for pytorch_test.py to compare with PyTorch.
/// Arguments: hyperparameters as NAME VALUE pairs, `lists 1` for the operators of other devices. Parameters start at
/// 0.1, 0.2 … 0.6 (two tensors of three), their gradients are sin(5 p) + p; validation accuracies come from a fixed
/// list.

namespace {

using namespace wattle::trainer;

constexpr int kSteps = 12;
constexpr double kAccuracies[kSteps] = {0.5, 0.6, 0.6, 0.59, 0.6, 0.61, 0.61, 0.61, 0.61, 0.7, 0.2, 0.2};

Hyperparameters read(int count, char** arguments, bool& lists) {
  Hyperparameters values = default_hyperparameters();
  for (int index = 1; index + 1 < count; index += 2) {
    lists = lists || std::string_view(arguments[index]) == "lists";
    for (const HyperparameterKind& kind : hyperparameter_kinds()) {
      if (kind.name == arguments[index] && !kind.set(values, arguments[index + 1])) {
        std::exit(2);
      }
    }
  }
  return values;
}

}  // namespace

int main(int count, char** arguments) {
  bool lists = false;
  const Hyperparameters values = read(count, arguments, lists);
  const auto options = torch::TensorOptions(torch::kFloat64).requires_grad(true);
  std::vector<torch::Tensor> parameters = {torch::tensor({0.1, 0.2, 0.3}, options),
                                           torch::tensor({0.4, 0.5, 0.6}, options)};
  const auto optimizer = make_optimizer(values.optimizer, values, parameters);
  if (lists) {
    optimizer->use_lists();
  }
  Schedule schedule(values);
  nlohmann::json all = nlohmann::json::array();
  for (const double accuracy : kAccuracies) {
    optimizer->drop_gradients();
    for (torch::Tensor& parameter : parameters) {
      parameter.mutable_grad() = ((parameter * 5).sin() + parameter).detach();
    }
    optimizer->step(schedule.learning_rate(0, 1));
    nlohmann::json step = {{"rate", schedule.learning_rate(0, 1)}, {"parameters", nlohmann::json::array()}};
    for (const torch::Tensor& parameter : parameters) {
      for (std::int64_t index = 0; index < 3; ++index) {
        step["parameters"].push_back(parameter[index].item<double>());
      }
    }
    all.push_back(step);
    schedule.step(accuracy);
  }
  fmt::print("{}\n", all.dump());
  return 0;
}
