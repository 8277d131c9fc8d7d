#pragma once

#include <barrier>
#include <functional>
#include <memory>
#include <thread>
#include <vector>

#include "recorded_step.h"
#include "tasks/task.h"

namespace wattle::trainer {

/// A model, and where asked for copies of it that share its parameters' memory but have gradients of their own, each on
/// a thread of its own: a small net's operators are too short to be worth dividing, but a batch can be divided. Summed
/// gradients are those of the whole batch, up to rounding. The calling thread is the first replica's.
class Replicas {
 public:
  struct Setting {
    torch::Device device;
    bool low_precision;
    int threads;  ///< of libtorch, of each replica
    /// Of the training step of a single replica; null: operators are asked for one by one.
    std::function<std::unique_ptr<Graph>()> make_graph = nullptr;
  };
  /// `models` are equal, at least one, without batch norm where more. The first one's parameters are used.
  Replicas(const Task& task, std::vector<std::shared_ptr<Model>> models, const Setting& setting);
  ~Replicas();
  Replicas(const Replicas&) = delete;
  Replicas& operator=(const Replicas&) = delete;

  [[nodiscard]] Model& model() { return *models_.front(); }
  [[nodiscard]] std::size_t size() const { return models_.size(); }

  /// Adds to the model's gradients those of the batch's mean loss times `weight`. `batch` is one of `images`.
  void add_gradients(const Batches& images, const Prepared& batch, double weight, Random& random);
  /// The same for images at `positions` of `images`, every replica taking a part.
  void add_gradients(const Batches& images, std::span<const std::int64_t> positions, const Draw& draw, double weight,
                     Random& random);
  /// To be called where what learns is another from here on, or parameters have moved.
  void begin_stage(std::vector<torch::Tensor> learning);
  /// Why steps are not recorded although they were to be; empty: they are, or nobody asked.
  [[nodiscard]] const std::string& refusal() const { return step_.refusal(); }
  /// Scores of the batches since the last call.
  [[nodiscard]] Scores take_training_scores();

  /// Scores of all of `images`, nothing learned; stops early, with what it has, when asked to.
  [[nodiscard]] Scores evaluate(const Batches& images, Meter::Detail detail,
                                const std::function<bool()>& stop_requested);

 private:
  /// Runs `job` for every replica at once; rethrows what went wrong in the first that failed.
  void run(const std::function<void(std::size_t)>& job);
  void work(std::size_t replica);
  /// Whether the task gave answers.
  bool judge_part(std::size_t replica, const Batch& batch, double weight);

  const Task& task_;
  std::vector<std::shared_ptr<Model>> models_;
  Setting setting_;
  std::vector<Meter> meters_;
  RecordedStep step_;
  std::vector<torch::Tensor> learning_;
  bool answers_ = false;                                   ///< of the recorded step
  const std::function<void(std::size_t)>* job_ = nullptr;  ///< null: the threads end
  std::vector<std::exception_ptr> problems_;
  std::barrier<> begin_, end_;
  std::vector<std::jthread> threads_;
};

}  // namespace wattle::trainer
