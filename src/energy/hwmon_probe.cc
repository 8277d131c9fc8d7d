#include "energy/hwmon_probe.h"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <map>
#include <optional>
#include <set>
#include <system_error>
#include <utility>

#include "base/text.h"
#include "energy/accumulator.h"
#include "energy/attribute.h"
#include "energy/exact.h"

namespace wattle::energy {
namespace {

namespace fs = std::filesystem;

constexpr Nanoseconds kPeriod = milliseconds(100);
// Neither AMD nor Intel says how often its firmware measures or how well; board sensors say the first at most
// (`update_interval`). These are allowances.
constexpr Nanoseconds kUpdatePeriod = milliseconds(100);
constexpr double kGain = 0.10;
// A register of 32 bits that could not be read, in µW or µJ and in thousands of them.
constexpr std::int64_t kSentinel = 4'294'967'295;
constexpr std::int64_t kSentinelMilli = kSentinel * 1000;
constexpr std::string_view kMi300a = "0x74a0";

enum class Quantity { energy, power, pair };

// One number of a device that changes, and where it is read.
struct Channel {
  Quantity quantity;
  int number;
  std::string label;  // the kernel's, else "power1"
  std::vector<Attribute> files;
};

struct Device {
  fs::path path;
  std::string chip;     // `name`
  std::string address;  // PCI address where there is one, else hwmonN
  bool gpu = false;
  std::map<std::string, std::set<int>> inputs;  // "power_average" → {1, 2}
};

std::string text_of(const fs::path& path) {
  const auto text = Attribute(path).text();
  return text ? *text : std::string();
}

// "power1_average" → ("power_average", 1)
std::optional<std::pair<std::string, int>> input_of(const std::string& file) {
  const auto digit = std::find_if(file.begin(), file.end(), [](unsigned char c) { return std::isdigit(c) != 0; });
  const auto underscore = std::find(digit, file.end(), '_');
  const auto number = parse_integer(std::string(digit, underscore));
  if (!number || *number < 0 || *number > 999) return std::nullopt;
  return std::pair(std::string(file.begin(), digit) + std::string(underscore, file.end()), static_cast<int>(*number));
}

bool is_gpu(const Device& device) {
  if (device.chip == "i915" || device.chip.starts_with("i915_gt") || device.chip == "xe") return true;
  return device.chip == "amdgpu" && text_of(device.path / "in1_label") != "vddnb" &&
         text_of(device.path / "device/device") != kMi300a;
}

std::optional<Device> device_at(const fs::path& path) {
  Device device{.path = path, .chip = text_of(path / "name"), .address = path.filename().string(), .inputs = {}};
  std::error_code error;
  const fs::path real = fs::canonical(path / "device", error);
  if (device.chip.empty() || std::find(real.begin(), real.end(), "power_supply") != real.end()) return std::nullopt;
  if (!error && real.filename().string().find(':') != std::string::npos) device.address = real.filename().string();
  for (fs::directory_iterator entry(path, error), end; !error && entry != end; entry.increment(error)) {
    if (const auto input = input_of(entry->path().filename().string())) {
      device.inputs[input->first].insert(input->second);
    }
  }
  device.gpu = is_gpu(device);
  return device;
}

std::vector<Device> devices_in(const fs::path& folder) {
  std::map<std::int64_t, fs::path> paths;  // by number: hwmon10 stands after hwmon2
  std::error_code error;
  for (fs::directory_iterator entry(folder, error), end; !error && entry != end; entry.increment(error)) {
    const std::string file = entry->path().filename().string();
    if (!file.starts_with("hwmon")) continue;
    if (const auto number = parse_integer(std::string_view(file).substr(5))) paths.emplace(*number, entry->path());
  }
  std::vector<Device> devices;
  for (const auto& [number, path] : paths) {
    if (auto device = device_at(path)) devices.push_back(std::move(*device));
  }
  return devices;
}

Channel channel(const Device& device, Quantity quantity, std::string_view word, int number,
                const std::vector<std::string>& files) {
  const std::string plain = fmt::format("{}{}", word, number);
  const std::string label = text_of(device.path / (plain + "_label"));
  Channel one{.quantity = quantity, .number = number, .label = label.empty() ? plain : label, .files = {}};
  for (const std::string& file : files) one.files.emplace_back(device.path / file);
  return one;
}

// Numbers alone do not pair a voltage with a current: drivers count each from its own start. Labels such as "vout1" and
// "iout1" do (Documentation/hwmon/pmbus.rst), or equal ones, or none at all.
bool belong_together(const Device& device, int number) {
  const std::string voltage = text_of(device.path / fmt::format("in{}_label", number));
  const std::string current = text_of(device.path / fmt::format("curr{}_label", number));
  if (voltage == current) return true;
  return voltage.size() > 1 && current.size() > 1 && (voltage[0] == 'v' || voltage[0] == 'V') &&
         (current[0] == 'i' || current[0] == 'I') && voltage.substr(1) == current.substr(1);
}

std::vector<Channel> channels_of(Device& device) {
  std::vector<Channel> channels;
  for (const int number : device.inputs["energy_input"]) {
    channels.push_back(channel(device, Quantity::energy, "energy", number, {fmt::format("energy{}_input", number)}));
  }
  if (!channels.empty()) return channels;
  std::set<int> powers = device.inputs["power_average"];
  powers.insert(device.inputs["power_input"].begin(), device.inputs["power_input"].end());
  for (const int number : powers) {
    const std::string average = fmt::format("power{}_average", number);
    const std::string momentary = fmt::format("power{}_input", number);
    // Some chips show an average that their firmware does not have.
    const bool averaged = device.inputs["power_average"].contains(number) &&
                          (!device.inputs["power_input"].contains(number) || Attribute(device.path / average).number());
    channels.push_back(channel(device, Quantity::power, "power", number, {averaged ? average : momentary}));
  }
  if (!channels.empty() || device.gpu) return channels;  // one rail of a GPU is not the GPU
  for (const int number : device.inputs["in_input"]) {
    if (!device.inputs["curr_input"].contains(number) || !belong_together(device, number)) continue;
    channels.push_back(channel(device, Quantity::pair, "curr", number,
                               {fmt::format("in{}_input", number), fmt::format("curr{}_input", number)}));
  }
  return channels;
}

// A channel as it is read, with the domain that it feeds.
class Sensor {
 public:
  Sensor(Channel channel, DomainKind kind, const Device& device)
      : channel_(std::move(channel)), kind_(kind), runtime_status_(device.path / "device/power/runtime_status") {}

  [[nodiscard]] bool asleep() const {
    if (kind_ != DomainKind::gpu) return false;
    const auto status = runtime_status_.text();
    return status && (*status == "suspended" || *status == "suspending");
  }
  [[nodiscard]] bool denied() const {
    return std::any_of(channel_.files.begin(), channel_.files.end(), [](const auto& file) { return file.denied(); });
  }
  [[nodiscard]] Reading read() const {
    // Older drivers wake the GPU to answer, which costs what is to be measured.
    if (asleep()) return absent("the GPU sleeps, and asking would wake it");
    Int128 value = 1;
    for (const Attribute& file : channel_.files) {
      const auto number = file.number();
      if (!number) return absent(number.error().message);
      if (*number < 0) return absent(fmt::format("{} is negative", file.name()));
      if (*number == kSentinel || *number == kSentinelMilli) {
        return absent(fmt::format("{} holds a sentinel for no value", file.name()));
      }
      value *= *number;
    }
    return channel_.quantity == Quantity::energy ? counter(value) : power(value);
  }

 private:
  static Reading absent(std::string why) {
    Reading reading;
    reading.reason = std::move(why);
    return reading;
  }
  // No range is told, so a counter that falls gives a gap.
  static Reading counter(Int128 value) {
    Reading reading;
    reading.kind = Reading::Kind::counter;
    reading.value = static_cast<std::uint64_t>(value);
    return reading;
  }
  [[nodiscard]] Reading power(Int128 microwatts) const {
    if (microwatts == 0 && kind_ == DomainKind::gpu) return absent("0 W is no power of a GPU that runs");
    if (microwatts > static_cast<Int128>(plausible_power(kind_).value * 1e6)) return absent("more power than can be");
    Reading reading;
    reading.kind = Reading::Kind::power;
    reading.value = static_cast<std::uint64_t>(microwatts);
    return reading;
  }

  Channel channel_;
  DomainKind kind_;
  Attribute runtime_status_;
};

class HwmonProbe final : public Probe {
 public:
  [[nodiscard]] const std::vector<Domain>& domains() const override { return domains_; }
  [[nodiscard]] Nanoseconds own_period() const override { return kPeriod; }
  void read(Nanoseconds /*now*/, std::span<Reading> out) override {
    for (std::size_t i = 0; i < out.size() && i < sensors_.size(); ++i) out[i] = sensors_[i].read();
  }
  void add(Domain domain, Sensor sensor) {
    domains_.push_back(std::move(domain));
    sensors_.push_back(std::move(sensor));
  }

 private:
  std::vector<Domain> domains_;
  std::vector<Sensor> sensors_;
};

Nanoseconds update_period(const Device& device) {
  const auto told = parse_integer(text_of(device.path / "update_interval"));
  return told && *told > 0 && *told <= 3'600'000 ? milliseconds(*told) : kUpdatePeriod;
}

Domain domain_of(const Device& device, const Channel& channel, bool whole) {
  Domain domain;
  domain.kind = device.gpu ? DomainKind::gpu : DomainKind::board;
  const std::string gpu = "gpu-" + device.address;
  domain.name = !device.gpu ? fmt::format("board-{}-{}", device.chip, channel.label)
                : whole     ? gpu
                            : fmt::format("{}-{}", gpu, channel.label);
  if (device.chip.starts_with("i915_gt")) domain.name = fmt::format("{}-{}", gpu, device.chip.substr(5));
  if (domain.name != gpu && device.gpu) domain.parent = gpu;
  domain.provenance = channel.quantity == Quantity::energy ? Provenance::counter : Provenance::integrated_power;
  domain.source = "hwmon " + device.chip;
  domain.gain_uncertainty = kGain;
  domain.update_period = update_period(device);
  return domain;
}

// What all devices gave.
struct Search {
  std::unique_ptr<HwmonProbe> probe = std::make_unique<HwmonProbe>();
  std::vector<std::string> missing;  // GPUs: they belong in the total
  std::vector<std::string> silent;   // boards
  std::set<std::string> names;
  bool denied = false;

  void take(Device& device) {
    bool whole = true;
    for (Channel& channel : channels_of(device)) {
      Domain domain = domain_of(device, channel, whole);
      if (!names.insert(domain.name).second) {
        domain.name += fmt::format(" ({})", device.path.filename().string());
        names.insert(domain.name);
      }
      Sensor sensor(std::move(channel), domain.kind, device);
      const Reading first = sensor.read();
      denied |= sensor.denied();
      // One that sleeps may wake while it is measured; one that cannot answer now never will.
      if (first.kind == Reading::Kind::absent && !sensor.asleep()) {
        (device.gpu ? missing : silent).push_back(fmt::format("{}: {}", domain.name, first.reason));
        continue;
      }
      whole = false;
      probe->add(std::move(domain), std::move(sensor));
    }
  }
};

}  // namespace

Found find_hwmon(const ProbeOptions& options) {
  const fs::path folder = options.sysroot / "sys/class/hwmon";
  Search search;
  for (Device& device : devices_in(folder)) search.take(device);
  Found found;
  found.name = "hwmon";
  found.proven = "verified on a fake only";
  found.missing = std::move(search.missing);
  if (search.denied) found.fix = fmt::format("sudo chmod a+r {}/hwmon*/{{power,energy}}*", folder.string());
  if (search.probe->domains().empty()) {
    found.status = search.denied ? Found::Status::denied : Found::Status::absent;
    search.silent.insert(search.silent.begin(), found.missing.begin(), found.missing.end());
    found.reason = search.silent.empty() ? "no sensor of power or energy in " + folder.string()
                                         : "no sensor gives a value: " + join(search.silent, "; ");
    return found;
  }
  found.status = Found::Status::found;
  std::vector<std::string> names;
  for (const Domain& domain : search.probe->domains()) names.push_back(domain.name);
  found.reason = join(names, ", ");
  if (!search.silent.empty()) found.reason += "; without a value: " + join(search.silent, "; ");
  found.probe = std::move(search.probe);
  return found;
}

}  // namespace wattle::energy
