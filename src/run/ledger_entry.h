// What an attempt was worth as a line of a ledger (study/ledger.h), and the ledgers beside the weights that it left.
#pragma once

#include <filesystem>

#include "record/record.h"
#include "study/ledger.h"

namespace wattle::run {

// Named by the identity that the program said in its hello (`details.run`), else by the run's own. Joules are measured
// where any are, else estimated; absent where the attempt has none.
[[nodiscard]] study::LedgerEntry ledger_entry(const record::Attempt& attempt);

// Writes the ledger of every file of weights (by its ending: .safetensors, .pt, .pth, .ckpt, .onnx, .h5, .keras) that
// lies in the attempt's {run_dir}: what it began with, and itself. Nothing where the attempt has no energy.
[[nodiscard]] Result<void> write_ledgers(const record::Attempt& attempt, const std::filesystem::path& run_dir,
                                         study::Ledger begun_with);

// The ledger of weights that lie in a {run_dir}, all the same there; empty where there is none.
[[nodiscard]] Result<study::Ledger> ledger_in(const std::filesystem::path& run_dir);

}  // namespace wattle::run
