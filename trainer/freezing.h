#pragma once

#include <memory>
#include <vector>

#include "models/model.h"

namespace wattle::trainer {

/// Which parameters learn. Frozen ones get no gradient, and batch norms among them keep the statistics they came with,
/// in training too: a frozen layer computes the same in both.
class Freezing {
 public:
  /// Freezes the first `layers` layers that own parameters, in the order of the model; with `all_but_head` all layers
  /// but the last.
  Freezing(Model& model, std::int64_t layers, bool all_but_head);

  /// The parameters that learn, in the model's order.
  [[nodiscard]] const std::vector<torch::Tensor>& learning() const { return learning_; }
  /// Puts the model into training, frozen batch norms apart.
  void train() const;

 private:
  Model& model_;
  std::vector<torch::Tensor> learning_;
  std::vector<std::shared_ptr<torch::nn::Module>> frozen_norms_;
};

/// Layers that own parameters.
[[nodiscard]] std::int64_t count_layers(const Model& model);

}  // namespace wattle::trainer
