// What `perf stat -x, -e power/energy-pkg/,…` leaves in a file: one run a file.
//
//   182.41,Joules,power/energy-pkg/,10012345678,100.00,,              with -I: the time stamp (s) first, then the same
//   <not supported>,,power/energy-ram/,0,100.00,,                     with --per-socket: S0,1, first
//
// Any separator that -x was given works as long as it is a comma, a semicolon or a tab.
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>

#include "base/text.h"
#include "importers/draft.h"
#include "importers/sheet.h"

namespace wattle::importers {
namespace {

struct Event {
  std::string_view name;
  std::string_view domain;
  energy::DomainKind kind;
  std::string_view parent;
  double gain;
};
constexpr std::array kEvents{Event{"energy-pkg", "package", energy::DomainKind::package, "", 0.05},
                             Event{"energy-ram", "dram", energy::DomainKind::dram, "", 0.10},
                             Event{"energy-cores", "core", energy::DomainKind::core, "package", 0.05},
                             Event{"energy-gpu", "uncore", energy::DomainKind::uncore, "package", 0.05},
                             Event{"energy-psys", "psys", energy::DomainKind::psys, "", 0.05}};

struct Counted {
  const Event* event = nullptr;
  std::string domain;  // with the socket's number, where it is told
  std::string parent;
  std::optional<double> joules;
  std::string why_absent;
};

struct Totals {
  std::vector<Counted> counted;
  std::optional<double> seconds;  // duration_time
  double last_stamp = 0.0;        // -I
  double counter_seconds = 0.0;   // how long the counters ran
};

class PerfFile {
 public:
  PerfFile(std::string name, Intake& intake) : name_(std::move(name)), intake_(intake) {}

  Result<Totals> read(std::string_view text) {
    Totals totals;
    std::size_t line_number = 0;
    for (const std::string& line : split(text, '\n')) {
      ++line_number;
      const std::string_view plain = trim(line);
      if (plain.empty() || plain.front() == '#') continue;
      read_line(plain, line_number, totals);
    }
    if (totals.counted.empty() && intake_.mistakes.empty()) {
      return fail(ErrorKind::bad_input, fmt::format("{} holds no energy of `perf stat -x,`", name_),
                  "perf stat -x, -o FILE -a -e power/energy-pkg/,power/energy-ram/ -- COMMAND");
    }
    return totals;
  }

 private:
  void wrong(std::size_t line, std::string_view what) {
    intake_.mistakes.push_back(fmt::format("{}:{}:1: {}", name_, line, what));
    ++intake_.bad_rows;
  }

  // Of what only stands in for duration_time: nonsense is not told.
  static double seconds_in(std::string_view text, double scale) {
    const double told = parse_real(text).value_or(0.0) * scale;
    return told > 0.0 && told <= kMostSeconds ? told : 0.0;
  }

  static char separator_of(std::string_view line) {
    for (const char c : {';', '\t'}) {
      if (std::count(line.begin(), line.end(), c) >= 3) return c;
    }
    return ',';
  }

  static const Event* event_of(std::string_view field) {
    const auto* found = std::find_if(kEvents.begin(), kEvents.end(),
                                     [&](const Event& e) { return field.find(e.name) != std::string_view::npos; });
    return found == kEvents.end() ? nullptr : found;
  }

  void read_line(std::string_view line, std::size_t number, Totals& totals) {
    const char separator = separator_of(line);
    std::vector<std::string> fields = split(line, separator);
    const auto named = std::find_if(fields.begin(), fields.end(), [](const std::string& field) {
      return event_of(field) != nullptr || trim(field).starts_with("duration_time");
    });
    if (named == fields.end()) return;  // another event
    const auto at = static_cast<std::size_t>(named - fields.begin());
    if (at < 2) return wrong(number, "a value, a unit and an event are expected");
    std::string value(trim(fields[at - 2]));
    if (separator == ';') std::replace(value.begin(), value.end(), ',', '.');  // locales with a decimal comma
    const std::string unit(trim(fields[at - 1]));
    if (at >= 3 && separator == ';') std::replace(fields[0].begin(), fields[0].end(), ',', '.');
    if (at == 3 || at == 5) totals.last_stamp = std::max(totals.last_stamp, seconds_in(fields[0], 1.0));
    if (event_of(*named) == nullptr) return take_duration(value, unit, number, totals);
    if (at + 1 < fields.size()) {
      totals.counter_seconds = std::max(totals.counter_seconds, seconds_in(fields[at + 1], 1e-9));
    }
    const bool by_socket = at >= 4 && trim(fields[at - 4]).starts_with("S");
    take(*event_of(*named), by_socket ? std::string(trim(fields[at - 4]).substr(1)) : "", value, unit, number, totals);
  }

  void take_duration(const std::string& value, const std::string& unit, std::size_t number, Totals& totals) {
    const auto told = parse_real(value);
    if (!told || *told < 0.0 || *told > kMostSeconds * 1e9) return wrong(number, "duration_time is no time");
    const double sum = totals.seconds.value_or(0.0) + *told * (unit.empty() || unit == "ns" ? 1e-9 : 1.0);
    totals.seconds = std::min(kMostSeconds, sum);
  }

  void take(const Event& event, const std::string& socket, const std::string& value, const std::string& unit,
            std::size_t number, Totals& totals) {
    const std::string suffix = socket.empty() ? "" : "-" + socket;
    const std::string domain = std::string(event.domain) + suffix;
    auto place = std::find_if(totals.counted.begin(), totals.counted.end(),
                              [&](const Counted& one) { return one.domain == domain; });
    if (place == totals.counted.end()) {
      Counted fresh{&event, domain, event.parent.empty() ? "" : std::string(event.parent) + suffix, std::nullopt, {}};
      place = totals.counted.insert(totals.counted.end(), std::move(fresh));
    }
    if (value.starts_with("<")) {
      place->why_absent = fmt::format("perf says {}", excerpt(value));
      return;
    }
    const auto joules = parse_real(value);
    if (unit != "Joules") return wrong(number, fmt::format("`{}` where Joules are expected", excerpt(unit)));
    if (!joules || !std::isfinite(*joules) || *joules < 0.0 || *joules > kMostJoules) {
      return wrong(number, fmt::format("`{}` is no energy", excerpt(value)));
    }
    place->joules = std::min(kMostJoules, place->joules.value_or(0.0) + *joules);
  }

  std::string name_;
  Intake& intake_;
};

Part part_of(const Counted& counted) {
  Part part{{.name = counted.domain,
             .kind = counted.event->kind,
             .provenance = energy::Provenance::counter,
             .source = "imported: perf stat",
             .parent = counted.parent,
             .gain_uncertainty = counted.event->gain,
             .update_period = milliseconds(1)},
            std::nullopt,
            counted.why_absent};
  // Part of a sum that was not counted now and then is no sum.
  if (counted.joules && counted.why_absent.empty()) part.energy = Joules{*counted.joules};
  return part;
}

}  // namespace

Result<void> read_perf_stat(const Request& request, Intake& intake) {
  for (const auto& file : request.files) {
    const auto text = read_plain_text(file);
    if (!text) return tl::unexpected(text.error());
    const auto totals = PerfFile(file.filename().string(), intake).read(*text);
    if (!totals) return tl::unexpected(totals.error());
    Draft draft;
    draft.file = file.filename().string();
    draft.identity = *text;
    draft.workload = request.workload.empty() ? file.stem().string() : request.workload;
    draft.environment.name = request.environment.empty() ? "default" : request.environment;
    draft.metric.name = "accuracy";
    for (const Counted& counted : totals->counted) draft.parts.push_back(part_of(counted));
    if (totals->seconds) {
      draft.duration = Seconds{*totals->seconds};
    } else if (totals->last_stamp > 0.0) {
      draft.duration = Seconds{totals->last_stamp};
    } else if (totals->counter_seconds > 0.0) {
      draft.duration = Seconds{totals->counter_seconds};
    }
    intake.drafts.push_back(std::move(draft));
  }
  return {};
}

}  // namespace wattle::importers
