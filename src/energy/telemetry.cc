#include "energy/telemetry.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>
#include <set>
#include <utility>

#include "base/text.h"

namespace wattle::energy {
namespace {

using nlohmann::json;

constexpr Nanoseconds kShortestInterval = milliseconds(10);
// Limits of a valid file. They bound what a hostile one can make the reader allocate.
constexpr std::size_t kMostGauges = 4096;
constexpr std::size_t kLongestLine = 1U << 20U;
constexpr std::int64_t kLatestTime = std::int64_t{1} << 62;  // 146 years; differences fit

// A line without its newline, taken off the text; nothing at the end or where the line is too long to be one of ours.
std::optional<std::string_view> next_line(std::string_view& text) {
  const std::string_view line = text.substr(0, text.find('\n'));
  if (line.empty() || line.size() > kLongestLine) return std::nullopt;
  text.remove_prefix(std::min(text.size(), line.size() + 1));
  return line;
}

// The member of an object, or null where it is none.
json member(const json& object, const char* key) {
  if (!object.is_object()) return nullptr;
  const auto found = object.find(key);
  return found == object.end() ? json(nullptr) : *found;
}

std::optional<std::vector<Gauge>> gauges_of(std::string_view line) {
  const json listed = member(json::parse(line, nullptr, false), "gauges");
  if (!listed.is_array() || listed.size() > kMostGauges) return std::nullopt;
  std::vector<Gauge> gauges;
  std::set<std::string> names;
  for (const json& item : listed) {
    const json name = member(item, "name");
    const json unit = member(item, "unit");
    const json meaning = member(item, "meaning");
    if (!name.is_string() || !unit.is_string() || !meaning.is_string()) return std::nullopt;
    gauges.push_back({name.get<std::string>(), unit.get<std::string>(), meaning.get<std::string>()});
    if (!names.insert(gauges.back().name).second) return std::nullopt;
  }
  return gauges;
}

std::optional<TelemetryRow> row_of(std::string_view line, std::size_t width) {
  const json object = json::parse(line, nullptr, false);
  const json time = member(object, "t");
  const json values = member(object, "values");
  // Above the signed range the library holds a number as unsigned; such a time is none.
  if (!time.is_number_integer() || !values.is_array() || values.size() != width) return std::nullopt;
  if (time.is_number_unsigned() && time.get<std::uint64_t>() > kLatestTime) return std::nullopt;
  TelemetryRow row{.time = {time.get<std::int64_t>()}, .values = {}};
  if (row.time.value < 0) return std::nullopt;
  row.values.reserve(width);
  for (const json& value : values) {
    if (!value.is_number() && !value.is_null()) return std::nullopt;
    row.values.push_back(value.is_null() ? kNotTold : value.get<double>());
  }
  return row;
}

Nanoseconds overlap(Nanoseconds begin, Nanoseconds end, const Window& window) {
  return std::max(Nanoseconds{}, std::min(end, window.end) - std::max(begin, window.begin));
}

// Weights are shares of the whole weight, so that no sum of large values overflows on the way.
std::optional<Measure> measure_of(const TelemetryTable& table, std::size_t column, const Window& window) {
  Measure measure{.name = table.gauges[column].name, .unit = table.gauges[column].unit};
  std::vector<std::pair<double, double>> told;  // value, seconds
  double whole = 0.0;
  for (std::size_t i = 0; i < table.rows.size(); ++i) {
    const TelemetryRow& row = table.rows[i];
    if (row.time > window.end) break;
    if (row.time < window.begin || column >= row.values.size() || !std::isfinite(row.values[column])) continue;
    const Nanoseconds begin = i > 0 ? table.rows[i - 1].time : row.time;
    told.emplace_back(row.values[column], to_seconds(overlap(begin, row.time, window)).value);
    whole += told.back().second;
  }
  if (told.empty()) return std::nullopt;
  measure.maximum = told.front().first;
  for (const auto& [value, weight] : told) {
    measure.mean += value * (whole > 0.0 ? weight / whole : 1.0 / static_cast<double>(told.size()));
    measure.maximum = std::max(measure.maximum, value);
  }
  measure.readings = static_cast<std::int64_t>(told.size());
  return measure;
}

}  // namespace

std::size_t column_of(const TelemetryTable& table, std::string_view gauge) {
  const auto found =
      std::find_if(table.gauges.begin(), table.gauges.end(), [&](const Gauge& one) { return one.name == gauge; });
  return static_cast<std::size_t>(found - table.gauges.begin());
}

std::vector<Measure> measures_in(const TelemetryTable& table, const Window& window) {
  std::vector<Measure> measures;
  for (std::size_t column = 0; column < table.gauges.size(); ++column) {
    if (auto measure = measure_of(table, column, window)) measures.push_back(std::move(*measure));
  }
  return measures;
}

std::string encode_gauges(const std::vector<Gauge>& gauges) {
  json listed = json::array();
  for (const Gauge& gauge : gauges) {
    listed.push_back({{"name", gauge.name}, {"unit", gauge.unit}, {"meaning", gauge.meaning}});
  }
  return json{{"gauges", std::move(listed)}}.dump(-1, ' ', false, json::error_handler_t::replace) + '\n';
}

std::string encode_row(const TelemetryRow& row) {
  std::string line = fmt::format(R"({{"t":{},"values":[)", row.time.value);
  for (std::size_t i = 0; i < row.values.size(); ++i) {
    if (i > 0) line += ',';
    line += std::isfinite(row.values[i]) ? shortest(row.values[i]) : "null";
  }
  return line + "]}\n";
}

Result<TelemetryTable> decode_telemetry(std::string_view text) {
  const auto first = next_line(text);
  auto gauges = first ? gauges_of(*first) : std::nullopt;
  if (!gauges) return fail(ErrorKind::bad_input, "telemetry does not begin with a line that names its gauges");
  TelemetryTable table{.gauges = std::move(*gauges), .rows = {}};
  while (const auto line = next_line(text)) {
    auto row = row_of(*line, table.gauges.size());
    if (!row || (!table.rows.empty() && row->time < table.rows.back().time)) break;
    table.rows.push_back(std::move(*row));
  }
  return table;
}

Telemetry::Telemetry(Clock& clock, std::vector<std::unique_ptr<GaugeSource>> sources, TelemetryOptions options)
    : clock_(clock), sources_(std::move(sources)), options_(std::move(options)) {
  options_.interval = std::max(options_.interval, kShortestInterval);
  for (const auto& source : sources_) gauges_.insert(gauges_.end(), source->gauges().begin(), source->gauges().end());
}

void Telemetry::start(bool threaded) {
  if (threaded) {
    thread_ = std::jthread([this](const std::stop_token& stop) { loop(stop); });
    return;
  }
  if (options_.on_line) options_.on_line(encode_gauges(gauges_));
  sample();
}

void Telemetry::loop(const std::stop_token& stop) {
  if (options_.on_line) options_.on_line(encode_gauges(gauges_));
  Nanoseconds due = clock_.monotonic();
  do {
    sample();
    const std::int64_t late = std::max<std::int64_t>(0, (clock_.monotonic() - due).value);
    due += options_.interval * (late / options_.interval.value + 1);
  } while (clock_.sleep_until(due, stop));
  sample();
}

void Telemetry::watch(pid_t root) {
  const std::scoped_lock lock(mutex_);
  root_ = root;
}

void Telemetry::sample() {
  const pid_t root = [&] {
    const std::scoped_lock lock(mutex_);
    return root_;
  }();
  TelemetryRow row{.time = clock_.monotonic(), .values = std::vector<double>(gauges_.size(), kNotTold)};
  std::size_t first = 0;
  for (const auto& source : sources_) {
    const std::span<double> out(row.values.data() + first, source->gauges().size());
    first += out.size();
    try {
      source->read(clock_.monotonic(), root, out);
    } catch (...) {  // whatever a source met, what it had filled by then is not to be trusted
      std::fill(out.begin(), out.end(), kNotTold);
    }
  }
  if (options_.on_line) options_.on_line(encode_row(row));
  keep(std::move(row));
}

void Telemetry::keep(TelemetryRow row) {
  const std::scoped_lock lock(mutex_);
  rows_.push_back(std::move(row));
  if (rows_.size() <= kMostRows) return;
  for (std::size_t i = 1; 2 * i < rows_.size(); ++i) rows_[i] = std::move(rows_[2 * i]);
  rows_.resize((rows_.size() + 1) / 2);
}

TelemetryTable Telemetry::stop() {
  if (thread_.joinable()) {
    thread_.request_stop();
    thread_.join();  // its last act is a last row
  } else if (latest()) {
    sample();
  }
  const std::scoped_lock lock(mutex_);
  return {.gauges = gauges_, .rows = std::exchange(rows_, {})};
}

std::optional<TelemetryRow> Telemetry::latest() const {
  const std::scoped_lock lock(mutex_);
  if (rows_.empty()) return std::nullopt;
  return rows_.back();
}

}  // namespace wattle::energy
