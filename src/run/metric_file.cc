#include "run/metric_file.h"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <limits>
#include <set>

#include "base/text.h"
#include "run/cut.h"
#include "run/json_line.h"

namespace wattle::run {
namespace {

using Points = std::vector<record::MetricPoint>;

constexpr std::size_t kLongestFile = 64U << 20U;
constexpr std::size_t kMostColumns = 4096;
constexpr std::int64_t kMostEpochs = 1'000'000'000;

// One record of RFC 4180: fields in quotes may hold commas, line ends and doubled quotes. Moves `text` past it.
std::vector<std::string> take_row(std::string_view& text) {
  std::vector<std::string> fields(1);
  bool quoted = false;
  std::size_t i = 0;
  for (; i < text.size(); ++i) {
    const char c = text[i];
    if (quoted && c == '"' && i + 1 < text.size() && text[i + 1] == '"') {
      fields.back() += text[i++];
    } else if (c == '"') {
      quoted = !quoted;
    } else if (c == ',' && !quoted && fields.size() < kMostColumns) {
      fields.emplace_back();
    } else if (c == '\n' && !quoted) {
      break;
    } else {
      fields.back() += c;
    }
  }
  text.remove_prefix(std::min(text.size(), i + 1));
  for (std::string& field : fields) field = trim(field);
  return fields;
}

std::string value_key(const study::Metric& metric) {
  return metric.value_column.empty() ? metric.name : metric.value_column;
}

tl::unexpected<Error> no_column(const std::string& file, const std::string& wanted,
                                const std::vector<std::string>& known) {
  std::string message = fmt::format("{} has no column `{}`", file, printable(wanted));
  if (const auto meant = nearest(wanted, known)) {
    message += fmt::format("; did you mean `{}`?", printable(*meant));
  } else if (!known.empty()) {
    message += fmt::format(" (it has {})",
                           printable(join(std::span(known).first(std::min<std::size_t>(known.size(), 10)), ", ")));
  }
  return fail(ErrorKind::failed, std::move(message));
}

// "nan" in any letters, as the numbers of many languages are printed.
std::optional<double> real_text(std::string text) {
  std::transform(text.begin(), text.end(), text.begin(), [](unsigned char c) { return std::tolower(c); });
  if (text == "infinity" || text == "-infinity") text.resize(text.size() - 5);
  return parse_real(text);
}

void count_from_one(Points& points) {
  const bool from_zero = std::any_of(points.begin(), points.end(), [](const auto& point) { return point.epoch == 0; });
  for (record::MetricPoint& point : points) {
    if (from_zero && point.epoch) ++*point.epoch;
  }
}

// Adds one row's value; the rows of a file without epochs are counted.
void add(Points& points, const study::Metric& metric, double value, std::optional<std::int64_t> epoch) {
  if (points.size() >= kMostMetrics) return;
  record::MetricPoint point;
  point.name = metric.name;
  point.value = value;
  if (epoch) point.epoch = static_cast<int>(*epoch);
  if (metric.epoch_column.empty()) point.epoch = static_cast<int>(points.size()) + 1;
  points.push_back(std::move(point));
}

}  // namespace

bool MetricFile::Identity::operator==(const Identity& other) const {
  const auto same = [](const timespec& a, const timespec& b) { return a.tv_sec == b.tv_sec && a.tv_nsec == b.tv_nsec; };
  return device == other.device && inode == other.inode && size == other.size && same(modified, other.modified) &&
         same(changed, other.changed);
}

std::optional<MetricFile::Identity> MetricFile::look(const std::filesystem::path& path) {
  struct stat found {};
  if (::stat(path.c_str(), &found) != 0) return std::nullopt;
  return Identity{found.st_dev, found.st_ino, found.st_size, found.st_mtim, found.st_ctim};
}

MetricFile::MetricFile(std::filesystem::path path) : path_(std::move(path)), before_(look(path_)) {}

Result<Points> MetricFile::read(const study::Metric& metric) const {
  const auto now = look(path_);
  const std::string name = printable(path_.string());
  if (!now) return fail(ErrorKind::failed, fmt::format("the metric file {} does not exist", name));
  if (before_ && *before_ == *now) {
    return fail(ErrorKind::failed, fmt::format("the metric file {} was not written by this run", name));
  }
  const auto text = read_text(path_, kLongestFile);
  if (!text) return fail(ErrorKind::failed, text.error().message);
  return metric.source == study::MetricSource::csv_file ? metrics_from_csv(*text, metric, name)
                                                        : metrics_from_json_lines(*text, metric, name);
}

Result<Points> metrics_from_csv(std::string_view text, const study::Metric& metric, const std::string& name) {
  static constexpr std::string_view kByteOrderMark = "\xEF\xBB\xBF";
  if (text.starts_with(kByteOrderMark)) text.remove_prefix(kByteOrderMark.size());
  const std::vector<std::string> header = take_row(text);
  const auto column = [&](const std::string& wanted) { return std::find(header.begin(), header.end(), wanted); };
  const auto value_at = column(value_key(metric));
  if (value_at == header.end()) return no_column(name, value_key(metric), header);
  const auto epoch_at = metric.epoch_column.empty() ? header.end() : column(metric.epoch_column);
  if (!metric.epoch_column.empty() && epoch_at == header.end()) return no_column(name, metric.epoch_column, header);
  const auto field = [&](const std::vector<std::string>& row, auto at) {
    const auto index = static_cast<std::size_t>(at - header.begin());
    return index < row.size() ? row[index] : std::string();
  };
  Points points;
  while (!text.empty()) {
    const auto row = take_row(text);
    const auto value = real_text(field(row, value_at));
    if (!value) continue;
    std::optional<std::int64_t> epoch;
    if (epoch_at != header.end()) {
      const auto number = parse_real(field(row, epoch_at));
      if (number) epoch = whole_of(*number, 0, kMostEpochs);
    }
    add(points, metric, *value, epoch);
  }
  count_from_one(points);
  return points;
}

Result<Points> metrics_from_json_lines(std::string_view text, const study::Metric& metric, const std::string& name) {
  Points points;
  std::set<std::string> keys;
  while (!text.empty()) {
    const auto end = std::min(text.find('\n'), text.size());
    const auto object = parse_json_line(text.substr(0, end));
    text.remove_prefix(std::min(text.size(), end + 1));
    if (!object) continue;
    const auto entry = object->find(value_key(metric));
    if (entry == object->end()) {
      for (const auto& item : object->items()) {
        if (keys.size() < 100) keys.insert(item.key());
      }
      continue;
    }
    const auto value = real_of(*entry);
    if (!value) continue;
    const auto epoch =
        metric.epoch_column.empty() ? std::nullopt : whole_member(*object, metric.epoch_column.c_str(), 0, kMostEpochs);
    add(points, metric, *value, epoch);
  }
  if (points.empty() && !keys.empty()) return no_column(name, value_key(metric), {keys.begin(), keys.end()});
  count_from_one(points);
  return points;
}

}  // namespace wattle::run
