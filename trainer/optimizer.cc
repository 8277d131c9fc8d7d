#include "optimizer.h"

#include <cmath>

#include "compat.h"

// The widest vectors the processor has, chosen when the program starts. Without contraction into fused multiply-adds
// (C++ without extensions has none) all choices give the same bits.
#if defined(__x86_64__) && defined(__GNUC__) && !defined(__clang__)
#define WATTLE_CLONES __attribute__((target_clones("avx512f", "avx2", "default")))
#else
#define WATTLE_CLONES
#endif

namespace wattle::trainer {
namespace {

constexpr std::int64_t kGrain = 1 << 15;  // values that are worth a thread

struct SgdRule {
  double rate, momentum, decay;
  bool nesterov;
};

template <typename Number>
[[gnu::always_inline]] inline void sgd(Number* __restrict parameter, const Number* __restrict gradient,
                                       Number* __restrict velocity, std::int64_t count, const SgdRule& rule) {
  const auto rate = static_cast<Number>(rule.rate), momentum = static_cast<Number>(rule.momentum),
             decay = static_cast<Number>(rule.decay);
  if (velocity == nullptr) {
    for (std::int64_t i = 0; i < count; ++i) {
      parameter[i] -= rate * (gradient[i] + decay * parameter[i]);
    }
  } else if (rule.nesterov) {
    for (std::int64_t i = 0; i < count; ++i) {
      const Number change = gradient[i] + decay * parameter[i];
      velocity[i] = momentum * velocity[i] + change;
      parameter[i] -= rate * (change + momentum * velocity[i]);
    }
  } else {
    for (std::int64_t i = 0; i < count; ++i) {
      velocity[i] = momentum * velocity[i] + (gradient[i] + decay * parameter[i]);
      parameter[i] -= rate * velocity[i];
    }
  }
}

struct AdamRule {
  double step, root, l2, shrink;  ///< rate / (1 - beta1^t), sqrt(1 - beta2^t), decay as a penalty, as a factor
};
constexpr double kBeta1 = 0.9, kBeta2 = 0.999, kAdamEpsilon = 1e-8;

template <typename Number>
[[gnu::always_inline]] inline void adam(Number* __restrict parameter, const Number* __restrict gradient,
                                        Number* __restrict mean, Number* __restrict square, std::int64_t count,
                                        const AdamRule& rule) {
  const auto step = static_cast<Number>(rule.step), root = static_cast<Number>(rule.root),
             l2 = static_cast<Number>(rule.l2), shrink = static_cast<Number>(rule.shrink);
  const auto beta1 = static_cast<Number>(kBeta1), beta2 = static_cast<Number>(kBeta2),
             rest1 = static_cast<Number>(1 - kBeta1), rest2 = static_cast<Number>(1 - kBeta2),
             epsilon = static_cast<Number>(kAdamEpsilon);
  for (std::int64_t i = 0; i < count; ++i) {
    const Number old = parameter[i] * shrink;
    const Number change = gradient[i] + l2 * old;
    mean[i] = beta1 * mean[i] + rest1 * change;
    square[i] = beta2 * square[i] + rest2 * change * change;
    parameter[i] = old - step * mean[i] / (std::sqrt(square[i]) / root + epsilon);
  }
}

constexpr double kRho = 0.9, kDeltaEpsilon = 1e-6;

template <typename Number>
[[gnu::always_inline]] inline void adadelta(Number* __restrict parameter, const Number* __restrict gradient,
                                            Number* __restrict square, Number* __restrict change, std::int64_t count,
                                            double learning_rate, double weight_decay) {
  const auto rate = static_cast<Number>(learning_rate), decay = static_cast<Number>(weight_decay),
             rho = static_cast<Number>(kRho), rest = static_cast<Number>(1 - kRho),
             epsilon = static_cast<Number>(kDeltaEpsilon);
  for (std::int64_t i = 0; i < count; ++i) {
    const Number slope = gradient[i] + decay * parameter[i];
    square[i] = rho * square[i] + rest * slope * slope;
    const Number delta = std::sqrt(change[i] + epsilon) / std::sqrt(square[i] + epsilon) * slope;
    change[i] = rho * change[i] + rest * delta * delta;
    parameter[i] -= rate * delta;
  }
}

WATTLE_CLONES void sgd_floats(float* p, const float* g, float* v, std::int64_t count, const SgdRule& rule) {
  sgd(p, g, v, count, rule);
}
WATTLE_CLONES void adam_floats(float* p, const float* g, float* m, float* s, std::int64_t count, const AdamRule& rule) {
  adam(p, g, m, s, count, rule);
}
WATTLE_CLONES void adadelta_floats(float* p, const float* g, float* s, float* c, std::int64_t count, double rate,
                                   double decay) {
  adadelta(p, g, s, c, count, rate, decay);
}

class Sgd final : public Optimizer {
 public:
  Sgd(std::vector<torch::Tensor> parameters, double momentum, bool nesterov, double decay)
      : Optimizer(std::move(parameters), momentum > 0 ? 1 : 0),
        momentum_(momentum),
        nesterov_(nesterov),
        decay_(decay) {}

 private:
  [[nodiscard]] SgdRule rule() const { return {rate_, momentum_, decay_, nesterov_}; }
  void update(float* p, const float* g, float* v, float*, std::int64_t n) override { sgd_floats(p, g, v, n, rule()); }
  void update(double* p, const double* g, double* v, double*, std::int64_t n) override { sgd(p, g, v, n, rule()); }
  void update(const Lists& all) override {
    if (fused_sgd(all.parameters, all.gradients, all.state0, {rate_, momentum_, decay_, nesterov_})) {
      return;
    }
    std::vector<torch::Tensor> changes =
        decay_ != 0 ? at::_foreach_add(all.gradients, all.parameters, decay_) : all.gradients;
    if (!all.state0.empty()) {
      at::_foreach_mul_(all.state0, momentum_);
      at::_foreach_add_(all.state0, changes, 1);
      changes = nesterov_ ? at::_foreach_add(changes, all.state0, momentum_) : all.state0;
    }
    at::_foreach_add_(all.parameters, changes, -rate_);
  }

  double momentum_;
  bool nesterov_;
  double decay_;
};

class Adam final : public Optimizer {
 public:
  Adam(std::vector<torch::Tensor> parameters, double decay, bool decoupled)
      : Optimizer(std::move(parameters), 2), decay_(decay), decoupled_(decoupled) {}

 private:
  [[nodiscard]] AdamRule rule() const {
    const auto steps = static_cast<double>(steps_);
    return {rate_ / (1 - std::pow(kBeta1, steps)), std::sqrt(1 - std::pow(kBeta2, steps)), decoupled_ ? 0 : decay_,
            decoupled_ ? 1 - rate_ * decay_ : 1};
  }
  void update(float* p, const float* g, float* m, float* s, std::int64_t n) override {
    adam_floats(p, g, m, s, n, rule());
  }
  void update(double* p, const double* g, double* m, double* s, std::int64_t n) override {
    adam(p, g, m, s, n, rule());
  }
  void update(const Lists& all) override {
    if (fused_adam(all.parameters, all.gradients, all.state0, all.state1, steps_,
                   {rate_, kBeta1, kBeta2, decay_, kAdamEpsilon, decoupled_})) {
      return;
    }
    const AdamRule now = rule();
    if (now.shrink != 1) {
      at::_foreach_mul_(all.parameters, now.shrink);
    }
    const auto changes = now.l2 != 0 ? at::_foreach_add(all.gradients, all.parameters, now.l2) : all.gradients;
    at::_foreach_mul_(all.state0, kBeta1);
    at::_foreach_add_(all.state0, changes, 1 - kBeta1);
    at::_foreach_mul_(all.state1, kBeta2);
    at::_foreach_addcmul_(all.state1, changes, changes, 1 - kBeta2);
    auto roots = at::_foreach_sqrt(all.state1);
    at::_foreach_div_(roots, now.root);
    at::_foreach_add_(roots, kAdamEpsilon);
    at::_foreach_addcdiv_(all.parameters, all.state0, roots, -now.step);
  }

  double decay_;
  bool decoupled_;
};

class Adadelta final : public Optimizer {
 public:
  Adadelta(std::vector<torch::Tensor> parameters, double decay) : Optimizer(std::move(parameters), 2), decay_(decay) {}

 private:
  void update(float* p, const float* g, float* s, float* c, std::int64_t n) override {
    adadelta_floats(p, g, s, c, n, rate_, decay_);
  }
  void update(double* p, const double* g, double* s, double* c, std::int64_t n) override {
    adadelta(p, g, s, c, n, rate_, decay_);
  }
  void update(const Lists& all) override {
    const auto slopes = decay_ != 0 ? at::_foreach_add(all.gradients, all.parameters, decay_) : all.gradients;
    at::_foreach_mul_(all.state0, kRho);
    at::_foreach_addcmul_(all.state0, slopes, slopes, 1 - kRho);
    auto changes = at::_foreach_add(all.state1, kDeltaEpsilon), squares = at::_foreach_add(all.state0, kDeltaEpsilon);
    at::_foreach_sqrt_(changes);
    at::_foreach_sqrt_(squares);
    at::_foreach_div_(changes, squares);
    at::_foreach_mul_(changes, slopes);
    at::_foreach_mul_(all.state1, kRho);
    at::_foreach_addcmul_(all.state1, changes, changes, 1 - kRho);
    at::_foreach_add_(all.parameters, changes, -rate_);
  }

  double decay_;
};

}  // namespace

Optimizer::Optimizer(std::vector<torch::Tensor> parameters, int states) : parameters_(std::move(parameters)) {
  for (const torch::Tensor& parameter : parameters_) {
    auto& own = states_.emplace_back();
    for (int state = 0; state < states; ++state) {
      own.push_back(torch::zeros_like(parameter, torch::MemoryFormat::Preserve).detach());
    }
  }
}

void Optimizer::drop_gradients() {
  for (torch::Tensor& parameter : parameters_) {
    parameter.mutable_grad().reset();
  }
}

void Optimizer::step(double learning_rate) {
  const torch::NoGradGuard no_grad;
  rate_ = learning_rate;
  ++steps_;
  if (lists_ || (!parameters_.empty() && !parameters_.front().is_cpu())) {
    update_lists();
    return;
  }
  for (std::size_t index = 0; index < parameters_.size(); ++index) {
    if (parameters_[index].grad().defined()) {
      update_on_cpu(index);
    }
  }
}

void Optimizer::update_on_cpu(std::size_t index) {
  torch::Tensor& parameter = parameters_[index];
  TORCH_CHECK(parameter.is_non_overlapping_and_dense(), "a parameter has gaps in memory");
  torch::Tensor gradient = parameter.grad();
  if (gradient.strides() != parameter.strides()) {
    gradient = torch::empty_like(parameter).copy_(gradient);
  }
  auto& states = states_[index];
  const auto run = [&](auto number) {
    using Number = decltype(number);
    auto* const to = parameter.data_ptr<Number>();
    const auto* const from = gradient.data_ptr<Number>();
    auto* const first = states.empty() ? nullptr : states[0].data_ptr<Number>();
    auto* const second = states.size() < 2 ? nullptr : states[1].data_ptr<Number>();
    at::parallel_for(0, parameter.numel(), kGrain, [&](std::int64_t begin, std::int64_t end) {
      update(to + begin, from + begin, first ? first + begin : nullptr, second ? second + begin : nullptr, end - begin);
    });
  };
  parameter.scalar_type() == torch::kFloat64 ? run(double{}) : run(float{});
}

void Optimizer::update_lists() {
  Lists all;
  for (std::size_t index = 0; index < parameters_.size(); ++index) {
    const torch::Tensor& parameter = parameters_[index];
    torch::Tensor gradient = parameter.grad();
    if (!gradient.defined()) {
      continue;
    }
    if (gradient.strides() != parameter.strides()) {  // else libtorch leaves its fast way
      gradient = torch::empty_like(parameter).copy_(gradient);
    }
    all.parameters.push_back(parameter);
    all.gradients.push_back(gradient);
    const auto& states = states_[index];
    if (!states.empty()) {
      all.state0.push_back(states[0]);
    }
    if (states.size() > 1) {
      all.state1.push_back(states[1]);
    }
  }
  if (!all.parameters.empty()) {
    update(all);
  }
}

std::unique_ptr<Optimizer> make_optimizer(const std::string& name, const Hyperparameters& values,
                                          std::vector<torch::Tensor> parameters) {
  const double decay = values.weight_decay;
  if (name == "adam" || name == "adamw") {
    return std::make_unique<Adam>(std::move(parameters), decay, name == "adamw");
  }
  if (name == "adadelta") {
    return std::make_unique<Adadelta>(std::move(parameters), decay);
  }
  return std::make_unique<Sgd>(std::move(parameters), values.momentum, values.nesterov, decay);
}

}  // namespace wattle::trainer
