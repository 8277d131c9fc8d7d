// The parent's part while a run goes on: takes its output and events, tells progress, and asks the guard to end what
// must not go on.
#pragma once

#include <optional>
#include <stop_token>

#include "base/clock.h"
#include "energy/sampler.h"
#include "run/child_output.h"
#include "run/event_file.h"
#include "run/guard_process.h"
#include "run/runner.h"

namespace wattle::run {

struct Watched {
  const study::RunRequest& request;
  const GuardProcess& guard;
  ChildOutput* output;  // null where the streams are the caller's own
  EventFile& events;
  const energy::Sampler& sampler;
};

// Returns when the guard has ended. Wakes for output, for the guard's end and for both tokens, and four times a second.
// `partner_ended` ends a run that only accompanied another.
void watch(const Watched& watched, const RunnerOptions& options, const Clock& clock, const std::stop_token& stop,
           const std::stop_token& partner_ended);

}  // namespace wattle::run
