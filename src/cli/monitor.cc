// wattle monitor: the machine's power as it goes, in a terminal, as lines, or for Prometheus.
#include "meter/monitor.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <nlohmann/json.hpp>
#include <optional>

#include "base/text.h"
#include "cli/context.h"
#include "http/http.h"
#include "meter/exposition.h"
#include "record/version.h"
#include "report/table.h"

namespace wattle::cli {
namespace {

struct MonitorWords {
  std::string interval = "1s";
  std::string listen;
  std::int64_t count = 0;  // 0: until it is stopped
};

struct Address {
  std::string host = "127.0.0.1";
  int port = 0;
};

// "9184", "0.0.0.0:9184", "[::1]:9184".
std::optional<Address> address_of(const std::string& text) {
  Address address;
  const auto colon = text.rfind(':');
  const auto port = parse_unsigned(colon == std::string::npos ? text : text.substr(colon + 1));
  if (!port || *port > 65'535) return std::nullopt;
  address.port = static_cast<int>(*port);
  if (colon == std::string::npos) return address;
  address.host = text.substr(0, colon);
  const bool bracketed = address.host.starts_with('[') && address.host.ends_with(']');
  if (bracketed) address.host = address.host.substr(1, address.host.size() - 2);
  if (address.host.empty() || (!bracketed && address.host.find(':') != std::string::npos)) return std::nullopt;
  return address;
}

// --- What is shown ------------------------------------------------------------------------------------------------

nlohmann::json number(const std::optional<Watts>& power) {
  return power ? nlohmann::json(power->value) : nlohmann::json(nullptr);
}

void put_total(nlohmann::json& line, const std::string& name, const std::optional<meter::TotalNow>& total) {
  line[name + "_energy_j"] = total ? nlohmann::json(to_joules(total->energy).value) : nlohmann::json(nullptr);
  line[name + "_power_w"] = total ? number(total->power) : nlohmann::json(nullptr);
}

std::string json_line(const meter::MonitorNow& now) {
  nlohmann::json domains = nlohmann::json::array();
  for (const meter::DomainNow& d : now.domains) {
    domains.push_back({{"domain", d.domain.name},
                       {"kind", energy::to_string(d.domain.kind)},
                       {"provenance", energy::to_string(d.domain.provenance)},
                       {"source", d.domain.source},
                       {"energy_j", d.energy ? nlohmann::json(to_joules(*d.energy).value) : nlohmann::json(nullptr)},
                       {"power_w", number(d.power)},
                       {"failed_readings", d.failures}});
  }
  nlohmann::json line{{"elapsed_s", to_seconds(now.elapsed).value}, {"domains", domains}};
  put_total(line, "measured", now.measured);
  put_total(line, "estimated", now.estimated);
  line["missing"] = now.missing;
  return line.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace) + "\n";
}

std::string power_text(const std::optional<Watts>& power) { return power ? human(*power) : "–"; }

std::string total_text(const std::optional<meter::TotalNow>& total) {
  if (!total) return "–";
  return fmt::format("{}, {}", power_text(total->power), human(to_joules(total->energy)));
}

std::string plain_line(const meter::MonitorNow& now) {
  std::string line = fmt::format("{:>8}", human(to_seconds(now.elapsed)));
  for (const meter::DomainNow& d : now.domains) {
    line += fmt::format("  {} {}{}", d.domain.name, power_text(d.power),
                        energy::measured(d.domain.provenance) ? "" : " est.");
  }
  if (now.measured) line += fmt::format("  measured {}", total_text(now.measured));
  if (now.estimated) line += fmt::format("  estimated {}", total_text(now.estimated));
  return printable(line) + "\n";
}

// The last minute, from 0 to its highest.
std::string sparkline(const std::vector<std::optional<Watts>>& minute) {
  static constexpr std::array<const char*, 8> kBars{"▁", "▂", "▃", "▄", "▅", "▆", "▇", "█"};
  double highest = 0.0;
  for (const auto& power : minute) highest = std::max(highest, power ? power->value : 0.0);
  std::string line;
  for (const auto& power : minute) {
    const double height = power && highest > 0.0 ? power->value / highest : 0.0;
    line += power ? kBars[std::min<std::size_t>(7, static_cast<std::size_t>(height * 8.0))] : " ";
  }
  return line;
}

std::string picture(const meter::MonitorNow& now, int width, bool colour) {
  report::Table table({{human(to_seconds(now.elapsed)), report::Align::left, false},
                       {"power", report::Align::right, false},
                       {"energy", report::Align::right, false},
                       {"last minute", report::Align::left, false},
                       {"", report::Align::left, false},
                       {"source", report::Align::left, true}});
  for (const meter::DomainNow& d : now.domains) {
    const bool measured = energy::measured(d.domain.provenance);
    const std::string word = fmt::format("{} ±{:.0f} %",
                                         d.domain.simulated ? "simulated"
                                         : measured         ? "measured"
                                                            : "estimated",
                                         100.0 * d.domain.gain_uncertainty);
    table.add_row({{d.domain.name},
                   {power_text(d.power)},
                   {d.energy ? human(to_joules(*d.energy)) : "–"},
                   {sparkline(d.minute)},
                   {word, measured ? report::Tone::plain : report::Tone::dim},
                   {d.domain.source}});
    if (!d.power && !d.last_failure.empty()) table.add_note({d.last_failure, report::Tone::dim});
  }
  std::string text = table.render(width, colour);
  if (now.measured) text += fmt::format("total measured   {}\n", total_text(now.measured));
  if (now.estimated) text += fmt::format("total estimated  {}\n", total_text(now.estimated));
  for (const std::string& missing : now.missing) text += report::wrapped(missing, width, "lacks ");
  return text;
}

std::string summary(const meter::MonitorNow& now) {
  const auto part = [&](const char* name, const std::optional<meter::TotalNow>& total) {
    if (!total) return std::string();
    const Joules energy = to_joules(total->energy);
    const Seconds time = to_seconds(now.elapsed);
    return fmt::format(", {} {}{}", name, human(energy),
                       time.value > 0.0 ? fmt::format(" (mean {})", human(energy / time)) : "");
  };
  std::string line = fmt::format("watched {}{}{}", human(to_seconds(now.elapsed)), part("measured", now.measured),
                                 part("estimated", now.estimated));
  if (!now.measured && !now.estimated) line += ", no energy was read";
  return line;
}

// Draws each picture over the one before where there is a terminal.
class Screen {
 public:
  Screen(bool json, bool quiet)
      : json_(json),
        quiet_(quiet),
        terminal_(!json && is_terminal(STDOUT_FILENO)),
        colour_(wants_colour(STDOUT_FILENO)) {}

  // False where nobody reads any longer.
  [[nodiscard]] bool show(const meter::MonitorNow& now) {
    if (quiet_) return true;
    std::string text = json_ ? json_line(now) : plain_line(now);
    if (terminal_) {
      const std::string drawn = picture(now, std::min(terminal_width(STDOUT_FILENO), 120) - 1, colour_);
      text = (lines_ > 0 ? fmt::format("\x1b[{}A\x1b[J", lines_) : "") + drawn;
      lines_ = std::count(drawn.begin(), drawn.end(), '\n');
    }
    return std::fwrite(text.data(), 1, text.size(), stdout) == text.size() && std::fflush(stdout) == 0;
  }

 private:
  bool json_;
  bool quiet_;
  bool terminal_;
  bool colour_;
  std::ptrdiff_t lines_ = 0;  // of the picture now on the screen
};

// --- Doing it -----------------------------------------------------------------------------------------------------

http::Response page(const meter::Monitor& monitor, const std::string& path) {
  if (path == "/metrics") {
    return {.status = 200,
            .type = std::string(meter::kExpositionType),
            .body = meter::exposition(monitor.now(), version())};
  }
  http::Response response;
  response.status = path == "/" ? 200 : 404;
  response.body = path == "/" ? "wattle monitor: metrics are at /metrics\n" : "there is only /metrics\n";
  return response;
}

int watch(const Context& context, const meter::Monitor& monitor, Clock& clock, const MonitorWords& words,
          Nanoseconds interval, const std::stop_token& stop) {
  Screen screen(context.json, !words.listen.empty() && !context.json);
  Nanoseconds due = clock.monotonic() + interval;
  for (std::int64_t shown = 0; words.count == 0 || shown < words.count; ++shown) {
    if (!clock.sleep_until(due, stop)) break;
    if (!screen.show(monitor.now())) return 0;
    due = std::max(due + interval, clock.monotonic());
  }
  const std::string line = summary(monitor.now());
  if (context.json) {
    note(line);
    return 0;
  }
  return give(context, line + "\n");
}

int monitor(const Context& context, const MonitorWords& words) {
  const auto interval = parse_duration(words.interval);
  if (!interval || *interval < meter::kShortestInterval || *interval > seconds(60)) {
    return tell({ErrorKind::bad_input,
                 fmt::format("--interval {}: a duration from 100ms to 60s is needed", words.interval),
                 "for example --interval 500ms"});
  }
  const auto address = address_of(words.listen.empty() ? "0" : words.listen);
  if (!address) {
    return tell({ErrorKind::bad_input, fmt::format("--listen {}: [ADDRESS:]PORT is needed", printable(words.listen)),
                 "for example --listen 9184, or --listen 0.0.0.0:9184 for the whole network"});
  }
  if (!context.output.empty()) {
    return tell({ErrorKind::bad_input, "monitor has no end to write a file at", "wattle monitor --json > FILE"});
  }
  Signals signals({});
  SystemClock clock;
  std::vector<energy::Found> probes = energy::find_probes(context.probe_options());
  std::string reasons;
  for (const energy::Found& found : probes) {
    if (!found.probe) reasons += fmt::format("{}{}: {}", reasons.empty() ? "" : "; ", found.name, found.reason);
  }
  meter::Monitor monitor(clock, std::move(probes), *interval);
  if (monitor.empty()) return tell({ErrorKind::environment, "nothing here can be watched", printable(reasons)});
  monitor.start();
  if (words.listen.empty()) {
    return watch(context, monitor, clock, words, *interval, signals.after_run.get_token());
  }
  const auto http = http::load_http(context.program);
  if (!http) return tell(http.error());
  const auto server =
      http->serve(address->host, address->port, [&](const std::string& path) { return page(monitor, path); });
  if (!server) return tell(server.error());
  const bool colons = address->host.find(':') != std::string::npos;
  note(fmt::format("metrics at http://{}{}{}:{}/metrics", colons ? "[" : "", address->host, colons ? "]" : "",
                   server->port()));
  return watch(context, monitor, clock, words, *interval, signals.after_run.get_token());
}

}  // namespace

void add_monitor(CLI::App& app, Context& context, Chosen& chosen) {
  CLI::App* sub = app.add_subcommand("monitor", "Watch the machine's power, or serve it to Prometheus");
  auto words = std::make_shared<MonitorWords>();
  sub->add_option("--interval", words->interval, "Time between readings")->type_name("DURATION")->capture_default_str();
  sub->add_option("--count", words->count, "Show this many and end")->type_name("N")->check(CLI::PositiveNumber);
  sub->add_option("--listen", words->listen,
                  "Serve /metrics instead of showing; on the loopback unless an address is given")
      ->type_name("[ADDRESS:]PORT");
  sub->footer(
      "^C ends it with a summary. --json gives one object a line. Nothing protects --listen: with an address other "
      "than "
      "the loopback's, everybody in the network can read it.\n"
      "Examples:\n  wattle monitor\n  wattle monitor --json --count 10\n  wattle monitor --listen 9184");
  sub->callback([&context, &chosen, words] { chosen = [&context, words] { return monitor(context, *words); }; });
}

}  // namespace wattle::cli
