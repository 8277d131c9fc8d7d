#pragma once

#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "checkpoint/snapshot.h"
#include "optimizer.h"
#include "protocol.h"
#include "replicas.h"

namespace wattle::trainer {

struct EpochScores {
  std::int64_t epoch = 0;  ///< 1, 2, …
  Scores train, validation;
  double learning_rate = 0;  ///< with which it began
  double duration_s = 0;     ///< validation included
};

/// How a training ended. `status` is the protocol's word; `test` is absent where it did not come to that.
struct Outcome {
  std::string status = "completed", reason;
  ExitCode code = ExitCode::kDone;
  std::vector<EpochScores> epochs;  ///< of all attempts, where one was resumed
  std::optional<Scores> test;
  std::int64_t epochs_here = 0, images_seen = 0;  ///< of this attempt; images of training and validation
};

struct TrainingSets {
  Batches train, validation, test;
};

/// All that an unfinished training is, at the end of an epoch: continued from it, it comes to the same bits on the CPU.
struct Unfinished {
  NamedTensors tensors;
  std::string values;                             ///< JSON
  std::int64_t epochs_here = 0, images_seen = 0;  ///< as in Outcome
};

/// What the loop needs from outside.
struct LoopContext {
  EventLog& events;
  std::uint64_t seed;  ///< of the orders and the augmentation
  torch::Device device;
  std::function<bool()> stop_requested;                 ///< asked before every step
  std::function<void(const EpochScores&)> epoch_ended;  ///< for people
  /// Keeps what `Unfinished` says, after every `checkpoint_every` epochs; none: no checkpoints.
  std::function<Result<void>(const Unfinished&)> keep = nullptr;
  std::int64_t checkpoint_every = 1;
  /// What was kept, to go on from.
  const SafetensorsFile* resume = nullptr;
};

/// Trains epoch by epoch: all of train in a new random order, then validation, which the plateau schedule and
/// `patience` look at; at the end test, once. Tells `context.events` phases, metrics and epochs, but not `done`.
/// `frozen_epochs` come first, and only the last layer learns in them; scheduler and patience begin after them.
///
/// Stopping early keeps the last epoch's parameters, unless `restore_best` is set: then the best epoch's are tested,
/// and are what the model holds afterwards. A loss that is not finite ends the run as diverged at the end of that pass.
/// The device is synchronised at phase edges only. The same seed, threads and machine give the same bits on the CPU.
[[nodiscard]] Outcome train(Replicas& replicas, const TrainingSets& sets, const Hyperparameters& values,
                            const LoopContext& context);

}  // namespace wattle::trainer
