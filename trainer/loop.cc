#include "loop.h"

#include <cmath>
#include <numeric>

#include "schedule.h"

namespace wattle::trainer {
namespace {

/// The best validation accuracy so far, how long ago it was, and if asked for the parameters of then.
class BestEpoch {
 public:
  BestEpoch(const Hyperparameters& values, torch::nn::Module& model)
      : min_delta_(values.min_delta), patience_(values.patience), keep_(values.restore_best), model_(model) {}

  void look_at(double accuracy) {
    ++epochs_since_;
    if (accuracy > best_ + min_delta_) {
      best_ = accuracy;
      epochs_since_ = 0;
      if (keep_) {
        kept_.clear();
        for (const torch::Tensor& tensor : tensors()) {
          kept_.push_back(tensor.detach().clone());
        }
      }
    }
  }

  [[nodiscard]] bool out_of_patience() const { return patience_ > 0 && epochs_since_ >= patience_; }

  void restore() {
    const torch::NoGradGuard no_grad;
    const std::vector<torch::Tensor> now = tensors();
    for (std::size_t index = 0; index < kept_.size(); ++index) {
      torch::Tensor tensor = now[index];
      tensor.copy_(kept_[index]);
    }
  }

 private:
  [[nodiscard]] std::vector<torch::Tensor> tensors() const {
    std::vector<torch::Tensor> all = model_.parameters();
    const std::vector<torch::Tensor> buffers = model_.buffers();
    all.insert(all.end(), buffers.begin(), buffers.end());
    return all;
  }

  double min_delta_;
  std::int64_t patience_;
  bool keep_;
  torch::nn::Module& model_;
  double best_ = -1;
  std::int64_t epochs_since_ = 0;
  std::vector<torch::Tensor> kept_;
};

class Loop {
 public:
  Loop(Classification& task, const TrainingSets& sets, const Hyperparameters& values, const LoopContext& context)
      : task_(task),
        sets_(sets),
        values_(values),
        context_(context),
        optimizer_(make_optimizer(values, task.model().parameters())),
        schedule_(values),
        best_(values, task.model()) {}

  Outcome run() {
    std::int64_t begin = monotonic_ns();
    for (std::int64_t epoch = 1; epoch <= values_.epochs; ++epoch) {
      begin = run_epoch(epoch, begin);
      if (outcome_.code != ExitCode::kDone) {
        return outcome_;
      }
      if (best_.out_of_patience() && epoch < values_.epochs) {
        outcome_.status = "early_stopped";
        outcome_.reason = fmt_reason();
        break;
      }
    }
    test(begin);
    return outcome_;
  }

 private:
  [[nodiscard]] std::string fmt_reason() const {
    return "no better validation accuracy in " + std::to_string(values_.patience) + " epochs";
  }

  /// One epoch that begins at `begin`; returns when it ended, which is when the next begins: no time falls between.
  std::int64_t run_epoch(std::int64_t epoch, std::int64_t begin) {
    EpochScores scores{epoch, {}, {}, schedule_.learning_rate(), 0};
    context_.events.begin_phase("train", epoch, begin);
    if (!train_pass(epoch)) {
      fail(ExitCode::kInterrupted, "failed", "interrupted");
      return begin;
    }
    scores.train = task_.take_training_scores();
    const std::int64_t trained = end_pass("train", epoch, scores.train);
    if (outcome_.code != ExitCode::kDone) {
      return trained;
    }
    context_.events.begin_phase("validate", epoch, trained);
    scores.validation = task_.evaluate(sets_.validation, context_.stop_requested);
    const std::int64_t end = end_pass("validation", epoch, scores.validation);
    if (outcome_.code != ExitCode::kDone) {
      return end;
    }
    context_.events.epoch(epoch, begin, end);
    scores.duration_s = static_cast<double>(end - begin) * 1e-9;
    outcome_.epochs.push_back(scores);
    context_.epoch_ended(scores);
    schedule_.step(scores.validation.accuracy);
    best_.look_at(scores.validation.accuracy);
    if (context_.events.failure()) {
      fail(context_.events.failure()->code, "failed", context_.events.failure()->message);
    }
    return end;
  }

  /// False when interrupted.
  bool train_pass(std::int64_t epoch) {
    optimizer_->set_learning_rate(schedule_.learning_rate());
    Random random(mix(context_.seed) + static_cast<std::uint64_t>(epoch));
    std::vector<std::int64_t> order(static_cast<std::size_t>(sets_.train.size()));
    std::iota(order.begin(), order.end(), std::int64_t{0});
    shuffle(std::span(order), random);
    const torch::Tensor positions = torch::tensor(order, torch::kInt64).to(context_.device);
    Random* augment = values_.augmentation == "crop_flip" ? &random : nullptr;
    for (const torch::Tensor& batch : positions.split(values_.batch_size)) {
      if (context_.stop_requested()) {
        return false;
      }
      optimizer_->drop_gradients();
      task_.training_loss(sets_.train.take(batch, augment)).backward();
      optimizer_->step();
    }
    return true;
  }

  /// Synchronises, tells the pass's metrics, ends its phase; looks whether the run may go on.
  std::int64_t end_pass(std::string_view split, std::optional<std::int64_t> epoch, const Scores& scores) {
    if (context_.device.is_cuda()) {
      torch::cuda::synchronize();
    }
    const std::int64_t now = monotonic_ns();
    if (context_.stop_requested()) {
      fail(ExitCode::kInterrupted, "failed", "interrupted");
      return now;
    }
    context_.events.metric("loss", scores.loss, split, epoch, now);
    context_.events.metric("accuracy", scores.accuracy, split, epoch, now);
    context_.events.end_phase(now);
    if (!std::isfinite(scores.loss)) {
      fail(ExitCode::kDiverged, "diverged", "the " + std::string(split) + " loss is not a number");
    }
    return now;
  }

  void test(std::int64_t begin) {
    context_.events.begin_phase("test", std::nullopt, begin);
    best_.restore();
    const Scores scores = task_.evaluate(sets_.test, context_.stop_requested);
    end_pass("test", std::nullopt, scores);
    if (outcome_.code == ExitCode::kDone) {
      outcome_.test = scores;
    }
  }

  void fail(ExitCode code, std::string status, std::string reason) {
    outcome_.code = code;
    outcome_.status = std::move(status);
    outcome_.reason = std::move(reason);
  }

  Classification& task_;
  const TrainingSets& sets_;
  const Hyperparameters& values_;
  const LoopContext& context_;
  std::unique_ptr<Optimizer> optimizer_;
  Schedule schedule_;
  BestEpoch best_;
  Outcome outcome_;
};

}  // namespace

Outcome train(Classification& task, const TrainingSets& sets, const Hyperparameters& values,
              const LoopContext& context) {
  return Loop(task, sets, values, context).run();
}

}  // namespace wattle::trainer
