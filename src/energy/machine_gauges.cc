// Gauges of the machine: load, clock, temperature, memory.
//
// /proc/stat and /proc/meminfo: proc(5). Clock: Documentation/admin-guide/pm/cpufreq.rst (scaling_cur_freq, kHz), else
// "cpu MHz" of /proc/cpuinfo. Temperature: Documentation/hwmon/{sysfs-interface,coretemp,k10temp}.rst (temp*_input,
// m°C), else Documentation/ABI/testing/sysfs-class-thermal. Throttling: thermal_throttle/package_throttle_count, of
// arch/x86/kernel/cpu/mce/therm_throt.c.
#include <algorithm>
#include <map>
#include <optional>
#include <set>
#include <system_error>

#include "base/text.h"
#include "energy/cpu_use.h"
#include "energy/fields.h"
#include "energy/kept_file.h"
#include "energy/telemetry.h"

namespace wattle::energy {
namespace {

namespace fs = std::filesystem;

struct Column {
  enum : std::size_t { busy, steal, frequency, temperature, throttled, memory, swap };
};

constexpr std::size_t kBuffer = 4096;
constexpr std::size_t kMostFrequencies = 64;  // files kept open, and CPUs that an old kernel wakes to ask them
constexpr std::size_t kLongestCpuinfo = 1U << 22U;
constexpr double kColdest = -50.0;  // °C; beyond these a sensor is broken or absent
constexpr double kHottest = 150.0;

std::vector<Gauge> machine_columns() {
  return {
      {"cpu_utilisation", "1", "share of the online CPUs' time that was busy, from 0 to 1"},
      {"cpu_steal", "1", "share of the online CPUs' time that a hypervisor gave to other machines, from 0 to 1"},
      {"cpu_frequency", "Hz",
       "mean clock of the online CPUs, of 64 spread evenly where there are more; nominal on most virtual machines"},
      {"cpu_temperature", "degC", "temperature of the hottest processor package"},
      {"cpu_throttled", "1/s", "thermal throttling events of the processor packages, added up"},
      {"memory_available", "B", "memory that programs can have without swapping, of the whole machine"},
      {"swap_used", "B", "swap space in use"},
  };
}

// Entries of a folder by name, sorted; empty where there is none.
std::vector<fs::path> entries_of(const fs::path& folder, std::string_view prefix) {
  std::vector<fs::path> entries;
  std::error_code error;
  for (fs::directory_iterator entry(folder, error), end; !error && entry != end; entry.increment(error)) {
    if (entry->path().filename().string().starts_with(prefix)) entries.push_back(entry->path());
  }
  std::sort(entries.begin(), entries.end());
  return entries;
}

// "cpu0", "cpu1" and so on, not "cpufreq", in the order of their numbers.
std::vector<fs::path> cpu_folders(const fs::path& sysroot) {
  std::map<std::int64_t, fs::path> by_number;
  for (const fs::path& path : entries_of(sysroot / "sys/devices/system/cpu", "cpu")) {
    const auto number = parse_unsigned(path.filename().string().substr(3));
    if (number) by_number.emplace(static_cast<std::int64_t>(*number), path);
  }
  std::vector<fs::path> folders;
  folders.reserve(by_number.size());
  for (auto& [number, path] : by_number) folders.push_back(std::move(path));
  return folders;
}

std::string word_in(const fs::path& file) {
  const auto text = read_text(file, kBuffer);
  return text ? std::string(trim(*text)) : std::string();
}

std::optional<std::int64_t> number_in(const KeptFile& file, std::string& buffer) {
  return parse_integer(file.read(buffer));
}

std::vector<KeptFile> frequency_files(const fs::path& sysroot) {
  std::vector<fs::path> paths;
  for (const fs::path& cpu : cpu_folders(sysroot)) {
    std::error_code error;
    if (fs::exists(cpu / "cpufreq/scaling_cur_freq", error)) paths.push_back(cpu / "cpufreq/scaling_cur_freq");
  }
  std::vector<KeptFile> files;
  const std::size_t wanted = std::min(paths.size(), kMostFrequencies);
  for (std::size_t i = 0; i < wanted; ++i) {
    KeptFile file(paths[i * paths.size() / wanted]);
    if (file.open()) files.push_back(std::move(file));
  }
  return files;
}

// The sensors that stand for the whole package, of one hwmon folder: "Package id N" of coretemp; Tdie, else Tctl (which
// some parts offset for their fans), of AMD; all there are where none is labelled so.
std::vector<fs::path> package_sensors(const fs::path& hwmon) {
  std::map<std::string, std::vector<fs::path>> by_label;
  std::vector<fs::path> all;
  for (const fs::path& path : entries_of(hwmon, "temp")) {
    std::string name = path.filename().string();
    if (!name.ends_with("_input")) continue;
    name.replace(name.size() - 5, 5, "label");
    const std::string label = word_in(hwmon / name);
    by_label[label.starts_with("Package id") ? "Package" : label].push_back(path);
    all.push_back(path);
  }
  for (const char* label : {"Package", "Tdie", "Tctl"}) {
    if (by_label.contains(label)) return by_label[label];
  }
  return all;
}

std::vector<KeptFile> temperature_files(const fs::path& sysroot) {
  std::vector<fs::path> paths;
  for (const fs::path& hwmon : entries_of(sysroot / "sys/class/hwmon", "hwmon")) {
    const std::string name = word_in(hwmon / "name");
    if (name != "coretemp" && name != "k10temp" && name != "zenpower") continue;
    const std::vector<fs::path> sensors = package_sensors(hwmon);
    paths.insert(paths.end(), sensors.begin(), sensors.end());
  }
  if (paths.empty()) {
    for (const fs::path& zone : entries_of(sysroot / "sys/class/thermal", "thermal_zone")) {
      if (word_in(zone / "type") == "x86_pkg_temp") paths.push_back(zone / "temp");
    }
  }
  std::vector<KeptFile> files;
  for (const fs::path& path : paths) {
    KeptFile file(path);
    if (file.open()) files.push_back(std::move(file));
  }
  return files;
}

// Every CPU of a package counts its package's events: the first of each is enough.
std::vector<KeptFile> throttle_files(const fs::path& sysroot) {
  std::vector<KeptFile> files;
  std::set<std::string> packages;
  for (const fs::path& cpu : cpu_folders(sysroot)) {
    const std::string package = word_in(cpu / "topology/physical_package_id");
    if (packages.contains(package)) continue;
    KeptFile file(cpu / "thermal_throttle/package_throttle_count");
    if (!file.open()) continue;
    packages.insert(package);
    files.push_back(std::move(file));
  }
  return files;
}

// Mean of the "cpu MHz" lines of /proc/cpuinfo, in Hz.
std::optional<double> cpuinfo_frequency(const fs::path& sysroot) {
  const auto text = read_text(sysroot / "proc/cpuinfo", kLongestCpuinfo);
  double sum = 0.0;
  int count = 0;
  for (const std::string& line : split(text ? *text : "", '\n')) {
    if (!line.starts_with("cpu MHz")) continue;
    const auto megahertz = parse_real(field_of(line, "cpu MHz"));
    if (!megahertz || *megahertz <= 0.0) continue;
    sum += *megahertz * 1e6;
    ++count;
  }
  return count > 0 ? std::optional(sum / count) : std::nullopt;
}

// "123 kB" as bytes.
std::optional<double> memory_field(std::string_view meminfo, std::string_view key) {
  std::string_view value = field_of(meminfo, key);
  if (!value.ends_with("kB")) return std::nullopt;
  const auto kib = parse_unsigned(value.substr(0, value.size() - 2));
  return kib ? std::optional(static_cast<double>(*kib) * 1024.0) : std::nullopt;
}

class MachineGauges final : public GaugeSource {
 public:
  explicit MachineGauges(fs::path sysroot)
      : sysroot_(std::move(sysroot)),
        columns_(machine_columns()),
        cpu_(sysroot_),
        meminfo_(sysroot_ / "proc/meminfo"),
        temperatures_(temperature_files(sysroot_)),
        throttles_(throttle_files(sysroot_)),
        buffer_(kBuffer, '\0') {}

  [[nodiscard]] const std::vector<Gauge>& gauges() const override { return columns_; }

  void read(Nanoseconds now, pid_t /*root*/, std::span<double> out) override {
    const Moment moment{.time = now, .cpu = cpu_.read(), .throttled = throttled()};
    out[Column::frequency] = frequency(moment.cpu ? moment.cpu->online : 0).value_or(kNotTold);
    out[Column::temperature] = temperature().value_or(kNotTold);
    tell_memory(out);
    if (before_ && now - before_->time < kShortestRate) return;
    if (before_) tell_rates(*before_, moment, out);
    before_ = moment;
  }

 private:
  struct Moment {
    Nanoseconds time;
    std::optional<CpuTime> cpu;
    std::optional<std::int64_t> throttled;
  };

  static void tell_rates(const Moment& before, const Moment& now, std::span<double> out) {
    const auto shares = before.cpu && now.cpu ? cpu_shares(*before.cpu, *now.cpu) : std::nullopt;
    if (shares) {
      out[Column::busy] = shares->busy;
      out[Column::steal] = shares->steal;
    }
    if (before.throttled && now.throttled && *now.throttled >= *before.throttled) {
      const auto events = static_cast<double>(*now.throttled - *before.throttled);
      out[Column::throttled] = events / to_seconds(now.time - before.time).value;
    }
  }

  // CPUs that come and go take their files along.
  std::optional<double> frequency(std::int64_t online) {
    if (online != online_) {
      online_ = online;
      frequencies_ = frequency_files(sysroot_);
    }
    double sum = 0.0;
    int count = 0;
    for (const KeptFile& file : frequencies_) {
      const auto kilohertz = number_in(file, buffer_);
      if (!kilohertz || *kilohertz <= 0) continue;
      sum += static_cast<double>(*kilohertz) * 1e3;
      ++count;
    }
    return count > 0 ? std::optional(sum / count) : cpuinfo_frequency(sysroot_);
  }

  std::optional<double> temperature() {
    std::optional<double> hottest;
    for (const KeptFile& file : temperatures_) {
      const auto thousandths = number_in(file, buffer_);
      if (!thousandths) continue;
      const double degrees = static_cast<double>(*thousandths) / 1e3;
      if (degrees < kColdest || degrees > kHottest) continue;
      hottest = std::max(hottest.value_or(degrees), degrees);
    }
    return hottest;
  }

  // Without one package the sum would step, so one that cannot be read hides all.
  std::optional<std::int64_t> throttled() {
    std::int64_t sum = 0;
    for (const KeptFile& file : throttles_) {
      const auto count = number_in(file, buffer_);
      if (!count || *count < 0 || *count > std::int64_t{1} << 50) return std::nullopt;
      sum += *count;
    }
    return throttles_.empty() ? std::nullopt : std::optional(sum);
  }

  void tell_memory(std::span<double> out) {
    const std::string_view text = meminfo_.read(buffer_);
    out[Column::memory] = memory_field(text, "MemAvailable").value_or(kNotTold);
    const auto swap = memory_field(text, "SwapTotal");
    const auto free = memory_field(text, "SwapFree");
    if (swap && free && *swap >= *free) out[Column::swap] = *swap - *free;
  }

  fs::path sysroot_;
  std::vector<Gauge> columns_;
  MachineCpu cpu_;
  KeptFile meminfo_;
  std::vector<KeptFile> temperatures_;
  std::vector<KeptFile> throttles_;
  std::vector<KeptFile> frequencies_;
  std::int64_t online_ = -1;
  std::string buffer_;
  std::optional<Moment> before_;
};

}  // namespace

std::unique_ptr<GaugeSource> machine_gauges(const ProbeOptions& options) {
  return std::make_unique<MachineGauges>(options.sysroot);
}

}  // namespace wattle::energy
