#include "hyperparameters.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <nlohmann/json.hpp>
#include <optional>

namespace wattle::trainer {
namespace {

using H = Hyperparameters;
constexpr double kMost = 1e9;

/// The one place that says what can be set. Maxima are closed, so that a study can be checked by one rule.
const std::vector<HyperparameterKind>& table() {
  static const std::vector<HyperparameterKind> rows = {
      {"task",
       &H::task,
       "auto",
       {.choices = {"auto", "classification", "multitask", "verification", "forward_forward"}},
       "What is learned; auto: what the model is for. multitask: both label sets of the data at once"},
      {"target", &H::target, "first", {.choices = {"first", "second"}}, "Label set that counts, where data has two"},
      {"epochs", &H::epochs, "6", {.minimum = 1, .maximum = 1e6}, "Passes over the training images"},
      {"batch_size", &H::batch_size, "64", {.minimum = 1, .maximum = 1e6}, "Images per step"},
      {"accumulation",
       &H::accumulation,
       "1",
       {.minimum = 1, .maximum = 1e6},
       "Batches whose gradients are averaged into one step"},
      {"replicas",
       &H::replicas,
       "1",
       {.minimum = 1, .maximum = 64},
       "Threads that each compute a part of every batch, their gradients summed; for nets without batch norm"},
      {"learning_rate",
       &H::learning_rate,
       "0.05",
       {.minimum = 0, .maximum = 1000},
       "Size of a step, before the scheduler; 0 learns nothing"},
      {"optimizer", &H::optimizer, "sgd", {.choices = {"sgd", "adam", "adamw", "adadelta"}}, "Rule of a step"},
      {"momentum", &H::momentum, "0.5", {.minimum = 0, .maximum = 0.9999}, "Momentum of sgd; other rules ignore it"},
      {"nesterov", &H::nesterov, "false", {}, "Nesterov's momentum, in sgd with a momentum above 0"},
      {"weight_decay",
       &H::weight_decay,
       "0",
       {.minimum = 0, .maximum = 10},
       "L2 penalty of all parameters; in adamw decoupled"},
      {"scheduler",
       &H::scheduler,
       "none",
       {.choices = {"none", "step", "exponential", "cosine", "plateau"}},
       "How the learning rate changes between epochs"},
      {"gamma",
       &H::gamma,
       "0.7",
       {.minimum = 0, .maximum = 1, .exclusive_minimum = true},
       "Factor of the schedulers step, exponential and plateau"},
      {"step_size", &H::step_size, "1", {.minimum = 1, .maximum = 1e6}, "Epochs between two steps of scheduler step"},
      {"plateau_patience",
       &H::plateau_patience,
       "2",
       {.minimum = 0, .maximum = 1e6},
       "Epochs without a better validation accuracy that scheduler plateau bears"},
      {"warmup_epochs",
       &H::warmup_epochs,
       "0",
       {.minimum = 0, .maximum = 1e6},
       "Epochs in which the learning rate grows, step by step, to what the scheduler says"},
      {"dropout", &H::dropout, "0", {.minimum = 0, .maximum = 0.95}, "Share of features dropped before dense layers"},
      {"label_smoothing",
       &H::label_smoothing,
       "0",
       {.minimum = 0, .maximum = 0.9},
       "Share of the target spread over all classes, in training"},
      {"width",
       &H::width,
       "1",
       {.minimum = 0, .maximum = 16, .exclusive_minimum = true},
       "Multiplier of the channels of hidden layers"},
      {"threshold",
       &H::threshold,
       "2",
       {.minimum = 0, .maximum = 1000},
       "Goodness that task forward_forward parts right labels from wrong ones at"},
      {"first_share",
       &H::first_share,
       "0.5",
       {.minimum = 0, .maximum = 1},
       "Weight of the first label set's loss in task multitask; the second's is the rest"},
      {"augmentation",
       &H::augmentation,
       "none",
       {.choices = {"none", "crop", "flip", "crop_flip"}},
       "In training, at random. crop: shift by up to 4 pixels; flip: mirror"},
      {"precision",
       &H::precision,
       "fp32",
       {.choices = {"fp32", "bf16"}},
       "bf16: products in bfloat16 (autocast), parameters in fp32"},
      {"frozen_layers",
       &H::frozen_layers,
       "0",
       {.minimum = 0, .maximum = 1e6},
       "Layers from the image on that stay as they begin, in all epochs"},
      {"frozen_epochs",
       &H::frozen_epochs,
       "0",
       {.minimum = 0, .maximum = 1e6},
       "First epochs in which the last layer alone learns, on top of `epochs`; scheduler and patience begin after "
       "them"},
      {"frozen_optimizer",
       &H::frozen_optimizer,
       "adam",
       {.choices = {"sgd", "adam", "adamw", "adadelta"}},
       "Rule of a step in the frozen epochs"},
      {"frozen_learning_rate",
       &H::frozen_learning_rate,
       "0.0001",
       {.minimum = 0, .maximum = 1000, .exclusive_minimum = true},
       "Learning rate in the frozen epochs"},
      {"patience",
       &H::patience,
       "0",
       {.minimum = 0, .maximum = 1e6},
       "Stop after this many epochs without a better validation accuracy; 0: never"},
      {"min_delta",
       &H::min_delta,
       "0",
       {.minimum = 0, .maximum = 1},
       "Gain of accuracy that patience counts as better"},
      {"restore_best", &H::restore_best, "false", {}, "Test the epoch best in validation, not the last one"},
      {"train_samples",
       &H::train_samples,
       "0",
       {.minimum = 0, .maximum = kMost},
       "Train on at most this many images, spread over the classes; 0: all (glyphs: 8192)"},
      {"validation_samples",
       &H::validation_samples,
       "0",
       {.minimum = 0, .maximum = kMost},
       "Validate on at most this many images; 0: all held out (glyphs: 1500)"},
      {"test_samples",
       &H::test_samples,
       "0",
       {.minimum = 0, .maximum = kMost},
       "Test on at most this many images; 0: all (glyphs: 2000)"},
      {"image_size",
       &H::image_size,
       "0",
       {.minimum = 0, .maximum = 1024},
       "Pixels a side that images are resized to; 0: as they are (a folder: as its first)"},
  };
  return rows;
}

template <typename Number>
std::optional<Number> parse_number(std::string_view text) {
  Number value{};
  const auto [end, problem] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (problem != std::errc{} || end != text.data() + text.size()) {
    return std::nullopt;
  }
  return value;
}

struct Parser {
  const HyperparameterKind& kind;
  Hyperparameters& values;
  std::string_view text;

  bool operator()(bool H::*field) const {
    values.*field = text == "true";
    return text == "true" || text == "false";
  }
  bool operator()(std::string H::*field) const {
    values.*field = text;
    return std::find(kind.domain.choices.begin(), kind.domain.choices.end(), text) != kind.domain.choices.end();
  }
  template <typename Number>
  bool operator()(Number H::*field) const {
    const auto number = parse_number<Number>(text);
    if (!number) {
      return false;
    }
    values.*field = *number;
    const auto value = static_cast<double>(*number);
    return std::isfinite(value) && value <= kind.domain.maximum &&
           (kind.domain.exclusive_minimum ? value > kind.domain.minimum : value >= kind.domain.minimum);
  }
};

/// Whole numbers stay whole in JSON: 1000, not 1000.0.
nlohmann::ordered_json plain(double number) {
  if (number == std::floor(number) && std::abs(number) < 1e15) {
    return static_cast<std::int64_t>(number);
  }
  return number;
}

}  // namespace

std::string HyperparameterKind::flag() const {
  std::string text = fmt::format("--{}", name);
  std::replace(text.begin(), text.end(), '_', '-');
  return text;
}

std::string_view HyperparameterKind::type() const {
  static constexpr std::string_view kTypes[] = {"bool", "int", "float", "choice"};
  return kTypes[field.index()];
}

std::string HyperparameterKind::domain_text() const {
  if (type() == "bool") {
    return "true or false";
  }
  if (type() == "choice") {
    return fmt::format("one of {}", fmt::join(domain.choices, ", "));
  }
  return fmt::format("{}{} {}, at most {}", type() == "int" ? "a whole number " : "",
                     domain.exclusive_minimum ? "above" : "from", domain.minimum, domain.maximum);
}

nlohmann::ordered_json HyperparameterKind::json() const {
  nlohmann::ordered_json row = {{"name", name}, {"type", type()}};
  if (type() == "choice") {
    row["choices"] = domain.choices;
  }
  row["default"] = value(default_hyperparameters());
  if (type() == "int" || type() == "float") {
    row["minimum"] = plain(domain.minimum);
    if (domain.exclusive_minimum) {
      row["exclusive_minimum"] = true;
    }
    row["maximum"] = plain(domain.maximum);
  }
  row["meaning"] = meaning;
  return row;
}

Result<void> HyperparameterKind::set(Hyperparameters& values, std::string_view text) const {
  if (!std::visit(Parser{*this, values, text}, field)) {
    return bad_input(fmt::format("{} {}: must be {}", flag(), text.empty() ? "''" : text, domain_text()));
  }
  return {};
}

nlohmann::ordered_json HyperparameterKind::value(const Hyperparameters& values) const {
  return std::visit([&values](auto member) { return nlohmann::ordered_json(values.*member); }, field);
}

std::span<const HyperparameterKind> hyperparameter_kinds() { return table(); }

Hyperparameters default_hyperparameters() {
  Hyperparameters values{};
  for (const HyperparameterKind& kind : table()) {
    // A default is inside its own domain: a test reads every one of them.
    static_cast<void>(kind.set(values, kind.standard));
  }
  return values;
}

}  // namespace wattle::trainer
