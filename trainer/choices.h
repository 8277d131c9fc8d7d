#pragma once

#include "models/model.h"
#include "options.h"

/// What a command line may ask for together: models, data, tasks, devices.

namespace wattle::trainer {

/// By names that exist.
[[nodiscard]] const ModelKind& model_named(std::string_view name);
[[nodiscard]] const DatasetKind& dataset_named(std::string_view name);

/// Whether this machine and this libtorch have that device.
[[nodiscard]] Result<void> check_device(const std::string& name);

/// Flags that do not go together, whatever the data.
[[nodiscard]] Result<void> check_flags(const Options& options);

/// Whether `kind` can take images of that size; says what it needs otherwise.
[[nodiscard]] Result<void> check_size(const ModelKind& kind, const ImageShape& image);

/// The task that `values.task` means for this model on this data; fails, saying what would be right, where the three do
/// not go together.
[[nodiscard]] Result<std::string> choose_task(const ModelKind& kind, std::string_view dataset, const Dataset& data,
                                              const Hyperparameters& values);

}  // namespace wattle::trainer
