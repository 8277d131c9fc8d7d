#include "cli/asked.h"

#include <array>
#include <utility>

#include "base/text.h"

namespace wattle::cli {
namespace {

struct Role {
  const char* option;
  std::string analysis::Asked::*workload;
  const char* about;
};

constexpr std::array kRoles{
    Role{"--pretrain", &analysis::Asked::pretrain, "Workload, for the question pretraining"},
    Role{"--finetune", &analysis::Asked::finetune, "Workload, for the question pretraining"},
    Role{"--scratch", &analysis::Asked::scratch, "Workload, for the question pretraining"},
    Role{"--joint", &analysis::Asked::joint, "Workload, for the question multitask"},
};

}  // namespace

void add_asked(CLI::App& sub, analysis::Asked& asked) {
  sub.add_option("--target", asked.target, "Of the metric, for questions about energy to target")->type_name("VALUE");
  for (const Role& role : kRoles) sub.add_option(role.option, asked.*role.workload, role.about)->type_name("NAME");
  sub.add_option("--single", asked.single, "Workload, for the question multitask (repeatable)")
      ->type_name("NAME")
      ->allow_extra_args(false);
}

std::vector<std::string> arguments_of(const analysis::Asked& asked) {
  std::vector<std::string> arguments;
  if (asked.target) arguments = {"--target", shortest(*asked.target)};
  for (const Role& role : kRoles) {
    if (!(asked.*role.workload).empty()) arguments.insert(arguments.end(), {role.option, asked.*role.workload});
  }
  for (const std::string& name : asked.single) arguments.insert(arguments.end(), {"--single", name});
  return arguments;
}

}  // namespace wattle::cli
