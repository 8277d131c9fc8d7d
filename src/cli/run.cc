// wattle run STUDY: does what the plan asks for and the store does not hold yet.
#include <fmt/format.h>

#include <map>
#include <nlohmann/json.hpp>
#include <set>

#include "base/text.h"
#include "campaign/local.h"
#include "cli/context.h"
#include "cli/progress.h"
#include "study/plan.h"

namespace wattle::cli {
namespace {

// Attempts are stored as they end; a store on a full disk ends the campaign with the directories still holding all.
campaign::Sink sink_into(store::Store& store) {
  return [&store](const record::Attempt& attempt) { return store.add(attempt); };
}

// A changed study keeps what was run for its earlier form; people must not wonder where those runs went.
void tell_left_out(const campaign::History& history, const std::vector<study::RunRequest>& runs) {
  std::set<std::string_view> asked;
  for (const study::RunRequest& run : runs) asked.insert(run.key);
  std::map<std::string, int> left_out;
  for (const record::Summary& past : history) {
    if (record::finished(past.end) && !asked.contains(past.key)) ++left_out[past.label];
  }
  if (left_out.empty()) return;
  std::vector<std::string> parts;
  for (const auto& [label, count] : left_out) parts.push_back(fmt::format("{} ({})", printable(label), count));
  note(fmt::format("left out, for the study no longer asks for them (they stay in the store): {}", join(parts, ", ")));
}

nlohmann::json as_json(const study::Study& study, const campaign::Outcome& outcome, std::size_t planned,
                       std::size_t open) {
  return {{"study", study.name},          {"planned", planned}, {"finished_now", outcome.finished},
          {"failed_now", outcome.failed}, {"to_do", open},      {"stopped", outcome.stopped}};
}

int close(const Context& context, const study::Study& study, const campaign::Outcome& outcome,
          const std::vector<study::RunRequest>& runs, const campaign::History& history, const std::string& file) {
  const std::size_t open = campaign::FixedPlan(runs).propose(history).size();
  const int verdict = outcome.interrupted ? exit_code(ErrorKind::interrupted) : outcome.failed > 0 ? 1 : 0;
  if (context.json) {
    const int written = give(context, as_json(study, outcome, runs.size(), open));
    return written != 0 ? written : verdict;
  }
  std::string text = fmt::format("{}: {} of {} runs done", study.name, runs.size() - open, runs.size());
  if (outcome.failed > 0) text += fmt::format(", {} failed now (`wattle list` says why)", outcome.failed);
  if (!outcome.stopped.empty()) text += fmt::format("; {}", outcome.stopped);
  text += open > 0 ? fmt::format("\nnext:  wattle run {}   (goes on where it stopped)\n", file)
                   : "\nnext:  wattle report\n";
  const int written = give(context, text);
  return written != 0 ? written : verdict;
}

int run(const Context& context, const std::string& file) {
  const LoadedStudy loaded = load(context, file);
  if (!loaded.study) return loaded.exit;
  const study::Study& study = *loaded.study;
  const auto plan = study::make_plan(study, loaded.trainer_program);
  if (!plan) return tell(plan.error());
  Signals signals([] { note("\nstopping after this run; ^C again stops now"); });
  SystemClock clock;

  auto store = store::Store::open(context.store, store::Store::Mode::write);
  if (!store) return tell(store.error());
  const campaign::Sink sink = sink_into(*store);
  const auto recovered = campaign::recover(context.runs_folder(), sink);
  if (!recovered) return tell(recovered.error());
  if (recovered->attempts > 0) {
    note(fmt::format("recovered {} attempt{} that had been cut off; the energy counts as waste", recovered->attempts,
                     recovered->attempts == 1 ? "" : "s"));
  }
  for (const std::string& damaged : recovered->damaged) note("left as it is: " + damaged);
  if (const auto kept = store->set_plan(study.name, plan->runs); !kept) return tell(kept.error());
  auto history = store->summaries(study.name);
  if (!history) return tell(history.error());
  tell_left_out(*history, plan->runs);

  campaign::FixedPlan proposer(plan->runs);
  campaign::LocalLauncher launcher(context.runs_folder(), context.runner_options(), clock);
  RunProgress progress(study, *history, plan->runs.size());
  campaign::Campaign work{&proposer, &launcher, sink, campaign::budget_gate(study.budget), progress.observer()};
  const auto outcome =
      campaign::run_campaign(work, *history, clock, signals.after_run.get_token(), signals.now.get_token());
  progress.finish();
  if (!outcome) return tell(outcome.error());
  return close(context, study, *outcome, plan->runs, *history, file);
}

}  // namespace

void add_run(CLI::App& app, Context& context, Chosen& chosen) {
  CLI::App* sub = app.add_subcommand("run", "Do what a study asks for; continue where it stopped");
  auto file = std::make_shared<std::string>();
  sub->add_option("study", *file, "The study file")->required()->type_name("FILE");
  sub->footer(
      "Examples:\n  wattle run study.toml\n  wattle --store /data/lab.db run study.toml\n"
      "^C stops after the run in flight, a second ^C stops now; the same command goes on.");
  sub->callback([&context, &chosen, file] { chosen = [&context, file] { return run(context, *file); }; });
}

}  // namespace wattle::cli
