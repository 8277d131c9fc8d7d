// What NVIDIA GPUs are doing beside using energy: gauges named "gpu-0_…" by NVML's index, in the base units of
// Prometheus (prometheus.io/docs/practices/naming). Those that a GPU does not tell are not told; zero is never put for
// them.
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <memory>
#include <optional>
#include <set>
#include <string_view>
#include <utility>

#include "energy/attribution.h"
#include "energy/gpu_use.h"
#include "energy/nvml_api.h"
#include "energy/process_tree.h"
#include "energy/telemetry.h"
#include "energy/visible_gpus.h"

namespace wattle::energy {
namespace {

using Answer = NvmlResult<double>;

template <class T>
Answer scale(const NvmlResult<T>& value, double by) {
  return value.map([by](T one) { return static_cast<double>(one) * by; });
}

// Whether clocks are held down for this reason. On GPUs that tell of a hardware slowdown but not of its cause it may be
// either, or neither, so that it is not told.
Answer throttled(const Nvml& nvml, NvmlDevice device, std::uint64_t bits) {
  const auto reasons = nvml.clock_event_reasons(device);
  if (!reasons) return tl::unexpected(reasons.error());
  if ((*reasons & bits) != 0) return 1.0;
  const bool unexplained =
      (*reasons & kNvmlHardwareSlowdown) != 0 && (*reasons & (kNvmlHardwareThermal | kNvmlPowerBrake)) == 0;
  if (unexplained) return tl::unexpected(NvmlReturn::no_data);
  return 0.0;
}

struct Kind {
  std::string_view name;
  std::string_view unit;
  std::string_view meaning;
  Answer (*ask)(const Nvml&, NvmlDevice);
};

constexpr std::array<Kind, 8> kKinds{
    {{"utilisation", "1", "share of the last 1/6 s to 1 s in which a kernel ran (not told with MIG)",
      [](const Nvml& nvml, NvmlDevice gpu) { return scale(nvml.utilization_percent(gpu), 0.01); }},
     {"memory_used", "B", "memory in use by all programs and the driver",
      [](const Nvml& nvml, NvmlDevice gpu) { return scale(nvml.memory_used_bytes(gpu), 1.0); }},
     {"temperature", "degC", "temperature of the GPU's die",
      [](const Nvml& nvml, NvmlDevice gpu) { return scale(nvml.temperature_celsius(gpu), 1.0); }},
     {"sm_clock", "Hz", "clock of the streaming multiprocessors",
      [](const Nvml& nvml, NvmlDevice gpu) { return scale(nvml.clock_mhz(gpu, NvmlClock::sm), 1e6); }},
     {"memory_clock", "Hz", "clock of the GPU's memory",
      [](const Nvml& nvml, NvmlDevice gpu) { return scale(nvml.clock_mhz(gpu, NvmlClock::memory), 1e6); }},
     {"power_limit", "W", "the power limit that the driver enforces",
      [](const Nvml& nvml, NvmlDevice gpu) { return scale(nvml.power_limit_mw(gpu), 1e-3); }},
     {"power_throttled", "1", "1 while clocks are held down to keep a power limit, else 0",
      [](const Nvml& nvml, NvmlDevice gpu) { return throttled(nvml, gpu, kNvmlPowerCap | kNvmlPowerBrake); }},
     {"thermal_throttled", "1", "1 while clocks are held down by heat, else 0", [](const Nvml& nvml, NvmlDevice gpu) {
        return throttled(nvml, gpu, kNvmlThermalSlowdown | kNvmlHardwareThermal);
      }}}};

constexpr std::string_view kRunBusyTime = "run_busy_time";
constexpr std::string_view kBusyTime = "busy_time";
constexpr std::size_t kColumns = kKinds.size() + 2;

// How long the run's tree kept each GPU busy. Whoever was once seen in the tree stays counted when it has ended. In a
// container NVML may name processes as the host does, whom nobody here knows: what they used could be the run's, so
// nothing is told then.
class TreeOnGpus {
 public:
  TreeOnGpus(const std::shared_ptr<const Nvml>& nvml, const std::vector<VisibleGpu>& gpus,
             std::filesystem::path sysroot)
      : use_(nvml, gpus), sysroot_(std::move(sysroot)) {}

  void look(Nanoseconds now, pid_t root) {
    if (root != root_) {
      root_ = root;
      seen_.clear();
      tree_.reset();
      if (root > 0) tree_.emplace(sysroot_, root);
    }
    if (tree_ && tree_->scan(now)) {
      for (const pid_t pid : tree_->members()) seen_.insert(pid);
    }
    const std::vector<GpuBusy> before = std::exchange(busy_, use_.read(now));
    strangers_.assign(busy_.size(), false);
    for (std::size_t gpu = 0; gpu < before.size(); ++gpu) {
      for (const auto& [pid, used] : busy_[gpu].processes) {
        const auto known = before[gpu].processes.find(pid);
        const bool active = known == before[gpu].processes.end() || used > known->second;
        if (active && !is_known(pid)) strangers_[gpu] = true;
      }
    }
  }
  // {the tree's, everybody's}, in s; nothing where NVML does not tell.
  [[nodiscard]] std::optional<std::pair<double, double>> seconds_on(std::size_t gpu) const {
    if (gpu >= busy_.size() || !busy_[gpu].why_absent.empty() || strangers_[gpu]) return std::nullopt;
    Nanoseconds own{};
    for (const auto& [pid, used] : busy_[gpu].processes) own += seen_.count(pid) > 0 ? used : Nanoseconds{};
    return std::pair{to_seconds(own).value, to_seconds(busy_[gpu].all).value};
  }

 private:
  [[nodiscard]] bool is_known(pid_t pid) {
    if (seen_.count(pid) > 0 || others_.count(pid) > 0) return true;
    std::error_code error;
    if (!std::filesystem::exists(sysroot_ / "proc" / std::to_string(pid), error)) return false;
    others_.insert(pid);
    return true;
  }

  GpuUse use_;
  std::filesystem::path sysroot_;
  pid_t root_ = 0;
  std::optional<ProcessTree> tree_;
  std::set<pid_t> seen_;    // in the tree
  std::set<pid_t> others_;  // outside
  std::vector<GpuBusy> busy_;
  std::vector<bool> strangers_;
};

class NvmlGauges final : public GaugeSource {
 public:
  NvmlGauges(std::shared_ptr<const Nvml> nvml, std::vector<VisibleGpu> gpus, std::filesystem::path sysroot)
      : nvml_(std::move(nvml)),
        gpus_(std::move(gpus)),
        tree_(nvml_, gpus_, std::move(sysroot)),
        lost_(gpus_.size(), false) {
    for (const VisibleGpu& gpu : gpus_) {
      for (Gauge& gauge : gpu_gauge_columns(fmt::format("gpu-{}", gpu.index))) gauges_.push_back(std::move(gauge));
    }
  }

  [[nodiscard]] const std::vector<Gauge>& gauges() const override { return gauges_; }

  void read(Nanoseconds now, pid_t root, std::span<double> out) override {
    tree_.look(now, root);
    for (std::size_t gpu = 0; gpu < gpus_.size(); ++gpu) {
      const std::span<double> columns = out.subspan(gpu * kColumns, kColumns);
      std::fill(columns.begin(), columns.end(), kNotTold);
      for (std::size_t kind = 0; kind < kKinds.size() && !lost_[gpu]; ++kind) {
        const Answer answer = kKinds[kind].ask(*nvml_, gpus_[gpu].device);
        if (answer) columns[kind] = *answer;
        lost_[gpu] = !answer && loses(answer.error());
      }
      if (const auto busy = tree_.seconds_on(gpu)) {
        columns[kKinds.size()] = busy->first;
        columns[kKinds.size() + 1] = busy->second;
      }
    }
  }

 private:
  std::shared_ptr<const Nvml> nvml_;
  std::vector<VisibleGpu> gpus_;
  TreeOnGpus tree_;
  std::vector<bool> lost_;
  std::vector<Gauge> gauges_;
};

}  // namespace

std::vector<Gauge> gpu_gauge_columns(std::string_view gpu) {
  std::vector<Gauge> columns;
  for (const Kind& kind : kKinds) {
    columns.push_back({.name = fmt::format("{}_{}", gpu, kind.name),
                       .unit = std::string(kind.unit),
                       .meaning = std::string(kind.meaning)});
  }
  columns.push_back({.name = fmt::format("{}_{}", gpu, kRunBusyTime),
                     .unit = "s",
                     .meaning = "time that the run's tree kept it busy so far: only differences mean something"});
  columns.push_back({.name = fmt::format("{}_{}", gpu, kBusyTime),
                     .unit = "s",
                     .meaning = "time that all processes kept it busy, as the driver counts (not told with MIG)"});
  return columns;
}

std::unique_ptr<GaugeSource> gpu_gauges(const ProbeOptions& options) {
  const auto nvml = Nvml::open(options.nvml_library);
  if (!nvml) return nullptr;
  VisibleGpus seen = visible_gpus(**nvml, options);
  if (seen.gpus.empty()) return nullptr;
  return std::make_unique<NvmlGauges>(*nvml, std::move(seen.gpus), options.sysroot);
}

std::vector<Use> gpu_uses(const TelemetryTable& table, const std::string& gpu, const Window& run) {
  const std::size_t own = column_of(table, fmt::format("{}_{}", gpu, kRunBusyTime));
  const std::size_t all = column_of(table, fmt::format("{}_{}", gpu, kBusyTime));
  std::vector<Use> uses;
  for (const TelemetryRow& row : table.rows) {
    if (own >= row.values.size() || all >= row.values.size()) break;
    if (!std::isfinite(row.values[own]) || !std::isfinite(row.values[all])) continue;
    const Nanoseconds used = row.time <= run.begin ? Nanoseconds{} : to_nanoseconds(Seconds{row.values[own]});
    const Use use{.time = row.time, .consumers = {used}, .all = to_nanoseconds(Seconds{row.values[all]})};
    const bool told_nothing_new =
        !uses.empty() && use.all <= uses.back().all && use.time - uses.back().time < 2 * kGpuUsePeriod;
    if (!told_nothing_new) uses.push_back(use);
  }
  return uses;
}

}  // namespace wattle::energy
