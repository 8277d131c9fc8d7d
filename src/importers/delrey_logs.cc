// Raw monitor logs of del Rey et al.: nvidia-smi once a second, in two layouts, and psutil beside it.
//
//   mobilenet_v2-gpu-power-20230121T103916.csv         timestamp,gpu_name,gpu_usage,…       2023-01-21 10:39:17.027
//   resnet50-gpu-power-20230306T080920.csv             timestamp, name, utilization.gpu [%]…  2023/03/06 08:09:20.792
//   mobilenet_v2-cpu-mem-usage-20230121T103916.csv     timestamp,cpu usage (%),…            2023-01-21T10:39:20.049888
//
// Power is integrated by trapezoid over the time stamps as they are: readings come a little more than a second apart,
// so the sum of powers times one second is wrong, by 98.83 % instead of 81.38 % once. Whole fractions of a watt are
// kept.
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <cmath>

#include "base/text.h"
#include "energy/accumulator.h"
#include "importers/draft.h"
#include "importers/sheet.h"

namespace wattle::importers {
namespace {

constexpr std::int64_t kSecond = 1'000'000'000;

// --- Cells -----------------------------------------------------------------------------------------------------------

// "2023-01-21 10:39:17.027", with slashes, with a T; since 1970, as if the zone were UTC.
std::optional<Nanoseconds> instant_of(std::string_view text) {
  if (text.size() < 19 || text.size() > 29) return std::nullopt;
  const char dash = text[4];
  const bool formed = (dash == '-' || dash == '/') && text[7] == dash && (text[10] == ' ' || text[10] == 'T') &&
                      text[13] == ':' && text[16] == ':' && (text.size() == 19 || text[19] == '.');
  if (!formed) return std::nullopt;
  const auto part = [&](std::size_t at, std::size_t size) -> std::optional<std::int64_t> {
    const std::string_view digits = text.substr(at, size);
    if (digits.find_first_not_of("0123456789") != std::string_view::npos) return std::nullopt;
    return parse_integer(digits);
  };
  const auto year = part(0, 4), month = part(5, 2), day = part(8, 2);
  const auto hour = part(11, 2), minute = part(14, 2), second = part(17, 2);
  if (!year || !month || !day || !hour || !minute || !second || *hour > 23 || *minute > 59 || *second > 60) {
    return std::nullopt;
  }
  namespace c = std::chrono;
  const c::year_month_day date{c::year{static_cast<int>(*year)}, c::month{static_cast<unsigned>(*month)},
                               c::day{static_cast<unsigned>(*day)}};
  if (!date.ok() || *year < 1970 || *year > 2200) return std::nullopt;
  std::int64_t nanoseconds = 0;
  if (text.size() > 20) {
    const auto fraction = part(20, text.size() - 20);
    if (!fraction) return std::nullopt;
    nanoseconds = *fraction;
    for (std::size_t digits = text.size() - 20; digits < 9; ++digits) nanoseconds *= 10;
  }
  const std::int64_t days = c::sys_days{date}.time_since_epoch().count();
  return Nanoseconds{((days * 24 + *hour) * 3600 + *minute * 60 + *second) * kSecond + nanoseconds};
}

struct Unit {
  std::string_view name;
  double factor;  // to the base unit
};
constexpr std::array kUnits{Unit{"%", 0.01},        Unit{"W", 1.0},      Unit{"mW", 1e-3},
                            Unit{"MiB", 1048576.0}, Unit{"KiB", 1024.0}, Unit{"GiB", 1073741824.0},
                            Unit{"MB", 1e6},        Unit{"C", 1.0},      Unit{"", 1.0}};

// "22.11 W" -> 22.11; absent where the driver told nothing ("[N/A]", "[Unknown Error]"). A unit in the cell wins over
// that of the column.
std::optional<double> quantity(Row& row, const std::string& column, double unit_of_column) {
  const std::string text = row.text(column);
  if (text.empty() || text.front() == '[') return std::nullopt;
  const std::size_t end = text.find_last_of("0123456789.");
  const std::string number = text.substr(0, end == std::string::npos ? 0 : end + 1);
  const std::string_view unit = trim(std::string_view(text).substr(number.size()));
  const auto* known = std::find_if(kUnits.begin(), kUnits.end(), [&](const Unit& u) { return u.name == unit; });
  const auto value = parse_real(number);
  if (!value || !std::isfinite(*value) || known == kUnits.end()) {
    row.wrong(column, fmt::format("`{}` is not a quantity", excerpt(text)), "as in `22.11 W`, `7061 MiB`, `37`");
    return std::nullopt;
  }
  if (*value < 0.0 || *value > 1e9) {
    row.wrong(column, fmt::format("{} is out of range", excerpt(text)));
    return std::nullopt;
  }
  return *value * (unit.empty() ? unit_of_column : known->factor);
}

// --- Layouts ---------------------------------------------------------------------------------------------------------

struct GaugeColumn {
  std::vector<std::string> columns;  // one of them
  energy::Gauge gauge;
  double unit;
};

const std::vector<GaugeColumn>& gpu_columns() {
  static const std::vector<GaugeColumn> columns{
      {{"gpu_usage", "utilization.gpu [%]"}, {"gpu-0_utilisation", "1", "GPU utilisation as nvidia-smi told it"}, 0.01},
      {{"gpu_memory_usage", "utilization.memory [%]"},
       {"gpu-0_memory_utilisation", "1", "memory utilisation as nvidia-smi told it"},
       0.01},
      {{"gpu_memory_used", "memory.used [MiB]"}, {"gpu-0_memory_used", "B", "memory in use"}, 1048576.0},
      {{"gpu_temperature", "temperature.gpu"}, {"gpu-0_temperature", "degC", "temperature of the GPU's die"}, 1.0},
      {{"gpu_max_power", "power.max_limit [W]"}, {"gpu-0_power_limit", "W", "highest power limit of the GPU"}, 1.0}};
  return columns;
}

const std::vector<GaugeColumn>& processor_columns() {
  static const std::vector<GaugeColumn> columns{
      {{"cpu usage (%)"}, {"cpu_utilisation", "1", "CPU use as psutil told it"}, 0.01},
      {{"memory usage (MB)"}, {"memory_used", "B", "memory in use as psutil told it"}, 1e6},
      {{"temperature (Celsius)"}, {"cpu_temperature", "degC", "temperature as psutil told it"}, 1.0}};
  return columns;
}

std::string column_in(const Sheet& sheet, const std::vector<std::string>& names) {
  const auto found = std::find_if(names.begin(), names.end(), [&](const auto& name) { return sheet.has(name); });
  return found == names.end() ? std::string() : *found;
}

struct PowerReading {
  Nanoseconds time;
  std::optional<double> watts;
};

struct Log {
  std::string file;
  std::string workload;
  std::string stamp;
  bool of_gpu = false;
  std::string gpu;
  std::string content;
  energy::TelemetryTable gauges;
  std::vector<PowerReading> power;
};

// "mobilenet_v2-gpu-power-20230121T103916.csv": what stands before the kind, and after it.
void name_of(const Sheet& sheet, std::string_view kind, Log& log) {
  const std::string stem = sheet.stem();
  const auto at = stem.find(kind);
  log.workload = stem.substr(0, at);
  if (at != std::string::npos) log.stamp = stem.substr(at + kind.size());
}

void read_row(const Sheet& sheet, Row& row, const std::vector<GaugeColumn>& columns, Log& log) {
  const std::string stamp = row.required_text("timestamp");
  const auto time = instant_of(stamp);
  if (!stamp.empty() && !time) {
    row.wrong("timestamp", fmt::format("`{}` is no time stamp", excerpt(stamp)), "as in 2023-01-21 10:39:17.027");
  } else if (time && !log.gauges.rows.empty() && *time <= log.gauges.rows.back().time) {
    row.wrong("timestamp", "not after the row before", "one log is of one GPU, in the order of time");
  }
  energy::TelemetryRow values{time.value_or(Nanoseconds{}), {}};
  for (const GaugeColumn& column : columns) {
    const std::string name = column_in(sheet, column.columns);
    const auto value = name.empty() ? std::nullopt : quantity(row, name, column.unit);
    values.values.push_back(value.value_or(energy::kNotTold));
  }
  std::optional<double> watts;
  if (log.of_gpu) watts = quantity(row, column_in(sheet, {"gpu_power_draw", "power.draw [W]"}), 1.0);
  if (!row.good()) return;
  if (log.of_gpu) log.power.push_back({*time, watts});
  log.gauges.rows.push_back(std::move(values));
}

Result<Log> read_log(const std::filesystem::path& file, Intake& intake) {
  const auto sheet = Sheet::read(file);
  if (!sheet) return tl::unexpected(sheet.error());
  Log log;
  log.file = sheet->name();
  log.of_gpu = sheet->has("gpu_power_draw") || sheet->has("power.draw [W]");
  if (!log.of_gpu && !sheet->has("cpu usage (%)")) {
    const bool processor = sheet->stem().find("cpu") != std::string::npos;
    const auto there = sheet->require({"timestamp", processor ? "cpu usage (%)" : "gpu_power_draw"});
    return there ? fail(ErrorKind::bad_input, fmt::format("{} is no monitor log", log.file))
                 : tl::unexpected(there.error());
  }
  if (const auto there = sheet->require({"timestamp"}); !there) return tl::unexpected(there.error());
  name_of(*sheet, log.of_gpu ? "-gpu-power-" : "-cpu-mem-usage-", log);
  const auto& columns = log.of_gpu ? gpu_columns() : processor_columns();
  for (const GaugeColumn& column : columns) log.gauges.gauges.push_back(column.gauge);
  for (std::size_t i = 0; i < sheet->rows().size(); ++i) {
    Row row(*sheet, i, intake.mistakes);
    read_row(*sheet, row, columns, log);
    if (!row.good()) ++intake.bad_rows;
    if (i == 0 && log.of_gpu) log.gpu = row.text(column_in(*sheet, {"gpu_name", "name"}));
    log.content += row.content() + "\n";
  }
  return log;
}

// --- Joules ----------------------------------------------------------------------------------------------------------

energy::Trace integrate(const Log& log, Nanoseconds origin) {
  energy::Domain domain{.name = "gpu-0",
                        .kind = energy::DomainKind::gpu,
                        .provenance = energy::Provenance::integrated_power,
                        .source = "imported: nvidia-smi",
                        .parent = {},
                        .gain_uncertainty = 0.05,
                        .update_period = milliseconds(100)};
  energy::Accumulator accumulator(domain, seconds(1));
  energy::Trace trace;
  trace.series.push_back({.domain = std::move(domain), .samples = {}});
  for (const PowerReading& reading : log.power) {
    energy::Reading one;
    one.kind = reading.watts ? energy::Reading::Kind::power : energy::Reading::Kind::absent;
    if (reading.watts) one.value = static_cast<std::uint64_t>(std::llround(*reading.watts * 1e6));
    one.reason = "the driver told no power";
    if (const auto sample = accumulator.add(reading.time - origin, one, false)) {
      trace.series.back().samples.push_back(*sample);
    }
    ++trace.reads;
  }
  if (accumulator.failures() > 0) {
    trace.missing.push_back(
        fmt::format("gpu-0: {} of {} readings: {}", accumulator.failures(), trace.reads, accumulator.last_failure()));
  }
  trace.missing.emplace_back("processor and memory: the logs tell the GPU's power only");
  return trace;
}

void shift(energy::TelemetryTable& table, Nanoseconds origin) {
  for (energy::TelemetryRow& row : table.rows) row.time -= origin;
}

// Both logs in one table, each row with what its own log told.
std::string encoded(const energy::TelemetryTable& gpu, const energy::TelemetryTable& processor) {
  std::vector<energy::Gauge> gauges = gpu.gauges;
  gauges.insert(gauges.end(), processor.gauges.begin(), processor.gauges.end());
  std::vector<energy::TelemetryRow> rows;
  const auto take = [&](const energy::TelemetryTable& table, std::size_t before) {
    for (const energy::TelemetryRow& row : table.rows) {
      if (row.time.value < 0) continue;
      rows.push_back({row.time, std::vector<double>(gauges.size(), energy::kNotTold)});
      std::copy(row.values.begin(), row.values.end(), rows.back().values.begin() + static_cast<std::ptrdiff_t>(before));
    }
  };
  take(gpu, 0);
  take(processor, gpu.gauges.size());
  std::stable_sort(rows.begin(), rows.end(), [](const auto& a, const auto& b) { return a.time < b.time; });
  std::string lines = energy::encode_gauges(gauges);
  for (const energy::TelemetryRow& row : rows) lines += energy::encode_row(row);
  return lines;
}

Result<Draft> draft_of(const Request& request, Log gpu, Log processor) {
  if (gpu.power.size() < 2) {
    return fail(ErrorKind::bad_input, fmt::format("{}: fewer than two readings of power", gpu.file));
  }
  const Nanoseconds origin = gpu.power.front().time;
  const Nanoseconds end = gpu.power.back().time - origin;
  if (end <= request.trim * 2) {
    return fail(ErrorKind::bad_input,
                fmt::format("{}: nothing is left of {} after --trim", gpu.file, human(to_seconds(end))));
  }
  Draft draft;
  draft.file = gpu.file;
  draft.identity = fmt::format("{}\x1d{}\x1d{}", gpu.content, processor.content, request.trim.value);
  draft.workload = request.workload.empty() ? gpu.workload : request.workload;
  draft.environment.name = !request.environment.empty() ? request.environment : gpu.gpu.empty() ? "default" : gpu.gpu;
  draft.environment.device = "cuda";
  if (!gpu.gpu.empty()) draft.fingerprint["gpu"] = gpu.gpu;
  draft.fingerprint["time_zone"] = "not told: time stamps are read as UTC";
  draft.metric.name = "f1";
  const energy::Window window{energy::WindowKind::run, "run", std::nullopt, request.trim, end - request.trim};
  const energy::Trace trace = integrate(gpu, origin);
  draft.metered = record::meter(trace, {window});
  draft.duration = to_seconds(window.end - window.begin);
  draft.started_wall = origin + request.trim;
  energy::Flushed flushed;
  draft.trace = energy::encode_chunk(trace, flushed);
  shift(gpu.gauges, origin);
  shift(processor.gauges, origin);
  for (const auto* table : {&gpu.gauges, &processor.gauges}) {
    const auto measures = energy::measures_in(*table, window);
    draft.measures.insert(draft.measures.end(), measures.begin(), measures.end());
  }
  draft.telemetry = encoded(gpu.gauges, processor.gauges);
  return draft;
}

}  // namespace

Result<void> read_delrey_logs(const Request& request, Intake& intake) {
  std::vector<Log> logs;
  for (const auto& file : request.files) {
    auto log = read_log(file, intake);
    if (!log) return tl::unexpected(log.error());
    logs.push_back(std::move(*log));
  }
  // Repetitions are numbered by their time stamps.
  std::stable_sort(logs.begin(), logs.end(), [](const Log& a, const Log& b) {
    return std::pair(a.workload, a.stamp) < std::pair(b.workload, b.stamp);
  });
  if (!intake.mistakes.empty() && !request.skip_bad) return {};
  for (Log& log : logs) {
    const auto same = [&](const Log& other) {
      return other.of_gpu != log.of_gpu && other.workload == log.workload && other.stamp == log.stamp;
    };
    const auto beside = std::find_if(logs.begin(), logs.end(), same);
    if (!log.of_gpu) {
      if (beside == logs.end()) {
        intake.notes.push_back(
            fmt::format("{}: left out, no power log of the same name and stamp was given", log.file));
      }
      continue;
    }
    auto draft = draft_of(request, log, beside == logs.end() ? Log{} : *beside);
    if (!draft) return tl::unexpected(draft.error());
    intake.drafts.push_back(std::move(*draft));
  }
  return {};
}

}  // namespace wattle::importers
