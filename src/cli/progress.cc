#include "cli/progress.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cmath>

#include "base/text.h"
#include "cli/context.h"
#include "report/table.h"

namespace wattle::cli {
namespace {

std::string bar(double fraction, int cells) {
  const int full = std::clamp(static_cast<int>(fraction * cells), 0, cells);
  std::string text;
  for (int i = 0; i < cells; ++i) text += i < full ? "█" : "░";
  return text;
}

std::string left_text(const std::optional<Seconds>& remaining) {
  if (!remaining) return "no estimate yet";
  const auto s = std::llround(remaining->value);
  if (s >= 3600) return fmt::format("{}:{:02} h left", s / 3600, s / 60 % 60);
  return fmt::format("{}:{:02} min left", s / 60, s % 60);
}

}  // namespace

// Of an adaptive study nobody knows how many runs it will be: what is proposed is the next block alone.
RunProgress::Count RunProgress::count(const campaign::Observer::Position& position) const {
  const std::string left = position.done < position.total ? left_text(position.remaining) : "";
  if (!study_.repetitions.adaptive()) {
    const std::size_t done = planned_ - static_cast<std::size_t>(position.total - position.done);
    return {done, fmt::format("{}", planned_), left};
  }
  const auto done = std::count_if(history_.begin(), history_.end(),
                                  [](const record::Summary& past) { return record::finished(past.end); });
  return {static_cast<std::size_t>(done), fmt::format("at most {}", planned_),
          left.empty() ? left : left + " in this block"};
}

// "lenet, batch 64" where there are several workloads, "batch 64" where there is one.
std::string RunProgress::name_of(const std::string& workload, const std::string& label) const {
  return study_.workloads.size() > 1 ? workload + ", " + label : label;
}

RunProgress::RunProgress(const study::Study& study, const campaign::History& history, std::size_t planned)
    : study_(study),
      history_(history),
      planned_(planned),
      terminal_(is_terminal(STDERR_FILENO)),
      width_(terminal_width(STDERR_FILENO)) {}

campaign::Observer RunProgress::observer() {
  campaign::Observer observer;
  observer.on_wait = [this](const std::string& what) {
    finish();
    note(what + " …");
  };
  observer.on_start = [this](const auto& request, const auto& position) {
    if (terminal_) draw(request, position, {});
  };
  observer.on_progress = [this](const auto& request, const auto& position, const auto& progress) {
    if (terminal_) draw(request, position, progress);
  };
  observer.on_finish = [this](const auto& summary, const auto& position) {
    if (!terminal_ || !record::successful(summary.end)) line(summary, position);
  };
  return observer;
}

void RunProgress::finish() {
  if (drawn_ > 0) fmt::print(stderr, "\x1b[{}A\x1b[J", drawn_);
  drawn_ = 0;
}

std::string RunProgress::spent() const {
  Joules measured;
  Joules estimated;
  for (const record::Summary& past : history_) {
    if (past.measured_energy) {
      measured += *past.measured_energy;
    } else if (past.estimated_energy) {
      estimated += *past.estimated_energy;
    }
  }
  std::string text;
  if (measured.value > 0.0) text = human(measured);
  if (estimated.value > 0.0) text += fmt::format("{}{} est.", text.empty() ? "" : " and ", human(estimated));
  if (text.empty()) text = "0 J";
  if (study_.budget.kwh) text += fmt::format(" of {} kWh", shortest(*study_.budget.kwh));
  return text;
}

void RunProgress::draw(const study::RunRequest& request, const campaign::Observer::Position& position,
                       const run::Progress& progress) {
  finish();
  const Count runs = count(position);
  const auto failed = std::count_if(history_.begin(), history_.end(), [](const record::Summary& past) {
    return record::finished(past.end) && !record::successful(past.end);
  });
  const auto flagged =
      std::count_if(history_.begin(), history_.end(), [](const record::Summary& past) { return !past.flags.empty(); });
  std::vector<std::string> lines;
  lines.push_back(
      fmt::format("{}   block {}/{}   {}  {} of {} runs   {}", report::shortened(study_.name, 24), request.block,
                  study_.repetitions.max,
                  bar(static_cast<double>(runs.done) / static_cast<double>(std::max<std::size_t>(1, planned_)), 20),
                  runs.done, runs.of, runs.left));
  std::string now = fmt::format("now     {}   {}", name_of(request.configuration.workload, request.configuration.label),
                                human(to_seconds(progress.elapsed)));
  if (progress.epoch) now += fmt::format("   epoch {}", *progress.epoch);
  if (progress.metric) now += fmt::format("   {} {}", request.metric.name, significant(*progress.metric, 3));
  if (progress.power) now += fmt::format("   {}{}", human(*progress.power), progress.estimated ? " est." : "");
  lines.push_back(now);
  lines.push_back(fmt::format("so far  {}   failed {}   flagged {}", spent(), failed, flagged));
  lines.emplace_back("^C stops after this run; again stops now. Nothing is lost either way.");
  for (const std::string& text : lines) {
    fmt::print(stderr, "{}\n", report::shortened(printable(text), static_cast<std::size_t>(width_ - 1)));
  }
  drawn_ = static_cast<int>(lines.size());
}

void RunProgress::line(const record::Summary& summary, const campaign::Observer::Position& position) {
  finish();
  const Count runs = count(position);
  const bool adaptive = study_.repetitions.adaptive();
  std::string text =
      fmt::format("[{}{}{}] block {}  {}: {}", runs.done, adaptive ? " of " : "/", runs.of, summary.block,
                  name_of(summary.workload, summary.label), record::to_string(summary.end));
  if (!summary.reason.empty()) text += fmt::format(" ({})", summary.reason);
  if (summary.duration) text += fmt::format("  {}", human(*summary.duration));
  text += fmt::format("  {}", energy_text(summary));
  if (summary.performance) text += fmt::format("  {} {}", summary.metric, significant(*summary.performance, 4));
  if (!summary.flags.empty()) text += fmt::format("  [{}]", summary.flags);
  if (!runs.left.empty()) text += "  " + runs.left;
  note(printable(text));
}

}  // namespace wattle::cli
