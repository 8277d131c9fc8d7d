#include "energy/gpu_use.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

namespace wattle::energy {
namespace {

using Samples = std::vector<NvmlProcessSample>;

// A process of which NVML says more than 100 % is one of which it knows nothing.
std::string nonsense_in(const Samples& samples) {
  for (const NvmlProcessSample& sample : samples) {
    if (sample.sm_percent > 100) return fmt::format("NVML says {} % of process {}", sample.sm_percent, sample.pid);
  }
  return {};
}

}  // namespace

GpuUse::GpuUse(const ProbeOptions& options) {
  const auto nvml = Nvml::open(options.nvml_library);
  if (nvml) *this = GpuUse(*nvml, visible_gpus(**nvml, options).gpus);
}

GpuUse::GpuUse(std::shared_ptr<const Nvml> nvml, const std::vector<VisibleGpu>& gpus) : nvml_(std::move(nvml)) {
  for (const VisibleGpu& gpu : gpus) {
    states_.push_back({.device = gpu.device, .last_seen_us = 0, .asked = {}, .idle = true, .lost = false});
    busy_.push_back(
        {.domain = fmt::format("gpu-{}", gpu.index), .time = {}, .processes = {}, .all = {}, .why_absent = {}});
  }
}

const std::vector<GpuBusy>& GpuUse::read(Nanoseconds now) {
  for (std::size_t i = 0; i < states_.size(); ++i) read(states_[i], busy_[i], now);
  return busy_;
}

void GpuUse::read(State& state, GpuBusy& busy, Nanoseconds now) {
  if (state.lost) return;
  auto samples = nvml_->process_samples(state.device, state.last_seen_us);
  busy.why_absent = samples ? nonsense_in(*samples) : "use by process: " + to_string(samples.error());
  state.lost = !samples && loses(samples.error());
  if (!busy.why_absent.empty()) return;

  std::sort(samples->begin(), samples->end(), [](const auto& a, const auto& b) { return a.time_us < b.time_us; });
  // After an idle spell the newest sample is old and the time since is nobody's; and NVML's clock may be set.
  const Nanoseconds passed = state.asked ? now - *state.asked : Nanoseconds{};
  const Nanoseconds longest = state.idle ? passed : passed + kGpuUsePeriod;
  std::map<pid_t, std::uint64_t> counted_until;  // where NVML tells of one process more than once
  for (const NvmlProcessSample& sample : *samples) {
    auto& from = counted_until.try_emplace(sample.pid, state.last_seen_us).first->second;
    if (!state.asked || sample.time_us <= from) continue;
    const std::uint64_t most_us = static_cast<std::uint64_t>(longest.value) / 1000;
    const Nanoseconds span{static_cast<std::int64_t>(std::min(sample.time_us - from, most_us)) * 1000};
    const Nanoseconds used = span * static_cast<std::int64_t>(sample.sm_percent) / 100;
    busy.processes[sample.pid] += used;
    busy.all += used;
    from = sample.time_us;
  }
  if (!samples->empty()) state.last_seen_us = std::max(state.last_seen_us, samples->back().time_us);
  state.idle = samples->empty();
  state.asked = now;
  busy.time = now;
}

}  // namespace wattle::energy
