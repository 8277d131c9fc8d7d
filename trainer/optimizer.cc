#include "optimizer.h"

#include "compat.h"

namespace wattle::trainer {
namespace {

template <typename Rule, typename Options>
class LibtorchOptimizer final : public Optimizer {
 public:
  LibtorchOptimizer(std::vector<torch::Tensor> parameters, const Options& options)
      : rule_(std::move(parameters), options) {}

  void drop_gradients() override { trainer::drop_gradients(rule_); }
  void step() override { rule_.step(); }
  void set_learning_rate(double rate) override {
    for (auto& group : rule_.param_groups()) {
      static_cast<Options&>(group.options()).lr(rate);
    }
  }

 private:
  Rule rule_;
};

class Adadelta final : public Optimizer {
 public:
  Adadelta(std::vector<torch::Tensor> parameters, double rate, double weight_decay)
      : rate_(rate), weight_decay_(weight_decay) {
    for (torch::Tensor& parameter : parameters) {
      states_.push_back({parameter, torch::zeros_like(parameter), torch::zeros_like(parameter)});
    }
  }

  void drop_gradients() override {
    for (State& state : states_) {
      state.parameter.mutable_grad().reset();
    }
  }

  void step() override {
    const torch::NoGradGuard no_grad;
    for (State& state : states_) {
      torch::Tensor gradient = state.parameter.grad();
      if (!gradient.defined()) {
        continue;
      }
      if (weight_decay_ != 0) {
        gradient = gradient.add(state.parameter, weight_decay_);
      }
      state.mean_square.mul_(kRho).addcmul_(gradient, gradient, 1 - kRho);
      const torch::Tensor change =
          state.mean_change.add(kEpsilon).sqrt_().div_(state.mean_square.add(kEpsilon).sqrt_()).mul_(gradient);
      state.mean_change.mul_(kRho).addcmul_(change, change, 1 - kRho);
      state.parameter.add_(change, -rate_);
    }
  }

  void set_learning_rate(double rate) override { rate_ = rate; }

 private:
  static constexpr double kRho = 0.9, kEpsilon = 1e-6;
  struct State {
    torch::Tensor parameter, mean_square, mean_change;
  };
  double rate_, weight_decay_;
  std::vector<State> states_;
};

}  // namespace

std::unique_ptr<Optimizer> make_optimizer(const Hyperparameters& values, std::vector<torch::Tensor> parameters) {
  using namespace torch::optim;
  const double rate = values.learning_rate;
  const double decay = values.weight_decay;
  if (values.optimizer == "adam") {
    return std::make_unique<LibtorchOptimizer<Adam, AdamOptions>>(std::move(parameters),
                                                                  AdamOptions(rate).weight_decay(decay));
  }
  if (values.optimizer == "adamw") {
    return std::make_unique<LibtorchOptimizer<AdamW, AdamWOptions>>(std::move(parameters),
                                                                    AdamWOptions(rate).weight_decay(decay));
  }
  if (values.optimizer == "adadelta") {
    return std::make_unique<Adadelta>(std::move(parameters), rate, decay);
  }
  const bool nesterov = values.nesterov && values.momentum > 0;  // libtorch refuses the one without the other
  return std::make_unique<LibtorchOptimizer<SGD, SGDOptions>>(
      std::move(parameters), SGDOptions(rate).momentum(values.momentum).weight_decay(decay).nesterov(nesterov));
}

}  // namespace wattle::trainer
