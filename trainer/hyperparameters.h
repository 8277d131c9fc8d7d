#pragma once

#include <cstdint>
#include <limits>
#include <nlohmann/json_fwd.hpp>
#include <span>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "result.h"

namespace wattle::trainer {

/// One value of every hyperparameter. Type, default, domain and meaning of each stand in the table of
/// hyperparameters.cc and nowhere else.
struct Hyperparameters {
  std::string task, target;
  std::int64_t epochs, batch_size, accumulation, replicas;
  double learning_rate;
  std::string optimizer;
  double momentum;
  bool nesterov;
  double weight_decay;
  std::string scheduler;
  double gamma;
  std::int64_t step_size, plateau_patience, warmup_epochs;
  double dropout, label_smoothing, width, threshold, first_share;
  std::string augmentation, precision;
  std::int64_t frozen_layers, frozen_epochs;
  std::string frozen_optimizer;
  double frozen_learning_rate;
  std::int64_t patience;
  double min_delta;
  bool restore_best;
  std::int64_t train_samples, validation_samples, test_samples, image_size;
};

/// A row of the table. The field's type is the hyperparameter's type.
struct HyperparameterKind {
  using Field = std::variant<bool Hyperparameters::*, std::int64_t Hyperparameters::*, double Hyperparameters::*,
                             std::string Hyperparameters::*>;
  struct Domain {
    double minimum = 0;
    double maximum = std::numeric_limits<double>::infinity();
    bool exclusive_minimum = false;
    std::vector<std::string_view> choices = {};  ///< of a choice, and then all of its domain
  };

  std::string_view name;  ///< as in a study: `learning_rate`
  Field field;
  std::string_view standard;  ///< the default, as one would type it
  Domain domain;
  std::string_view meaning;

  [[nodiscard]] std::string flag() const;             ///< `--learning-rate`
  [[nodiscard]] std::string_view type() const;        ///< bool, int, float or choice
  [[nodiscard]] std::string domain_text() const;      ///< `above 0, at most 1000`
  [[nodiscard]] nlohmann::ordered_json json() const;  ///< as in `--list`

  /// Reads `text` into its field of `values`; fails with a sentence that names flag, value and domain.
  [[nodiscard]] Result<void> set(Hyperparameters& values, std::string_view text) const;
  /// Its value in `values`, as JSON.
  [[nodiscard]] nlohmann::ordered_json value(const Hyperparameters& values) const;
};

[[nodiscard]] std::span<const HyperparameterKind> hyperparameter_kinds();

/// Every hyperparameter at its default.
[[nodiscard]] Hyperparameters default_hyperparameters();

}  // namespace wattle::trainer
