#pragma once

#include <memory>
#include <vector>

#include "hyperparameters.h"
#include "torch.h"

namespace wattle::trainer {

/// A rule that changes parameters by their gradients.
class Optimizer {
 public:
  virtual ~Optimizer() = default;
  virtual void drop_gradients() = 0;
  virtual void step() = 0;
  virtual void set_learning_rate(double rate) = 0;
};

/// sgd, adam (betas 0.9 and 0.999, eps 1e-8), adamw (the same, decay decoupled): libtorch's. adadelta (rho 0.9,
/// eps 1e-6): libtorch's C++ has none, so PyTorch's mathematics written here (M. D. Zeiler 2012, algorithm 1, with a
/// learning rate). Weight decay applies to every parameter.
[[nodiscard]] std::unique_ptr<Optimizer> make_optimizer(const Hyperparameters& values,
                                                        std::vector<torch::Tensor> parameters);

}  // namespace wattle::trainer
