// The program `wattle`: wires the modules together. One file beside this one per subcommand.
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cstdlib>
#include <system_error>

#include "base/text.h"
#include "cli/context.h"
#include "record/version.h"

namespace wattle::cli {
namespace {

constexpr std::array kCommands{add_init,    add_check,   add_plan,    add_run,    add_status,
                               add_list,    add_show,    add_report,  add_export, add_measure,
                               add_compare, add_monitor, add_metrics, add_doctor, add_calibrate,
                               add_store,   add_stats,   add_import,  add_bundle, add_data};

constexpr const char* kExamples = R"(
Ten minutes to a first finding:
  wattle init -- python3 train.py --lr 0.1 --epochs 3    write a study for your own script
  wattle run study.toml                                  do it; stop and continue whenever you like
  wattle report                                          what was found
The meter alone:
  wattle measure -- ./train.sh
  wattle compare 'python3 train.py --lr 0.1' 'python3 train.py --lr 0.2'
  wattle doctor --quick
  wattle monitor

Exit codes: 0 done, 1 failed runs or a negative answer, 2 bad input, 3 environment (permission, missing program),
130 interrupted. `wattle COMMAND --help` tells more.)";

void add_global_options(CLI::App& app, Context& context, std::string& store) {
  app.add_flag("--json", context.json, "Give the result as JSON");
  app.add_option("--output", context.output, "Write the result to this file instead of stdout")->type_name("FILE");
  app.add_option("--store", store, "Where runs are kept (default ./wattle.db)")
      ->type_name("FILE")
      ->envname("WATTLE_STORE");
  app.add_option("--sysroot", context.sysroot, "Look for /sys and /proc below this folder")->type_name("DIR");
  app.add_option("--seed", context.seed, "Replace the study's seed")->type_name("N");
  app.add_option(
         "--probe", context.probes,
         "Use only this energy probe; may be repeated; also replay:FILE, plug:HOST[:PORT], constant:WATTS[:NAME]")
      ->type_name("NAME")
      ->allow_extra_args(false);
}

// CLI11 would read brackets and flags in somebody's command; it never sees what follows "--".
std::vector<std::string> own_arguments(int count, char** values, Context& context) {
  std::vector<std::string> own(values + 1, values + count);
  const auto separator = std::find(own.begin(), own.end(), "--");
  if (separator != own.end()) {
    context.command.assign(separator + 1, own.end());
    own.erase(separator, own.end());
  }
  std::reverse(own.begin(), own.end());  // CLI11 takes a vector back to front
  return own;
}

int usage_error(const CLI::App& app, const CLI::ParseError& error, const std::vector<std::string>& arguments) {
  if (error.get_exit_code() == 0) return app.exit(error);  // --help, --version
  note(fmt::format("wattle: {}", error.what()));
  std::vector<std::string> names;
  for (const CLI::App* sub : app.get_subcommands({})) names.push_back(sub->get_name());
  // Arguments stand back to front; the first word is the last one.
  if (!arguments.empty() && app.get_subcommands().empty()) {
    if (const auto meant = nearest(arguments.back(), names)) {
      note(fmt::format("        did you mean `wattle {}`?", *meant));
    }
  }
  note("        `wattle --help` lists the commands");
  return exit_code(ErrorKind::bad_input);
}

int run_program(int count, char** values) {
  if (count == 3 && std::string_view(values[1]) == "guard") return run::guard_main(values[2]);

  Context context;
  std::error_code code;
  context.program = std::filesystem::read_symlink("/proc/self/exe", code);
  if (code) context.program = values[0];

  CLI::App app("Wattle: the energy laboratory for deep-learning training.\n", "wattle");
  app.footer(kExamples);
  app.set_version_flag("--version", fmt::format("wattle {}", version()));
  app.fallthrough();
  app.require_subcommand(1);
  std::string store = "wattle.db";
  add_global_options(app, context, store);
  Chosen chosen;
  for (const AddCommand add : kCommands) add(app, context, chosen);

  const std::vector<std::string> arguments = own_arguments(count, values, context);
  if (count == 1) {
    fmt::print("{}", app.help());
    return 0;
  }
  try {
    std::vector<std::string> consumed = arguments;
    app.parse(consumed);
  } catch (const CLI::ParseError& error) {
    return usage_error(app, error, arguments);
  }
  context.store = store;
  // What follows a colon is the probe's own to judge.
  for (const std::string& name : context.probes) {
    const std::vector<std::string> names = energy::probe_names();
    if (name.find(':') != std::string::npos || std::find(names.begin(), names.end(), name) != names.end()) continue;
    const auto meant = nearest(name, names);
    return tell({ErrorKind::bad_input, fmt::format("--probe {}: there is no such probe", printable(name)),
                 meant ? fmt::format("did you mean `{}`?", *meant)
                       : fmt::format("there are {}, replay:FILE, plug:HOST, constant:WATTS", join(names, ", "))});
  }
  return chosen();
}

}  // namespace
}  // namespace wattle::cli

int main(int count, char** values) {
  try {
    return wattle::cli::run_program(count, values);
  } catch (const std::exception& error) {
    // Nothing below is meant to throw; memory running out still can.
    return wattle::cli::tell({wattle::ErrorKind::environment, error.what(), {}});
  }
}
