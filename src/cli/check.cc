// wattle check STUDY: is the study file right? Runs nothing.
#include <fmt/format.h>

#include <nlohmann/json.hpp>
#include <thread>

#include "base/text.h"
#include "cli/context.h"
#include "study/plan.h"

namespace wattle::cli {
namespace {

std::string as_text(const study::Plan& plan, const study::Study& study, const std::string& file) {
  const std::string control = study.protocol.control ? " with a control run each" : "";
  std::string text = fmt::format("{}: good. {} configurations × {}{} = {} runs\n", file, plan.configurations.size(),
                                 study::in_blocks(study.repetitions), control, plan.runs.size());
  if (study.environments.size() > 1) text += fmt::format("{} environments\n", study.environments.size());
  if (!study.groups.empty()) {
    text += fmt::format("{} {} side by side\n", study.groups.size(), study.groups.size() == 1 ? "group" : "groups");
  }
  if (!plan.excluded.empty()) {
    text += fmt::format("{} left out; `wattle plan {}` says why\n", plan.excluded.size(), file);
  }
  return text + fmt::format("next:  wattle run {}\n", file);
}

int check(const Context& context, const std::string& file) {
  const LoadedStudy loaded = load(context, file);
  if (!loaded.study) return loaded.exit;
  const auto cores = static_cast<int>(std::thread::hardware_concurrency());
  const auto plan = study::make_plan(*loaded.study, loaded.trainer_program, cores);
  if (!plan) return tell(plan.error());
  for (const std::string& warning : plan->warnings) note("warning: " + printable(warning));
  if (context.json) {
    return give(context, nlohmann::json{{"valid", true},
                                        {"file", file},
                                        {"study", loaded.study->name},
                                        {"workloads", loaded.study->workloads.size()},
                                        {"environments", loaded.study->environments.size()},
                                        {"groups", loaded.study->groups.size()},
                                        {"excluded", plan->excluded.size()},
                                        {"warnings", plan->warnings},
                                        {"configurations", plan->configurations.size()},
                                        {"runs", plan->runs.size()},
                                        {"diagnostics", nlohmann::json::array()}});
  }
  return give(context, as_text(*plan, *loaded.study, file));
}

}  // namespace

void add_check(CLI::App& app, Context& context, Chosen& chosen) {
  CLI::App* sub = app.add_subcommand("check", "Say all that is wrong with a study file; run nothing");
  auto file = std::make_shared<std::string>();
  sub->add_option("study", *file, "The study file")->required()->type_name("FILE");
  add_settings(*sub, context);
  sub->footer("Example:\n  wattle check study.toml");
  sub->callback([&context, &chosen, file] { chosen = [&context, file] { return check(context, *file); }; });
}

}  // namespace wattle::cli
