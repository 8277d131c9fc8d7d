#include "summary.h"

#include <optional>

namespace wattle::trainer {
namespace {

/// An operator call with a weight, as libtorch's own observer shows it.
struct Operation {
  std::string kind;
  const void* weight = nullptr;
  std::vector<std::int64_t> output;
  double multiply_adds = 0;
};

/// libtorch's observers are plain functions: this is how they reach the list of the call that listens.
thread_local std::vector<Operation>* listener = nullptr;

const at::Tensor* tensor_at(const at::RecordFunction& function, std::size_t index) {
  const auto inputs = function.inputs();
  return index < inputs.size() && inputs[index].isTensor() ? &inputs[index].toTensor() : nullptr;
}

/// Which input of an operator is its weight, if it is one of those that are counted. A linear layer shows as the matrix
/// product that it is made of, in every version of libtorch.
std::optional<std::size_t> weight_index(std::string_view name) {
  if (name == "aten::convolution" || name == "aten::batch_norm" || name == "aten::mm") {
    return 1;
  }
  return name == "aten::addmm" ? std::optional<std::size_t>(2) : std::nullopt;
}

void observe(const at::RecordFunction& function, at::ObserverContext*) {
  const std::string_view name = function.name();
  const auto index = weight_index(name);
  const at::Tensor* weight = index ? tensor_at(function, *index) : nullptr;
  if (weight == nullptr || !weight->defined() || function.outputs().empty() || !function.outputs().front().isTensor()) {
    return;
  }
  const at::Tensor& output = function.outputs().front().toTensor();
  Operation operation{"batch_norm", weight->data_ptr(), {output.sizes().begin() + 1, output.sizes().end()}, 0};
  if (name != "aten::batch_norm") {
    operation.kind = name == "aten::convolution" ? "convolution" : "linear";
    // Each output value is a sum over one row of the weight. A convolution's first dimension is the outputs'; a
    // matrix product sees the weight transposed, its last one is.
    const std::int64_t outputs = name == "aten::convolution" ? weight->size(0) : weight->size(1);
    operation.multiply_adds =
        static_cast<double>(output.numel()) * static_cast<double>(weight->numel()) / static_cast<double>(outputs);
  }
  listener->push_back(std::move(operation));
}

/// Observes this thread's operators while it lives.
class Listening {
 public:
  explicit Listening(std::vector<Operation>& operations) {
    listener = &operations;
    handle_ = at::addThreadLocalCallback(
        at::RecordFunctionCallback([](const at::RecordFunction&) { return std::unique_ptr<at::ObserverContext>(); },
                                   &observe)
            .needsInputs(true)
            .needsOutputs(true)
            .scopes({at::RecordScope::FUNCTION}));
  }
  ~Listening() {
    at::removeCallback(handle_);
    listener = nullptr;
  }
  Listening(const Listening&) = delete;
  Listening& operator=(const Listening&) = delete;

 private:
  at::CallbackHandle handle_;
};

std::int64_t count_of(const std::vector<torch::Tensor>& parameters) {
  std::int64_t count = 0;
  for (const torch::Tensor& parameter : parameters) {
    count += parameter.numel();
  }
  return count;
}

}  // namespace

Summary summarise(Model& model, const ImageShape& image) {
  const torch::NoGradGuard no_grad;
  model.eval();
  std::vector<Operation> operations;
  {
    const Listening listening(operations);
    static_cast<void>(model.forward(torch::zeros({1, image.channels, image.height, image.width})));
  }
  Summary summary;
  summary.parameters = count_of(model.parameters());
  for (const Operation& operation : operations) {
    Layer layer{"", operation.kind, operation.output, 0, 2e-9 * operation.multiply_adds};
    for (const auto& module : model.named_modules()) {
      for (const torch::Tensor& parameter : module.value()->parameters(/*recurse=*/false)) {
        if (parameter.data_ptr() == operation.weight) {
          layer.name = module.key();
          layer.parameters = count_of(module.value()->parameters(false));
        }
      }
    }
    summary.gflops += layer.gflops;
    summary.layers.push_back(std::move(layer));
  }
  return summary;
}

}  // namespace wattle::trainer
