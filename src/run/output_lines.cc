#include "run/output_lines.h"

#include <fmt/format.h>

#include <algorithm>
#include <limits>

#include "base/text.h"
#include "run/json_line.h"

namespace wattle::run {
namespace {

constexpr Nanoseconds kTogether = milliseconds(2);
constexpr double kTogetherShare = 0.05;  // of the mean epoch

// The last line of each epoch, in order of first appearance.
std::vector<OutputLine> last_of_each_epoch(const std::vector<OutputLine>& lines) {
  std::vector<OutputLine> last;
  for (const OutputLine& line : lines) {
    if (!line.epoch) continue;
    // An epoch that comes again much later is another phase of training; only neighbours are one epoch.
    if (!last.empty() && last.back().epoch == line.epoch) {
      last.back() = line;
    } else {
      last.push_back(line);
    }
  }
  const bool from_zero = std::any_of(last.begin(), last.end(), [](const OutputLine& line) { return *line.epoch == 0; });
  for (OutputLine& line : last) {
    if (from_zero && *line.epoch < std::numeric_limits<int>::max()) ++*line.epoch;
  }
  return last;
}

std::string why_void(const std::vector<OutputLine>& epochs, const energy::Window& run) {
  if (std::any_of(epochs.begin(), epochs.end(), [](const OutputLine& line) { return !line.time; })) {
    return "the output was too long to time its lines";
  }
  const double mean = to_seconds(*epochs.back().time - run.begin).value / static_cast<double>(epochs.size());
  for (std::size_t i = 1; i < epochs.size(); ++i) {
    const Nanoseconds gap = *epochs[i].time - *epochs[i - 1].time;
    if (gap < kTogether && to_seconds(gap).value < kTogetherShare * mean) {
      return fmt::format("its output arrived bunched: the lines of epochs {} and {} came within {}",
                         *epochs[i - 1].epoch, *epochs[i].epoch, human(to_seconds(gap)));
    }
  }
  return {};
}

}  // namespace

std::string without_escapes(std::string_view line) {
  std::string text;
  for (std::size_t i = 0; i < line.size(); ++i) {
    if (line[i] != '\x1b') {
      text += line[i];
      continue;
    }
    if (++i >= line.size()) break;
    if (line[i] == '[') {  // CSI: parameters, then one final byte
      do ++i;
      while (i < line.size() && (line[i] < '@' || line[i] > '~'));
    } else if (line[i] == ']') {  // OSC: until BEL or ESC backslash
      while (i < line.size() && line[i] != '\a' && line[i] != '\x1b') ++i;
      if (i < line.size() && line[i] == '\x1b') ++i;
    }
  }
  return text;
}

void LineSplitter::feed(std::string_view bytes, const std::function<void(std::string_view)>& on_line) {
  while (!bytes.empty()) {
    const auto end = bytes.find_first_of("\n\r");
    const std::string_view piece = bytes.substr(0, end);
    if (end == std::string_view::npos || !partial_.empty()) {
      partial_ += piece.substr(0, kLongestLine - std::min(kLongestLine, partial_.size()));
    }
    if (end == std::string_view::npos) return;
    const std::string_view line = partial_.empty() ? piece.substr(0, kLongestLine) : std::string_view(partial_);
    if (!line.empty()) on_line(line);
    partial_.clear();
    bytes.remove_prefix(end + 1);
  }
}

void LineSplitter::finish(const std::function<void(std::string_view)>& on_line) {
  if (!partial_.empty()) on_line(partial_);
  partial_.clear();
}

OutputLines::OutputLines(study::MetricPattern pattern, const std::filesystem::path& file)
    : pattern_(std::move(pattern)), file_(::open(file.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644)) {}

void OutputLines::feed(std::string_view bytes, std::optional<Nanoseconds> time) {
  splitter_.feed(bytes, [&](std::string_view line) { match(line, time); });
}

void OutputLines::finish(std::optional<Nanoseconds> time) {
  splitter_.finish([&](std::string_view line) { match(line, time); });
}

void OutputLines::match(std::string_view line, std::optional<Nanoseconds> time) {
  const bool plain = line.find('\x1b') == std::string_view::npos;
  const auto found = plain ? pattern_.match(line) : pattern_.match(without_escapes(line));
  if (!found) return;
  if (lines_.size() >= kMostMetrics) {
    shortened_ = true;
    lines_.back() = {time, found->value, found->epoch};
    return;
  }
  lines_.push_back({time, found->value, found->epoch});
  nlohmann::json entry{{"line", std::string(line)}};
  if (std::isfinite(found->value)) entry["value"] = found->value;
  if (!std::isfinite(found->value)) entry["value"] = shortest(found->value);
  if (found->epoch) entry["epoch"] = *found->epoch;
  if (time) entry["t"] = time->value;
  const std::string text = entry.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace) + "\n";
  // The file serves recovery alone: where it cannot be written the run goes on.
  if (file_.valid() && !write_all(file_.get(), text)) file_.reset();
}

std::vector<OutputLine> read_output_lines(const std::filesystem::path& file) {
  std::vector<OutputLine> lines;
  const auto text = read_text(file);
  if (!text) return lines;
  for (const std::string& row : split(*text, '\n')) {
    const auto entry = parse_json_line(row);
    if (!entry || !entry->contains("value")) continue;
    const auto value = real_of(entry->at("value"));
    if (!value) continue;
    OutputLine line{{}, *value, {}};
    if (const auto time = whole_member(*entry, "t", 0, std::numeric_limits<std::int64_t>::max())) {
      line.time = Nanoseconds{*time};
    }
    if (const auto epoch = whole_member(*entry, "epoch", 0, std::numeric_limits<int>::max())) {
      line.epoch = static_cast<int>(*epoch);
    }
    lines.push_back(line);
  }
  return lines;
}

std::vector<record::MetricPoint> metrics_from(const std::vector<OutputLine>& lines, const std::string& name) {
  std::vector<record::MetricPoint> points;
  for (const OutputLine& line : last_of_each_epoch(lines)) {
    points.push_back({name, record::Split::validation, line.epoch, line.value, line.time});
  }
  for (const OutputLine& line : lines) {
    if (!line.epoch) points.push_back({name, record::Split::validation, {}, line.value, line.time});
  }
  return points;
}

std::vector<Cut> epochs_from(const std::vector<OutputLine>& lines, const energy::Window& run) {
  std::vector<OutputLine> epochs = last_of_each_epoch(lines);
  if (epochs.empty()) return {};
  const std::string reason = why_void(epochs, run);
  std::vector<Cut> cuts;
  Nanoseconds begin = run.begin;
  for (const OutputLine& line : epochs) {
    if (cuts.size() == kMostWindows) break;
    // The last lines may be read just after the main process has been seen to end.
    const Nanoseconds end = std::clamp(line.time.value_or(run.end), begin, std::max(begin, run.end));
    cuts.push_back({{energy::WindowKind::epoch, "epoch", line.epoch, begin, end}, reason});
    begin = end;
  }
  return cuts;
}

}  // namespace wattle::run
