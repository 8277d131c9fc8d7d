// wattle plan STUDY: every configuration and run, in the order they will run, and what that will cost.
#include "study/plan.h"

#include <fmt/format.h>

#include <map>
#include <nlohmann/json.hpp>
#include <thread>

#include "base/text.h"
#include "campaign/campaign.h"
#include "cli/context.h"
#include "report/table.h"

namespace wattle::cli {
namespace {

int cores_of_machine() { return static_cast<int>(std::thread::hardware_concurrency()); }

using Ends = std::map<std::string, record::EndState>;

// What the store already knows; a store that is not there yet knows nothing.
Result<campaign::History> history_of(const Context& context, const std::string& study) {
  std::error_code code;
  if (!std::filesystem::exists(context.store, code)) return campaign::History{};
  const auto store = store::Store::open(context.store, store::Store::Mode::read);
  if (!store) return tl::unexpected(store.error());
  return store->summaries(study);
}

std::string state_of(const Ends& ends, const std::string& key) {
  const auto found = ends.find(key);
  return found == ends.end() ? "to do" : std::string(record::to_string(found->second));
}

nlohmann::json as_json(const study::Environment& environment) {
  return {{"name", environment.name},
          {"device", environment.device},
          {"threads", environment.threads},
          {"cpus", environment.cpus},
          {"wait_policy", environment.wait_policy},
          {"precision", environment.precision},
          {"nice", environment.nice},
          {"power_cap_w", environment.power_cap ? nlohmann::json(environment.power_cap->value) : nlohmann::json()},
          {"variables", environment.variables}};
}

nlohmann::json as_json(const study::Configuration& c) {
  nlohmann::json values = nlohmann::json::object();
  for (const auto& [name, value] : c.hyperparameters) {
    std::visit([&](const auto& v) { values[name] = v; }, value);
  }
  nlohmann::json result{{"configuration", c.id},
                        {"label", c.label},
                        {"workload", c.workload},
                        {"environment", c.environment.name},
                        {"threads", c.environment.threads},
                        {"original", c.original()},
                        {"varied", c.varied},
                        {"mutation", c.mutation},
                        {"hyperparameters", values}};
  if (c.colocation.alone()) return result;
  result["partners"] = c.colocation.partners;
  result["member"] = c.colocation.member;
  result["mode"] = c.colocation.mode == study::GroupMode::background ? "background" : "together";
  result["divided_cores"] = c.colocation.divided_cores;
  result["cpus"] = c.environment.cpus;
  return result;
}

nlohmann::json as_json(const study::Repetitions& repetitions) {
  return {{"min", repetitions.min},
          {"max", repetitions.max},
          {"precision", repetitions.precision ? nlohmann::json(*repetitions.precision) : nlohmann::json()},
          {"until_decided", repetitions.until_decided}};
}

nlohmann::json as_json(const study::Plan& plan, const study::Study& study, const Ends& ends,
                       const campaign::Estimate& left) {
  nlohmann::json configurations = nlohmann::json::array();
  for (const study::Configuration& c : plan.configurations) configurations.push_back(as_json(c));
  nlohmann::json excluded = nlohmann::json::array();
  for (const study::Excluded& cell : plan.excluded) {
    excluded.push_back(as_json(cell.configuration));
    excluded.back()["reason"] = cell.reason;
  }
  nlohmann::json environments = nlohmann::json::array();
  for (const study::Environment& environment : study.environments) environments.push_back(as_json(environment));
  nlohmann::json runs = nlohmann::json::array();
  for (const study::RunRequest& run : plan.runs) {
    runs.push_back({{"order", run.order},
                    {"run", run.key},
                    {"block", run.block},
                    {"configuration", run.configuration.id},
                    {"training_seed", run.training_seed},
                    {"purpose", std::string(study::to_string(run.purpose))},
                    {"group", run.group},
                    {"pair", run.pair_key},
                    {"state", state_of(ends, run.key)},
                    {"arguments", run.arguments}});
  }
  nlohmann::json result{{"environments", environments}, {"configurations", configurations},
                        {"excluded", excluded},         {"repetitions", as_json(study.repetitions)},
                        {"warnings", plan.warnings},    {"runs", runs}};
  result["remaining_s"] = left.time ? nlohmann::json(left.time->value) : nlohmann::json();
  result["remaining_energy_j"] = left.energy ? nlohmann::json(left.energy->value) : nlohmann::json();
  result["remaining_energy_basis"] = left.energy ? (left.energy_estimated ? "estimated" : "measured") : "absent";
  return result;
}

std::string configuration_table(const study::Plan& plan) {
  report::Table table({{"configuration", report::Align::left, false},
                       {"workload", report::Align::left, true},
                       {"differs in", report::Align::left, true},
                       {"operator", report::Align::left, true}});
  for (const study::Configuration& c : plan.configurations) {
    table.add_row({{c.id}, {printable(c.workload)}, {printable(c.label)}, {c.mutation}});
  }
  return table.render(80) + "\n";
}

std::string environment_table(const study::Study& study) {
  if (study.environments.size() == 1) return {};
  report::Table table({{"environment", report::Align::left, true},
                       {"device", report::Align::left, false},
                       {"threads", report::Align::right, false},
                       {"CPUs", report::Align::left, true},
                       {"further", report::Align::left, true}});
  for (const study::Environment& e : study.environments) {
    std::vector<std::string> further;
    if (!e.wait_policy.empty()) further.push_back(e.wait_policy + " waiting");
    if (!e.precision.empty()) further.push_back(printable(e.precision));
    if (e.nice != 0) further.push_back(fmt::format("nice {}", e.nice));
    if (e.power_cap) further.push_back("at most " + human(*e.power_cap));
    for (const auto& [name, value] : e.variables) further.push_back(printable(name + "=" + value));
    table.add_row({{e.name}, {e.device}, {std::to_string(e.threads)}, {e.cpus}, {join(further, ", ")}});
  }
  return table.render(80) + "\n";
}

std::string excluded_table(const study::Plan& plan) {
  if (plan.excluded.empty()) return {};
  report::Table table({{"left out", report::Align::left, true},
                       {"workload", report::Align::left, true},
                       {"because", report::Align::left, true}});
  for (const study::Excluded& cell : plan.excluded) {
    table.add_row(
        {{printable(cell.configuration.label)}, {printable(cell.configuration.workload)}, {printable(cell.reason)}});
  }
  return table.render(80) + "\n";
}

// A run that stands beside the one above it begins with +; what is not scored says what it is for.
std::string run_label(const study::RunRequest& run) {
  const bool beside = !run.configuration.colocation.alone() && run.configuration.colocation.member > 0;
  std::string label = (beside ? "+ " : "") + printable(run.configuration.label);
  if (run.purpose != study::Purpose::score) label += fmt::format(" ({})", study::to_string(run.purpose));
  return label;
}

std::string run_table(const study::Plan& plan, const Ends& ends) {
  report::Table table({{"order", report::Align::right, false},
                       {"block", report::Align::right, false},
                       {"seed", report::Align::right, false},
                       {"workload", report::Align::left, true},
                       {"configuration", report::Align::left, true},
                       {"run", report::Align::left, false},
                       {"state", report::Align::left, false}});
  for (const study::RunRequest& run : plan.runs) {
    table.add_row({{std::to_string(run.order)},
                   {std::to_string(run.block)},
                   {std::to_string(run.training_seed)},
                   {printable(run.configuration.workload)},
                   {run_label(run)},
                   {run.key.substr(0, 8)},
                   {state_of(ends, run.key)}});
  }
  return table.render(80) + "\n";
}

std::string as_text(const study::Plan& plan, const study::Study& study, const Ends& ends,
                    const campaign::Estimate& left, std::size_t open, const std::string& file) {
  std::string text =
      environment_table(study) + configuration_table(plan) + excluded_table(plan) + run_table(plan, ends);
  text += fmt::format("{} runs in {}, {} to do", plan.runs.size(), study::in_blocks(study.repetitions), open);
  if (open > 0 && left.time) {
    text += fmt::format(": about {}", human(*left.time));
    if (left.energy) text += fmt::format(", {}{}", human(*left.energy), left.energy_estimated ? " est." : "");
  } else if (open > 0) {
    text += " (time and energy are told once one run is known)";
  }
  return text + fmt::format("\nnext:  wattle run {}\n", file);
}

int plan(const Context& context, const std::string& file) {
  const LoadedStudy loaded = load(context, file);
  if (!loaded.study) return loaded.exit;
  const auto plan = study::make_plan(*loaded.study, loaded.trainer_program, cores_of_machine());
  if (!plan) return tell(plan.error());
  for (const std::string& warning : plan->warnings) note("warning: " + printable(warning));
  const auto history = history_of(context, loaded.study->name);
  if (!history) return tell(history.error());
  Ends ends;
  for (const record::Summary& past : *history) {
    if (record::finished(past.end)) ends[past.key] = past.end;
  }
  const auto open = campaign::FixedPlan(plan->runs).propose(*history);
  const campaign::Estimate left = campaign::Costs(*history).of(open);
  if (context.json) return give(context, as_json(*plan, *loaded.study, ends, left));
  return give(context, as_text(*plan, *loaded.study, ends, left, open.size(), file));
}

}  // namespace

void add_plan(CLI::App& app, Context& context, Chosen& chosen) {
  CLI::App* sub = app.add_subcommand("plan", "Show every configuration and run in order, and what they will cost");
  auto file = std::make_shared<std::string>();
  sub->add_option("study", *file, "The study file")->required()->type_name("FILE");
  add_settings(*sub, context);
  sub->footer("Example:\n  wattle plan study.toml");
  sub->callback([&context, &chosen, file] { chosen = [&context, file] { return plan(context, *file); }; });
}

}  // namespace wattle::cli
