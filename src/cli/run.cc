// wattle run STUDY: does what the plan asks for and the store does not hold yet.
#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <memory>
#include <nlohmann/json.hpp>
#include <set>
#include <unordered_set>

#include "base/text.h"
#include "campaign/local.h"
#include "cli/campaign_file.h"
#include "cli/context.h"
#include "cli/progress.h"
#include "meter/conditions.h"
#include "meter/owner.h"
#include "study/plan.h"
#include "study/smoke.h"
#include "tune/repetitions.h"

namespace wattle::cli {
namespace {

struct RunOptions {
  std::string file;
  std::string rerun;
  std::vector<std::string> only;
  bool smoke = false;
  bool shared = false;
  bool allow_power_cap = false;
};

// Attempts are stored as they end; a store on a full disk ends the campaign with the directories still holding all.
campaign::Sink sink_into(store::Store& store) {
  return [&store](const record::Attempt& attempt) { return store.add(attempt); };
}

// A changed study keeps what was run for its earlier form; people must not wonder where those runs went.
void tell_left_out(const campaign::History& history, const std::vector<study::RunRequest>& runs) {
  std::unordered_set<std::string_view> asked;
  asked.reserve(runs.size());
  for (const study::RunRequest& run : runs) asked.insert(run.key);
  std::map<std::string, int> left_out;
  for (const record::Summary& past : history) {
    if (record::finished(past.end) && !asked.contains(past.key)) ++left_out[past.label];
  }
  if (left_out.empty()) return;
  std::vector<std::string> parts;
  parts.reserve(left_out.size());
  for (const auto& [label, count] : left_out) parts.push_back(fmt::format("{} ({})", printable(label), count));
  note(fmt::format("left out, for the study no longer asks for them (they stay in the store): {}", join(parts, ", ")));
}

nlohmann::json as_json(const study::Study& study, const campaign::Outcome& outcome, std::size_t planned,
                       std::size_t open) {
  return {{"study", study.name},          {"planned", planned}, {"finished_now", outcome.finished},
          {"failed_now", outcome.failed}, {"to_do", open},      {"stopped", outcome.stopped}};
}

int close(const Context& context, const study::Study& study, const campaign::Outcome& outcome, std::size_t planned,
          const campaign::Proposer& proposer, const campaign::History& history, const std::string& file) {
  const std::size_t open = proposer.propose(history).size();
  const int verdict = outcome.interrupted ? exit_code(ErrorKind::interrupted) : outcome.failed > 0 ? 1 : 0;
  if (context.json) {
    const int written = give(context, as_json(study, outcome, planned, open));
    return written != 0 ? written : verdict;
  }
  std::string text = fmt::format("{}: {} of {} runs done", study.name, planned - open, planned);
  if (outcome.failed > 0) text += fmt::format(", {} failed now (`wattle list` says why)", outcome.failed);
  if (!outcome.stopped.empty()) text += fmt::format("; {}", outcome.stopped);
  text += open > 0 ? fmt::format("\nnext:  wattle run {}   (goes on where it stopped)\n", file)
                   : "\nnext:  wattle report\n";
  const int written = give(context, text);
  return written != 0 ? written : verdict;
}

Result<campaign::Rerun> rerun_of(const std::string& name) {
  static const std::map<std::string, campaign::Rerun> kinds{{"", campaign::Rerun::none},
                                                            {"failed", campaign::Rerun::failed},
                                                            {"flagged", campaign::Rerun::flagged},
                                                            {"all", campaign::Rerun::all}};
  const auto kind = kinds.find(name);
  if (kind != kinds.end()) return kind->second;
  return fail(ErrorKind::bad_input, fmt::format("--rerun {}: there is no such kind of run", printable(name)),
              "there are failed, flagged and all");
}

// A configuration is meant by its workload, the beginning of its id, or a part of its label.
bool is_meant(const study::Configuration& configuration, const std::string& text) {
  return configuration.workload == text || configuration.id.starts_with(text) ||
         configuration.label.find(text) != std::string::npos;
}

// Groups stay whole: one member that is meant brings the others; so does who makes the weights of one.
Result<std::vector<study::RunRequest>> chosen_runs(std::vector<study::RunRequest> runs,
                                                   const std::vector<std::string>& only) {
  if (only.empty()) return runs;
  for (const std::string& text : only) {
    const bool any =
        std::any_of(runs.begin(), runs.end(), [&](const auto& run) { return is_meant(run.configuration, text); });
    if (!any) {
      return fail(ErrorKind::bad_input, fmt::format("--only {}: no run of this study is meant", printable(text)),
                  "give a workload, a configuration's id, or a part of its label; `wattle plan` shows them");
    }
  }
  std::set<std::string_view> groups;
  const auto meant = [&](const study::RunRequest& run) {
    return std::any_of(only.begin(), only.end(), [&](const auto& text) { return is_meant(run.configuration, text); });
  };
  for (const study::RunRequest& run : runs) {
    if (!run.group.empty() && meant(run)) groups.insert(run.group);
  }
  // From the last to the first: makers stand before those whose weights they make.
  std::set<std::string_view> makers;
  const auto wanted = [&](const study::RunRequest& run) {
    return meant(run) || groups.contains(run.group) || makers.contains(run.key);
  };
  for (auto run = runs.rbegin(); run != runs.rend(); ++run) {
    if (!run->weights.key.empty() && wanted(*run)) makers.insert(run->weights.key);
  }
  std::vector<study::RunRequest> chosen;
  std::copy_if(runs.begin(), runs.end(), std::back_inserter(chosen), wanted);
  return chosen;
}

Result<void> may_cap_power(const study::Study& study, const RunOptions& options) {
  const bool asked = std::any_of(study.environments.begin(), study.environments.end(),
                                 [](const auto& environment) { return environment.power_cap.has_value(); });
  if (!asked || options.allow_power_cap) return {};
  return fail(ErrorKind::environment, "the study sets power caps on this machine",
              "allow it with --allow-power-cap; what was set before comes back after each run");
}

campaign::Conditions conditions_of(const Context& context, Clock& clock, campaign::LocalLauncher& launcher) {
  const energy::ProbeOptions probes = context.probe_options();
  campaign::Conditions conditions;
  conditions.temperature = [probes] { return meter::processor_temperature(probes); };
  conditions.power = [probes, &clock](Nanoseconds time, const std::stop_token& stop) -> Result<Watts> {
    const auto heard = meter::listen(probes, clock, time, stop);
    if (!heard) return tl::unexpected(heard.error());
    return heard->total;
  };
  conditions.baseline = [probes, &clock, &launcher](Nanoseconds time, const std::stop_token& stop) -> Result<Watts> {
    const auto heard = meter::listen(probes, clock, time, stop);
    if (!heard) return tl::unexpected(heard.error());
    launcher.set_idle_power(heard->domains);
    return heard->total;
  };
  return conditions;
}

std::unique_ptr<const campaign::Proposer> proposer_of(const study::Study& study, std::vector<study::RunRequest> runs) {
  if (!study.repetitions.adaptive()) return std::make_unique<campaign::FixedPlan>(std::move(runs));
  study::Plan plan;
  plan.runs = std::move(runs);
  return std::make_unique<tune::AdaptiveRepetitions>(std::move(plan), study.repetitions);
}

// Everything between an open store and the end of the campaign.
int run_in(const Context& context, const RunOptions& options, const study::Study& study,
           std::vector<study::RunRequest> runs, store::Store& store) {
  Signals signals([] { note("\nstopping after this run; ^C again stops now"); });
  SystemClock clock;
  const campaign::Sink sink = sink_into(store);
  const auto recovered = campaign::recover(context.runs_folder(), sink);
  if (!recovered) return tell(recovered.error());
  if (recovered->attempts > 0) {
    note(fmt::format("recovered {} attempt{} that had been cut off; the energy counts as waste", recovered->attempts,
                     recovered->attempts == 1 ? "" : "s"));
  }
  for (const std::string& damaged : recovered->damaged) note("kept aside, and the run is made again: " + damaged);
  if (const auto kept = store.set_plan(study.name, runs); !kept) return tell(kept.error());
  auto history = store.summaries(study.name);
  if (!history) return tell(history.error());
  tell_left_out(*history, runs);
  auto wanted = chosen_runs(std::move(runs), options.only);
  if (!wanted) return tell(wanted.error());
  const auto rerun = rerun_of(options.rerun);
  if (!rerun) return tell(rerun.error());

  const std::size_t planned = wanted->size();
  const std::unique_ptr<const campaign::Proposer> asked = proposer_of(study, *std::move(wanted));
  const campaign::Afresh proposer(*asked, *history, *rerun);
  run::RunnerOptions runner = context.runner_options();
  runner.allow_power_cap = options.allow_power_cap;
  campaign::LocalLauncher launcher(context.runs_folder(), runner, clock);
  CampaignFile journal(context.campaign_file(), study, clock);
  RunProgress progress(study, *history, planned);
  const campaign::Campaign work{&proposer,
                                &launcher,
                                sink,
                                campaign::budget_gate(study.budget),
                                journal.observer(progress.observer()),
                                conditions_of(context, clock, launcher),
                                {}};
  const auto outcome =
      campaign::run_campaign(work, *history, clock, signals.after_run.get_token(), signals.now.get_token());
  progress.finish();
  if (!outcome) return tell(outcome.error());
  return close(context, study, *outcome, planned, *asked, *history, options.file);
}

int run(const Context& context, const RunOptions& options) {
  LoadedStudy loaded = load(context, options.file);
  if (!loaded.study) return loaded.exit;
  if (options.smoke) loaded.study = study::smoke(*std::move(loaded.study));
  const study::Study& study = *loaded.study;
  auto plan = study::make_plan(study, loaded.trainer_program);
  if (!plan) return tell(plan.error());
  if (const auto allowed = may_cap_power(study, options); !allowed) return tell(allowed.error());
  const meter::Owner owner(context.sysroot);
  if (owner.other() && !options.shared) {
    return tell(
        {ErrorKind::environment,
         fmt::format("process {} measures this machine already, and each would count the other's work", *owner.other()),
         "wait for it, or go on all the same with --shared"});
  }
  auto store = store::Store::open(context.store, store::Store::Mode::write);
  if (!store) return tell(store.error());
  return run_in(context, options, study, std::move(plan->runs), *store);
}

}  // namespace

void add_run(CLI::App& app, Context& context, Chosen& chosen) {
  CLI::App* sub = app.add_subcommand("run", "Do what a study asks for; continue where it stopped");
  auto options = std::make_shared<RunOptions>();
  sub->add_option("study", options->file, "The study file")->required()->type_name("FILE");
  add_settings(*sub, context);
  sub->add_option("--rerun", options->rerun,
                  "Make again what failed, was flagged, or all; earlier attempts are kept apart")
      ->type_name("failed|flagged|all");
  sub->add_option("--only", options->only,
                  "Only runs of this workload, configuration id, or part of a label (repeatable)")
      ->allow_extra_args(false)  // else it would take the study's name for one more
      ->type_name("TEXT");
  sub->add_flag("--smoke", options->smoke, "One block, shortest settings, under another name: does everything run?");
  sub->add_flag("--shared", options->shared, "Go on although somebody else measures this machine");
  sub->add_flag("--allow-power-cap", options->allow_power_cap,
                "Let the study limit the processors' power during a run");
  sub->footer(
      "Examples:\n  wattle run study.toml\n  wattle run --smoke study.toml\n  wattle run --set epochs=2 --set "
      "repetitions=3 study.toml\n  wattle run --rerun failed study.toml\n"
      "  wattle run --only 'batch_size 128' study.toml\n"
      "^C stops after the run in flight, a second ^C stops now; the same command goes on.");
  sub->callback([&context, &chosen, options] { chosen = [&context, options] { return run(context, *options); }; });
}

}  // namespace wattle::cli
