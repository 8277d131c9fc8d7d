#pragma once

#include "options.h"

namespace wattle::trainer {

/// One training from its flags to its exit code: the boundary where exceptions of libtorch and of the allocator become
/// exit codes. Handles SIGINT and SIGTERM from then on.
int train_command(const Options& options);

}  // namespace wattle::trainer
