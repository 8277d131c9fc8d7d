// What the command line changes of a study file before it is read. Internal to study.
#pragma once

#include <toml++/toml.h>

#include <span>
#include <string>

#include "study/document.h"

namespace wattle::study {

// Each setting is "KEY=VALUE". KEY is a dotted path in the file ("protocol.cool_down",
// "workload.lenet.defaults.epochs"), a key of [study], or the name of a hyperparameter, whose default it then is in
// every workload that has it. VALUE is TOML; what TOML cannot read is text. A mistake in what was set is told with
// "--set KEY=VALUE".
void apply(std::span<const std::string> settings, toml::table& document, Mistakes& mistakes);

}  // namespace wattle::study
