// A command that is run once under measurement and then forgotten: no study, no store.
#pragma once

#include <stop_token>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/result.h"
#include "record/record.h"
#include "run/runner.h"

namespace wattle::meter {

struct OneOff {
  std::vector<std::string> arguments;  // started in the current folder
  std::map<std::string, std::string> variables;
  bool use_terminal = false;  // see study::RunRequest
  Nanoseconds interval = milliseconds(20);
};

// Runs it in a private folder of temporary files, which is gone afterwards. It may take as long as it likes and say
// nothing. A command that fails is an Attempt too; an Error (environment) means that nothing could be started.
[[nodiscard]] Result<record::Attempt> run_one_off(const OneOff& what, run::RunnerOptions options, Clock& clock,
                                                  const std::stop_token& stop);

}  // namespace wattle::meter
