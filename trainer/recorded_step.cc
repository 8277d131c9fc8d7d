#include "recorded_step.h"

namespace wattle::trainer {
namespace {

/// cuDNN tries its algorithms in the first, allocators have settled after the third (as PyTorch's manual advises).
constexpr int kPlainBatches = 3;

std::vector<std::vector<std::int64_t>> shape_of(const std::vector<torch::Tensor>& tensors) {
  std::vector<std::vector<std::int64_t>> shape;
  shape.reserve(tensors.size());
  for (const torch::Tensor& tensor : tensors) {
    shape.push_back(tensor.defined() ? tensor.sizes().vec() : std::vector<std::int64_t>());
  }
  return shape;
}

std::vector<torch::Tensor> gradients_of(const std::vector<torch::Tensor>& parameters) {
  std::vector<torch::Tensor> gradients;
  gradients.reserve(parameters.size());
  for (const torch::Tensor& parameter : parameters) {
    gradients.push_back(parameter.grad());
  }
  return gradients;
}

void set_gradients(const std::vector<torch::Tensor>& parameters, const std::vector<torch::Tensor>& gradients) {
  for (std::size_t index = 0; index < parameters.size(); ++index) {
    parameters[index].mutable_grad() = gradients[index];
  }
}

/// A recording overwrites its gradients at every launch. A step of one batch may use them where they lie; one of
/// several adds them up elsewhere.
void add_gradients(const std::vector<torch::Tensor>& parameters, const std::vector<torch::Tensor>& recorded,
                   double weight) {
  const torch::NoGradGuard no_grad;
  std::vector<torch::Tensor> sums, summands;
  for (std::size_t index = 0; index < parameters.size(); ++index) {
    torch::Tensor& sum = parameters[index].mutable_grad();
    if (recorded[index].defined() && sum.defined()) {
      sums.push_back(sum);
      summands.push_back(recorded[index]);
    } else if (recorded[index].defined()) {
      sum = weight == 1 ? recorded[index] : recorded[index] * weight;
    }
  }
  if (!sums.empty()) {
    at::_foreach_add_(sums, summands, weight);
  }
}

}  // namespace

RecordedStep::RecordedStep(std::function<std::unique_ptr<Graph>()> make_graph, torch::Device device)
    : make_graph_(std::move(make_graph)), device_(device) {}

void RecordedStep::forget() {
  graph_.reset();
  inputs_.clear();
  gradients_.clear();
  shape_.clear();
  plain_ = 0;
}

std::vector<torch::Tensor> RecordedStep::on_device(const std::vector<torch::Tensor>& inputs) const {
  std::vector<torch::Tensor> there;
  there.reserve(inputs.size());
  for (const torch::Tensor& input : inputs) {
    there.push_back(input.defined() ? input.to(device_, /*non_blocking=*/true) : input);
  }
  return there;
}

void RecordedStep::run(const std::vector<torch::Tensor>& inputs, double weight,
                       const std::vector<torch::Tensor>& parameters, const Work& work) {
  if (shape_.empty()) {
    shape_ = shape_of(inputs);
  }
  const bool may_record = make_graph_ != nullptr && refusal_.empty() && shape_ == shape_of(inputs);
  if (!may_record || (!graph_ && plain_++ < kPlainBatches) || (!graph_ && !record(inputs, parameters, work))) {
    work(on_device(inputs), weight);
    return;
  }
  for (std::size_t index = 0; index < inputs.size(); ++index) {
    if (inputs[index].defined()) {
      inputs_[index].copy_(inputs[index], /*non_blocking=*/true);
    }
  }
  graph_->launch();
  add_gradients(parameters, gradients_, weight);
}

/// In a recording gradients are made anew, in memory that is the recording's own.
bool RecordedStep::record(const std::vector<torch::Tensor>& inputs, const std::vector<torch::Tensor>& parameters,
                          const Work& work) {
  const std::vector<torch::Tensor> before = gradients_of(parameters);
  set_gradients(parameters, std::vector<torch::Tensor>(parameters.size()));
  inputs_.clear();
  for (const torch::Tensor& input : inputs) {  // copies in any case: what is recorded reads from here ever after
    inputs_.push_back(input.defined() ? input.to(input.options().device(device_).pinned_memory(false),
                                                 /*non_blocking=*/true, /*copy=*/true)
                                      : input);
  }
  auto graph = make_graph_();
  try {
    graph->record([&] { work(inputs_, 1); });
    gradients_ = gradients_of(parameters);
    graph_ = std::move(graph);
  } catch (const c10::Error& error) {
    refusal_ = error.what_without_backtrace();
  } catch (const std::exception& error) {
    refusal_ = error.what();
  }
  set_gradients(parameters, before);
  return graph_ != nullptr;
}

}  // namespace wattle::trainer
