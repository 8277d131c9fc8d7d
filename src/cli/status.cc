// wattle status: how far the study is, what runs now, what it has cost, what is left.
#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <map>
#include <nlohmann/json.hpp>
#include <unordered_map>

#include "base/text.h"
#include "campaign/campaign.h"
#include "cli/campaign_file.h"
#include "cli/context.h"
#include "tune/repetitions.h"

namespace wattle::cli {
namespace {

struct StatusOptions {
  std::string study;
  bool watch = false;
  std::string interval = "1s";
};

struct Counts {
  std::size_t planned = 0;
  std::size_t done = 0;
  std::size_t failed = 0;
  std::size_t flagged = 0;
  Joules measured;
  Joules estimated;
  Joules wasted;  // of interrupted attempts, measured or estimated
};

// What is known of a campaign beside its history.
struct Live {
  bool writing = false;                 // some wattle holds the store
  std::optional<CampaignNow> campaign;  // the last one on this store, where it was of this study
};

// What the history says of a plan; the plan may hold 100,000 runs.
struct Progress {
  Counts counts;
  Seconds running;              // of all attempts
  std::size_t open = 0;         // planned runs that no attempt has finished
  std::optional<Seconds> left;  // absent where some workload has no finished run yet
};

void spend(const record::Summary& past, Counts& counts) {
  if (past.measured_energy) {
    counts.measured += *past.measured_energy;
  } else if (past.estimated_energy) {
    counts.estimated += *past.estimated_energy;
  }
  if (!record::finished(past.end)) {
    counts.wasted += past.measured_energy.value_or(past.estimated_energy.value_or(Joules{}));
  }
}

Result<Progress> progress(const store::Store& store, const std::string& study) {
  const auto planned = store.planned_runs(study);
  if (!planned) return tl::unexpected(planned.error());
  Progress progress;
  Counts& counts = progress.counts;
  counts.planned = planned->runs.size();
  std::unordered_map<std::string_view, bool> done;  // of the planned ones, by key
  done.reserve(planned->runs.size());
  std::vector<const bool*> done_in_order;
  done_in_order.reserve(planned->runs.size());
  for (const auto& run : planned->runs) done_in_order.push_back(&done.emplace(run.key, false).first->second);
  campaign::Costs costs;
  const auto read = store.visit({study, store::Part::counted, 0}, [&](const record::Summary& past) {
    spend(past, counts);
    costs.add(past);
    if (past.duration) progress.running += *past.duration;
    const auto asked = done.find(past.key);
    if (!record::finished(past.end) || (!done.empty() && asked == done.end())) return;
    if (asked != done.end()) asked->second = true;
    ++counts.done;
    if (!record::successful(past.end)) ++counts.failed;
    if (!past.flags.empty()) ++counts.flagged;
  });
  if (!read) return tl::unexpected(read.error());
  std::vector<std::size_t> open_of_kind(planned->kinds.size(), 0);
  for (std::size_t i = 0; i < done_in_order.size(); ++i) {
    if (!*done_in_order[i]) ++open_of_kind[planned->runs[i].kind];
  }
  // By configuration and workload: each one's cost is looked up once.
  std::map<std::pair<std::string_view, std::string_view>, std::size_t> open;
  for (std::size_t kind = 0; kind < open_of_kind.size(); ++kind) {
    const auto& [configuration, workload] = planned->kinds[kind];
    if (open_of_kind[kind] > 0) open[{configuration, workload}] += open_of_kind[kind];
  }
  progress.left = Seconds{};
  for (const auto& [configuration, runs] : open) {
    study::RunRequest one;
    one.configuration.id = configuration.first;
    one.configuration.workload = configuration.second;
    const auto time = costs.of({&one, 1}).time;
    progress.open += runs;
    if (!time) progress.left.reset();
    if (progress.left) *progress.left += Seconds{time->value * static_cast<double>(runs)};
  }
  return progress;
}

Live look(const Context& context, const std::string& study) {
  Live live;
  const int lock = ::open((context.store.string() + ".lock").c_str(), O_RDWR | O_CLOEXEC);
  if (lock >= 0) {
    live.writing = ::flock(lock, LOCK_SH | LOCK_NB) != 0;
    ::close(lock);
  }
  live.campaign = read_campaign(context.campaign_file());
  if (live.campaign && live.campaign->study != study) live.campaign.reset();
  if (live.campaign && !live.writing) {
    live.campaign->run.reset();
    live.campaign->waiting.clear();
  }
  return live;
}

std::string spent_text(const Counts& counts) {
  std::string text;
  if (counts.measured.value > 0.0) text = human(counts.measured);
  if (counts.estimated.value > 0.0) {
    text += fmt::format("{}{} est.", text.empty() ? "" : " and ", human(counts.estimated));
  }
  if (text.empty()) text = "0 J";
  if (counts.wasted.value > 0.0) text += fmt::format(", of it {} in attempts that were cut off", human(counts.wasted));
  return text;
}

std::string budget_text(const study::Budget& budget, const Counts& counts, Seconds running) {
  std::vector<std::string> parts;
  const double joules = counts.measured.value + counts.estimated.value;
  if (budget.kwh) {
    parts.push_back(fmt::format("{:.0f} % of {} kWh", 100.0 * joules / (*budget.kwh * 3.6e6), shortest(*budget.kwh)));
  }
  if (budget.hours) {
    parts.push_back(
        fmt::format("{:.0f} % of {} h", 100.0 * running.value / (*budget.hours * 3600.0), shortest(*budget.hours)));
  }
  if (budget.runs) parts.push_back(fmt::format("{} of {} runs", counts.done, *budget.runs));
  return join(parts, ", ");
}

std::string now_text(const CampaignNow& campaign) {
  if (!campaign.waiting.empty()) return fmt::format("now     {}\n", printable(campaign.waiting));
  if (!campaign.run) return {};
  const CampaignNow::Run& run = *campaign.run;
  std::string text = fmt::format("now     {}, block {}   {}", printable(run.label), run.block, human(run.elapsed));
  if (run.epoch) text += fmt::format("   epoch {}", *run.epoch);
  if (run.value) text += fmt::format("   {} {}", printable(run.metric), significant(*run.value, 3));
  const std::string_view kind = run.estimated ? " est." : "";
  if (run.power) text += fmt::format("   {}{}", human(*run.power), kind);
  if (run.energy.value > 0.0) text += fmt::format("   {}{} so far", human(run.energy), kind);
  return text + "\n";
}

struct Standing {
  std::string study;
  Progress known;
  Live live;
  std::vector<tune::MutantState> mutants;  // of an adaptive study
};

// How the mutants of an adaptive study stand, and how many runs they may still take.
Result<void> judge_mutants(const store::Store& store, Standing& standing) {
  auto plan = store.plan(standing.study);
  if (!plan) return tl::unexpected(plan.error());
  if (plan->empty() || !plan->front().protocol.repetitions.adaptive()) return {};
  const auto history = store.summaries(standing.study);
  if (!history) return tl::unexpected(history.error());
  const study::Repetitions repetitions = plan->front().protocol.repetitions;
  study::Plan whole;
  whole.runs = *std::move(plan);
  const tune::AdaptiveRepetitions proposer(std::move(whole), repetitions);
  standing.mutants = proposer.explain(*history);
  if (proposer.propose(*history).empty()) {
    standing.known.open = 0;
    standing.known.left = Seconds{};
  }
  return {};
}

Result<Standing> standing(const Context& context, const std::string& named) {
  const auto store = store::Store::open(context.store, store::Store::Mode::read);
  if (!store) return tl::unexpected(store.error());
  const auto name = study_meant(*store, named);
  if (!name) return tl::unexpected(name.error());
  auto known = progress(*store, *name);
  if (!known) return tl::unexpected(known.error());
  Standing standing{*name, *std::move(known), look(context, *name), {}};
  if (standing.live.campaign && standing.live.campaign->adaptive) {
    if (const auto judged = judge_mutants(*store, standing); !judged) return tl::unexpected(judged.error());
  }
  return standing;
}

std::string mutants_text(const std::vector<tune::MutantState>& mutants) {
  std::string text;
  for (const tune::MutantState& mutant : mutants) {
    text += fmt::format("  {:<32} {}", printable(mutant.label), to_string(mutant.judgement.decision));
    if (mutant.decided_at > 0) text += fmt::format(" since block {}", mutant.decided_at);
    text += fmt::format("   {} pair{}", mutant.pairs, mutant.pairs == 1 ? "" : "s");
    if (mutant.failed > 0) text += fmt::format(", {} failed", mutant.failed);
    if (mutant.judgement.low && mutant.judgement.high) {
      text += fmt::format("   {} ratio [{:.3g}, {:.3g}]", mutant.by_time ? "time" : "energy", *mutant.judgement.low,
                          *mutant.judgement.high);
    }
    text += '\n';
  }
  return text;
}

std::string as_text(const Standing& standing) {
  const Counts& counts = standing.known.counts;
  const std::string_view most = standing.mutants.empty() ? "" : "at most ";
  std::string text =
      fmt::format("{}: {} of {}{} runs done", standing.study, counts.done, most, std::max(counts.planned, counts.done));
  if (standing.known.open > 0 && standing.known.left) {
    text += fmt::format(", about {}{} left", most, human(*standing.known.left));
  }
  text += fmt::format("\nfailed {}   flagged {}   spent {}", counts.failed, counts.flagged, spent_text(counts));
  const std::string budget =
      standing.live.campaign ? budget_text(standing.live.campaign->budget, counts, standing.known.running) : "";
  if (!budget.empty()) text += fmt::format("   ({} of the budget)", budget);
  text += '\n';
  if (standing.live.campaign) text += now_text(*standing.live.campaign);
  text += mutants_text(standing.mutants);
  return text + (standing.live.writing      ? "a wattle is running\n"
                 : standing.known.open == 0 ? "next:  wattle report\n"
                                            : "nothing is running\n");
}

nlohmann::json as_json(const Standing& standing) {
  const Counts& counts = standing.known.counts;
  nlohmann::json json{{"study", standing.study},
                      {"planned", counts.planned},
                      {"done", counts.done},
                      {"failed", counts.failed},
                      {"flagged", counts.flagged},
                      {"to_do", standing.known.open},
                      {"running", standing.live.writing},
                      {"run_time_s", standing.known.running.value},
                      {"measured_energy_j", counts.measured.value},
                      {"estimated_energy_j", counts.estimated.value},
                      {"wasted_energy_j", counts.wasted.value}};
  json["remaining_s"] = standing.known.left ? nlohmann::json(standing.known.left->value) : nlohmann::json();
  json["now"] = nullptr;
  const auto number = [](const auto& value) { return value ? nlohmann::json(*value) : nlohmann::json(); };
  if (const auto& campaign = standing.live.campaign) {
    json["budget"] = {{"hours", number(campaign->budget.hours)},
                      {"kwh", number(campaign->budget.kwh)},
                      {"runs", number(campaign->budget.runs)}};
    if (!campaign->waiting.empty()) json["waiting"] = campaign->waiting;
    if (const auto& run = campaign->run) {
      json["now"] = {{"label", run->label},
                     {"workload", run->workload},
                     {"block", run->block},
                     {"elapsed_s", run->elapsed.value},
                     {"epoch", number(run->epoch)},
                     {"metric", run->metric},
                     {"value", number(run->value)},
                     {"power_w", run->power ? nlohmann::json(run->power->value) : nlohmann::json()},
                     {"energy_j", run->energy.value},
                     {"basis", run->estimated ? "estimated" : "measured"}};
    }
  }
  nlohmann::json mutants = nlohmann::json::array();
  for (const tune::MutantState& mutant : standing.mutants) {
    mutants.push_back({{"configuration", mutant.configuration},
                       {"label", mutant.label},
                       {"workload", mutant.workload},
                       {"decision", to_string(mutant.judgement.decision)},
                       {"decided_at", mutant.decided_at > 0 ? nlohmann::json(mutant.decided_at) : nlohmann::json()},
                       {"pairs", mutant.pairs},
                       {"failed_pairs", mutant.failed},
                       {"cost", mutant.by_time ? "time" : "energy"},
                       {"ratio_low", number(mutant.judgement.low)},
                       {"ratio_high", number(mutant.judgement.high)}});
  }
  if (!standing.mutants.empty()) json["mutants"] = std::move(mutants);
  return json;
}

int status(const Context& context, const std::string& named) {
  const auto now = standing(context, named);
  if (!now) return tell(now.error());
  return context.json ? give(context, as_json(*now)) : give(context, as_text(*now));
}

// Until nothing runs any more, or ^C.
int watch(const Context& context, const std::string& named, Nanoseconds interval) {
  Signals signals([] {});
  SystemClock clock;
  const bool terminal = is_terminal(STDOUT_FILENO) && !context.json && context.output.empty();
  int drawn = 0;
  while (true) {
    const auto now = standing(context, named);
    if (!now) return tell(now.error());
    if (context.json) {
      fmt::print("{}\n", as_json(*now).dump());
    } else {
      const std::string text = as_text(*now);
      if (terminal && drawn > 0) fmt::print("\x1b[{}A\x1b[J", drawn);
      fmt::print("{}", terminal ? text : text + "\n");
      drawn = static_cast<int>(std::count(text.begin(), text.end(), '\n'));
    }
    std::fflush(stdout);
    if (!now->live.writing) return 0;
    if (!clock.sleep_until(clock.monotonic() + interval, signals.after_run.get_token())) {
      return exit_code(ErrorKind::interrupted);
    }
  }
}

int chosen_status(const Context& context, const StatusOptions& options) {
  if (!options.watch) return status(context, options.study);
  const auto interval = parse_duration(options.interval);
  if (!interval || *interval < milliseconds(100) || *interval > seconds(3600)) {
    return tell({ErrorKind::bad_input,
                 fmt::format("--interval {}: a duration from 100ms to 1h is needed", printable(options.interval)),
                 "for example --interval 2s"});
  }
  return watch(context, options.study, *interval);
}

}  // namespace

void add_status(CLI::App& app, Context& context, Chosen& chosen) {
  CLI::App* sub = app.add_subcommand("status", "Say how far a study is and what it has cost");
  auto options = std::make_shared<StatusOptions>();
  sub->add_option("--study", options->study, "The study (default: the one stored last)")->type_name("NAME");
  sub->add_flag("--watch", options->watch, "Look again and again until nothing runs any more");
  sub->add_option("--interval", options->interval, "Between two looks")->type_name("DURATION")->capture_default_str();
  sub->footer("Examples:\n  wattle status\n  wattle status --watch\n  wattle --json status --watch | jq .now.power_w");
  sub->callback(
      [&context, &chosen, options] { chosen = [&context, options] { return chosen_status(context, *options); }; });
}

}  // namespace wattle::cli
