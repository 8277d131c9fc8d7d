#include "meter/doctor.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <memory>
#include <optional>

#include "base/text.h"
#include "energy/telemetry.h"

namespace wattle::meter {
namespace {

namespace fs = std::filesystem;
using Verdict = MachineFact::Verdict;

constexpr std::string_view kUntold = "not told by this machine";

std::optional<std::string> first_line(const fs::path& file) {
  const auto text = read_text(file, 1U << 20U);
  if (!text) return std::nullopt;
  return std::string(trim(std::string_view(*text).substr(0, text->find('\n'))));
}

MachineFact governor(const fs::path& root) {
  const auto value = first_line(root / "sys/devices/system/cpu/cpu0/cpufreq/scaling_governor");
  if (!value) return {"governor", std::string(kUntold), Verdict::unknown, {}};
  if (*value == "performance") return {"governor", *value, Verdict::good, {}};
  return {"governor", *value, Verdict::disturbs, "sudo cpupower frequency-set -g performance"};
}

MachineFact turbo(const fs::path& root) {
  // intel_pstate says no_turbo = 1 when it is off, acpi-cpufreq and amd-pstate say boost = 0.
  const auto intel = first_line(root / "sys/devices/system/cpu/intel_pstate/no_turbo");
  const auto boost = first_line(root / "sys/devices/system/cpu/cpufreq/boost");
  if (!intel && !boost) return {"turbo", std::string(kUntold), Verdict::unknown, {}};
  const bool on = intel ? *intel == "0" : *boost == "1";
  if (!on) return {"turbo", "off", Verdict::good, {}};
  return {"turbo", "on", Verdict::disturbs, "power then depends on temperature; warm up, or switch it off to compare"};
}

MachineFact smt(const fs::path& root) {
  const auto value = first_line(root / "sys/devices/system/cpu/smt/active");
  if (!value) return {"SMT", std::string(kUntold), Verdict::unknown, {}};
  return {"SMT", *value == "1" ? "on" : "off", Verdict::good, {}};
}

MachineFact swap(const fs::path& root) {
  const auto text = read_text(root / "proc/meminfo", 1U << 20U);
  if (!text) return {"swap", std::string(kUntold), Verdict::unknown, {}};
  std::int64_t total = 0;
  std::int64_t unused = 0;
  for (const std::string& line : split(*text, '\n')) {
    const auto number = [&] {
      return parse_integer(trim(line.substr(line.find(':') + 1, line.rfind(" kB") - line.find(':') - 1)));
    };
    if (line.starts_with("SwapTotal:")) total = number().value_or(0);
    if (line.starts_with("SwapFree:")) unused = number().value_or(0);
  }
  const std::int64_t used = (total - unused) / 1024;
  if (used <= 0) return {"swap", total == 0 ? "none" : "unused", Verdict::good, {}};
  return {"swap", fmt::format("{} MiB in use", used), Verdict::disturbs,
          "runs may wait for the disk: free memory first"};
}

// Jiffies since boot, all cores: what /proc/stat's first line counts (proc(5)).
struct CpuTimes {
  double busy = 0.0;
  double steal = 0.0;
  double total = 0.0;
};

std::optional<CpuTimes> cpu_times(const fs::path& root) {
  const auto line = first_line(root / "proc/stat");
  if (!line || !line->starts_with("cpu ")) return std::nullopt;
  std::vector<double> fields;
  for (const std::string& word : split(*line, ' ')) {
    if (const auto number = parse_real(word)) fields.push_back(*number);
  }
  if (fields.size() < 8) return std::nullopt;
  // user nice system idle iowait irq softirq steal
  CpuTimes times;
  times.busy = fields[0] + fields[1] + fields[2] + fields[5] + fields[6];
  times.steal = fields[7];
  times.total = times.busy + times.steal + fields[3] + fields[4];
  return times;
}

// Temperature and throttling of the processors, as telemetry reads them; throttling is a rate, so it takes two looks.
class Thermal {
 public:
  explicit Thermal(const energy::ProbeOptions& options) : gauges_(energy::machine_gauges(options)) {}

  void look(Nanoseconds now) {
    values_.assign(gauges_->gauges().size(), energy::kNotTold);
    gauges_->read(now, 0, values_);
  }
  [[nodiscard]] MachineFact fact() const {
    const double temperature = value("cpu_temperature");
    const double throttled = value("cpu_throttled");
    if (std::isnan(temperature) && std::isnan(throttled))
      return {"thermal", std::string(kUntold), Verdict::unknown, {}};
    std::string text = std::isnan(temperature) ? "temperature not told" : fmt::format("{:.0f} °C", temperature);
    if (std::isnan(throttled)) return {"thermal", text + ", throttling not told", Verdict::unknown, {}};
    if (throttled > 0.0) {
      return {"thermal", text + ", throttled", Verdict::disturbs,
              "the processors are too hot to keep their clock: let them cool"};
    }
    return {"thermal", text + ", not throttled", Verdict::good, {}};
  }

 private:
  [[nodiscard]] double value(std::string_view name) const {
    const auto& gauges = gauges_->gauges();
    const auto found =
        std::find_if(gauges.begin(), gauges.end(), [&](const auto& gauge) { return gauge.name == name; });
    return found == gauges.end() ? energy::kNotTold : values_[static_cast<std::size_t>(found - gauges.begin())];
  }
  std::unique_ptr<energy::GaugeSource> gauges_;
  std::vector<double> values_;
};

void add_load(std::vector<MachineFact>& facts, const fs::path& root, Clock& clock, Nanoseconds listening) {
  const auto before = cpu_times(root);
  clock.sleep_until(clock.monotonic() + listening, {});
  const auto after = cpu_times(root);
  if (!before || !after || after->total <= before->total) {
    facts.push_back({"other load", std::string(kUntold), Verdict::unknown, {}});
    return;
  }
  const double span = after->total - before->total;
  const double load = 100.0 * (after->busy - before->busy) / span;
  const double steal = 100.0 * (after->steal - before->steal) / span;
  facts.push_back({"other load", fmt::format("{:.1f} %", load), load < 5.0 ? Verdict::good : Verdict::disturbs,
                   load < 5.0 ? "" : "something else is running: its energy would be counted too"});
  facts.push_back({"steal", fmt::format("{:.1f} %", steal), steal < 1.0 ? Verdict::good : Verdict::disturbs,
                   steal < 1.0 ? "" : "another virtual machine takes this one's cores: times will vary"});
}

}  // namespace

Diagnosis diagnose(const energy::ProbeOptions& options, Clock& clock, Nanoseconds listening) {
  Diagnosis diagnosis;
  energy::ProbeOptions all = options;
  if (all.wanted.empty()) all.wanted = energy::probe_names();
  for (energy::Found& found : energy::find_probes(all)) {
    ProbeReport report{.name = found.name,
                       .status = found.status,
                       .reason = found.reason,
                       .fix = found.fix,
                       .fix_lasting = found.fix_lasting,
                       .proven = found.proven,
                       .domains = {},
                       .missing = found.missing,
                       .timings = {}};
    if (found.probe) report.domains = found.probe->domains();
    for (const energy::Domain& domain : report.domains) {
      diagnosis.measures = diagnosis.measures || (energy::measured(domain.provenance) && !domain.simulated);
    }
    diagnosis.probes.push_back(std::move(report));
  }
  const fs::path& root = options.sysroot;
  diagnosis.machine = {governor(root), turbo(root), smt(root), swap(root)};
  Thermal thermal(options);
  thermal.look(clock.monotonic());
  add_load(diagnosis.machine, root, clock, listening);
  thermal.look(clock.monotonic());
  diagnosis.machine.push_back(thermal.fact());
  diagnosis.verdict =
      diagnosis.measures
          ? "this machine measures energy; findings about energy can be made here"
          : "this machine only estimates energy, from time and CPU use: compare times here, and confirm energy on a "
            "machine with a counter";
  return diagnosis;
}

namespace {

std::string pairs_text(const std::vector<Resolution>& resolutions) {
  std::vector<std::string> parts;
  for (const Resolution& one : resolutions) {
    const std::string percent = significant(100.0 * one.difference, 2);
    parts.push_back(one.pairs ? fmt::format("{} % with {} pairs", percent, *one.pairs)
                              : fmt::format("{} % never", percent));
  }
  return join(parts, ", ");
}

std::string verdict_of(const Diagnosis& diagnosis) {
  const Repeatability& control = *diagnosis.control;
  if (control.estimated) {
    return fmt::format(
        "cannot tell: energy is estimated here, from time and CPU use. Times of the same work spread by {} %; confirm "
        "energy on a machine with a counter",
        significant(100.0 * control.time_sd, 2));
  }
  if (!control.energy_sd) return "cannot tell: the control workload could not be measured: " + control.why_absent;
  return fmt::format("the same work repeats within {} % (energy, sd): differences of {} can be told here, at best",
                     significant(100.0 * *control.energy_sd, 2), pairs_text(diagnosis.resolutions));
}

void time_sources(Diagnosis& diagnosis, const energy::ProbeOptions& options, Nanoseconds listening, Clock& clock,
                  const std::stop_token& stop) {
  for (ProbeReport& report : diagnosis.probes) {
    if (report.status != energy::Found::Status::found) continue;
    energy::ProbeOptions one = options;
    one.wanted = {report.name};
    for (const energy::Found& found : energy::find_probes(one)) {
      if (found.probe) report.timings = time_source(*found.probe, clock, listening, stop);
    }
  }
}

}  // namespace

Result<Diagnosis> examine(const energy::ProbeOptions& options, const ExaminationOptions& how, Clock& clock,
                          const std::stop_token& stop, const std::function<void(const std::string&)>& tell) {
  const auto say = [&](const std::string& line) {
    if (tell) tell(line);
  };
  say("looking");
  Diagnosis diagnosis = diagnose(options, clock, milliseconds(500));
  say("timing the sources");
  time_sources(diagnosis, options, how.timing, clock, stop);
  say(fmt::format("listening to the idle machine for {}", human(to_seconds(how.idle))));
  auto idle = measure_idle(options, clock, how.idle, stop);
  if (!idle) return tl::unexpected(idle.error());
  diagnosis.idle = *std::move(idle);
  say(fmt::format("repeating a control workload, {} runs of about {}", how.control.runs,
                  human(to_seconds(how.control.length))));
  auto control = control_workload(options, how.control, clock, stop);
  if (!control) return tl::unexpected(control.error());
  diagnosis.control = *std::move(control);
  if (!diagnosis.control->estimated && diagnosis.control->energy_sd) {
    diagnosis.resolutions = resolutions(*diagnosis.control->energy_sd);
  }
  diagnosis.verdict = verdict_of(diagnosis);
  return diagnosis;
}

}  // namespace wattle::meter
