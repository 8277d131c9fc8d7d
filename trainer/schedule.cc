#include "schedule.h"

#include <cmath>
#include <limits>
#include <numbers>

namespace wattle::trainer {
namespace {

constexpr double kThreshold = 1e-4;
constexpr double kSmallestChange = 1e-8;

}  // namespace

Schedule::Schedule(const Hyperparameters& values)
    : kind_(values.scheduler == "step"          ? Kind::kStep
            : values.scheduler == "exponential" ? Kind::kExponential
            : values.scheduler == "cosine"      ? Kind::kCosine
            : values.scheduler == "plateau"     ? Kind::kPlateau
                                                : Kind::kNone),
      first_(values.learning_rate),
      gamma_(values.gamma),
      epochs_(values.epochs),
      step_size_(values.step_size),
      patience_(values.plateau_patience),
      warmup_(values.warmup_epochs),
      rate_(values.learning_rate),
      best_(-std::numeric_limits<double>::infinity()) {}

double Schedule::learning_rate(std::int64_t step, std::int64_t steps) const {
  if (ended_ >= warmup_) {
    return rate_;
  }
  return rate_ * static_cast<double>(ended_ * steps + step + 1) / static_cast<double>(warmup_ * steps);
}

void Schedule::restore(const State& state) {
  rate_ = state.rate;
  best_ = state.best;
  ended_ = state.ended;
  bad_epochs_ = state.bad_epochs;
}

void Schedule::step(double validation_accuracy) {
  ++ended_;
  if (kind_ == Kind::kStep) {
    rate_ = first_ * std::pow(gamma_, static_cast<double>(ended_ / step_size_));
  } else if (kind_ == Kind::kExponential) {
    rate_ = first_ * std::pow(gamma_, static_cast<double>(ended_));
  } else if (kind_ == Kind::kCosine) {
    const double progress = static_cast<double>(ended_) / static_cast<double>(epochs_);
    rate_ = first_ * (1 + std::cos(std::numbers::pi * progress)) / 2;
  } else if (kind_ == Kind::kPlateau) {
    if (validation_accuracy > best_ * (1 + kThreshold)) {
      best_ = validation_accuracy;
      bad_epochs_ = 0;
    } else {
      ++bad_epochs_;
    }
    if (bad_epochs_ > patience_) {
      rate_ = rate_ - rate_ * gamma_ > kSmallestChange ? rate_ * gamma_ : rate_;
      bad_epochs_ = 0;
    }
  }
}

}  // namespace wattle::trainer
