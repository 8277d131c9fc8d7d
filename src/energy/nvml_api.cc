#include "energy/nvml_api.h"

#include <dlfcn.h>
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <string_view>
#include <type_traits>
#include <utility>

#include "base/text.h"

namespace wattle::energy {
namespace {

// --- nvml.h, in our own words. A wrong layout lets the library write where it must not: sizes and offsets are checked
// --- against those of the real header on x86-64 and aarch64 Linux (LP64).

// nvmlFieldValue_t. scopeId was called `unused` before NVML 11.
struct FieldValue {
  unsigned field_id;
  unsigned scope_id;
  long long timestamp_us;
  long long latency_us;
  unsigned value_type;  // nvmlValueType_t
  NvmlReturn result;
  union {
    double real;
    int integer;
    unsigned natural;
    unsigned long natural_long;
    unsigned long long natural_long_long;
    long long integer_long_long;
    unsigned short natural_short;
  } value;
};
static_assert(sizeof(FieldValue) == 40 && alignof(FieldValue) == 8);
static_assert(offsetof(FieldValue, scope_id) == 4 && offsetof(FieldValue, timestamp_us) == 8);
static_assert(offsetof(FieldValue, latency_us) == 16 && offsetof(FieldValue, value_type) == 24);
static_assert(offsetof(FieldValue, result) == 28 && offsetof(FieldValue, value) == 32);

// nvmlProcessUtilizationSample_t
struct ProcessUtilization {
  unsigned pid;
  unsigned long long time_us;
  unsigned sm;
  unsigned memory;
  unsigned encoder;
  unsigned decoder;
};
static_assert(sizeof(ProcessUtilization) == 32 && alignof(ProcessUtilization) == 8);
static_assert(offsetof(ProcessUtilization, time_us) == 8 && offsetof(ProcessUtilization, sm) == 16);

// nvmlUtilization_t
struct Utilization {
  unsigned gpu;
  unsigned memory;
};
static_assert(sizeof(Utilization) == 8);

// nvmlMemory_t, version 1
struct Memory {
  unsigned long long total;
  unsigned long long free;
  unsigned long long used;
};
static_assert(sizeof(Memory) == 24 && offsetof(Memory, used) == 16);
static_assert(sizeof(NvmlReturn) == 4);

constexpr unsigned kPowerAverage = 185;  // NVML_FI_DEV_POWER_AVERAGE
constexpr unsigned kPowerInstant = 186;  // NVML_FI_DEV_POWER_INSTANT
constexpr int kGpuTemperature = 0;       // NVML_TEMPERATURE_GPU
constexpr std::size_t kTextSize = 96;    // NVML_DEVICE_UUID_V2_BUFFER_SIZE and …NAME_V2…
constexpr unsigned kMostInstances = 64;  // of MIG; an A100 has 7
constexpr unsigned kMostSamples = 1U << 16U;

constexpr std::array<std::pair<NvmlReturn, std::string_view>, 18> kWords{
    {{NvmlReturn::success, "success"},
     {NvmlReturn::uninitialized, "not initialised"},
     {NvmlReturn::invalid_argument, "invalid argument"},
     {NvmlReturn::not_supported, "not supported"},
     {NvmlReturn::no_permission, "permission denied"},
     {NvmlReturn::not_found, "not found"},
     {NvmlReturn::insufficient_size, "too little room"},
     {NvmlReturn::insufficient_power, "power cables are not attached properly"},
     {NvmlReturn::driver_not_loaded, "the NVIDIA driver is not loaded"},
     {NvmlReturn::timeout, "timed out"},
     {NvmlReturn::irq_issue, "the kernel found a problem with the GPU's interrupts"},
     {NvmlReturn::library_not_found, "a library of the driver was not found"},
     {NvmlReturn::function_not_found, "this NVML lacks the function"},
     {NvmlReturn::gpu_is_lost, "the GPU is lost"},
     {NvmlReturn::reset_required, "the GPU needs a reset"},
     {NvmlReturn::operating_system, "blocked by the operating system or a container"},
     {NvmlReturn::version_mismatch, "library and driver are of different versions"},
     {NvmlReturn::no_data, "no usable data"}}};

constexpr std::string_view kAllow = "sudo chmod a+rw /dev/nvidia*";
constexpr std::string_view kContainer = "docker run --gpus all ...";
constexpr std::string_view kReload =
    "sudo reboot   # or, with no program on the GPUs: sudo modprobe -r nvidia_uvm nvidia_drm nvidia_modeset nvidia && "
    "sudo modprobe nvidia";

// What NVML says, or that it lacks the function.
template <class... Parameters, class... Arguments>
NvmlReturn call(NvmlReturn (*function)(Parameters...), Arguments... arguments) {
  return function != nullptr ? function(arguments...) : NvmlReturn::function_not_found;
}

template <class T, class Function, class... Arguments>
NvmlResult<T> ask(Function function, Arguments... arguments) {
  T value{};
  const NvmlReturn code = call(function, arguments..., &value);
  if (code != NvmlReturn::success) return tl::unexpected(code);
  return value;
}

NvmlResult<std::string> ask_text(NvmlReturn (*function)(NvmlDevice, char*, unsigned), NvmlDevice device) {
  std::array<char, kTextSize> text{};
  const NvmlReturn code = call(function, device, text.data(), static_cast<unsigned>(text.size() - 1));
  if (code != NvmlReturn::success) return tl::unexpected(code);
  return printable(text.data());
}

// Negative and unknown ones are no readings.
NvmlResult<std::uint64_t> number_of(const FieldValue& field) {
  if (field.result != NvmlReturn::success) return tl::unexpected(field.result);
  const auto& value = field.value;
  switch (field.value_type) {
    case 0:
      if (!(value.real >= 0.0 && value.real < 1e18)) break;
      return static_cast<std::uint64_t>(std::llround(value.real));
    case 1:
      return value.natural;
    case 2:
      return value.natural_long;
    case 3:
      return value.natural_long_long;
    case 4:
      if (value.integer_long_long < 0) break;
      return static_cast<std::uint64_t>(value.integer_long_long);
    case 5:
      if (value.integer < 0) break;
      return static_cast<std::uint64_t>(value.integer);
    case 6:
      return value.natural_short;
    default:
      break;
  }
  return tl::unexpected(NvmlReturn::no_data);
}

tl::unexpected<Error> why_not_initialised(NvmlReturn code) {
  const std::string said = "nvmlInit_v2: " + to_string(code);
  if (code == NvmlReturn::no_permission) return fail(ErrorKind::environment, said, std::string(kAllow));
  if (denies(code)) return fail(ErrorKind::environment, said, std::string(kContainer));
  if (code == NvmlReturn::driver_not_loaded) return fail(ErrorKind::failed, said, "sudo modprobe nvidia");
  if (code == NvmlReturn::version_mismatch) {
    return fail(ErrorKind::failed, said + ": the driver was updated and the old one still runs", std::string(kReload));
  }
  return fail(ErrorKind::failed, said);
}

}  // namespace

struct Nvml::Functions {
  NvmlReturn (*init)() = nullptr;
  NvmlReturn (*shutdown)() = nullptr;
  NvmlReturn (*count)(unsigned*) = nullptr;
  NvmlReturn (*by_index)(unsigned, NvmlDevice*) = nullptr;
  NvmlReturn (*uuid)(NvmlDevice, char*, unsigned) = nullptr;
  NvmlReturn (*name)(NvmlDevice, char*, unsigned) = nullptr;
  NvmlReturn (*architecture)(NvmlDevice, unsigned*) = nullptr;
  NvmlReturn (*mig_mode)(NvmlDevice, unsigned*, unsigned*) = nullptr;
  NvmlReturn (*mig_count)(NvmlDevice, unsigned*) = nullptr;
  NvmlReturn (*mig_by_index)(NvmlDevice, unsigned, NvmlDevice*) = nullptr;
  NvmlReturn (*energy)(NvmlDevice, unsigned long long*) = nullptr;
  NvmlReturn (*power)(NvmlDevice, unsigned*) = nullptr;
  NvmlReturn (*fields)(NvmlDevice, int, FieldValue*) = nullptr;
  NvmlReturn (*limit)(NvmlDevice, unsigned*) = nullptr;
  NvmlReturn (*utilization)(NvmlDevice, Utilization*) = nullptr;
  NvmlReturn (*memory)(NvmlDevice, Memory*) = nullptr;
  NvmlReturn (*temperature)(NvmlDevice, int, unsigned*) = nullptr;
  NvmlReturn (*clock)(NvmlDevice, int, unsigned*) = nullptr;
  NvmlReturn (*reasons)(NvmlDevice, unsigned long long*) = nullptr;
  NvmlReturn (*processes)(NvmlDevice, ProcessUtilization*, unsigned*, unsigned long long) = nullptr;

  explicit Functions(void* library) {
    const auto find = [library](auto& function, const char* symbol) {
      if (function == nullptr) function = reinterpret_cast<std::decay_t<decltype(function)>>(::dlsym(library, symbol));
    };
    find(init, "nvmlInit_v2");
    find(shutdown, "nvmlShutdown");
    find(count, "nvmlDeviceGetCount_v2");
    find(by_index, "nvmlDeviceGetHandleByIndex_v2");
    find(uuid, "nvmlDeviceGetUUID");
    find(name, "nvmlDeviceGetName");
    find(architecture, "nvmlDeviceGetArchitecture");
    find(mig_mode, "nvmlDeviceGetMigMode");
    find(mig_count, "nvmlDeviceGetMaxMigDeviceCount");
    find(mig_by_index, "nvmlDeviceGetMigDeviceHandleByIndex");
    find(energy, "nvmlDeviceGetTotalEnergyConsumption");
    find(power, "nvmlDeviceGetPowerUsage");
    find(fields, "nvmlDeviceGetFieldValues");
    find(limit, "nvmlDeviceGetEnforcedPowerLimit");
    find(utilization, "nvmlDeviceGetUtilizationRates");
    find(memory, "nvmlDeviceGetMemoryInfo");
    find(temperature, "nvmlDeviceGetTemperature");
    find(clock, "nvmlDeviceGetClockInfo");
    find(reasons, "nvmlDeviceGetCurrentClocksEventReasons");
    find(reasons, "nvmlDeviceGetCurrentClocksThrottleReasons");  // its name before NVML 12.2
    find(processes, "nvmlDeviceGetProcessUtilization");
  }
};

std::string to_string(NvmlReturn code) {
  const auto* const known =
      std::find_if(kWords.begin(), kWords.end(), [code](const auto& one) { return one.first == code; });
  const std::string_view word = known != kWords.end() ? known->second : "unexpected error";
  return fmt::format("{} (NVML code {})", word, static_cast<int>(code));
}

Nvml::Nvml(void* library, std::unique_ptr<const Functions> functions)
    : library_(library), functions_(std::move(functions)) {}

Nvml::~Nvml() {
  call(functions_->shutdown);
  ::dlclose(library_);
}

Result<std::shared_ptr<const Nvml>> Nvml::open(const std::string& library) {
  void* handle = ::dlopen(library.c_str(), RTLD_NOW | RTLD_LOCAL);
  if (handle == nullptr) {
    const char* why = ::dlerror();
    return fail(ErrorKind::failed, fmt::format("no NVIDIA driver: {}", printable(why != nullptr ? why : library)));
  }
  auto functions = std::make_unique<const Functions>(handle);
  if (functions->init == nullptr) {
    ::dlclose(handle);
    return fail(ErrorKind::failed, fmt::format("{} is no NVML: it has no nvmlInit_v2", printable(library)));
  }
  const NvmlReturn code = functions->init();
  if (code != NvmlReturn::success) {
    ::dlclose(handle);
    return why_not_initialised(code);
  }
  return std::shared_ptr<const Nvml>(new Nvml(handle, std::move(functions)));
}

NvmlResult<unsigned> Nvml::device_count() const { return ask<unsigned>(functions_->count); }
NvmlResult<NvmlDevice> Nvml::device(unsigned index) const { return ask<NvmlDevice>(functions_->by_index, index); }
NvmlResult<std::string> Nvml::uuid(NvmlDevice device) const { return ask_text(functions_->uuid, device); }
NvmlResult<std::string> Nvml::name(NvmlDevice device) const { return ask_text(functions_->name, device); }
NvmlResult<unsigned> Nvml::architecture(NvmlDevice device) const {
  return ask<unsigned>(functions_->architecture, device);
}

NvmlResult<bool> Nvml::mig_enabled(NvmlDevice device) const {
  unsigned current = 0;
  unsigned pending = 0;
  const NvmlReturn code = call(functions_->mig_mode, device, &current, &pending);
  if (code != NvmlReturn::success) return tl::unexpected(code);
  return current == 1;
}

std::vector<std::string> Nvml::mig_uuids(NvmlDevice device) const {
  std::vector<std::string> all;
  const unsigned most = std::min(ask<unsigned>(functions_->mig_count, device).value_or(0), kMostInstances);
  for (unsigned i = 0; i < most; ++i) {
    // Places without an instance answer "not found".
    const auto instance = ask<NvmlDevice>(functions_->mig_by_index, device, i);
    const auto known = instance ? uuid(*instance) : tl::unexpected(instance.error());
    if (known) all.push_back(*known);
  }
  return all;
}

NvmlResult<std::uint64_t> Nvml::energy_mj(NvmlDevice device) const {
  return ask<unsigned long long>(functions_->energy, device);
}

NvmlResult<std::uint64_t> Nvml::power_mw(NvmlDevice device, NvmlPower power, NvmlScope scope) const {
  if (power == NvmlPower::usage) return ask<unsigned>(functions_->power, device);
  FieldValue field{};
  field.field_id = power == NvmlPower::instant ? kPowerInstant : kPowerAverage;
  field.scope_id = static_cast<unsigned>(scope);
  field.result = NvmlReturn::no_data;  // should the library leave it alone
  const NvmlReturn code = call(functions_->fields, device, 1, &field);
  if (code != NvmlReturn::success) return tl::unexpected(code);
  return number_of(field);
}

NvmlResult<std::uint64_t> Nvml::power_limit_mw(NvmlDevice device) const {
  return ask<unsigned>(functions_->limit, device);
}

NvmlResult<unsigned> Nvml::utilization_percent(NvmlDevice device) const {
  const auto rates = ask<Utilization>(functions_->utilization, device);
  if (!rates) return tl::unexpected(rates.error());
  if (rates->gpu > 100) return tl::unexpected(NvmlReturn::no_data);
  return rates->gpu;
}

NvmlResult<std::uint64_t> Nvml::memory_used_bytes(NvmlDevice device) const {
  return ask<Memory>(functions_->memory, device).map([](const Memory& memory) -> std::uint64_t { return memory.used; });
}

NvmlResult<unsigned> Nvml::temperature_celsius(NvmlDevice device) const {
  return ask<unsigned>(functions_->temperature, device, kGpuTemperature);
}

NvmlResult<unsigned> Nvml::clock_mhz(NvmlDevice device, NvmlClock clock) const {
  return ask<unsigned>(functions_->clock, device, static_cast<int>(clock));
}

NvmlResult<std::uint64_t> Nvml::clock_event_reasons(NvmlDevice device) const {
  return ask<unsigned long long>(functions_->reasons, device);
}

NvmlResult<std::vector<NvmlProcessSample>> Nvml::process_samples(NvmlDevice device, std::uint64_t since_us) const {
  std::vector<NvmlProcessSample> samples;
  unsigned count = 0;
  ProcessUtilization* no_room = nullptr;
  NvmlReturn code = call(functions_->processes, device, no_room, &count, since_us);
  if (code == NvmlReturn::not_found || (code == NvmlReturn::success && count == 0)) return samples;
  if (code != NvmlReturn::success && code != NvmlReturn::insufficient_size) return tl::unexpected(code);
  // Twice the room, for processes that begin meanwhile.
  std::vector<ProcessUtilization> room(2 * static_cast<std::size_t>(std::min(count, kMostSamples)));
  count = static_cast<unsigned>(room.size());
  code = call(functions_->processes, device, room.data(), &count, since_us);
  if (code == NvmlReturn::not_found) return samples;
  if (code != NvmlReturn::success) return tl::unexpected(code);
  room.resize(std::min<std::size_t>(count, room.size()));
  for (const ProcessUtilization& one : room) {
    samples.push_back({.pid = static_cast<pid_t>(one.pid), .time_us = one.time_us, .sm_percent = one.sm});
  }
  return samples;
}

}  // namespace wattle::energy
