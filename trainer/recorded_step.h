#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "torch.h"

namespace wattle::trainer {

/// Work of a device that is recorded once and then launched whole, as often as wanted, by one call.
class Graph {
 public:
  Graph() = default;
  virtual ~Graph() = default;
  Graph(const Graph&) = delete;
  Graph& operator=(const Graph&) = delete;
  /// Calls `work`; what it asks of the device is recorded, and not done. Throws where that cannot be.
  virtual void record(const std::function<void()>& work) = 0;
  /// Does what was recorded, on the same memory.
  virtual void launch() = 0;
};

/// The gradients of batch after batch. The first batches are computed operator by operator, while libraries choose
/// their algorithms; then one is recorded, and from there on a batch of that shape is a copy into the recording's
/// memory and a launch: a small net's operators are shorter than the time that it takes to ask for them. A batch of
/// another shape, as an epoch's last one is, is computed operator by operator. Where recording fails, all are, and
/// `refusal` says why.
class RecordedStep {
 public:
  /// Adds `weight` times the gradients of a batch to the parameters' own. Of the host it may read nothing that changes.
  using Work = std::function<void(const std::vector<torch::Tensor>& inputs, double weight)>;

  /// `inputs` of every batch end on `device`. `make_graph`: null where nothing can be recorded.
  RecordedStep(std::function<std::unique_ptr<Graph>()> make_graph, torch::Device device);

  /// `inputs` may still be in the host's pinned memory; an undefined one is passed on. `parameters`: all that learn.
  void run(const std::vector<torch::Tensor>& inputs, double weight, const std::vector<torch::Tensor>& parameters,
           const Work& work);
  /// Drops the recording: parameters, or what is frozen of them, have changed.
  void forget();

  [[nodiscard]] const std::string& refusal() const { return refusal_; }

 private:
  [[nodiscard]] std::vector<torch::Tensor> on_device(const std::vector<torch::Tensor>& inputs) const;
  [[nodiscard]] bool record(const std::vector<torch::Tensor>& inputs, const std::vector<torch::Tensor>& parameters,
                            const Work& work);

  std::function<std::unique_ptr<Graph>()> make_graph_;
  torch::Device device_;
  std::unique_ptr<Graph> graph_;
  std::vector<std::vector<std::int64_t>> shape_;   ///< of the first batch
  std::vector<torch::Tensor> inputs_, gradients_;  ///< the recording's memory
  int plain_ = 0;                                  ///< batches computed before the recording
  std::string refusal_;
};

}  // namespace wattle::trainer
