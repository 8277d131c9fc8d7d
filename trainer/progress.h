#pragma once

#include <vector>

#include "checkpoint/snapshot.h"
#include "loop.h"
#include "schedule.h"

namespace wattle::trainer {

/// The best validation accuracy so far, how long ago it was, and if asked for the parameters of then.
class BestEpoch {
 public:
  BestEpoch(const Hyperparameters& values, const torch::nn::Module& model);

  void look_at(double accuracy);
  [[nodiscard]] bool out_of_patience() const { return patience_ > 0 && epochs_since_ >= patience_; }
  /// Puts the best epoch's parameters into the model, if they were kept.
  void restore();

  struct State {
    double best;
    std::int64_t epochs_since;
  };
  [[nodiscard]] State state() const { return {best_, epochs_since_}; }
  void set_state(const State& state);
  /// The parameters kept, under their names; empty before the first epoch and where none are kept.
  [[nodiscard]] const NamedTensors& kept() const { return kept_; }
  /// Makes room for parameters that are about to be copied into `kept`.
  void make_room();

 private:
  double min_delta_;
  std::int64_t patience_;
  bool keep_;
  const torch::nn::Module& model_;
  double best_ = -1;
  std::int64_t epochs_since_ = 0;
  NamedTensors kept_;
};

/// What is not tensors of an unfinished training, to and from JSON.
struct Progress {
  std::int64_t epoch = 0;  ///< the last one that has ended
  std::int64_t optimizer_steps = 0;
  Schedule::State schedule{};
  BestEpoch::State best{};
  std::vector<EpochScores> epochs;
};
[[nodiscard]] std::string to_text(const Progress& progress);
/// Nothing where `text` is not what `to_text` makes.
[[nodiscard]] std::optional<Progress> parse_progress(const std::string& text);

}  // namespace wattle::trainer
