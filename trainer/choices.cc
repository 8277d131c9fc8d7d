#include "choices.h"

#include <fmt/format.h>

#include <algorithm>

#include "torch.h"

namespace wattle::trainer {

Result<void> check_device(const std::string& name) {
  const torch::Device device(name);
  const auto count = device.is_cuda() ? static_cast<std::int64_t>(torch::cuda::device_count()) : 0;
  if (device.is_cuda() && count == 0) {
    const std::string why = fmt::format("--device {}: this libtorch or this machine has no CUDA; use cpu", name);
    return tl::unexpected(Error{ExitCode::kEnvironment, why});
  }
  if (device.is_cuda() && device.has_index() && device.index() >= count) {
    const std::string why = fmt::format("--device {}: there are {}, from cuda:0 on", name, count);
    return tl::unexpected(Error{ExitCode::kEnvironment, why});
  }
  return {};
}

Result<void> check_flags(const Options& options) {
  const Hyperparameters& values = options.values;
  const ModelKind& kind = model_named(options.model);
  if (!options.resume.empty() && !options.weights.empty()) {
    return bad_input("--resume goes on with a checkpoint's own weights: leave out --weights");
  }
  if (values.replicas == 1) {
    return {};
  }
  if (values.replicas > options.threads) {
    return bad_input(fmt::format("--replicas {} needs --threads {} or more", values.replicas, values.replicas));
  }
  if (kind.batch_norm || values.dropout > 0 || options.device != "cpu") {
    return bad_input(fmt::format("--replicas {}: {}", values.replicas,
                                 kind.batch_norm      ? "batch norm needs whole batches; use lenet5 or forward_forward"
                                 : values.dropout > 0 ? "dropout would differ from run to run; leave it out"
                                                      : "only on the cpu"));
  }
  return {};
}

const ModelKind& model_named(std::string_view name) {
  const auto kinds = model_kinds();
  return *std::find_if(kinds.begin(), kinds.end(), [name](const ModelKind& kind) { return kind.name == name; });
}

const DatasetKind& dataset_named(std::string_view name) {
  const auto kinds = dataset_kinds();
  return *std::find_if(kinds.begin(), kinds.end(), [name](const DatasetKind& kind) { return kind.name == name; });
}

Result<void> check_size(const ModelKind& kind, const ImageShape& image) {
  if (std::min(image.height, image.width) < kind.smallest_side) {
    return bad_input(fmt::format("model {} needs images of at least {} pixels a side; these have {} x {}", kind.name,
                                 kind.smallest_side, image.width, image.height));
  }
  return {};
}

Result<std::string> choose_task(const ModelKind& kind, std::string_view dataset, const Dataset& data,
                                const Hyperparameters& values) {
  std::string task(values.task == "auto" ? kind.task : std::string_view(values.task));
  const std::string_view wanted = kind.task == "classification" && task == "multitask" ? "multitask" : kind.task;
  if (task != wanted) {
    return bad_input(fmt::format("--task {}: model {} is for {}", task, kind.name, kind.task));
  }
  if (data.pairs && task != "verification") {
    return bad_input(fmt::format("data set {} is for verification; use --model siamese_resnet18", dataset));
  }
  if (task == "multitask" && data.second_classes.empty()) {
    return bad_input(
        fmt::format("--task multitask needs data that is labelled twice, as textures is; {} is not", dataset));
  }
  if (task == "forward_forward" &&
      static_cast<std::int64_t>(data.classes.size()) > data.shape.width * data.shape.height) {
    return bad_input(fmt::format("{} classes cannot be drawn into images of {} x {}", data.classes.size(),
                                 data.shape.width, data.shape.height));
  }
  return task;
}

}  // namespace wattle::trainer
