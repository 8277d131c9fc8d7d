#include "training.h"

#include <dlfcn.h>
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <cstdlib>
#include <nlohmann/json.hpp>

#include "checkpoint/ledger.h"
#include "choices.h"
#include "compat.h"
#include "console.h"
#include "cuda.h"
#include "freezing.h"
#include "loop.h"
#include "summary.h"
#include "version.h"

namespace wattle::trainer {
namespace {

using Json = nlohmann::ordered_json;

/// Signal handlers can reach nothing else.
volatile std::sig_atomic_t stop_signal = 0;

/// The first signal asks the loop to end within a step; a second one ends the program at once. A file that grows above
/// its limit is to be an error of `write`, not the end.
void listen_to_signals() {
  struct sigaction action {};
  action.sa_handler = [](int signal) { stop_signal = signal; };
  action.sa_flags = static_cast<int>(SA_RESETHAND | SA_RESTART);
  sigaction(SIGINT, &action, nullptr);
  sigaction(SIGTERM, &action, nullptr);
  signal(SIGXFSZ, SIG_IGN);
}

/// OpenBLAS has threads of its own beside OpenMP's; without this `--threads 1` would still use every core.
void set_threads(int threads) {
  at::set_num_threads(threads);
  at::set_num_interop_threads(1);
  if (void* function = dlsym(RTLD_DEFAULT, "openblas_set_num_threads")) {
    reinterpret_cast<void (*)(int)>(function)(threads);
  }
}

/// bfloat16 without instructions for it is computed in pieces: right, and slower than fp32.
bool emulates_bf16(const Options& options) {
#if defined(__x86_64__)
  return options.values.precision == "bf16" && options.device == "cpu" && !__builtin_cpu_supports("avx512bf16");
#else
  static_cast<void>(options);
  return false;
#endif
}

std::string fresh_identity() {
  const std::uint64_t seed = static_cast<std::uint64_t>(monotonic_ns()) ^ (static_cast<std::uint64_t>(getpid()) << 40U);
  timespec time{};
  clock_gettime(CLOCK_REALTIME, &time);
  return fmt::format("{:016x}", mix(mix(seed) + static_cast<std::uint64_t>(time.tv_sec) * 1'000'000'007U +
                                    static_cast<std::uint64_t>(time.tv_nsec)));
}

std::string accuracy_text(std::string_view name, const Scores& scores) {
  return scores.answered ? fmt::format(" {} {:.4f}", name, scores.accuracy) : "";
}

std::string epoch_line(const EpochScores& scores) {
  return fmt::format("epoch {} train_loss {:.4f}{} val_loss {:.4f}{} seconds {:.3f}\n", scores.epoch, scores.train.loss,
                     accuracy_text("train_acc", scores.train), scores.validation.loss,
                     accuracy_text("val_acc", scores.validation), scores.duration_s);
}

Json to_json(const Scores& scores) {
  Json json = {{"loss", scores.loss}};
  if (scores.answered) {
    json["accuracy"] = scores.accuracy;
    for (const auto& [name, value] : scores.more) {
      json[name] = value;
    }
  }
  return json;
}

/// What `--resume` compares: everything that decides what comes next.
Json settings_of(const Options& options) {
  Json settings = {{"version", kVersion},  {"model", options.model},   {"dataset", options.dataset},
                   {"seed", options.seed}, {"device", options.device}, {"threads", options.threads}};
  for (const HyperparameterKind& kind : hyperparameter_kinds()) {
    settings[std::string(kind.name)] = kind.value(options.values);
  }
  return settings;
}

Result<void> check_resumed(const Options& options, const SafetensorsFile& file) {
  const auto found = file.metadata().find("wattle.settings");
  const Json then = found == file.metadata().end() ? Json() : Json::parse(found->second, nullptr, false);
  if (!then.is_object()) {
    return bad_input(fmt::format("--resume {}: is no checkpoint of an unfinished training", options.resume.string()));
  }
  const Json now = settings_of(options);
  for (const auto& [name, value] : now.items()) {
    const bool may_differ = name == "epochs" && options.values.scheduler != "cosine";
    if (!may_differ && (!then.contains(name) || then[name] != value)) {
      return bad_input(fmt::format("--resume {}: was trained with {} {}, not {}", options.resume.string(), name,
                                   then.contains(name) ? then[name].dump() : "unknown", value.dump()));
    }
  }
  return {};
}

class Training {
 public:
  Training(const Options& options, EventLog& events)
      : options_(options),
        events_(events),
        device_(options.device),
        on_device_(device_),
        identity_(fresh_identity()),
        begin_(monotonic_ns()) {}

  Result<int> run() {
    events_.hello(kProgram, kVersion, details());
    events_.begin_phase("load", std::nullopt, monotonic_ns());
    if (auto read = read_files(); !read) {
      return tl::unexpected(read.error());
    }
    auto dataset = load_dataset(dataset_named(options_.dataset), request(), options_.values.target);
    if (!dataset) {
      return tl::unexpected(dataset.error());
    }
    auto chosen = choose_task(kind(), options_.dataset, *dataset, options_.values);
    if (!chosen) {
      return tl::unexpected(chosen.error());
    }
    task_name_ = *chosen;
    set_threads(options_.threads / static_cast<int>(options_.values.replicas));
    auto models = make_models(*dataset);
    if (!models) {
      return tl::unexpected(models.error());
    }
    const auto task = make_task(task_name_, options_.values, static_cast<std::int64_t>(dataset->classes.size()),
                                static_cast<std::int64_t>(dataset->second_classes.size()));
    const TrainingSets sets = to_device(*dataset);
    Replicas replicas(
        *task, std::move(*models),
        {device_, options_.values.precision == "bf16", options_.threads / static_cast<int>(options_.values.replicas),
         device_.is_cuda() ? [device = device_] { return make_cuda_graph(device); }
                           : std::function<std::unique_ptr<Graph>()>()});
    events_.end_phase(monotonic_ns());
    say(fmt::format("{} on {}: {} train, {} validation, {} test images, {} classes\n", options_.model, options_.dataset,
                    sets.train.size(), sets.validation.size(), sets.test.size(), dataset->classes.size()));
    const Outcome outcome = train(replicas, sets, options_.values, context());
    if (!replicas.refusal().empty()) {
      write(stderr, fmt::format("wattle-train: training steps could not be recorded as a CUDA graph and were launched "
                                "operator by operator: {}\n",
                                replicas.refusal()));
    }
    return finish(outcome, sets, replicas.model());
  }

 private:
  [[nodiscard]] const ModelKind& kind() const { return model_named(options_.model); }

  [[nodiscard]] Json details() const {
    Json all = {{"run", identity_},
                {"model", options_.model},
                {"dataset", options_.dataset},
                {"synthetic", dataset_named(options_.dataset).synthetic ? 1 : 0},
                {"device", options_.device},
                {"threads", options_.threads},
                {"seed", options_.seed},
                {"libtorch", TORCH_VERSION}};
    if (const std::string name = device_name(device_); !name.empty()) {
      all["device_name"] = name;
    }
    return all;
  }

  [[nodiscard]] DatasetRequest request() const {
    const Hyperparameters& values = options_.values;
    return {options_.data,     values.train_samples, values.validation_samples,      values.test_samples,
            values.image_size, options_.threads,     [] { return stop_signal != 0; }};
  }

  /// The files to begin with, and the ledger that they bring.
  Result<void> read_files() {
    const auto& path = options_.resume.empty() ? options_.weights : options_.resume;
    if (path.empty()) {
      return {};
    }
    auto file = SafetensorsFile::read(path);
    if (!file) {
      return tl::unexpected(file.error());
    }
    if (const auto ledger = file->metadata().find("wattle.ledger"); ledger != file->metadata().end()) {
      auto entries = parse_ledger(ledger->second);
      if (!entries) {
        return damaged(fmt::format("{}: its ledger is not one", path.string()));
      }
      ledger_ = std::move(*entries);
    }
    if (options_.ledger_joules && ledger_.empty()) {  // weights from elsewhere bring no ledger: theirs begins here
      ledger_.push_back({"", "", path.filename().string(), "", "", 0, 0, 0, 0, std::nullopt, "", ""});
    }
    if (options_.ledger_joules) {
      ledger_.back().energy_j = options_.ledger_joules;
      ledger_.back().energy_source = "flag";
      ledger_.back().energy_provenance = "estimated";
    }
    if (auto filled = fill_from_file(ledger_, path); !filled) {
      return filled;
    }
    file_ = std::move(*file);
    return options_.resume.empty() ? Result<void>() : check_resumed(options_, *file_);
  }

  Result<std::vector<std::shared_ptr<Model>>> make_models(const Dataset& dataset) {
    const Hyperparameters& values = options_.values;
    if (auto fits = check_size(kind(), dataset.shape); !fits) {
      return tl::unexpected(fits.error());
    }
    ModelRequest wanted{dataset.shape,
                        static_cast<std::int64_t>(dataset.classes.size()),
                        values.dropout,
                        values.width,
                        values.threshold,
                        task_name_ == "multitask" ? 2 : 1,
                        static_cast<std::int64_t>(dataset.second_classes.size())};
    if (task_name_ == "verification") {
      wanted.image.channels *= 2;
    }
    image_ = wanted.image;
    torch::manual_seed(options_.seed);
    std::vector<std::shared_ptr<Model>> models;
    for (std::int64_t replica = 0; replica < values.replicas; ++replica) {
      models.push_back(make_model(kind(), wanted));
      to_channels_last(*models.back(), device_);
    }
    if (values.frozen_layers > count_layers(*models.front())) {
      return bad_input(fmt::format("--frozen-layers {}: {} has {} layers", values.frozen_layers, options_.model,
                                   count_layers(*models.front())));
    }
    if (file_ && options_.resume.empty()) {
      const auto transfer = load_weights(*models.front(), *file_, options_.weights);
      if (!transfer) {
        return tl::unexpected(transfer.error());
      }
      say(fmt::format("weights: {} tensors from {}{}\n", transfer->taken, options_.weights.string(),
                      transfer->new_layers.empty() ? "" : "; the last layer is new"));
    }
    return models;
  }

  [[nodiscard]] TrainingSets to_device(Dataset& dataset) const {
    const ChannelStatistics statistics = channel_statistics(dataset.train, dataset.shape.channels);
    const bool pairs = task_name_ == "verification";
    return {{std::move(dataset.train), dataset.shape, statistics, device_, pairs},
            {std::move(dataset.validation), dataset.shape, statistics, device_, pairs},
            {std::move(dataset.test), dataset.shape, statistics, device_, pairs}};
  }

  [[nodiscard]] LoopContext context() {
    LoopContext all{events_, options_.seed, device_, [] { return stop_signal != 0; },
                    [this](const EpochScores& scores) { say(epoch_line(scores)); }};
    if (!options_.checkpoint.empty()) {
      all.keep = [this](const Unfinished& unfinished) {
        return save_tensors(options_.checkpoint, unfinished.tensors,
                            {{"wattle.settings", settings_of(options_).dump()},
                             {"wattle.progress", unfinished.values},
                             {"wattle.ledger", ledger_with(unfinished.epochs_here, unfinished.images_seen)}});
      };
    }
    all.checkpoint_every = options_.checkpoint_every;
    all.resume = options_.resume.empty() ? nullptr : &*file_;
    return all;
  }

  /// What has been brought, and this run so far.
  [[nodiscard]] std::string ledger_with(std::int64_t epochs, std::int64_t images) const {
    Ledger ledger = ledger_;
    ledger.push_back({identity_, std::string(kVersion), options_.model, options_.dataset, task_name_, options_.seed,
                      epochs, images, static_cast<double>(monotonic_ns() - begin_) * 1e-9, std::nullopt, "", ""});
    return ledger_json(ledger).dump();
  }

  /// For people: on standard error where standard output is JSON.
  void say(std::string_view text) const { write(options_.json ? stderr : stdout, text); }

  /// What the run's cost is divided by: images seen in training and validation, and GFLOPs of one image.
  void tell_size(const Outcome& outcome, Model& model) {
    const std::int64_t now = monotonic_ns();
    events_.metric("images_seen", static_cast<double>(outcome.images_seen), "train", std::nullopt, now);
    if (task_name_ == "classification") {
      events_.metric("gflops", summarise(model, image_).gflops, "train", std::nullopt, now);
    }
  }

  int finish(Outcome outcome, const TrainingSets& sets, Model& model) {
    if (outcome.code == ExitCode::kDone && !options_.save.empty()) {
      events_.begin_phase("save", std::nullopt, monotonic_ns());
      const auto saved = save_tensors(options_.save, state_of(model),
                                      {{"wattle.ledger", ledger_with(outcome.epochs_here, outcome.images_seen)}});
      events_.end_phase(monotonic_ns());
      if (!saved) {
        outcome.status = "failed";
        outcome.reason = saved.error().message;
        outcome.code = saved.error().code;
      }
    }
    if (outcome.code == ExitCode::kDone) {
      tell_size(outcome, model);
    }
    events_.done(outcome.status, outcome.reason);
    if (outcome.test) {
      say(fmt::format("test_loss {:.4f}{}\n", outcome.test->loss, accuracy_text("test_acc", *outcome.test)));
    }
    if (outcome.status != "completed") {
      say(fmt::format("{}: {}\n", outcome.status, outcome.reason));
    }
    if (options_.json) {
      print(result(outcome, sets, model).dump(2) + "\n");
    }
    if (outcome.status == "failed" && outcome.code != ExitCode::kInterrupted) {
      return complain({outcome.code, outcome.reason});
    }
    if (outcome.code == ExitCode::kDone && events_.failure()) {
      return complain(*events_.failure());
    }
    return std::ferror(stdout) != 0 ? exit_code(ExitCode::kUnwritable) : exit_code(outcome.code);
  }

  [[nodiscard]] Json result(const Outcome& outcome, const TrainingSets& sets, const Model& model) const {
    Json json = {{"program", kProgram}, {"version", kVersion}};
    json.update(details());
    json["synthetic"] = dataset_named(options_.dataset).synthetic;
    json["task"] = task_name_;
    for (const HyperparameterKind& kind : hyperparameter_kinds()) {
      json["hyperparameters"][std::string(kind.name)] = kind.value(options_.values);
    }
    std::int64_t parameters = 0;
    for (const torch::Tensor& parameter : model.parameters()) {
      parameters += parameter.numel();
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
    json["ledger"] = Json::parse(ledger_with(outcome.epochs_here, outcome.images_seen));
    return json;
  }

  const Options& options_;
  EventLog& events_;
  torch::Device device_;
  OnDevice on_device_;
  std::string identity_, task_name_;
  std::int64_t begin_;
  std::optional<SafetensorsFile> file_;
  ImageShape image_{};
  Ledger ledger_;  ///< of the weights or the checkpoint that this run begins with
};

}  // namespace

int train_command(const Options& options) {
  for (const auto& fits : {check_device(options.device), check_flags(options)}) {
    if (!fits) {
      return complain(fits.error());
    }
  }
  auto events = EventLog::open(std::getenv("WATTLE_EVENTS"));
  if (!events) {
    return complain(events.error());
  }
  if (emulates_bf16(options)) {
    write(stderr, "wattle-train: --precision bf16: this processor has no instructions for it; expect less speed\n");
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

}  // namespace wattle::trainer
