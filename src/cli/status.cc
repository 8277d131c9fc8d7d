// wattle status: how far the study is, what runs now, what it has cost, what is left.
#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <unistd.h>

#include <nlohmann/json.hpp>
#include <unordered_set>

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

Counts count(const campaign::History& history, const std::vector<study::RunRequest>& planned) {
  Counts counts;
  counts.planned = planned.size();
  std::unordered_set<std::string_view> asked;
  for (const study::RunRequest& run : planned) asked.insert(run.key);
  for (const record::Summary& past : history) {
    if (past.measured_energy) {
      counts.measured += *past.measured_energy;
    } else if (past.estimated_energy) {
      counts.estimated += *past.estimated_energy;
    }
    if (!record::finished(past.end)) {
      counts.wasted += past.measured_energy.value_or(past.estimated_energy.value_or(Joules{}));
      continue;
    }
    if (!planned.empty() && !asked.contains(past.key)) continue;
    ++counts.done;
    if (!record::successful(past.end)) ++counts.failed;
    if (!past.flags.empty()) ++counts.flagged;
  }
  return counts;
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
  const auto planned = store->plan(*name);
  if (!planned) return tell(planned.error());
  const auto open = campaign::FixedPlan(*planned).propose(*history);
  const campaign::Estimate left = campaign::Costs(*history).of(open);
  const Counts counts = count(*history, *planned);
  const Live live = look(context);
  if (context.json) {
    nlohmann::json json{{"study", *name},
                        {"planned", counts.planned},
                        {"done", counts.done},
                        {"failed", counts.failed},
                        {"flagged", counts.flagged},
                        {"to_do", open.size()},
                        {"running", live.writing},
                        {"measured_energy_j", counts.measured.value},
                        {"estimated_energy_j", counts.estimated.value},
                        {"wasted_energy_j", counts.wasted.value}};
    json["remaining_s"] = left.time ? nlohmann::json(left.time->value) : nlohmann::json();
    return give(context, json);
  }
  std::string text = fmt::format("{}: {} of {} runs done", *name, counts.done, std::max(counts.planned, counts.done));
  if (!open.empty() && left.time) text += fmt::format(", about {} left", human(*left.time));
  text += fmt::format("\nfailed {}   flagged {}   spent {}\n", counts.failed, counts.flagged, spent_text(counts));
  if (!live.label.empty()) text += fmt::format("now     {}, block {}\n", printable(live.label), *live.block);
  text += live.writing ? "a wattle is running\n" : open.empty() ? "next:  wattle report\n" : "nothing is running\n";
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
