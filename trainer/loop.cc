#include "loop.h"

#include <cmath>

#include "compat.h"
#include "freezing.h"
#include "progress.h"

namespace wattle::trainer {
namespace {

/// Below this many bytes of a batch a thread that fills the next one costs more than it saves (docs/performance.md).
constexpr std::size_t kWorthAThread = std::size_t{1} << 19U;

std::string numbered(std::string_view what, std::size_t parameter, std::size_t state) {
  return std::string(what) + std::to_string(parameter) + "." + std::to_string(state);
}

class Loop {
 public:
  Loop(Replicas& replicas, const TrainingSets& sets, const Hyperparameters& values, const LoopContext& context)
      : replicas_(replicas),
        sets_(sets),
        values_(values),
        context_(context),
        schedule_(values),
        best_(values, replicas.model()) {}

  Outcome run() {
    enter_stage(values_.frozen_epochs > 0);
    if (context_.resume != nullptr && !resume()) {
      return outcome_;
    }
    std::int64_t begin = monotonic_ns();
    const std::int64_t last = values_.frozen_epochs + values_.epochs;
    for (std::int64_t epoch = ended_ + 1; epoch <= last && !out_of_patience(last); ++epoch) {
      begin = run_epoch(epoch, begin);
      if (outcome_.code != ExitCode::kDone) {
        return outcome_;
      }
    }
    test(begin);
    return outcome_;
  }

 private:
  [[nodiscard]] bool out_of_patience(std::int64_t last) {
    if (!best_.out_of_patience() || ended_ == last) {
      return false;
    }
    outcome_.status = "early_stopped";
    outcome_.reason = "no better validation accuracy in " + std::to_string(values_.patience) + " epochs";
    return true;
  }

  /// What learns in the epochs to come, and the rule that it learns by.
  void enter_stage(bool frozen) {
    freezing_.emplace(replicas_.model(), values_.frozen_layers, frozen);
    optimizer_ = make_optimizer(frozen ? values_.frozen_optimizer : values_.optimizer, values_, freezing_->learning());
    replicas_.begin_stage(freezing_->learning());
    frozen_ = frozen;
  }

  [[nodiscard]] double rate(std::int64_t step, std::int64_t steps) const {
    return frozen_ ? values_.frozen_learning_rate : schedule_.learning_rate(step, steps);
  }

  /// One epoch that begins at `begin`; returns when it ended, which is when the next begins: no time falls between.
  std::int64_t run_epoch(std::int64_t epoch, std::int64_t begin) {
    if (frozen_ && epoch > values_.frozen_epochs) {
      enter_stage(false);
    }
    EpochScores scores{epoch, {}, {}, 0, 0};
    context_.events.begin_phase("train", epoch, begin);
    if (!train_pass(epoch, scores.learning_rate)) {
      fail(ExitCode::kInterrupted, "failed", "interrupted");
      return begin;
    }
    scores.train = replicas_.take_training_scores();
    std::int64_t end = end_pass("train", epoch, scores.train);
    if (outcome_.code != ExitCode::kDone) {
      return end;
    }
    context_.events.begin_phase("validate", epoch, end);
    scores.validation = replicas_.evaluate(sets_.validation, Meter::Detail::kRates, context_.stop_requested);
    end = end_pass("validation", epoch, scores.validation);
    if (outcome_.code != ExitCode::kDone) {
      return end;
    }
    ++outcome_.epochs_here;
    outcome_.images_seen += sets_.train.size() + sets_.validation.size();
    finish_epoch(epoch, begin, end, scores);
    return end;
  }

  /// The epoch ends with its checkpoint, which is a part of what it cost; `end` is moved to there.
  void finish_epoch(std::int64_t epoch, std::int64_t begin, std::int64_t& end, EpochScores& scores) {
    if (!frozen_) {
      schedule_.step(scores.validation.accuracy);
      best_.look_at(scores.validation.accuracy);
    }
    ended_ = epoch;
    scores.duration_s = static_cast<double>(end - begin) * 1e-9;
    outcome_.epochs.push_back(scores);
    if (context_.keep && epoch % context_.checkpoint_every == 0) {
      context_.events.begin_phase("save", epoch, end);
      const auto kept = context_.keep(unfinished());
      end = monotonic_ns();
      context_.events.end_phase(end);
      if (!kept) {
        fail(kept.error().code, "failed", kept.error().message);
        return;
      }
    }
    outcome_.epochs.back().duration_s = static_cast<double>(end - begin) * 1e-9;
    context_.events.epoch(epoch, begin, end);
    context_.epoch_ended(outcome_.epochs.back());
    if (context_.events.failure()) {
      fail(context_.events.failure()->code, "failed", context_.events.failure()->message);
    }
  }

  /// False when interrupted. `first_rate` becomes the learning rate of the first step.
  bool train_pass(std::int64_t epoch, double& first_rate) {
    freezing_->train();
    const Draw draw = draw_of_epoch(values_, context_.seed, epoch);
    Random random(mix(draw.seed));
    std::vector<std::int64_t> order = order_of_epoch(sets_.train.size(), context_.seed, epoch);
    const std::int64_t images = values_.batch_size * values_.accumulation;
    const std::int64_t total = sets_.train.size(), steps = (total + images - 1) / images;
    const bool divided = replicas_.size() > 1;
    const auto batch_bytes = static_cast<std::size_t>(values_.batch_size) * sets_.train.bytes_per_image();
    const bool ahead = !divided && (batch_bytes >= kWorthAThread || !context_.device.is_cpu());
    const std::vector<std::int64_t> positions = divided ? order : std::vector<std::int64_t>();
    Feed feed(sets_.train, divided ? std::vector<std::int64_t>() : std::move(order), values_.batch_size, draw, ahead);
    first_rate = rate(0, steps);
    for (std::int64_t step = 0; step < steps; ++step) {
      optimizer_->drop_gradients();
      const std::int64_t begin = step * images, end = std::min(begin + images, total);
      for (std::int64_t first = begin; first < end; first += values_.batch_size) {
        if (context_.stop_requested()) {
          return false;
        }
        const std::int64_t count = std::min(values_.batch_size, end - first);
        const double weight = static_cast<double>(count) / static_cast<double>(end - begin);
        if (divided) {
          const auto part =
              std::span(positions).subspan(static_cast<std::size_t>(first), static_cast<std::size_t>(count));
          replicas_.add_gradients(sets_.train, part, draw, weight, random);
        } else {
          replicas_.add_gradients(sets_.train, *feed.next(), weight, random);
        }
      }
      optimizer_->step(rate(step, steps));
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
    if (scores.answered) {
      context_.events.metric("accuracy", scores.accuracy, split, epoch, now);
      for (const auto& [name, value] : scores.more) {
        context_.events.metric(name, value, split, epoch, now);
      }
    }
    context_.events.end_phase(now);
    if (!std::isfinite(scores.loss)) {
      fail(ExitCode::kDiverged, "diverged", "the " + std::string(split) + " loss is not a number");
    }
    return now;
  }

  void test(std::int64_t begin) {
    context_.events.begin_phase("test", std::nullopt, begin);
    best_.restore();
    const Scores scores = replicas_.evaluate(sets_.test, Meter::Detail::kAll, context_.stop_requested);
    end_pass("test", std::nullopt, scores);
    if (outcome_.code == ExitCode::kDone) {
      outcome_.test = scores;
    }
  }

  [[nodiscard]] NamedTensors optimizer_tensors() const {
    NamedTensors all;
    const auto& states = optimizer_->states();
    for (std::size_t parameter = 0; parameter < states.size(); ++parameter) {
      for (std::size_t state = 0; state < states[parameter].size(); ++state) {
        all.emplace_back(numbered("optimizer.", parameter, state), states[parameter][state]);
      }
    }
    return all;
  }

  [[nodiscard]] Unfinished unfinished() const {
    Unfinished all;
    for (const auto& [name, tensor] : state_of(replicas_.model())) {
      all.tensors.emplace_back("model." + name, tensor);
    }
    for (const auto& [name, tensor] : best_.kept()) {
      all.tensors.emplace_back("best." + name, tensor);
    }
    const NamedTensors states = optimizer_tensors();
    all.tensors.insert(all.tensors.end(), states.begin(), states.end());
    all.tensors.emplace_back("random", default_generator(context_.device).get_state());
    all.epochs_here = outcome_.epochs_here;
    all.images_seen = outcome_.images_seen;
    all.values = to_text({ended_, optimizer_->steps(), schedule_.state(), best_.state(), outcome_.epochs});
    return all;
  }

  bool resume() {
    const SafetensorsFile& file = *context_.resume;
    const auto metadata = file.metadata().find("wattle.progress");
    const auto progress = metadata == file.metadata().end() ? std::nullopt : parse_progress(metadata->second);
    const StoredTensor* random = file.find("random");
    if (!progress || random == nullptr) {
      fail(ExitCode::kBadInput, "failed", "--resume: the file is no checkpoint of an unfinished training");
      return false;
    }
    if (progress->epoch > values_.frozen_epochs) {
      enter_stage(false);
    }
    auto restored = restore(file, "--resume", "model.", state_of(replicas_.model()));
    if (restored) {
      restored = restore(file, "--resume", "", optimizer_tensors());
    }
    if (restored && values_.restore_best && progress->epoch > values_.frozen_epochs) {
      best_.make_room();
      restored = restore(file, "--resume", "best.", best_.kept());
    }
    if (!restored) {
      fail(restored.error().code, "failed", restored.error().message);
      return false;
    }
    default_generator(context_.device).set_state(to_tensor(*random));
    optimizer_->set_steps(progress->optimizer_steps);
    schedule_.restore(progress->schedule);
    best_.set_state(progress->best);
    outcome_.epochs = progress->epochs;
    ended_ = progress->epoch;
    return true;
  }

  void fail(ExitCode code, std::string status, std::string reason) {
    outcome_.code = code;
    outcome_.status = std::move(status);
    outcome_.reason = std::move(reason);
  }

  Replicas& replicas_;
  const TrainingSets& sets_;
  const Hyperparameters& values_;
  const LoopContext& context_;
  std::optional<Freezing> freezing_;
  std::unique_ptr<Optimizer> optimizer_;
  bool frozen_ = false;
  Schedule schedule_;
  BestEpoch best_;
  std::int64_t ended_ = 0;
  Outcome outcome_;
};

}  // namespace

Outcome train(Replicas& replicas, const TrainingSets& sets, const Hyperparameters& values, const LoopContext& context) {
  return Loop(replicas, sets, values, context).run();
}

}  // namespace wattle::trainer
