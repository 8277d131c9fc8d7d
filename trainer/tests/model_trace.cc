#include <fmt/format.h>

#include <cstdlib>
#include <nlohmann/json.hpp>

#include "../checkpoint/snapshot.h"
#include "../compat.h"
#include "../optimizer.h"
#include "../tasks/task.h"

/// One training step of a model, for models_pytorch_test.py to compare with PyTorch. Arguments: MODEL TASK INPUT
/// OUTPUT, then hyperparameters as NAME VALUE pairs. INPUT holds `weights.*`, `images`, `labels` (and `second`),
/// metadata `classes` and `second_classes`; OUTPUT gets `logits` (of evaluation, before the step), `loss`, and
/// `weights.*` after the step.

namespace {

using namespace wattle::trainer;

[[noreturn]] void give_up(const std::string& why) {
  fmt::print(stderr, "{}\n", why);
  std::exit(2);
}

Hyperparameters read(int count, char** arguments) {
  Hyperparameters values = default_hyperparameters();
  for (int index = 5; index + 1 < count; index += 2) {
    for (const HyperparameterKind& kind : hyperparameter_kinds()) {
      if (kind.name == arguments[index] && !kind.set(values, arguments[index + 1])) {
        give_up(fmt::format("bad {}", arguments[index]));
      }
    }
  }
  return values;
}

torch::Tensor tensor_of(const SafetensorsFile& file, std::string_view name) {
  const StoredTensor* stored = file.find(name);
  if (stored == nullptr) {
    give_up(fmt::format("no tensor {}", name));
  }
  return to_tensor(*stored);
}

std::int64_t number_of(const SafetensorsFile& file, const std::string& name) {
  const auto found = file.metadata().find(name);
  return found == file.metadata().end() ? 0 : std::atoll(found->second.c_str());
}

}  // namespace

int main(int count, char** arguments) {
  if (count < 5) {
    give_up("usage: model_trace MODEL TASK INPUT OUTPUT [NAME VALUE]…");
  }
  const Hyperparameters values = read(count, arguments);
  const auto file = SafetensorsFile::read(arguments[3]);
  if (!file) {
    give_up(file.error().message);
  }
  Batch batch{tensor_of(*file, "images").contiguous(torch::MemoryFormat::ChannelsLast), {tensor_of(*file, "labels")}};
  if (file->find("second") != nullptr) {
    batch.labels.push_back(tensor_of(*file, "second"));
  }
  const std::string task_name = arguments[2];
  std::shared_ptr<Model> model;
  for (const ModelKind& kind : model_kinds()) {
    if (kind.name == arguments[1]) {
      model = make_model(kind, {{batch.images.size(1), batch.images.size(2), batch.images.size(3)},
                                number_of(*file, "classes"),
                                0,
                                values.width,
                                values.threshold,
                                task_name == "multitask" ? 2 : 1,
                                number_of(*file, "second_classes")});
    }
  }
  for (auto& [name, tensor] : state_of(*model)) {
    if (tensor.is_floating_point()) {  // a module's own `to` would convert counts of batches, too
      torch::Tensor converted = tensor;
      converted.set_data(tensor.detach().to(batch.images.scalar_type()));
    }
  }
  to_channels_last(*model, torch::kCPU);
  const auto task = make_task(task_name, values, number_of(*file, "classes"), number_of(*file, "second_classes"));
  if (const auto restored = restore(*file, arguments[3], "weights.", state_of(*model)); !restored) {
    give_up(restored.error().message);
  }
  NamedTensors result;
  {
    const torch::NoGradGuard no_grad;
    model->eval();
    result.emplace_back("logits", model->forward(batch.images));
    model->train();
  }
  const auto optimizer = make_optimizer(values.optimizer, values, model->parameters());
  Random random(1);
  // Forward-Forward draws wrong labels; with two classes there is nothing to draw.
  batch.chance = task->draw(batch.size(), random);
  torch::Tensor loss = task->judge(*model, batch).loss;
  loss.backward();
  optimizer->step(values.learning_rate);
  result.emplace_back("loss", loss);
  for (const auto& [name, tensor] : state_of(*model)) {
    result.emplace_back("weights." + name, tensor);
  }
  const auto saved = save_tensors(arguments[4], result, {});
  return saved ? 0 : 2;
}
