#include "freezing.h"

namespace wattle::trainer {

Freezing::Freezing(Model& model, std::int64_t layers, bool all_but_head) : model_(model) {
  std::int64_t passed = 0;
  for (const auto& module : model.named_modules()) {
    const auto own = module.value()->named_parameters(/*recurse=*/false);
    if (own.is_empty()) {
      continue;
    }
    const bool head = model.is_head(module.key() + ".");
    const bool frozen = passed++ < layers || (all_but_head && !head);
    for (const auto& parameter : own) {
      torch::Tensor tensor = parameter.value();
      tensor.set_requires_grad(!frozen);
      if (frozen) {
        tensor.mutable_grad().reset();
      } else {
        learning_.push_back(tensor);
      }
    }
    if (frozen && module.value()->as<torch::nn::BatchNorm2d>() != nullptr) {
      frozen_norms_.push_back(module.value());
    }
  }
}

void Freezing::train() const {
  model_.train();
  for (const auto& norm : frozen_norms_) {
    norm->eval();
  }
}

std::int64_t count_layers(const Model& model) {
  std::int64_t layers = 0;
  for (const auto& module : model.named_modules()) {
    layers += module.value()->parameters(/*recurse=*/false).empty() ? 0 : 1;
  }
  return layers;
}

}  // namespace wattle::trainer
