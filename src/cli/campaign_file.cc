#include "cli/campaign_file.h"

#include <fstream>
#include <nlohmann/json.hpp>

#include "base/text.h"

namespace wattle::cli {
namespace {

using nlohmann::json;

template <class Value>
json optional_json(const std::optional<Value>& value) {
  return value ? json(*value) : json();
}

template <class Value>
std::optional<Value> optional_of(const json& object, const char* name) {
  const auto found = object.find(name);
  if (found == object.end() || !found->is_number()) return std::nullopt;
  return found->get<Value>();
}

CampaignNow::Run run_of(const json& now) {
  CampaignNow::Run run;
  run.label = now.value("label", "");
  run.workload = now.value("workload", "");
  run.block = now.value("block", 0);
  run.blocks = now.value("blocks", 0);
  run.elapsed = Seconds{now.value("elapsed_s", 0.0)};
  run.epoch = optional_of<int>(now, "epoch");
  run.metric = now.value("metric", "");
  run.value = optional_of<double>(now, "value");
  if (const auto power = optional_of<double>(now, "power_w")) run.power = Watts{*power};
  run.energy = Joules{now.value("energy_j", 0.0)};
  run.estimated = now.value("estimated", false);
  return run;
}

}  // namespace

CampaignFile::CampaignFile(std::filesystem::path file, const study::Study& study, Clock& clock)
    : file_(std::move(file)), study_(study), clock_(clock) {}

campaign::Observer CampaignFile::observer(campaign::Observer inner) {
  campaign::Observer both = inner;
  both.on_wait = [this, inner](const std::string& what) {
    inner.on_wait(what);
    written_.reset();
    write(nullptr, {}, {}, what);
    written_.reset();
  };
  both.on_start = [this, inner](const auto& request, const auto& position) {
    inner.on_start(request, position);
    write(&request, position, {}, {});
  };
  both.on_progress = [this, inner](const auto& request, const auto& position, const auto& progress) {
    inner.on_progress(request, position, progress);
    write(&request, position, progress, {});
  };
  return both;
}

void CampaignFile::write(const study::RunRequest* request, const campaign::Observer::Position& position,
                         const run::Progress& progress, const std::string& waiting) {
  const Nanoseconds now = clock_.monotonic();
  if (written_ && now - *written_ < milliseconds(500)) return;
  written_ = now;
  json object{{"study", study_.name},
              {"budget",
               {{"hours", optional_json(study_.budget.hours)},
                {"kwh", optional_json(study_.budget.kwh)},
                {"runs", optional_json(study_.budget.runs)}}},
              {"adaptive", study_.repetitions.adaptive()},
              {"waiting", waiting}};
  if (position.remaining) object["remaining_s"] = position.remaining->value;
  if (request != nullptr) {
    object["run"] = {{"label", request->configuration.label},
                     {"workload", request->configuration.workload},
                     {"block", request->block},
                     {"blocks", study_.repetitions.max},
                     {"elapsed_s", to_seconds(progress.elapsed).value},
                     {"epoch", optional_json(progress.epoch)},
                     {"metric", request->metric.name},
                     {"value", optional_json(progress.metric)},
                     {"power_w", progress.power ? json(progress.power->value) : json()},
                     {"energy_j", to_joules(progress.energy).value},
                     {"estimated", progress.estimated}};
  }
  // Never synced: nothing is lost with it, and a run may be shorter than a disk is slow.
  const std::filesystem::path beside = file_.string() + ".new";
  std::error_code code;
  {
    std::ofstream out(beside, std::ios::trunc);
    out << object.dump(-1, ' ', false, json::error_handler_t::replace) << '\n';
    if (!out.flush()) return;
  }
  std::filesystem::rename(beside, file_, code);
}

std::optional<CampaignNow> read_campaign(const std::filesystem::path& file) {
  const auto text = read_text(file, 1U << 20U);
  if (!text) return std::nullopt;
  const json object = json::parse(*text, nullptr, false);
  if (!object.is_object()) return std::nullopt;
  try {
    CampaignNow now;
    now.study = object.value("study", "");
    now.adaptive = object.value("adaptive", false);
    now.waiting = object.value("waiting", "");
    if (const auto remaining = optional_of<double>(object, "remaining_s")) now.remaining = Seconds{*remaining};
    const json budget = object.value("budget", json::object());
    now.budget = {optional_of<double>(budget, "hours"), optional_of<double>(budget, "kwh"),
                  optional_of<int>(budget, "runs")};
    if (object.contains("run")) now.run = run_of(object["run"]);
    return now;
  } catch (const json::exception&) {  // of another type than it should be
    return std::nullopt;
  }
}

}  // namespace wattle::cli
