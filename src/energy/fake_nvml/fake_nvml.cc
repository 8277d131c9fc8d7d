// A stand-in for libnvidia-ml.so.1 that plays what a script says (played.h): tests only.
//
// ABI: nvml.h of NVML 13.3.29 (NVML_API_VERSION 13), declared here once more and apart from nvml_api.cc, so that a
// mistake in one of the two shows. Compiled with FAKE_NVML_OLD it is a library of the time before Volta: no energy
// counter, no field values, no architecture, no MIG, no processes.
#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <optional>
#include <string>
#include <vector>

#include "energy/fake_nvml/played.h"

// NOLINTBEGIN(readability-identifier-naming): the names of nvml.h
extern "C" {
typedef enum nvmlReturn_enum {
  NVML_SUCCESS = 0,
  NVML_ERROR_UNINITIALIZED = 1,
  NVML_ERROR_INVALID_ARGUMENT = 2,
  NVML_ERROR_NOT_SUPPORTED = 3,
  NVML_ERROR_NOT_FOUND = 6,
  NVML_ERROR_INSUFFICIENT_SIZE = 7,
  NVML_ERROR_DRIVER_NOT_LOADED = 9,
  NVML_ERROR_GPU_IS_LOST = 15,
  NVML_ERROR_UNKNOWN = 999
} nvmlReturn_t;
typedef struct nvmlDevice_st* nvmlDevice_t;
typedef union nvmlValue_st {
  double dVal;
  int siVal;
  unsigned int uiVal;
  unsigned long ulVal;
  unsigned long long ullVal;
  signed long long sllVal;
  unsigned short usVal;
} nvmlValue_t;
typedef struct nvmlFieldValue_st {
  unsigned int fieldId;
  unsigned int scopeId;
  long long timestamp;
  long long latencyUsec;
  int valueType;
  nvmlReturn_t nvmlReturn;
  nvmlValue_t value;
} nvmlFieldValue_t;
typedef struct nvmlUtilization_st {
  unsigned int gpu;
  unsigned int memory;
} nvmlUtilization_t;
typedef struct nvmlMemory_st {
  unsigned long long total;
  unsigned long long free;
  unsigned long long used;
} nvmlMemory_t;
typedef struct nvmlProcessUtilizationSample_st {
  unsigned int pid;
  unsigned long long timeStamp;
  unsigned int smUtil;
  unsigned int memUtil;
  unsigned int encUtil;
  unsigned int decUtil;
} nvmlProcessUtilizationSample_t;
}

namespace {

using namespace wattle::energy::fake_nvml;  // NOLINT(google-build-using-namespace): its names are all that is used here

int initialised = 0;

// Handles are small numbers: index + 1, and for MIG instances 100 · (instance + 1) more.
nvmlDevice_t handle_of(std::uintptr_t number) {
  return reinterpret_cast<nvmlDevice_t>(number);  // NOLINT(performance-no-int-to-ptr): never followed
}

struct Device {
  Script played;
  const Section* gpu = nullptr;
  std::size_t instance = 0;  // 0: the board
  nvmlReturn_t code = NVML_ERROR_INVALID_ARGUMENT;
};

Device device_of(nvmlDevice_t handle) {
  Device device;
  const auto number = reinterpret_cast<std::uintptr_t>(handle);
  if (initialised <= 0) {
    device.code = NVML_ERROR_UNINITIALIZED;
    return device;
  }
  const auto read = script();
  if (!read || number % 100 == 0 || number % 100 > read->gpus.size()) return device;
  device.played = *read;
  device.gpu = &device.played.gpus[number % 100 - 1];
  device.instance = number / 100;
  const auto lost = device.gpu->number("lost");
  device.code = lost && device.played.time() >= *lost ? NVML_ERROR_GPU_IS_LOST : NVML_SUCCESS;
  return device;
}

nvmlReturn_t text(const std::string& from, char* to, unsigned length) {
  if (from.size() + 1 > length) return NVML_ERROR_INSUFFICIENT_SIZE;
  std::memcpy(to, from.c_str(), from.size() + 1);
  return NVML_SUCCESS;
}

template <class T>
nvmlReturn_t plain(nvmlDevice_t handle, const char* key, T* out, std::size_t place = 0) {
  const Device device = device_of(handle);
  if (device.code != NVML_SUCCESS) return device.code;
  const auto value = device.gpu->number(key, place);
  if (!value) return NVML_ERROR_NOT_SUPPORTED;
  *out = static_cast<T>(*value);
  return NVML_SUCCESS;
}

nvmlReturn_t scripted_code(const Section& section, const char* key) {
  return static_cast<nvmlReturn_t>(section.number(key).value_or(NVML_SUCCESS));
}

}  // namespace

#define EXPORTED extern "C" __attribute__((visibility("default")))

EXPORTED nvmlReturn_t nvmlInit_v2() {
  const auto read = script();
  if (!read) return NVML_ERROR_DRIVER_NOT_LOADED;
  const nvmlReturn_t code = scripted_code(read->machine, "init");
  if (code == NVML_SUCCESS) ++initialised;
  return code;
}

EXPORTED nvmlReturn_t nvmlShutdown() {
  if (initialised <= 0) return NVML_ERROR_UNINITIALIZED;
  --initialised;
  return NVML_SUCCESS;
}

EXPORTED nvmlReturn_t nvmlDeviceGetCount_v2(unsigned* count) {
  if (initialised <= 0) return NVML_ERROR_UNINITIALIZED;
  const auto read = script();
  if (!read) return NVML_ERROR_UNKNOWN;
  *count = static_cast<unsigned>(read->gpus.size());
  return NVML_SUCCESS;
}

EXPORTED nvmlReturn_t nvmlDeviceGetHandleByIndex_v2(unsigned index, nvmlDevice_t* out) {
  const Device device = device_of(handle_of(index + 1));
  if (device.code != NVML_SUCCESS) return device.code;
  *out = handle_of(index + 1);
  return scripted_code(*device.gpu, "handle");
}

EXPORTED nvmlReturn_t nvmlDeviceGetUUID(nvmlDevice_t handle, char* out, unsigned length) {
  const Device device = device_of(handle);
  if (device.code != NVML_SUCCESS) return device.code;
  const std::vector<Words> lines = device.gpu->all(device.instance > 0 ? "mig_uuid" : "uuid");
  const std::size_t place = device.instance > 0 ? device.instance - 1 : 0;
  return place < lines.size() ? text(lines[place].at(0), out, length) : NVML_ERROR_NOT_SUPPORTED;
}

EXPORTED nvmlReturn_t nvmlDeviceGetName(nvmlDevice_t handle, char* out, unsigned length) {
  const Device device = device_of(handle);
  if (device.code != NVML_SUCCESS) return device.code;
  const Words* words = device.gpu->find("name");
  if (words == nullptr) return NVML_ERROR_NOT_SUPPORTED;
  std::string name;
  for (const std::string& word : *words) name += (name.empty() ? "" : " ") + word;
  return text(name, out, length);
}

EXPORTED nvmlReturn_t nvmlDeviceGetPowerUsage(nvmlDevice_t handle, unsigned* power) {
  const Device device = device_of(handle);
  if (device.code != NVML_SUCCESS) return device.code;
  if (const nvmlReturn_t code = scripted_code(*device.gpu, "power_code"); code != NVML_SUCCESS) return code;
  const auto fixed = device.gpu->number("usage_is");
  if (!fixed && device.gpu->find("usage") == nullptr) return NVML_ERROR_NOT_SUPPORTED;
  *power = static_cast<unsigned>(fixed ? *fixed : mean_power(*device.gpu, device.played.time(), 1000));
  return NVML_SUCCESS;
}

EXPORTED nvmlReturn_t nvmlDeviceGetEnforcedPowerLimit(nvmlDevice_t handle, unsigned* limit) {
  return plain(handle, "limit", limit);
}

EXPORTED nvmlReturn_t nvmlDeviceGetUtilizationRates(nvmlDevice_t handle, nvmlUtilization_t* rates) {
  rates->memory = 0;
  return plain(handle, "utilization", &rates->gpu);
}

EXPORTED nvmlReturn_t nvmlDeviceGetMemoryInfo(nvmlDevice_t handle, nvmlMemory_t* memory) {
  nvmlMemory_t read{};
  nvmlReturn_t code = plain(handle, "memory", &read.total, 0);
  if (code == NVML_SUCCESS) code = plain(handle, "memory", &read.used, 1);
  read.free = read.total - read.used;
  if (code == NVML_SUCCESS) *memory = read;
  return code;
}

EXPORTED nvmlReturn_t nvmlDeviceGetTemperature(nvmlDevice_t handle, int sensor, unsigned* celsius) {
  return sensor == 0 ? plain(handle, "temperature", celsius) : NVML_ERROR_INVALID_ARGUMENT;
}

EXPORTED nvmlReturn_t nvmlDeviceGetClockInfo(nvmlDevice_t handle, int type, unsigned* mhz) {
  const Device device = device_of(handle);
  if (device.code != NVML_SUCCESS) return device.code;
  for (const Words& words : device.gpu->all("clock")) {
    if (std::atoi(words.at(0).c_str()) != type) continue;
    *mhz = static_cast<unsigned>(std::atoi(words.at(1).c_str()));
    return NVML_SUCCESS;
  }
  return NVML_ERROR_NOT_SUPPORTED;
}

EXPORTED nvmlReturn_t nvmlDeviceGetCurrentClocksThrottleReasons(nvmlDevice_t handle, unsigned long long* reasons) {
  return plain(handle, "reasons", reasons);
}

#ifndef FAKE_NVML_OLD

namespace {

std::optional<std::int64_t> field(const Device& device, unsigned id, unsigned scope) {
  const Section& gpu = *device.gpu;
  if (scope == 1 && gpu.find("scope_ignored") == nullptr) {
    return id == 186 ? gpu.number("module_is") : std::nullopt;
  }
  if (id == 185 && gpu.number("average_is")) return gpu.number("average_is");
  if (id == 185 && gpu.find("average") != nullptr) return mean_power(gpu, device.played.time(), 1000);
  if (id == 186 && gpu.number("instant_is")) return gpu.number("instant_is");
  const auto window = gpu.number("instant", 0);
  const auto every = gpu.number("instant", 1);
  if (id != 186 || !window || !every) return std::nullopt;
  return mean_power(gpu, device.played.time() / *every * *every, *window);
}

void put(nvmlFieldValue_t& out, std::int64_t value, int type) {
  out.valueType = type;
  std::memset(&out.value, 0xA5, sizeof(out.value));  // what a union does not hold is not zero
  switch (type) {
    case 0:
      out.value.dVal = static_cast<double>(value);
      break;
    case 1:
      out.value.uiVal = static_cast<unsigned>(value);
      break;
    case 5:
      out.value.siVal = static_cast<int>(value);
      break;
    case 6:
      out.value.usVal = static_cast<unsigned short>(value);
      break;
    default:
      out.value.sllVal = value;  // 64 bits, signed or not
  }
}

}  // namespace

EXPORTED nvmlReturn_t nvmlDeviceGetCurrentClocksEventReasons(nvmlDevice_t handle, unsigned long long* reasons) {
  return plain(handle, "reasons", reasons);
}

EXPORTED nvmlReturn_t nvmlDeviceGetArchitecture(nvmlDevice_t handle, unsigned* architecture) {
  return plain(handle, "architecture", architecture);
}

EXPORTED nvmlReturn_t nvmlDeviceGetTotalEnergyConsumption(nvmlDevice_t handle, unsigned long long* energy) {
  const Device device = device_of(handle);
  if (device.code != NVML_SUCCESS) return device.code;
  if (const nvmlReturn_t code = scripted_code(*device.gpu, "energy_code"); code != NVML_SUCCESS) return code;
  const auto refresh = device.gpu->number("energy", 1);
  if (!refresh) return NVML_ERROR_NOT_SUPPORTED;
  const std::int64_t now = device.played.time() / *refresh * *refresh;
  const std::int64_t reload = device.gpu->number("reload").value_or(now + 1);
  const std::int64_t start = now >= reload ? 0 : device.gpu->number("energy", 0).value_or(0);
  const std::int64_t before = now >= reload ? true_energy(*device.gpu, reload) : 0;
  const std::int64_t since = true_energy(*device.gpu, now) - before;
  *energy = static_cast<unsigned long long>(start) + static_cast<unsigned long long>(since) / 1000;
  return NVML_SUCCESS;
}

EXPORTED nvmlReturn_t nvmlDeviceGetFieldValues(nvmlDevice_t handle, int count, nvmlFieldValue_t* values) {
  const Device device = device_of(handle);
  if (device.code != NVML_SUCCESS) return device.code;
  const nvmlReturn_t code = scripted_code(*device.gpu, "power_code");
  for (int i = 0; i < count; ++i) {
    const auto value = field(device, values[i].fieldId, values[i].scopeId);
    values[i].timestamp = device.played.time() * 1000;
    values[i].latencyUsec = 0;
    values[i].nvmlReturn = code != NVML_SUCCESS ? code : value ? NVML_SUCCESS : NVML_ERROR_NOT_SUPPORTED;
    if (value) put(values[i], *value, static_cast<int>(device.gpu->number("field_type").value_or(1)));
  }
  return NVML_SUCCESS;
}

EXPORTED nvmlReturn_t nvmlDeviceGetMigMode(nvmlDevice_t handle, unsigned* current, unsigned* pending) {
  *pending = 0;
  return plain(handle, "mig", current);
}

EXPORTED nvmlReturn_t nvmlDeviceGetMaxMigDeviceCount(nvmlDevice_t handle, unsigned* count) {
  const Device device = device_of(handle);
  if (device.code == NVML_SUCCESS) *count = 7;
  return device.code;
}

EXPORTED nvmlReturn_t nvmlDeviceGetMigDeviceHandleByIndex(nvmlDevice_t handle, unsigned index, nvmlDevice_t* out) {
  const Device device = device_of(handle);
  if (device.code != NVML_SUCCESS) return device.code;
  if (index >= device.gpu->all("mig_uuid").size()) return NVML_ERROR_NOT_FOUND;
  *out = handle_of(reinterpret_cast<std::uintptr_t>(handle) + 100 * (index + 1));
  return NVML_SUCCESS;
}

EXPORTED nvmlReturn_t nvmlDeviceGetProcessUtilization(nvmlDevice_t handle, nvmlProcessUtilizationSample_t* out,
                                                      unsigned* count, unsigned long long since) {
  const Device device = device_of(handle);
  if (device.code != NVML_SUCCESS) return device.code;
  if (device.gpu->number("mig") == 1) return NVML_ERROR_NOT_SUPPORTED;
  std::vector<nvmlProcessUtilizationSample_t> samples;
  for (const Words& words : device.gpu->all("sample")) {
    nvmlProcessUtilizationSample_t one{};
    one.pid = static_cast<unsigned>(std::strtoul(words.at(0).c_str(), nullptr, 10));
    one.timeStamp = std::strtoull(words.at(1).c_str(), nullptr, 10);
    one.smUtil = static_cast<unsigned>(std::strtoul(words.at(2).c_str(), nullptr, 10));
    one.memUtil = one.encUtil = one.decUtil = 77;
    if (one.timeStamp > since) samples.push_back(one);
  }
  if (samples.empty()) return NVML_ERROR_NOT_FOUND;
  const bool fits = out != nullptr && *count >= samples.size();
  *count = static_cast<unsigned>(samples.size());
  if (!fits) return NVML_ERROR_INSUFFICIENT_SIZE;
  std::copy(samples.begin(), samples.end(), out);
  return NVML_SUCCESS;
}

#endif
// NOLINTEND(readability-identifier-naming)
