// wattle plan STUDY: every configuration and run, in the order they will run, and what that will cost.
#include "study/plan.h"

#include <fmt/format.h>

#include <map>
#include <nlohmann/json.hpp>

#include "base/text.h"
#include "campaign/campaign.h"
#include "cli/context.h"
#include "report/table.h"

namespace wattle::cli {
namespace {

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

nlohmann::json as_json(const study::Plan& plan, const Ends& ends, const campaign::Estimate& left) {
  nlohmann::json configurations = nlohmann::json::array();
  for (const study::Configuration& c : plan.configurations) {
    nlohmann::json values = nlohmann::json::object();
    for (const auto& [name, value] : c.hyperparameters) {
      std::visit([&](const auto& v) { values[name] = v; }, value);
    }
    configurations.push_back({{"configuration", c.id},
                              {"label", c.label},
                              {"workload", c.workload},
                              {"original", c.original()},
                              {"varied", c.varied},
                              {"mutation", c.mutation},
                              {"hyperparameters", values}});
  }
  nlohmann::json runs = nlohmann::json::array();
  for (const study::RunRequest& run : plan.runs) {
    runs.push_back({{"order", run.order},
                    {"run", run.key},
                    {"block", run.block},
                    {"configuration", run.configuration.id},
                    {"training_seed", run.training_seed},
                    {"pair", run.pair_key},
                    {"state", state_of(ends, run.key)},
                    {"arguments", run.arguments}});
  }
  nlohmann::json result{{"configurations", configurations}, {"runs", runs}};
  result["remaining_s"] = left.time ? nlohmann::json(left.time->value) : nlohmann::json();
  result["remaining_energy_j"] = left.energy ? nlohmann::json(left.energy->value) : nlohmann::json();
  result["remaining_energy_basis"] = left.energy ? (left.energy_estimated ? "estimated" : "measured") : "absent";
  return result;
}

std::string as_text(const study::Plan& plan, const study::Study& study, const Ends& ends,
                    const campaign::Estimate& left, std::size_t open, const std::string& file) {
  std::string text;
  report::Table configurations({{"configuration", report::Align::left, false},
                                {"workload", report::Align::left, true},
                                {"differs in", report::Align::left, true},
                                {"operator", report::Align::left, true}});
  for (const study::Configuration& c : plan.configurations) {
    configurations.add_row({{c.id}, {printable(c.workload)}, {printable(c.label)}, {c.mutation}});
  }
  text += configurations.render(80) + "\n";
  report::Table runs({{"order", report::Align::right, false},
                      {"block", report::Align::right, false},
                      {"seed", report::Align::right, false},
                      {"workload", report::Align::left, true},
                      {"configuration", report::Align::left, true},
                      {"run", report::Align::left, false},
                      {"state", report::Align::left, false}});
  for (const study::RunRequest& run : plan.runs) {
    runs.add_row({{std::to_string(run.order)},
                  {std::to_string(run.block)},
                  {std::to_string(run.training_seed)},
                  {printable(run.configuration.workload)},
                  {printable(run.configuration.label)},
                  {run.key.substr(0, 8)},
                  {state_of(ends, run.key)}});
  }
  text += runs.render(80) + "\n";
  text += fmt::format("{} runs in {} blocks, {} to do", plan.runs.size(), study.repetitions.max, open);
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
  const auto plan = study::make_plan(*loaded.study, loaded.trainer_program);
  if (!plan) return tell(plan.error());
  const auto history = history_of(context, loaded.study->name);
  if (!history) return tell(history.error());
  Ends ends;
  for (const record::Summary& past : *history) {
    if (record::finished(past.end)) ends[past.key] = past.end;
  }
  const auto open = campaign::FixedPlan(plan->runs).propose(*history);
  const campaign::Estimate left = campaign::Costs(*history).of(open);
  if (context.json) return give(context, as_json(*plan, ends, left));
  return give(context, as_text(*plan, *loaded.study, ends, left, open.size(), file));
}

}  // namespace

void add_plan(CLI::App& app, Context& context, Chosen& chosen) {
  CLI::App* sub = app.add_subcommand("plan", "Show every configuration and run in order, and what they will cost");
  auto file = std::make_shared<std::string>();
  sub->add_option("study", *file, "The study file")->required()->type_name("FILE");
  sub->footer("Example:\n  wattle plan study.toml");
  sub->callback([&context, &chosen, file] { chosen = [&context, file] { return plan(context, *file); }; });
}

}  // namespace wattle::cli
