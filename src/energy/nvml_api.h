// NVIDIA's management library as far as Wattle asks it, loaded at run time: no NVIDIA header or library is needed to
// build or to start, and every function may be missing.
//
// ABI: nvml.h of the NVML API reference (docs.nvidia.com/deploy/nvml-api), declared again in nvml_api.cc; compared with
// the headers of CUDA 11.0 and of NVML 13.3.29, in which all that is used here is laid out alike. NVML is thread-safe
// by its own words, counts its initialisations, and may take milliseconds for a call, or hang on a broken GPU.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <memory>
#include <string>
#include <tl/expected.hpp>
#include <vector>

#include "base/result.h"

namespace wattle::energy {

// nvmlReturn_t. A function that the library lacks answers function_not_found, as nvml.h has it.
enum class NvmlReturn : int {
  success = 0,
  uninitialized = 1,
  invalid_argument = 2,
  not_supported = 3,
  no_permission = 4,
  not_found = 6,
  insufficient_size = 7,
  insufficient_power = 8,
  driver_not_loaded = 9,
  timeout = 10,
  irq_issue = 11,
  library_not_found = 12,
  function_not_found = 13,
  gpu_is_lost = 15,
  reset_required = 16,
  operating_system = 17,
  version_mismatch = 18,
  no_data = 21,
  unknown = 999,
};
[[nodiscard]] std::string to_string(NvmlReturn code);  // "not supported (NVML code 3)"
// By file permissions or by a container's device list.
[[nodiscard]] constexpr bool denies(NvmlReturn code) {
  return code == NvmlReturn::no_permission || code == NvmlReturn::operating_system;
}
// The GPU will not answer again before it is reset.
[[nodiscard]] constexpr bool loses(NvmlReturn code) {
  return code == NvmlReturn::gpu_is_lost || code == NvmlReturn::reset_required;
}

template <class T>
using NvmlResult = tl::expected<T, NvmlReturn>;

using NvmlDevice = struct NvmlDeviceTag*;  // nvmlDevice_t; belongs to the library, valid while it is open

// Where a reading of power comes from: fields 186 and 185, or nvmlDeviceGetPowerUsage, which is a mean over 1 s on
// Ampere and later except GA100, and instantaneous before.
enum class NvmlPower { instant, average, usage };
// Of what, for the two fields; usage is always the GPU's. A module is a GPU with its CPU (Grace Hopper).
enum class NvmlScope : unsigned { gpu = 0, module = 1 };
enum class NvmlClock : int { sm = 1, memory = 2 };

inline constexpr unsigned kNvmlAmpere = 7;  // NVML_DEVICE_ARCH_AMPERE; later ones are higher

// Bits of nvmlClocksEventReasons.
inline constexpr std::uint64_t kNvmlPowerCap = 0x04;
inline constexpr std::uint64_t kNvmlHardwareSlowdown = 0x08;  // by heat or by power; 0x40 and 0x80 tell which
inline constexpr std::uint64_t kNvmlThermalSlowdown = 0x20;
inline constexpr std::uint64_t kNvmlHardwareThermal = 0x40;
inline constexpr std::uint64_t kNvmlPowerBrake = 0x80;

// How busy one process kept the SMs: the mean of the samples since the time asked for, the last of them at `time_us`.
struct NvmlProcessSample {
  pid_t pid = 0;
  std::uint64_t time_us = 0;  // of the CPU's clock, as NVML has it
  unsigned sm_percent = 0;
};

// The open library: initialised once when opened and shut down with the last owner. Any thread.
class Nvml {
 public:
  // `library` as dlopen takes it. Fails with kind environment where the system denies the GPUs, and with kind failed
  // where there is no library or no working driver; the hint is the command that helps.
  [[nodiscard]] static Result<std::shared_ptr<const Nvml>> open(const std::string& library);
  Nvml(const Nvml&) = delete;
  Nvml& operator=(const Nvml&) = delete;
  ~Nvml();

  // Counts GPUs that may not be used too; those give no device.
  [[nodiscard]] NvmlResult<unsigned> device_count() const;
  [[nodiscard]] NvmlResult<NvmlDevice> device(unsigned index) const;
  [[nodiscard]] NvmlResult<std::string> uuid(NvmlDevice device) const;
  [[nodiscard]] NvmlResult<std::string> name(NvmlDevice device) const;
  [[nodiscard]] NvmlResult<unsigned> architecture(NvmlDevice device) const;
  [[nodiscard]] NvmlResult<bool> mig_enabled(NvmlDevice device) const;
  // UUIDs of the instances that the GPU is cut into; empty where there are none or they cannot be told.
  [[nodiscard]] std::vector<std::string> mig_uuids(NvmlDevice device) const;

  // Since the driver was loaded.
  [[nodiscard]] NvmlResult<std::uint64_t> energy_mj(NvmlDevice device) const;
  [[nodiscard]] NvmlResult<std::uint64_t> power_mw(NvmlDevice device, NvmlPower power, NvmlScope scope) const;
  [[nodiscard]] NvmlResult<std::uint64_t> power_limit_mw(NvmlDevice device) const;
  // Share of the last sampling period (1/6 s to 1 s) in which a kernel ran.
  [[nodiscard]] NvmlResult<unsigned> utilization_percent(NvmlDevice device) const;
  [[nodiscard]] NvmlResult<std::uint64_t> memory_used_bytes(NvmlDevice device) const;
  [[nodiscard]] NvmlResult<unsigned> temperature_celsius(NvmlDevice device) const;
  [[nodiscard]] NvmlResult<unsigned> clock_mhz(NvmlDevice device, NvmlClock clock) const;
  [[nodiscard]] NvmlResult<std::uint64_t> clock_event_reasons(NvmlDevice device) const;
  // Samples newer than `since_us`; none where nothing ran.
  [[nodiscard]] NvmlResult<std::vector<NvmlProcessSample>> process_samples(NvmlDevice device,
                                                                           std::uint64_t since_us) const;

 private:
  struct Functions;
  Nvml(void* library, std::unique_ptr<const Functions> functions);

  void* library_;
  std::unique_ptr<const Functions> functions_;
};

}  // namespace wattle::energy
