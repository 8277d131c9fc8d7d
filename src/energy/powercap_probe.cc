#include "energy/powercap_probe.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <map>
#include <optional>
#include <set>
#include <system_error>
#include <utility>

#include "base/text.h"

namespace wattle::energy {
namespace {

constexpr std::string_view kMsr = "intel-rapl:";
constexpr std::string_view kMmio = "intel-rapl-mmio:";
// RAPL refreshes its counters about every millisecond (Intel SDM volume 3B, "RAPL interfaces").
constexpr Nanoseconds kUpdatePeriod = milliseconds(1);
// Intel and AMD state no accuracy. Studies find package readings close to reference meters and DRAM off by an offset on
// modelled parts (Desrochers et al., MEMSYS 2016): these are our allowances, not a specification.
constexpr double kGain = 0.05;
constexpr double kDramGain = 0.10;

constexpr std::string_view kFix = "sudo chmod a+r /sys/class/powercap/intel-rapl*/energy_uj";
constexpr std::string_view kFixLasting =
    R"(echo 'SUBSYSTEM=="powercap", ACTION=="add", KERNEL=="intel-rapl*:*", RUN+="/bin/chmod a+r /sys%p/energy_uj"' | )"
    "sudo tee /etc/udev/rules.d/70-wattle-powercap.rules";
constexpr std::string_view kContainerFix = "docker run --security-opt systempaths=unconfined ...";

class File {
 public:
  explicit File(const std::filesystem::path& path) : fd_(::open(path.c_str(), O_RDONLY | O_CLOEXEC)) {
    if (fd_ < 0) error_ = errno;
  }
  File(File&& other) noexcept : fd_(std::exchange(other.fd_, -1)), error_(other.error_) {}
  File& operator=(File&&) = delete;
  File(const File&) = delete;
  File& operator=(const File&) = delete;
  ~File() {
    if (fd_ >= 0) ::close(fd_);
  }
  // The number that stands in the file now; otherwise nothing, and `error` is errno or 0 where the text is no number.
  [[nodiscard]] std::optional<std::uint64_t> number(int& error) const {
    error = error_;
    if (fd_ < 0) return std::nullopt;
    std::array<char, 64> buffer{};
    ssize_t got = ::pread(fd_, buffer.data(), buffer.size(), 0);
    // sysfs never shows an empty counter, but a recorded tree that is being rewritten does for a moment.
    for (int tries = 0; got == 0 && tries < 50; ++tries) {
      ::usleep(100);
      got = ::pread(fd_, buffer.data(), buffer.size(), 0);
    }
    error = got < 0 ? errno : 0;
    if (got <= 0) return std::nullopt;
    return parse_unsigned({buffer.data(), static_cast<std::size_t>(got)});
  }

 private:
  int fd_;
  int error_ = 0;
};

std::string why(int error) {
  if (error == 0) return "energy_uj holds no number";
  return std::string("energy_uj: ") + std::strerror(error);
}

struct Zone {
  std::filesystem::path path;
  bool mmio = false;
  std::vector<std::int64_t> place;  // {0, 2} of intel-rapl:0:2
  std::string name;                 // as the kernel gives it; empty where unreadable
  Domain domain;
};

std::optional<Zone> zone_at(const std::filesystem::path& path) {
  const std::string file = path.filename().string();
  Zone zone;
  zone.path = path;
  zone.mmio = file.starts_with(kMmio);
  if (!zone.mmio && !file.starts_with(kMsr)) return std::nullopt;
  for (const std::string& part : split(std::string_view(file).substr(zone.mmio ? kMmio.size() : kMsr.size()), ':')) {
    const auto number = parse_integer(part);
    if (!number || *number < 0) return std::nullopt;
    zone.place.push_back(*number);
  }
  if (const auto name = read_text(path / "name", 4096)) zone.name = printable(trim(*name));
  return zone;
}

std::vector<Zone> zones_in(const std::filesystem::path& folder) {
  std::vector<Zone> zones;
  std::error_code error;
  for (std::filesystem::directory_iterator entry(folder, error), end; !error && entry != end; entry.increment(error)) {
    if (auto zone = zone_at(entry->path())) zones.push_back(std::move(*zone));
  }
  std::sort(zones.begin(), zones.end(),
            [](const Zone& a, const Zone& b) { return a.mmio != b.mmio ? b.mmio : a.place < b.place; });
  return zones;
}

const Zone* parent_of(const Zone& zone, const std::vector<Zone>& zones) {
  if (zone.place.size() < 2) return nullptr;
  const auto found = std::find_if(zones.begin(), zones.end(), [&](const Zone& other) {
    return other.mmio == zone.mmio && other.place.size() + 1 == zone.place.size() &&
           std::equal(other.place.begin(), other.place.end(), zone.place.begin());
  });
  return found == zones.end() ? nullptr : &*found;
}

constexpr std::string_view kPackage = "package-";

// What a package's subzones are numbered by: "0" or "0-die-1"; for others their place.
std::string socket_of(const Zone& zone, const std::vector<Zone>& zones) {
  const Zone* parent = parent_of(zone, zones);
  const Zone& top = parent != nullptr ? *parent : zone;
  if (top.name.starts_with(kPackage)) return top.name.substr(kPackage.size());
  return fmt::format("{}", top.place.front());
}

// Zones of unknown names are left out of every total but may be looked at.
void describe(Zone& zone, const std::vector<Zone>& zones) {
  const Zone* parent = parent_of(zone, zones);
  const std::string socket = socket_of(zone, zones);
  Domain& domain = zone.domain;
  domain.provenance = Provenance::counter;
  domain.source = zone.mmio ? "powercap (MMIO)" : "powercap";
  domain.update_period = kUpdatePeriod;
  domain.gain_uncertainty = kGain;
  domain.name = zone.name;
  domain.kind = DomainKind::board;
  if (zone.name.starts_with(kPackage)) {
    domain.kind = DomainKind::package;
  } else if (zone.name == "psys") {
    domain.kind = DomainKind::psys;
  } else if (zone.name == "core" || zone.name == "uncore" || zone.name == "dram") {
    domain.kind = *domain_kind(zone.name);
    domain.name = fmt::format("{}-{}", zone.name, socket);
    // dram is a subzone of its package and yet not part of what the package counts.
    if (domain.kind != DomainKind::dram && parent != nullptr) domain.parent = parent->name;
    if (domain.kind == DomainKind::dram) domain.gain_uncertainty = kDramGain;
  }
}

void name_psys(std::vector<Zone>& zones) {
  std::string psys;
  int count = 0;
  for (Zone& zone : zones) {
    if (zone.domain.kind != DomainKind::psys || zone.mmio) continue;
    if (count > 0) zone.domain.name = fmt::format("psys-{}", count);
    if (count++ == 0) psys = zone.domain.name;
  }
  for (Zone& zone : zones) {
    const bool inside = zone.domain.kind == DomainKind::package || zone.domain.kind == DomainKind::dram;
    if (inside) zone.domain.parent = psys;
  }
}

// Two zones of one interface are two sources even under one name.
void make_names_unique(std::vector<Zone>& zones) {
  std::set<std::pair<bool, std::string>> taken;
  for (Zone& zone : zones) {
    if (zone.domain.name.empty() || taken.emplace(zone.mmio, zone.domain.name).second) continue;
    zone.domain.name += fmt::format(" ({})", zone.path.filename().string());
  }
}

class PowercapProbe final : public Probe {
 public:
  [[nodiscard]] const std::vector<Domain>& domains() const override { return domains_; }

  void read(Nanoseconds /*now*/, std::span<Reading> out) override {
    for (std::size_t i = 0; i < out.size() && i < files_.size(); ++i) {
      int error = 0;
      const auto value = files_[i].number(error);
      Reading& reading = out[i];
      reading.kind = value ? Reading::Kind::counter : Reading::Kind::absent;
      reading.value = value.value_or(0);
      reading.modulus = moduli_[i];
      if (!value) reading.reason = why(error);
    }
  }

  void add(Domain domain, File file, std::uint64_t modulus) {
    domains_.push_back(std::move(domain));
    files_.push_back(std::move(file));
    moduli_.push_back(modulus);
  }

 private:
  std::vector<Domain> domains_;
  std::vector<File> files_;
  std::vector<std::uint64_t> moduli_;
};

// The documented range of the counter is what it wraps by (sysfs-class-powercap). The register behind it takes one unit
// more, 61 µJ of 262 kJ, which is below every other error of a wrap. 0 where there is no usable range.
std::uint64_t modulus_of(const Zone& zone) {
  const auto text = read_text(zone.path / "max_energy_range_uj", 4096);
  const auto range = text ? parse_unsigned(*text) : std::nullopt;
  return range && *range <= (1ULL << 62U) ? *range : 0;
}

// Opens the zones one by one and keeps book of what could be read.
struct Opening {
  std::unique_ptr<PowercapProbe> probe = std::make_unique<PowercapProbe>();
  std::map<std::string, const Zone*> open;  // by domain
  std::map<std::string, std::string> failed;
  std::vector<std::string> notes;
  bool denied = false;
  bool hidden = false;
  std::vector<std::string> left;  // to a better probe

  // The kind decides, for two interfaces may number packages differently; of boards each is its own.
  static bool is_taken(const Domain& domain, const std::vector<Domain>& taken) {
    return std::any_of(taken.begin(), taken.end(), [&](const Domain& other) {
      return domain.name == other.name || (domain.kind == other.kind && domain.kind != DomainKind::board);
    });
  }

  void open_zone(const Zone& zone, const std::vector<Domain>& taken) {
    const std::string& name = zone.domain.name;
    if (!name.empty() && is_taken(zone.domain, taken)) {
      if (std::find(left.begin(), left.end(), name) == left.end()) left.push_back(name);
      return;
    }
    if (name.empty()) {
      std::error_code error;
      const bool dangling = !std::filesystem::exists(zone.path, error);
      hidden |= dangling;
      failed.emplace(zone.path.filename().string(), dangling ? "hidden" : "its name cannot be read");
      return;
    }
    if (open.contains(name)) {
      notes.push_back(fmt::format("{} is shown by {} too and counted once", name, zone.path.filename().string()));
      return;
    }
    File file(zone.path / "energy_uj");
    int error = 0;
    if (!file.number(error)) {
      denied |= error == EACCES || error == EPERM;
      failed.emplace(name, why(error));
      return;
    }
    failed.erase(name);
    open.emplace(name, &zone);
    const std::uint64_t modulus = modulus_of(zone);
    if (modulus == 0) notes.push_back(fmt::format("{} tells no range: a wrap will be a gap", name));
    probe->add(zone.domain, std::move(file), modulus);
  }
};

Found conclude(Opening opening) {
  Found found;
  found.name = "powercap";
  found.proven = "verified on a fake only";
  for (const auto& [name, reason] : opening.failed) found.missing.push_back(fmt::format("{}: {}", name, reason));
  if (opening.denied || opening.hidden) {
    found.fix = opening.denied ? kFix : kContainerFix;
    if (opening.denied) found.fix_lasting = kFixLasting;
  }
  if (!opening.left.empty()) {
    opening.notes.push_back(fmt::format("read already by a better probe: {}", join(opening.left, ", ")));
  }
  if (opening.open.empty() && opening.failed.empty()) {
    found.reason = join(opening.notes, "; ");
    return found;
  }
  if (opening.open.empty()) {
    found.status = opening.denied || opening.hidden ? Found::Status::denied : Found::Status::absent;
    found.reason = opening.denied   ? "energy_uj: permission denied"
                   : opening.hidden ? "the zones are listed but hidden, as container runtimes do"
                                    : "no zone can be read: " + join(found.missing, "; ");
    return found;
  }
  found.status = Found::Status::found;
  std::vector<std::string> names;
  for (const Domain& domain : opening.probe->domains()) names.push_back(domain.name);
  found.reason = join(names, ", ");
  if (!opening.notes.empty()) found.reason += "; " + join(opening.notes, "; ");
  found.probe = std::move(opening.probe);
  return found;
}

}  // namespace

Found find_powercap(const ProbeOptions& options) {
  const std::filesystem::path folder = options.sysroot / "sys/class/powercap";
  std::vector<Zone> zones = zones_in(folder);
  if (zones.empty()) {
    Found found;
    found.name = "powercap";
    found.reason =
        "no RAPL zone in " + folder.string() + " (virtual machine, or the intel_rapl drivers are not loaded)";
    found.proven = "verified on a fake only";
    return found;
  }
  for (Zone& zone : zones) describe(zone, zones);
  name_psys(zones);
  make_names_unique(zones);
  Opening opening;
  for (const Zone& zone : zones) opening.open_zone(zone, options.taken);
  return conclude(std::move(opening));
}

}  // namespace wattle::energy
