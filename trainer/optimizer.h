#pragma once

#include <memory>
#include <vector>

#include "hyperparameters.h"
#include "torch.h"

namespace wattle::trainer {

/// A rule that changes parameters by their gradients, with PyTorch's mathematics: sgd; adam (D. Kingma, J. Ba 2015) and
/// adamw (I. Loshchilov, F. Hutter 2019) with betas 0.9 and 0.999, eps 1e-8; adadelta (M. D. Zeiler 2012, algorithm 1,
/// with a learning rate), rho 0.9, eps 1e-6. Weight decay applies to every parameter.
///
/// Written here rather than taken from libtorch: its C++ has no Adadelta, keeps its state where 1.13 and 2.x differ,
/// and passes over memory once an operation; on the CPU these pass over it once a step. On other devices all parameters
/// are one list for libtorch's fused operators (2.4 and later; Adadelta has none), or its operators on lists: a few
/// launches a step, however many parameters there are.
class Optimizer {
 public:
  Optimizer(std::vector<torch::Tensor> parameters, int states);
  virtual ~Optimizer() = default;

  /// Gradients become undefined, so that the next ones need no adding.
  void drop_gradients();
  /// Parameters without a gradient stay as they are.
  void step(double learning_rate);

  [[nodiscard]] const std::vector<torch::Tensor>& parameters() const { return parameters_; }
  /// What the rule remembers, parameter by parameter, state by state: for checkpoints. The tensors are its own.
  [[nodiscard]] const std::vector<std::vector<torch::Tensor>>& states() const { return states_; }
  [[nodiscard]] std::int64_t steps() const { return steps_; }
  void set_steps(std::int64_t steps) { steps_ = steps; }
  /// On the CPU too: so that what other devices do can be tried here.
  void use_lists() { lists_ = true; }

 protected:
  /// Parameters that have a gradient, with their gradients and states, one by one alike.
  struct Lists {
    std::vector<torch::Tensor> parameters, gradients, state0, state1;
  };
  /// One rule on one tensor's values, which lie alike in memory.
  virtual void update(float* parameter, const float* gradient, float* state0, float* state1, std::int64_t count) = 0;
  virtual void update(double* parameter, const double* gradient, double* state0, double* state1,
                      std::int64_t count) = 0;
  /// The same by libtorch's operators on lists: for other devices.
  virtual void update(const Lists& lists) = 0;

  double rate_ = 0;
  std::int64_t steps_ = 0;

 private:
  void update_on_cpu(std::size_t index);
  void update_lists();

  bool lists_ = false;
  std::vector<torch::Tensor> parameters_;
  std::vector<std::vector<torch::Tensor>> states_;
};

/// `name` is one of sgd, adam, adamw, adadelta; momentum, nesterov and weight decay are those of `values`.
[[nodiscard]] std::unique_ptr<Optimizer> make_optimizer(const std::string& name, const Hyperparameters& values,
                                                        std::vector<torch::Tensor> parameters);

}  // namespace wattle::trainer
