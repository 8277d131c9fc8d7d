#include "summary.h"

#include <optional>

namespace wattle::trainer {
namespace {

/// An operator call with a weight, as libtorch's own observer shows it: inputs when it begins, outputs when it ends.
struct Operation : at::ObserverContext {
  std::string kind;
  const void* weight = nullptr;
  double multiply_adds_per_output = 0;
  std::vector<std::int64_t> output;
  double multiply_adds = 0;
};

/// libtorch's observers are plain functions: this is how they reach the list of the call that listens.
thread_local std::vector<Operation>* listener = nullptr;

/// Which input of an operator is its weight, if it is one of those that are counted. A linear layer shows as the matrix
/// product that it is made of, in every version of libtorch.
std::optional<std::size_t> weight_index(std::string_view name) {
  if (name == "aten::convolution" || name == "aten::batch_norm" || name == "aten::mm") {
    return 1;
  }
  return name == "aten::addmm" ? std::optional<std::size_t>(2) : std::nullopt;
}

std::unique_ptr<at::ObserverContext> operator_begins(const at::RecordFunction& function) {
  const std::string_view name = function.name();
  const auto index = weight_index(name);
  const auto inputs = function.inputs();
  if (!index || *index >= inputs.size() || !inputs[*index].isTensor() || !inputs[*index].toTensor().defined()) {
    return nullptr;
  }
  const at::Tensor& weight = inputs[*index].toTensor();
  auto operation = std::make_unique<Operation>();
  operation->weight = weight.data_ptr();
  operation->kind = name == "aten::batch_norm" ? "batch_norm" : name == "aten::convolution" ? "convolution" : "linear";
  if (name != "aten::batch_norm") {
    // Each output value is a sum over one row of the weight. A convolution's first dimension is the outputs'; a
    // matrix product sees the weight transposed, its last one is.
    const std::int64_t outputs = name == "aten::convolution" ? weight.size(0) : weight.size(1);
    operation->multiply_adds_per_output = static_cast<double>(weight.numel()) / static_cast<double>(outputs);
  }
  return operation;
}

void operator_ends(const at::RecordFunction& function, at::ObserverContext* context) {
  if (context == nullptr || function.outputs().empty() || !function.outputs().front().isTensor()) {
    return;
  }
  Operation operation = *static_cast<Operation*>(context);
  const at::Tensor& output = function.outputs().front().toTensor();
  operation.output.assign(output.sizes().begin() + 1, output.sizes().end());
  operation.multiply_adds = operation.multiply_adds_per_output * static_cast<double>(output.numel());
  listener->push_back(std::move(operation));
}

/// Observes this thread's operators while it lives.
class Listening {
 public:
  explicit Listening(std::vector<Operation>& operations) {
    listener = &operations;
    handle_ = at::addThreadLocalCallback(at::RecordFunctionCallback(&operator_begins, &operator_ends)
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
    const auto options = model.parameters().front().options();
    static_cast<void>(model.forward(torch::zeros({1, image.channels, image.height, image.width}, options)));
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
