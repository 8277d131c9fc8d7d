#pragma once

#include "models/model.h"
#include "options.h"

namespace wattle::trainer {

/// One training from its flags to its exit code: the boundary where exceptions of libtorch and of the allocator become
/// exit codes. Handles SIGINT and SIGTERM from then on.
int train_command(const Options& options);

/// By names that exist.
[[nodiscard]] const ModelKind& model_named(std::string_view name);
[[nodiscard]] const DatasetKind& dataset_named(std::string_view name);

/// Whether `kind` can take images of that size; says what it needs otherwise.
[[nodiscard]] Result<void> check_size(const ModelKind& kind, const ImageShape& image);

/// The task that `values.task` means for this model on this data; fails, saying what would be right, where the three do
/// not go together.
[[nodiscard]] Result<std::string> choose_task(const ModelKind& kind, std::string_view dataset, const Dataset& data,
                                              const Hyperparameters& values);

}  // namespace wattle::trainer
