#pragma once

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "optimizer.h"
#include "protocol.h"
#include "tasks/classification.h"

namespace wattle::trainer {

struct EpochScores {
  std::int64_t epoch = 0;  ///< 1, 2, …
  Scores train, validation;
  double learning_rate = 0;
  double duration_s = 0;  ///< validation included
};

/// How a training ended. `status` is the protocol's word; `test` is absent where it did not come to that.
struct Outcome {
  std::string status = "completed", reason;
  ExitCode code = ExitCode::kDone;
  std::vector<EpochScores> epochs;
  std::optional<Scores> test;
};

struct TrainingSets {
  Batches train, validation, test;
};

/// What the loop needs from outside.
struct LoopContext {
  EventLog& events;
  std::uint64_t seed;  ///< of the orders and the augmentation
  torch::Device device;
  std::function<bool()> stop_requested;                 ///< asked before every step
  std::function<void(const EpochScores&)> epoch_ended;  ///< for people
};

/// Trains epoch by epoch: all of train in a new random order, then validation, which the plateau schedule and
/// `patience` look at; at the end test, once. Tells `context.events` phases, metrics and epochs, but not `done`.
///
/// Stopping early keeps the last epoch's parameters, unless `restore_best` is set: then the best epoch's are tested.
/// A loss that is not finite ends the run as diverged at the end of that pass. The device is synchronised at phase
/// edges only. The same seed, threads and machine give the same bits on the CPU.
[[nodiscard]] Outcome train(Classification& task, const TrainingSets& sets, const Hyperparameters& values,
                            const LoopContext& context);

}  // namespace wattle::trainer
