#include <fmt/format.h>
#include <fmt/ranges.h>

#include <nlohmann/json.hpp>

#include "choices.h"
#include "console.h"
#include "options.h"
#include "summary.h"
#include "training.h"
#include "version.h"

namespace wattle::trainer {
namespace {

using Json = nlohmann::ordered_json;

KnownNames known_names() {
  KnownNames known;
  for (const ModelKind& kind : model_kinds()) {
    known.models.emplace_back(kind.name);
  }
  for (const DatasetKind& kind : dataset_kinds()) {
    known.datasets.emplace_back(kind.name);
    if (kind.needs_path) {
      known.datasets_with_path.emplace_back(kind.name);
    }
  }
  return known;
}

int list() {
  Json models = Json::array(), datasets = Json::array(), hyperparameters = Json::array();
  for (const ModelKind& kind : model_kinds()) {
    models.push_back({{"name", kind.name}, {"meaning", kind.meaning}});
  }
  for (const DatasetKind& kind : dataset_kinds()) {
    datasets.push_back(
        {{"name", kind.name}, {"path", kind.needs_path}, {"synthetic", kind.synthetic}, {"meaning", kind.meaning}});
  }
  for (const HyperparameterKind& kind : hyperparameter_kinds()) {
    hyperparameters.push_back(kind.json());
  }
  Json devices = {"cpu"};
  if (torch::cuda::is_available()) {
    devices.push_back("cuda");
  }
  const Json all = {
      {"program", kProgram}, {"version", kVersion}, {"protocol", 1},        {"libtorch", TORCH_VERSION},
      {"devices", devices},  {"models", models},    {"datasets", datasets}, {"hyperparameters", hyperparameters}};
  return print(all.dump(2) + "\n");
}

int summary(const Options& options) {
  const ModelKind& kind = model_named(options.model);
  const Hyperparameters& values = options.values;
  const bool pairs = kind.task == "verification";
  const std::int64_t side = options.input_size.value_or(kind.usual_side);
  const std::int64_t channels = options.channels.value_or(kind.usual_channels);
  const ImageShape image{pairs ? 2 * channels : channels, side, side};
  if (auto fits = check_size(kind, image); !fits) {
    return complain(fits.error());
  }
  const auto model = make_model(kind, {image, options.classes, 0, values.width, values.threshold, 1, 0});
  const Summary summary = summarise(*model, image);
  Json layers = Json::array();
  std::string text = fmt::format("{} on {} x {} x {}, {} classes\n", kind.name, channels, side, side, options.classes);
  for (const Layer& layer : summary.layers) {
    layers.push_back({{"name", layer.name},
                      {"kind", layer.kind},
                      {"output", layer.output},
                      {"parameters", layer.parameters},
                      {"gflops", layer.gflops}});
    text += fmt::format("  {:<24} {:<12} {:<16} {:>10}  {:.6f} GFLOPs\n", layer.name, layer.kind,
                        fmt::format("{}", fmt::join(layer.output, " x ")), layer.parameters, layer.gflops);
  }
  text += fmt::format("{} parameters, {:.6f} GFLOPs an image (2 x multiply-adds of convolutions and linear layers)\n",
                      summary.parameters, summary.gflops);
  const Json all = {{"model", kind.name},
                    {"channels", channels},
                    {"input_size", side},
                    {"classes", options.classes},
                    {"parameters", summary.parameters},
                    {"gflops", summary.gflops},
                    {"layers", layers}};
  return print(options.json ? all.dump(2) + "\n" : text);
}

int run(int count, const char* const* arguments) {
  const auto options = parse_options(count, arguments, known_names());
  if (!options) {
    return complain(options.error());
  }
  switch (options->action) {
    case Options::Action::kPrint:
      return print(options->text);
    case Options::Action::kList:
      return list();
    case Options::Action::kSummary:
      return summary(*options);
    case Options::Action::kTrain:
      break;
  }
  return train_command(*options);
}

}  // namespace
}  // namespace wattle::trainer

int main(int count, char** arguments) { return wattle::trainer::run(count, arguments); }
