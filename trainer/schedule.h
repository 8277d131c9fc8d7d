#pragma once

#include <cstdint>

#include "hyperparameters.h"

namespace wattle::trainer {

/// The learning rate of each epoch: the mathematics of PyTorch's StepLR, CosineAnnealingLR (T_max = epochs, eta_min 0)
/// and ReduceLROnPlateau (mode max, threshold 1e-4 relative, no cooldown, min_lr 0, eps 1e-8), stepped once an epoch.
class Schedule {
 public:
  explicit Schedule(const Hyperparameters& values);

  [[nodiscard]] double learning_rate() const { return rate_; }

  /// An epoch has ended, at this validation accuracy.
  void step(double validation_accuracy);

 private:
  enum class Kind { kNone, kStep, kCosine, kPlateau } kind_;
  double first_, gamma_;
  std::int64_t epochs_, step_size_, patience_;
  double rate_;
  std::int64_t ended_ = 0;
  double best_;
  std::int64_t bad_epochs_ = 0;
};

}  // namespace wattle::trainer
