// What NVIDIA GPUs are doing beside using energy: gauges named "gpu-0_…" by NVML's index, in the base units of
// Prometheus (prometheus.io/docs/practices/naming). Those that a GPU does not tell are not told; zero is never put for
// them.
#include <fmt/format.h>

#include <array>
#include <memory>
#include <string_view>
#include <utility>

#include "energy/nvml_api.h"
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

class NvmlGauges final : public GaugeSource {
 public:
  NvmlGauges(std::shared_ptr<const Nvml> nvml, std::vector<VisibleGpu> gpus)
      : nvml_(std::move(nvml)), gpus_(std::move(gpus)), lost_(gpus_.size(), false) {
    for (const VisibleGpu& gpu : gpus_) {
      for (Gauge& gauge : gpu_gauge_columns(fmt::format("gpu-{}", gpu.index))) gauges_.push_back(std::move(gauge));
    }
  }

  [[nodiscard]] const std::vector<Gauge>& gauges() const override { return gauges_; }

  void read(Nanoseconds /*now*/, pid_t /*root*/, std::span<double> out) override {
    for (std::size_t i = 0; i < out.size() && i < gauges_.size(); ++i) {
      const std::size_t gpu = i / kKinds.size();
      out[i] = kNotTold;
      if (lost_[gpu]) continue;
      const Answer answer = kKinds[i % kKinds.size()].ask(*nvml_, gpus_[gpu].device);
      if (answer) out[i] = *answer;
      lost_[gpu] = !answer && loses(answer.error());
    }
  }

 private:
  std::shared_ptr<const Nvml> nvml_;
  std::vector<VisibleGpu> gpus_;
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
  return columns;
}

std::unique_ptr<GaugeSource> gpu_gauges(const ProbeOptions& options) {
  const auto nvml = Nvml::open(options.nvml_library);
  if (!nvml) return nullptr;
  VisibleGpus seen = visible_gpus(**nvml, options);
  if (seen.gpus.empty()) return nullptr;
  return std::make_unique<NvmlGauges>(*nvml, std::move(seen.gpus));
}

}  // namespace wattle::energy
