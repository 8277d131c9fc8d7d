// What is left of a run whose parent or guard was killed.
#pragma once

#include "record/record.h"
#include "run/attempt_files.h"

namespace wattle::run {

// Ends every process of the attempt that still lives, first by letting its guard do so, then by the WATTLE_EVENTS that
// all of them inherit. Returns when none is left. Nothing is touched where the machine has been started anew since.
void end_leftovers(const AttemptFiles& files, const std::string& boot, const GuardReport& report);

// The attempt with the raw material of its directory.
[[nodiscard]] record::Attempt with_raw_material(record::Record record, const AttemptFiles& files);

}  // namespace wattle::run
