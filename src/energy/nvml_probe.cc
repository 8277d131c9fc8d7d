#include "energy/nvml_probe.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <limits>
#include <string_view>
#include <utility>

#include "base/text.h"
#include "energy/accumulator.h"
#include "energy/coefficients.h"
#include "energy/nvml_api.h"
#include "energy/visible_gpus.h"

namespace wattle::energy {
namespace {

// Counters and power are refreshed every 20 to 100 ms; a call may take milliseconds.
constexpr Nanoseconds kReadEvery = milliseconds(50);
constexpr Nanoseconds kRefresh = milliseconds(100);
constexpr Nanoseconds kAveraged = seconds(1);
// Utilisation is a mean over 1/6 s to 1 s (nvml.h, nvmlUtilization_t in older editions).
constexpr Nanoseconds kUtilizationPeriod = seconds(1);
// See the header for both.
constexpr double kGain = 0.05;
constexpr double kPartTimeGain = 0.70;
constexpr std::array<std::string_view, 9> kPartTime{"A100", "A100X", "A800", "A30",  "H100",
                                                    "H200", "H800",  "H20",  "GH200"};
constexpr std::array<std::string_view, 4> kGa100{"A100", "A100X", "A800", "A30"};

constexpr std::string_view kFix = "sudo chmod a+rw /dev/nvidia*   # in a container: docker run --gpus all ...";
constexpr std::string_view kFixLasting =
    "echo 'options nvidia NVreg_DeviceFileMode=0666' | sudo tee /etc/modprobe.d/70-wattle-nvidia.conf";

// One of the words of a product's name: "NVIDIA A100-SXM4-40GB" holds A100, "NVIDIA RTX A1000" does not.
template <std::size_t n>
bool names(const std::string& product, const std::array<std::string_view, n>& words) {
  std::string spaced = product;
  std::replace(spaced.begin(), spaced.end(), '-', ' ');
  const std::vector<std::string> parts = split(spaced, ' ');
  return std::any_of(words.begin(), words.end(),
                     [&](std::string_view word) { return std::find(parts.begin(), parts.end(), word) != parts.end(); });
}

// How one domain is read.
struct Channel {
  enum class What { energy, power, utilization };
  What what = What::energy;
  NvmlPower power = NvmlPower::instant;
  NvmlScope scope = NvmlScope::gpu;
  GpuCoefficients coefficients{};  // of utilisation
};

struct Told {
  Reading reading;
  NvmlReturn code = NvmlReturn::success;
};

Told absent(std::string reason, NvmlReturn code) {
  Told told;
  told.reading.reason = std::move(reason);
  told.code = code;
  return told;
}

Told told(Reading::Kind kind, std::uint64_t value) {
  Told all;
  all.reading.kind = kind;
  all.reading.value = value;
  return all;
}

Told read_energy(const Nvml& nvml, NvmlDevice device) {
  const auto energy = nvml.energy_mj(device);
  if (!energy) return absent("energy: " + to_string(energy.error()), energy.error());
  if (*energy == 0) return absent("energy: NVML says 0 mJ, which is no reading", NvmlReturn::no_data);
  if (*energy > std::numeric_limits<std::uint64_t>::max() / 1000) {
    return absent(fmt::format("energy: NVML says {} mJ, which is no reading", *energy), NvmlReturn::no_data);
  }
  Told counter = told(Reading::Kind::counter, *energy * 1000);
  counter.reading.modulus = kNeverWraps;
  return counter;
}

Told read_power(const Nvml& nvml, NvmlDevice device, const Channel& channel) {
  const auto power = nvml.power_mw(device, channel.power, channel.scope);
  if (!power) return absent("power: " + to_string(power.error()), power.error());
  const DomainKind kind = channel.scope == NvmlScope::gpu ? DomainKind::gpu : DomainKind::board;
  if (*power == 0 || static_cast<double>(*power) > plausible_power(kind).value * 1e3) {
    return absent(fmt::format("power: NVML says {} mW, which is no reading", *power), NvmlReturn::no_data);
  }
  return told(Reading::Kind::power, *power * 1000);
}

Told read_utilization(const Nvml& nvml, NvmlDevice device, const GpuCoefficients& coefficients) {
  const auto percent = nvml.utilization_percent(device);
  if (!percent) return absent("utilisation: " + to_string(percent.error()), percent.error());
  const Watts power = coefficients.idle + (coefficients.busy - coefficients.idle) * (*percent / 100.0);
  return told(Reading::Kind::power, static_cast<std::uint64_t>(power.value * 1e6));
}

Told read_channel(const Nvml& nvml, NvmlDevice device, const Channel& channel) {
  switch (channel.what) {
    case Channel::What::energy:
      return read_energy(nvml, device);
    case Channel::What::power:
      return read_power(nvml, device, channel);
    case Channel::What::utilization:
      break;
  }
  return read_utilization(nvml, device, channel.coefficients);
}

class NvmlProbe final : public Probe {
 public:
  explicit NvmlProbe(std::shared_ptr<const Nvml> nvml) : nvml_(std::move(nvml)) {}

  [[nodiscard]] const std::vector<Domain>& domains() const override { return domains_; }
  [[nodiscard]] Nanoseconds own_period() const override { return kReadEvery; }

  void read(Nanoseconds /*now*/, std::span<Reading> out) override {
    for (std::size_t i = 0; i < out.size() && i < channels_.size(); ++i) {
      Gpu& gpu = gpus_[channels_[i].gpu];
      // A driver may take seconds to say once more that a GPU is gone, and the others would wait.
      if (!gpu.lost.empty()) {
        out[i] = absent(gpu.lost, NvmlReturn::gpu_is_lost).reading;
        continue;
      }
      Told now_told = read_channel(*nvml_, gpu.device, channels_[i].channel);
      if (loses(now_told.code)) gpu.lost = now_told.reading.reason;
      out[i] = std::move(now_told.reading);
    }
  }

  void add_gpu(NvmlDevice device) { gpus_.push_back({.device = device, .lost = {}}); }
  // A domain of the GPU added last.
  void add(Domain domain, const Channel& channel) {
    domains_.push_back(std::move(domain));
    channels_.push_back({.gpu = gpus_.size() - 1, .channel = channel});
  }

 private:
  struct Gpu {
    NvmlDevice device;
    std::string lost;  // why, once it is
  };
  struct Place {
    std::size_t gpu;
    Channel channel;
  };
  std::shared_ptr<const Nvml> nvml_;
  std::vector<Domain> domains_;
  std::vector<Gpu> gpus_;
  std::vector<Place> channels_;
};

// Tries what one GPU can tell and adds a domain for each.
class Looking {
 public:
  Looking(const Nvml& nvml, const VisibleGpu& gpu, NvmlProbe& probe)
      : nvml_(nvml), gpu_(gpu), probe_(probe), name_(fmt::format("gpu-{}", gpu.index)) {}

  void look() {
    probe_.add_gpu(gpu_.device);
    const Channel energy{};
    const bool counter = works(energy);
    if (counter) add(name_, {}, energy);
    if (const auto power = find_power(NvmlScope::gpu)) {
      add(counter ? name_ + " (power)" : name_, counter ? name_ : std::string(), *power);
      add_module(*power);
    } else if (!counter) {
      add_model();
    }
  }

  [[nodiscard]] const std::vector<std::string>& had() const { return had_; }
  [[nodiscard]] const std::vector<std::string>& failed() const { return failed_; }
  [[nodiscard]] bool denied() const { return denied_; }

 private:
  bool works(const Channel& channel) {
    const Told now = read_channel(nvml_, gpu_.device, channel);
    if (now.reading.kind != Reading::Kind::absent) return true;
    const bool said = std::find(failed_.begin(), failed_.end(), now.reading.reason) != failed_.end();
    if (!said) failed_.push_back(now.reading.reason);
    denied_ |= denies(now.code);
    return false;
  }

  std::optional<Channel> find_power(NvmlScope scope) {
    for (const NvmlPower power : {NvmlPower::instant, NvmlPower::average, NvmlPower::usage}) {
      if (power == NvmlPower::usage && scope != NvmlScope::gpu) break;
      const Channel channel{.what = Channel::What::power, .power = power, .scope = scope, .coefficients = {}};
      if (works(channel)) return channel;
    }
    return std::nullopt;
  }

  // A driver that knows nothing of scopes gives the GPU's own power under any.
  void add_module(const Channel& gpu_power) {
    const auto module = find_power(NvmlScope::module);
    if (!module) return;
    const auto whole = nvml_.power_mw(gpu_.device, module->power, NvmlScope::module);
    const auto part = nvml_.power_mw(gpu_.device, gpu_power.power, NvmlScope::gpu);
    if (whole && part && *whole > *part) add(fmt::format("module-{}", gpu_.index), {}, *module);
  }

  void add_model() {
    const auto limit = nvml_.power_limit_mw(gpu_.device);
    const auto coefficients =
        gpu_coefficients(gpu_.name, limit ? std::optional(Watts{static_cast<double>(*limit) * 1e-3}) : std::nullopt);
    if (!coefficients) {
      failed_.emplace_back("model: neither its name nor its power limit is known");
      return;
    }
    const Channel channel{.what = Channel::What::utilization, .power = {}, .scope = {}, .coefficients = *coefficients};
    if (works(channel)) add(name_ + " (model)", {}, channel);
  }

  void add(std::string name, std::string parent, const Channel& channel) {
    Domain domain;
    domain.name = std::move(name);
    domain.parent = std::move(parent);
    domain.kind = DomainKind::gpu;
    domain.source = source(channel);
    domain.update_period = kRefresh;
    domain.gain_uncertainty = kGain;
    if (channel.what == Channel::What::power) {
      domain.provenance = Provenance::integrated_power;
      if (channel.scope == NvmlScope::module) domain.kind = DomainKind::board;
      if (averaged(channel)) domain.update_period = kAveraged;
      if (names(gpu_.name, kPartTime)) domain.gain_uncertainty = kPartTimeGain;
    }
    if (channel.what == Channel::What::utilization) {
      domain.kind = DomainKind::gpu_model;
      domain.provenance = Provenance::model;
      domain.update_period = kUtilizationPeriod;
      domain.gain_uncertainty = kModelGain;
    }
    had_.push_back(domain.name);
    probe_.add(std::move(domain), channel);
  }

  [[nodiscard]] bool averaged(const Channel& channel) const {
    if (channel.power != NvmlPower::usage) return channel.power == NvmlPower::average;
    const auto architecture = nvml_.architecture(gpu_.device);
    return !(architecture && *architecture < kNvmlAmpere) && !names(gpu_.name, kGa100);
  }

  [[nodiscard]] std::string source(const Channel& channel) const {
    const std::string who = fmt::format("{} {}", gpu_.name.empty() ? "GPU" : gpu_.name, gpu_.uuid);
    const std::string board = gpu_.mig ? ", the whole board with all its MIG instances" : "";
    if (channel.what == Channel::What::energy) return fmt::format("NVML energy counter of {}{}", who, board);
    if (channel.what == Channel::What::utilization) {
      return fmt::format("model: utilisation of {}, {} to {} W ({})", who,
                         significant(channel.coefficients.idle.value, 3),
                         significant(channel.coefficients.busy.value, 3), channel.coefficients.model);
    }
    return fmt::format("NVML {} power of {}{}{}{}", averaged(channel) ? "1 s mean" : "instant",
                       channel.scope == NvmlScope::module ? "module " : "", who, board,
                       names(gpu_.name, kPartTime) ? ", sampled during 25 % of the time" : "");
  }

  const Nvml& nvml_;
  const VisibleGpu& gpu_;
  NvmlProbe& probe_;
  std::string name_;
  std::vector<std::string> had_;
  std::vector<std::string> failed_;
  bool denied_ = false;
};

Found nothing(std::string reason) {
  Found found;
  found.name = "nvml";
  found.proven = "verified on a fake only";
  found.reason = std::move(reason);
  return found;
}

Found deny(Found found, std::string_view fix) {
  found.status = Found::Status::denied;
  found.fix = fix;
  found.fix_lasting = kFixLasting;
  return found;
}

// What a person reads of one GPU.
std::string described(const VisibleGpu& gpu, const Looking& looking) {
  return fmt::format("{} ({} {}{})", join(looking.had(), ", "), gpu.name.empty() ? "GPU" : gpu.name, gpu.uuid,
                     gpu.mig ? ", MIG: the whole board" : "");
}

}  // namespace

Found find_nvml(const ProbeOptions& options) {
  const auto nvml = Nvml::open(options.nvml_library);
  if (!nvml) {
    Found found = nothing(nvml.error().message);
    if (nvml.error().kind == ErrorKind::environment) return deny(std::move(found), nvml.error().hint);
    found.fix = nvml.error().hint;
    return found;
  }
  VisibleGpus seen = visible_gpus(**nvml, options);
  auto probe = std::make_unique<NvmlProbe>(*nvml);
  std::vector<std::string> words;
  for (const VisibleGpu& gpu : seen.gpus) {
    Looking looking(**nvml, gpu, *probe);
    looking.look();
    if (!looking.had().empty()) {
      words.push_back(described(gpu, looking));
      continue;
    }
    seen.denied |= looking.denied();
    seen.missing.push_back(fmt::format("gpu-{}: {}", gpu.index, join(looking.failed(), "; ")));
  }
  const bool any = !words.empty();
  if (!any) words.push_back(seen.missing.empty() ? "no GPU to measure" : join(seen.missing, "; "));
  words.insert(words.end(), seen.notes.begin(), seen.notes.end());
  Found found = nothing(join(words, "; "));
  found.missing = std::move(seen.missing);
  if (seen.denied) found = deny(std::move(found), kFix);
  if (any) {
    found.status = Found::Status::found;
    found.probe = std::move(probe);
  }
  return found;
}

}  // namespace wattle::energy
