#include <dlfcn.h>
#include <fmt/format.h>

#include <algorithm>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <nlohmann/json.hpp>

#include "compat.h"
#include "loop.h"
#include "options.h"
#include "summary.h"
#include "version.h"

namespace wattle::trainer {
namespace {

using Json = nlohmann::ordered_json;

/// Signal handlers can reach nothing else.
volatile std::sig_atomic_t stop_signal = 0;

/// The first signal asks the loop to end within a step; a second one ends the program at once.
void listen_to_signals() {
  struct sigaction action {};
  action.sa_handler = [](int signal) { stop_signal = signal; };
  action.sa_flags = static_cast<int>(SA_RESETHAND | SA_RESTART);
  sigaction(SIGINT, &action, nullptr);
  sigaction(SIGTERM, &action, nullptr);
}

int exit_code(ExitCode code) { return static_cast<int>(code); }

/// Writes at once. Unlike fmt::print it does not throw where the disk is full: `ferror` remembers.
void write(std::FILE* stream, std::string_view text) {
  std::fwrite(text.data(), 1, text.size(), stream);
  std::fflush(stream);
}

int complain(const Error& error) {
  std::string_view text = error.message;
  while (!text.empty()) {
    const std::string_view line = text.substr(0, text.find('\n'));
    write(stderr, fmt::format("wattle-train: {}\n", line));
    text.remove_prefix(std::min(text.size(), line.size() + 1));
  }
  return exit_code(error.code);
}

/// Prints a result; a disk that is full is not success.
int print(std::string_view text) {
  write(stdout, text);
  return std::ferror(stdout) == 0 ? 0 : complain({ExitCode::kUnwritable, "cannot write to standard output"});
}

const ModelKind& model_named(std::string_view name) {
  const auto kinds = model_kinds();
  return *std::find_if(kinds.begin(), kinds.end(), [&name](const ModelKind& kind) { return kind.name == name; });
}

const DatasetKind& dataset_named(std::string_view name) {
  const auto kinds = dataset_kinds();
  return *std::find_if(kinds.begin(), kinds.end(), [&name](const DatasetKind& kind) { return kind.name == name; });
}

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

Result<std::shared_ptr<Model>> make_model(const ModelKind& kind, const ModelRequest& request) {
  const ImageShape& image = request.image;
  if (std::min(image.height, image.width) < kind.smallest_side) {
    return bad_input(fmt::format("model {} needs images of at least {} pixels a side; these have {} x {}", kind.name,
                                 kind.smallest_side, image.width, image.height));
  }
  return kind.make(request);
}

int summary(const Options& options) {
  const ModelKind& kind = model_named(options.model);
  const std::int64_t side = options.input_size.value_or(kind.usual_side);
  const ImageShape image{options.channels.value_or(kind.usual_channels), side, side};
  const auto model = make_model(kind, {image, options.classes, 0});
  if (!model) {
    return complain(model.error());
  }
  const Summary summary = summarise(**model, image);
  Json layers = Json::array();
  std::string text =
      fmt::format("{} on {} x {} x {}, {} classes\n", kind.name, image.channels, side, side, options.classes);
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
                    {"channels", image.channels},
                    {"input_size", side},
                    {"classes", options.classes},
                    {"parameters", summary.parameters},
                    {"gflops", summary.gflops},
                    {"layers", layers}};
  return print(options.json ? all.dump(2) + "\n" : text);
}

/// OpenBLAS has threads of its own beside OpenMP's; without this `--threads 1` would still use every core.
void set_threads(int threads) {
  at::set_num_threads(threads);
  at::set_num_interop_threads(1);
  if (void* function = dlsym(RTLD_DEFAULT, "openblas_set_num_threads")) {
    reinterpret_cast<void (*)(int)>(function)(threads);
  }
}

std::string epoch_line(const EpochScores& scores) {
  return fmt::format("epoch {} train_loss {:.4f} train_acc {:.4f} val_loss {:.4f} val_acc {:.4f} seconds {:.3f}\n",
                     scores.epoch, scores.train.loss, scores.train.accuracy, scores.validation.loss,
                     scores.validation.accuracy, scores.duration_s);
}

Json to_json(const Scores& scores) { return {{"loss", scores.loss}, {"accuracy", scores.accuracy}}; }

/// One training from its flags to its exit code.
class Training {
 public:
  Training(const Options& options, EventLog& events)
      : options_(options), events_(events), device_(options.device == "cuda" ? torch::kCUDA : torch::kCPU) {}

  Result<int> run() {
    events_.hello(kProgram, kVersion, details());
    events_.begin_phase("load", std::nullopt, monotonic_ns());
    const auto dataset = dataset_named(options_.dataset).load(request());
    if (!dataset) {
      return tl::unexpected(dataset.error());
    }
    set_threads(options_.threads);
    torch::manual_seed(options_.seed);
    const auto model =
        make_model(model_named(options_.model),
                   {dataset->shape, static_cast<std::int64_t>(dataset->classes.size()), options_.values.dropout});
    if (!model) {
      return tl::unexpected(model.error());
    }
    to_channels_last(**model, device_);
    Classification task(*model, options_.values, device_);
    const TrainingSets sets = to_device(*dataset);
    events_.end_phase(monotonic_ns());
    say(fmt::format("{} on {}: {} train, {} validation, {} test images, {} classes\n", options_.model, options_.dataset,
                    sets.train.size(), sets.validation.size(), sets.test.size(), dataset->classes.size()));
    const Outcome outcome = train(task, sets, options_.values,
                                  {events_, options_.seed, device_, [] { return stop_signal != 0; },
                                   [this](const EpochScores& scores) { say(epoch_line(scores)); }});
    return finish(outcome, sets, count_parameters(**model));
  }

 private:
  [[nodiscard]] Json details() const {
    return {{"model", options_.model},     {"dataset", options_.dataset}, {"device", options_.device},
            {"threads", options_.threads}, {"seed", options_.seed},       {"libtorch", TORCH_VERSION}};
  }

  [[nodiscard]] DatasetRequest request() const {
    const Hyperparameters& values = options_.values;
    return {options_.data,     values.train_samples, values.validation_samples,      values.test_samples,
            values.image_size, options_.threads,     [] { return stop_signal != 0; }};
  }

  [[nodiscard]] TrainingSets to_device(const Dataset& dataset) const {
    const ChannelStatistics statistics = channel_statistics(dataset.train, dataset.shape.channels);
    return {{dataset.train, dataset.shape, statistics, device_},
            {dataset.validation, dataset.shape, statistics, device_},
            {dataset.test, dataset.shape, statistics, device_}};
  }

  static std::int64_t count_parameters(const Model& model) {
    std::int64_t count = 0;
    for (const torch::Tensor& parameter : model.parameters()) {
      count += parameter.numel();
    }
    return count;
  }

  /// For people: on standard error where standard output is JSON.
  void say(std::string_view text) const { write(options_.json ? stderr : stdout, text); }

  int finish(const Outcome& outcome, const TrainingSets& sets, std::int64_t parameters) {
    events_.done(outcome.status, outcome.reason);
    if (outcome.test) {
      say(fmt::format("test_loss {:.4f} test_acc {:.4f}\n", outcome.test->loss, outcome.test->accuracy));
    }
    if (outcome.status != "completed") {
      say(fmt::format("{}: {}\n", outcome.status, outcome.reason));
    }
    if (options_.json) {
      print(result(outcome, sets, parameters).dump(2) + "\n");
    }
    if (outcome.code == ExitCode::kDone && events_.failure()) {
      return complain(*events_.failure());
    }
    return std::ferror(stdout) != 0 ? exit_code(ExitCode::kUnwritable) : exit_code(outcome.code);
  }

  [[nodiscard]] Json result(const Outcome& outcome, const TrainingSets& sets, std::int64_t parameters) const {
    Json json = {{"program", kProgram}, {"version", kVersion}};
    json.update(details());
    for (const HyperparameterKind& kind : hyperparameter_kinds()) {
      json["hyperparameters"][std::string(kind.name)] = kind.value(options_.values);
    }
    json["parameters"] = parameters;
    json["samples"] = {
        {"train", sets.train.size()}, {"validation", sets.validation.size()}, {"test", sets.test.size()}};
    json["status"] = outcome.status;
    json["epochs"] = Json::array();
    for (const EpochScores& scores : outcome.epochs) {
      json["epochs"].push_back({{"epoch", scores.epoch},
                                {"train", to_json(scores.train)},
                                {"validation", to_json(scores.validation)},
                                {"learning_rate", scores.learning_rate},
                                {"duration_s", scores.duration_s}});
    }
    json["test"] = outcome.test ? to_json(*outcome.test) : Json(nullptr);
    return json;
  }

  const Options& options_;
  EventLog& events_;
  torch::Device device_;
};

/// The boundary where exceptions of libtorch and of the allocator become exit codes.
int train_command(const Options& options) {
  if (options.device == "cuda" && !torch::cuda::is_available()) {
    return complain({ExitCode::kEnvironment, "--device cuda: this libtorch or this machine has no CUDA; use cpu"});
  }
  auto events = EventLog::open(std::getenv("WATTLE_EVENTS"));
  if (!events) {
    return complain(events.error());
  }
  listen_to_signals();
  Error error;
  try {
    const auto code = Training(options, *events).run();
    if (code) {
      return *code;
    }
    error = code.error();
  } catch (const c10::Error& problem) {
    error = {is_out_of_memory(problem) ? ExitCode::kOutOfMemory : ExitCode::kInternal,
             problem.what_without_backtrace()};
  } catch (const std::bad_alloc&) {
    error = {ExitCode::kOutOfMemory, "out of memory"};
  } catch (const std::exception& problem) {
    error = {ExitCode::kInternal, problem.what()};
  }
  events->done("failed", error.message);
  return complain(error);
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
