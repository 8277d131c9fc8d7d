// wattle check STUDY: is the study file right? Runs nothing.
#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "cli/context.h"
#include "study/plan.h"

namespace wattle::cli {
namespace {

int check(const Context& context, const std::string& file) {
  const LoadedStudy loaded = load(context, file);
  if (!loaded.study) return loaded.exit;
  const auto plan = study::make_plan(*loaded.study, loaded.trainer_program);
  if (!plan) return tell(plan.error());
  if (context.json) {
    return give(context, nlohmann::json{{"valid", true},
                                        {"file", file},
                                        {"study", loaded.study->name},
                                        {"workloads", loaded.study->workloads.size()},
                                        {"configurations", plan->configurations.size()},
                                        {"runs", plan->runs.size()},
                                        {"diagnostics", nlohmann::json::array()}});
  }
  return give(context,
              fmt::format("{}: good. {} configurations × {} blocks = {} runs\nnext:  wattle run {}\n", file,
                          plan->configurations.size(), loaded.study->repetitions.max, plan->runs.size(), file));
}

}  // namespace

void add_check(CLI::App& app, Context& context, Chosen& chosen) {
  CLI::App* sub = app.add_subcommand("check", "Say all that is wrong with a study file; run nothing");
  auto file = std::make_shared<std::string>();
  sub->add_option("study", *file, "The study file")->required()->type_name("FILE");
  sub->footer("Example:\n  wattle check study.toml");
  sub->callback([&context, &chosen, file] { chosen = [&context, file] { return check(context, *file); }; });
}

}  // namespace wattle::cli
