#pragma once

#include <cstdint>

#include "hyperparameters.h"

namespace wattle::trainer {

/// The learning rate of each epoch: the mathematics of PyTorch's StepLR, ExponentialLR, CosineAnnealingLR (T_max =
/// epochs, eta_min 0) and ReduceLROnPlateau (mode max, threshold 1e-4 relative, no cooldown, min_lr 0, eps 1e-8),
/// stepped once an epoch.
class Schedule {
 public:
  explicit Schedule(const Hyperparameters& values);

  [[nodiscard]] double learning_rate() const { return rate_; }

  /// Of one step in the epoch that is under way: the epoch's rate, or in the warm-up the part of it that `step` of
  /// `steps` (from 0 on) has come to: a straight line that reaches the whole with the warm-up's last step.
  [[nodiscard]] double learning_rate(std::int64_t step, std::int64_t steps) const;

  /// All that changes, for a checkpoint.
  struct State {
    double rate, best;
    std::int64_t ended, bad_epochs;
  };
  [[nodiscard]] State state() const { return {rate_, best_, ended_, bad_epochs_}; }
  void restore(const State& state);

  /// An epoch has ended, at this validation accuracy.
  void step(double validation_accuracy);

 private:
  enum class Kind { kNone, kStep, kExponential, kCosine, kPlateau } kind_;
  double first_, gamma_;
  std::int64_t epochs_, step_size_, patience_, warmup_;
  double rate_;
  std::int64_t ended_ = 0;
  double best_;
  std::int64_t bad_epochs_ = 0;
};

}  // namespace wattle::trainer
