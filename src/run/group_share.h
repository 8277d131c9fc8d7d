// Whose energy: what a group used together, and each member's part of it. Pure.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "energy/telemetry.h"
#include "energy/trace.h"
#include "record/record.h"

namespace wattle::run {

// One attempt of a group, with what telemetry saw of its process tree.
struct GroupAttempt {
  record::Record record;
  energy::TelemetryTable telemetry;
};

// Sets Record::group of every attempt, and in place of the record's own energy, which would be everybody's, its
// attributed part. The group's window is from the first begin to the last end of all; `trace` must span it.
// `idle_power` by domain: what is known of it stays nobody's; a static model (memory, a constant) is nobody's
// altogether. Processors and memory are shared by CPU time, GPUs by how long each process kept them busy; a domain
// without that is unknown.
//
// A group says nothing of training side by side where a member failed, or where one hardly worked: less than kLeastWork
// of a CPU, and no GPU.
void share_out(std::vector<GroupAttempt>& attempts, const energy::Trace& trace,
               const std::map<std::string, Watts>& idle_power);

inline constexpr double kLeastWork = 0.05;

}  // namespace wattle::run
