#include "energy/replay_probe.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <iterator>
#include <limits>
#include <map>
#include <optional>
#include <utility>

#include "base/text.h"
#include "energy/accumulator.h"

namespace wattle::energy {
namespace {

constexpr std::size_t kLargestFile = 256U << 20U;
// Rows of a log may lie far apart; what it lacks it says by an empty cell.
constexpr Nanoseconds kLongestRow = seconds(3600);
constexpr std::string_view kZstdMagic = "\x28\xB5\x2F\xFD";

bool by_time(const Sample& sample, Nanoseconds t) { return sample.time < t; }

class ReplayProbe final : public Probe {
 public:
  explicit ReplayProbe(Trace trace) : trace_(std::move(trace)) {
    Nanoseconds first{std::numeric_limits<std::int64_t>::max()};
    for (Series& series : trace_.series) {
      if (!series.samples.empty()) first = std::min(first, series.samples.front().time);
      series.domain.simulated = true;
      domains_.push_back(series.domain);
    }
    recording_begin_ = first;
  }

  [[nodiscard]] const std::vector<Domain>& domains() const override { return domains_; }

  void read(Nanoseconds now, std::span<Reading> out) override {
    if (!begin_) begin_ = now;
    const Nanoseconds instant = recording_begin_ + (now - *begin_);
    for (std::size_t i = 0; i < out.size() && i < trace_.series.size(); ++i) {
      const Series& series = trace_.series[i];
      out[i] = {};
      out[i].reason = why_silent(series, instant);
      // A recording stands still in its gaps, which a counter does not.
      out[i].kind = Reading::Kind::gap;
      if (!out[i].reason.empty()) continue;
      out[i].kind = Reading::Kind::counter;
      out[i].modulus = kNeverWraps;
      out[i].value = static_cast<std::uint64_t>(cumulative_at(series, instant).value);
    }
    last_ = instant;
  }

 private:
  // A gap that began and ended since the last read must not pass unseen either.
  [[nodiscard]] std::string why_silent(const Series& series, Nanoseconds instant) const {
    const auto& samples = series.samples;
    if (samples.empty() || instant < samples.front().time) return "the recording has nothing yet";
    if (instant > samples.back().time) return "the recording has ended";
    const auto since =
        std::lower_bound(samples.begin(), samples.end(), last_.value_or(instant) + Nanoseconds{1}, by_time);
    const auto next = std::lower_bound(samples.begin(), samples.end(), instant, by_time);
    const bool gap = std::any_of(std::min(since, next), std::next(next), [](const Sample& s) { return s.gap_before; });
    return gap ? "a gap in the recording" : "";
  }

  Trace trace_;
  std::vector<Domain> domains_;
  Nanoseconds recording_begin_{};
  std::optional<Nanoseconds> begin_;
  std::optional<Nanoseconds> last_;
};

tl::unexpected<Error> bad_line(std::size_t line, std::string_view what) {
  return fail(ErrorKind::bad_input, fmt::format("line {}: {}", line, what));
}

// One domain of a CSV, as it is read.
struct Column {
  std::size_t place = 0;  // in the trace
  Accumulator accumulator;
  Nanoseconds last{};
};

constexpr std::string_view kModel = " (model)";

bool is_model(std::string_view name) {
  return name.ends_with(kModel) || name.substr(0, name.find('-')).ends_with("_model");
}

// "package-0", "gpu-1 (power)", "cpu (model)", "gpu-0 (model)".
std::optional<DomainKind> kind_of(std::string_view name) {
  const std::string_view word = name.substr(0, name.find_first_of("- "));
  return domain_kind(name.ends_with(kModel) ? std::string(word) + "_model" : std::string(word));
}

// "gpu-1 (power)" is a second sight of gpu-1; cores and uncore are parts of the package of their number.
std::string parent_of(std::string_view name, DomainKind kind) {
  const auto aside = name.find(" (");
  if (aside != std::string_view::npos && !name.ends_with(kModel)) return std::string(name.substr(0, aside));
  const auto dash = name.find('-');
  const bool part = kind == DomainKind::core || kind == DomainKind::uncore;
  return part && dash != std::string_view::npos ? "package" + std::string(name.substr(dash)) : std::string();
}

class CsvReader {
 public:
  [[nodiscard]] Result<void> header(std::size_t line, const std::vector<std::string>& cells) {
    const std::string_view unit = cells.size() == 3 ? trim(cells[2]) : std::string_view{};
    const bool known = cells.size() == 3 && trim(cells[0]) == "time_s" && trim(cells[1]) == "domain" &&
                       (unit == "power_w" || unit == "energy_j");
    if (!known) return bad_line(line, "the header must be time_s,domain,power_w or time_s,domain,energy_j");
    power_ = unit == "power_w";
    return {};
  }

  [[nodiscard]] Result<void> row(std::size_t line, const std::vector<std::string>& cells) {
    if (cells.size() != 3) return bad_line(line, "not three cells");
    const auto time = parse_real(cells[0]);
    if (!time || !(std::abs(*time) < 4e9)) return bad_line(line, "no time in seconds");
    const Nanoseconds instant = to_nanoseconds(Seconds{*time});
    auto column = column_of(line, std::string(trim(cells[1])), instant);
    if (!column) return tl::unexpected(column.error());
    const auto reading = reading_of(cells[2]);
    if (!reading) return bad_line(line, "no energy or power of 0 or more, below 10^12");
    const auto sample = (*column)->accumulator.add(instant, *reading, false);
    if (sample) trace_.series[(*column)->place].samples.push_back(*sample);
    return {};
  }

  [[nodiscard]] Trace take() { return std::move(trace_); }

 private:
  [[nodiscard]] std::optional<Reading> reading_of(std::string_view cell) const {
    Reading reading;
    reading.kind = Reading::Kind::gap;
    reading.reason = "no value";
    if (trim(cell).empty()) return reading;
    const auto value = parse_real(cell);
    if (!value || *value < 0.0 || *value >= 1e12) return std::nullopt;
    if (std::isnan(*value)) return reading;
    reading.kind = power_ ? Reading::Kind::power : Reading::Kind::counter;
    reading.modulus = power_ ? 0 : kNeverWraps;
    reading.value = static_cast<std::uint64_t>(std::llround(*value * 1e6));
    return reading;
  }

  [[nodiscard]] Result<Column*> column_of(std::size_t line, const std::string& name, Nanoseconds instant) {
    auto found = columns_.find(name);
    if (found == columns_.end()) {
      const auto kind = kind_of(name);
      if (!kind) return bad_line(line, fmt::format("`{}` does not begin with a kind of domain", printable(name)));
      Domain domain;
      domain.name = name;
      domain.kind = *kind;
      domain.parent = parent_of(name, *kind);
      domain.provenance = is_model(name)              ? Provenance::model
                          : kind == DomainKind::other ? Provenance::constant
                          : power_                    ? Provenance::integrated_power
                                                      : Provenance::counter;
      domain.source = "replay";
      domain.simulated = true;
      found = columns_.emplace(name, Column{trace_.series.size(), Accumulator(domain, kLongestRow), {}}).first;
      trace_.series.push_back({.domain = std::move(domain), .samples = {}});
    } else if (instant <= found->second.last) {
      return bad_line(line, fmt::format("time does not rise in {}", printable(name)));
    }
    found->second.last = instant;
    return &found->second;
  }

  bool power_ = false;
  std::map<std::string, Column> columns_;
  Trace trace_;
};

Result<Trace> load(const std::filesystem::path& file) {
  const auto text = read_text(file, kLargestFile);
  if (!text) return tl::unexpected(text.error());
  if (!std::string_view(*text).starts_with(kZstdMagic)) return trace_from_csv(*text);
  auto decoded = decode_trace(*text);
  if (!decoded) return tl::unexpected(decoded.error());
  return std::move(decoded->trace);
}

}  // namespace

Result<Trace> trace_from_csv(std::string_view text) {
  CsvReader reader;
  bool headed = false;
  for (std::size_t number = 1; !text.empty(); ++number) {
    const std::string_view line = text.substr(0, text.find('\n'));
    text.remove_prefix(std::min(text.size(), line.size() + 1));
    if (trim(line).empty() || trim(line).front() == '#') continue;
    const auto cells = split(line, ',');
    const Result<void> taken = headed ? reader.row(number, cells) : reader.header(number, cells);
    if (!taken) return tl::unexpected(taken.error());
    headed = true;
  }
  if (!headed) return fail(ErrorKind::bad_input, "no header line time_s,domain,power_w");
  return reader.take();
}

Found find_replay(const std::filesystem::path& file) {
  Found found;
  found.name = "replay:" + file.string();
  found.proven = "simulated";
  auto trace = load(file);
  if (!trace) {
    found.reason = trace.error().message;
    return found;
  }
  const bool empty = std::all_of(trace->series.begin(), trace->series.end(),
                                 [](const Series& series) { return series.samples.empty(); });
  if (empty) {
    found.reason = "the recording holds no sample";
    return found;
  }
  found.status = Found::Status::found;
  found.missing = trace->missing;
  found.reason = fmt::format("{} domains, simulated", trace->series.size());
  found.probe = std::make_unique<ReplayProbe>(std::move(*trace));
  return found;
}

}  // namespace wattle::energy
