// wattle status: how far the study is, what runs now, what it has cost, what is left.
#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <unistd.h>

#include <map>
#include <nlohmann/json.hpp>
#include <unordered_map>

#include "base/text.h"
#include "campaign/campaign.h"
#include "cli/context.h"

namespace wattle::cli {
namespace {

struct Counts {
  std::size_t planned = 0;
  std::size_t done = 0;
  std::size_t failed = 0;
  std::size_t flagged = 0;
  Joules measured;
  Joules estimated;
  Joules wasted;  // of interrupted attempts, measured or estimated
};

struct Live {
  bool writing = false;  // some wattle holds the store
  std::string label;     // of the run in flight
  std::optional<int> block;
};

// What the history says of a plan; the plan may hold 100,000 runs.
struct Progress {
  Counts counts;
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

Progress progress(const campaign::History& history, const std::vector<store::PlannedRun>& planned) {
  Progress progress;
  Counts& counts = progress.counts;
  counts.planned = planned.size();
  std::unordered_map<std::string_view, bool> done;  // of the planned ones, by key
  done.reserve(planned.size());
  for (const store::PlannedRun& run : planned) done.emplace(run.key, false);
  for (const record::Summary& past : history) {
    spend(past, counts);
    const auto asked = done.find(past.key);
    if (!record::finished(past.end) || (!planned.empty() && asked == done.end())) continue;
    if (asked != done.end()) asked->second = true;
    ++counts.done;
    if (!record::successful(past.end)) ++counts.failed;
    if (!past.flags.empty()) ++counts.flagged;
  }
  // By configuration and workload: each one's cost is looked up once.
  std::map<std::pair<std::string_view, std::string_view>, std::size_t> open;
  for (const store::PlannedRun& run : planned) {
    if (!done.at(run.key)) ++open[{run.configuration, run.workload}];
  }
  progress.left = Seconds{};
  const campaign::Costs costs(history);
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

Live look(const Context& context) {
  Live live;
  const int lock = ::open((context.store.string() + ".lock").c_str(), O_RDWR | O_CLOEXEC);
  if (lock >= 0) {
    live.writing = ::flock(lock, LOCK_SH | LOCK_NB) != 0;
    ::close(lock);
  }
  if (!live.writing) return live;
  std::error_code code;
  for (const auto& entry : std::filesystem::directory_iterator(context.runs_folder(), code)) {
    const auto text = read_text(entry.path() / "request.json", 64U << 20U);
    if (!text || std::filesystem::exists(entry.path() / "result.json", code)) continue;
    const auto json = nlohmann::json::parse(*text, nullptr, false);
    if (json.is_discarded()) continue;
    if (const auto request = study::request_from_json(json.contains("request") ? json["request"] : json)) {
      live.label = request->configuration.label;
      live.block = request->block;
    }
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

int status(const Context& context, const std::string& named) {
  const auto store = store::Store::open(context.store, store::Store::Mode::read);
  if (!store) return tell(store.error());
  const auto name = study_meant(*store, named);
  if (!name) return tell(name.error());
  const auto history = store->summaries(*name);
  if (!history) return tell(history.error());
  const auto planned = store->planned_runs(*name);
  if (!planned) return tell(planned.error());
  const Progress known = progress(*history, *planned);
  const Counts& counts = known.counts;
  const Live live = look(context);
  if (context.json) {
    nlohmann::json json{{"study", *name},
                        {"planned", counts.planned},
                        {"done", counts.done},
                        {"failed", counts.failed},
                        {"flagged", counts.flagged},
                        {"to_do", known.open},
                        {"running", live.writing},
                        {"measured_energy_j", counts.measured.value},
                        {"estimated_energy_j", counts.estimated.value},
                        {"wasted_energy_j", counts.wasted.value}};
    json["remaining_s"] = known.left ? nlohmann::json(known.left->value) : nlohmann::json();
    return give(context, json);
  }
  std::string text = fmt::format("{}: {} of {} runs done", *name, counts.done, std::max(counts.planned, counts.done));
  if (known.open > 0 && known.left) text += fmt::format(", about {} left", human(*known.left));
  text += fmt::format("\nfailed {}   flagged {}   spent {}\n", counts.failed, counts.flagged, spent_text(counts));
  if (!live.label.empty()) text += fmt::format("now     {}, block {}\n", printable(live.label), *live.block);
  text += live.writing ? "a wattle is running\n" : known.open == 0 ? "next:  wattle report\n" : "nothing is running\n";
  return give(context, text);
}

}  // namespace

void add_status(CLI::App& app, Context& context, Chosen& chosen) {
  CLI::App* sub = app.add_subcommand("status", "Say how far a study is and what it has cost");
  auto study = std::make_shared<std::string>();
  sub->add_option("--study", *study, "The study (default: the one stored last)")->type_name("NAME");
  sub->footer("Example:\n  wattle status");
  sub->callback([&context, &chosen, study] { chosen = [&context, study] { return status(context, *study); }; });
}

}  // namespace wattle::cli
