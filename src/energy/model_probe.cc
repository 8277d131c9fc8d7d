#include "energy/model_probe.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <utility>
#include <vector>

#include "base/text.h"
#include "energy/calibration.h"
#include "energy/fields.h"

namespace wattle::energy {
namespace {

// Blank-separated numbers of a line, after its first word.
std::vector<std::int64_t> numbers_of(std::string_view line) {
  std::vector<std::int64_t> numbers;
  for (const std::string& word : split(line, ' ')) {
    if (const auto number = parse_integer(word)) numbers.push_back(*number);
  }
  return numbers;
}

std::optional<std::int64_t> limit_in(const std::filesystem::path& file) {
  const auto text = read_text(file, 4096);
  if (!text) return std::nullopt;
  const auto limit = parse_integer(*text);  // "max" is no number and no limit
  return limit && *limit > 0 ? limit : std::nullopt;
}

// The lowest limit in `group` below `root` and all groups above it. The path in /proc/self/cgroup may lie outside of
// what a container sees; then only its root does.
std::int64_t lowest_limit(const std::filesystem::path& root, std::filesystem::path group, const char* file) {
  std::int64_t lowest = std::numeric_limits<std::int64_t>::max();
  group = group.relative_path().lexically_normal();
  while (true) {
    const bool outside = !group.empty() && *group.begin() == "..";
    if (!outside) lowest = std::min(lowest, limit_in(root / group / file).value_or(lowest));
    if (group.empty() || outside) break;
    group = group.has_filename() ? group.parent_path() : group.parent_path().parent_path();
  }
  return lowest;
}

std::int64_t cgroup_limit(const std::filesystem::path& sysroot) {
  std::int64_t lowest = std::numeric_limits<std::int64_t>::max();
  const auto text = read_text(sysroot / "proc/self/cgroup", 1U << 20U);
  const std::filesystem::path mount = sysroot / "sys/fs/cgroup";
  for (const std::string& line : split(text ? *text : "0::/", '\n')) {
    // hierarchy:controllers:path; the path may hold colons.
    const auto first = line.find(':');
    const auto second = first == std::string::npos ? first : line.find(':', first + 1);
    if (second == std::string::npos) continue;
    const auto controllers = split(line.substr(first + 1, second - first - 1), ',');
    const std::string path = line.substr(second + 1);
    if (line.starts_with("0::")) {
      lowest = std::min(
          {lowest, lowest_limit(mount, path, "memory.max"), lowest_limit(mount / "unified", path, "memory.max")});
    } else if (std::find(controllers.begin(), controllers.end(), "memory") != controllers.end()) {
      lowest = std::min(lowest, lowest_limit(mount / "memory", path, "memory.limit_in_bytes"));
    }
  }
  return lowest;
}

Domain model_domain(std::string name, DomainKind kind, Nanoseconds period) {
  return {.name = std::move(name),
          .kind = kind,
          .provenance = Provenance::model,
          .source = "model: CPU + RAM",
          .parent = {},
          .gain_uncertainty = kModelGain,
          .update_period = period,
          .simulated = false};
}

// What the model multiplies with on one machine.
struct Factors {
  CpuCoefficients table;
  std::optional<Calibration> calibration;  // instead of the table
  std::optional<Watts> memory;             // absent: it is within the calibration
};

class ModelProbe final : public Probe {
 public:
  ModelProbe(const std::filesystem::path& proc_stat, const Factors& factors)
      : fd_(::open(proc_stat.c_str(), O_RDONLY | O_CLOEXEC)),
        cpu_(factors.table),
        ram_(factors.memory),
        buffer_(1U << 16U, '\0') {
    ticks_per_second_ = ::sysconf(_SC_CLK_TCK);
    domains_.push_back(model_domain("cpu (model)", DomainKind::cpu_model, {1'000'000'000 / ticks_per_second_}));
    if (factors.calibration) {
      domains_[0].source = "model, calibrated against " + factors.calibration->provenance();
      domains_[0].gain_uncertainty = factors.calibration->gain();
      domains_[0].simulated = factors.calibration->simulated;
      curve_.emplace(factors.calibration->fit.curve);
    }
    if (ram_) domains_.push_back(model_domain("ram (model)", DomainKind::ram_model, {}));
  }
  ModelProbe(const ModelProbe&) = delete;
  ModelProbe& operator=(const ModelProbe&) = delete;
  ~ModelProbe() override {
    if (fd_ >= 0) ::close(fd_);
  }

  [[nodiscard]] const std::vector<Domain>& domains() const override { return domains_; }

  void read(Nanoseconds now, std::span<Reading> out) override {
    if (!first_) first_ = now;
    if (ram_) out[1] = counted(*ram_ * to_seconds(now - *first_));
    const auto time = read_cpu_time();
    if (!time) {
      out[0] = {.kind = Reading::Kind::absent, .value = 0, .modulus = 0, .reason = "/proc/stat cannot be read"};
      return;
    }
    count(now, *time);
    out[0] = counted(curve_ ? curve_->energy() : by_table());
  }

 private:
  static Reading counted(Joules energy) {
    const auto microjoules = static_cast<std::uint64_t>(std::max<std::int64_t>(0, to_microjoules(energy).value));
    return {.kind = Reading::Kind::counter, .value = microjoules, .modulus = kNeverWraps, .reason = {}};
  }

  [[nodiscard]] Joules by_table() const {
    return cpu_.idle * to_seconds(online_) + (cpu_.busy - cpu_.idle) * in_seconds(busy_ticks_);
  }

  [[nodiscard]] Seconds in_seconds(std::int64_t ticks) const {
    return {static_cast<double>(ticks) / static_cast<double>(ticks_per_second_)};
  }

  // Only the first lines matter, and they stand first; the interrupt counts after them are cut off on large machines.
  std::optional<CpuTime> read_cpu_time() {
    const ssize_t got = fd_ < 0 ? -1 : ::pread(fd_, buffer_.data(), buffer_.size(), 0);
    if (got <= 0) return std::nullopt;
    return parse_proc_stat({buffer_.data(), static_cast<std::size_t>(got)});
  }

  // Ticks that run backwards (some containers' /proc) count as none.
  void count(Nanoseconds now, const CpuTime& time) {
    if (last_) {
      const std::int64_t busy = std::max<std::int64_t>(0, time.busy_ticks - last_->busy_ticks);
      const Nanoseconds passed = now - last_time_;
      busy_ticks_ += busy;
      online_ += passed * last_->online;
      if (curve_) curve_->add(passed, in_seconds(busy) / static_cast<double>(last_->online));
    }
    last_ = time;
    last_time_ = now;
  }

  int fd_;
  CpuCoefficients cpu_;
  std::optional<CurveIntegral> curve_;  // instead of cpu_
  std::optional<Watts> ram_;
  long ticks_per_second_ = 100;
  std::string buffer_;
  std::vector<Domain> domains_;
  std::optional<Nanoseconds> first_;
  std::optional<CpuTime> last_;
  Nanoseconds last_time_{};
  std::int64_t busy_ticks_ = 0;
  Nanoseconds online_{};  // CPU time that was to be had: Σ online CPUs · Δt
};

// This machine's calibration; why there is none is left in `why` where there is a file.
std::optional<Calibration> calibration_of(const ProbeOptions& options, std::string& why) {
  std::error_code error;
  if (options.calibration.empty() || !std::filesystem::exists(options.calibration, error)) return std::nullopt;
  auto loaded = load_calibration(options.calibration, options.machine);
  if (loaded) return *std::move(loaded);
  why = loaded.error().message;
  return std::nullopt;
}

std::string described(const Factors& factors, std::int64_t cpus, double gib) {
  const std::string memory = fmt::format("{:.1f} GiB at {} W", gib, kRamWattsPerGib.value);
  if (factors.calibration) {
    const Calibration& calibration = *factors.calibration;
    const PowerCurve& curve = calibration.fit.curve;
    return fmt::format("last resort, calibrated against {}{}, ±{:.0f} %: {} at rest to {} at full use, {}",
                       calibration.provenance(), calibration.simulated ? ", simulated" : "", calibration.gain() * 100,
                       human(curve.at(0.0)), human(curve.at(1.0)),
                       factors.memory ? memory : std::string("memory within"));
  }
  return fmt::format("last resort, ±{:.0f} %: {} CPUs at {} to {} W ({}), {}", kModelGain * 100, cpus,
                     factors.table.idle.value, factors.table.busy.value, factors.table.family, memory);
}

}  // namespace

std::optional<CpuTime> parse_proc_stat(std::string_view text) {
  CpuTime time;
  bool total = false;
  while (text.starts_with("cpu")) {
    const std::string_view line = text.substr(0, text.find('\n'));
    text.remove_prefix(std::min(text.size(), line.size() + 1));
    if (!line.starts_with("cpu ")) {
      ++time.online;
      continue;
    }
    // user nice system idle iowait irq softirq steal guest guest_nice (proc(5)); old kernels end after fewer.
    std::vector<std::int64_t> fields = numbers_of(line);
    if (fields.size() < 4) return std::nullopt;
    fields.resize(10, 0);
    time.busy_ticks = fields[0] + fields[1] + fields[2] + fields[5] + fields[6];
    time.idle_ticks = fields[3] + fields[4];
    time.steal_ticks = fields[7];
    total = true;
  }
  if (!total || time.online == 0 || time.busy_ticks < 0) return std::nullopt;
  return time;
}

std::optional<std::int64_t> usable_memory_bytes(const std::filesystem::path& sysroot) {
  const auto meminfo = read_text(sysroot / "proc/meminfo", 1U << 20U);
  if (!meminfo) return std::nullopt;
  std::string_view total = field_of(*meminfo, "MemTotal");
  if (!total.ends_with("kB")) return std::nullopt;
  const auto kib = parse_integer(total.substr(0, total.size() - 2));
  if (!kib || *kib <= 0 || *kib > (std::int64_t{1} << 50)) return std::nullopt;
  return std::min(*kib * 1024, cgroup_limit(sysroot));
}

Found find_model(const ProbeOptions& options) {
  Found found;
  found.name = "model";
  found.proven = "an estimate by its nature: nothing to verify against on this machine";
  const auto stat = read_text(options.sysroot / "proc/stat");
  const auto memory = usable_memory_bytes(options.sysroot);
  if (!stat || !parse_proc_stat(*stat) || !memory) {
    found.reason = fmt::format("{} has no readable stat and meminfo", (options.sysroot / "proc").string());
    return found;
  }
  const auto cpuinfo = read_text(options.sysroot / "proc/cpuinfo");
  const double gib = static_cast<double>(*memory) / static_cast<double>(1U << 30U);
  Factors factors;
  factors.table = cpu_coefficients(cpuinfo ? *cpuinfo : "");
  std::string unusable;
  factors.calibration = calibration_of(options, unusable);
  if (!factors.calibration || !factors.calibration->covers_memory) factors.memory = kRamWattsPerGib * gib;
  found.status = Found::Status::found;
  found.reason = described(factors, parse_proc_stat(*stat)->online, gib);
  if (!unusable.empty()) {
    found.reason += "; its calibration is not used: " + unusable;
    found.fix = "wattle calibrate";
  }
  found.probe = std::make_unique<ModelProbe>(options.sysroot / "proc/stat", factors);
  return found;
}

}  // namespace wattle::energy
