#include "energy/perf_probe.h"

#include <fmt/format.h>
#include <linux/perf_event.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <cstring>
#include <limits>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "base/text.h"
#include "energy/fields.h"

namespace wattle::energy {
namespace {

namespace fs = std::filesystem;
__extension__ typedef unsigned __int128 Uint128;

constexpr std::size_t kAttributeBytes = 4096;
// More than any machine has; a cpumask beyond is garbage.
constexpr std::int64_t kLargestCpu = 65'535;
constexpr std::size_t kMostCpus = 1024;
// As for powercap: the registers are the same (powercap_probe.cc says where these come from).
constexpr Nanoseconds kUpdatePeriod = milliseconds(1);
constexpr double kGain = 0.05;
constexpr double kDramGain = 0.10;

constexpr std::string_view kFix = "sudo sysctl kernel.perf_event_paranoid=0";
constexpr std::string_view kFixLasting =
    "echo kernel.perf_event_paranoid=0 | sudo tee /etc/sysctl.d/70-wattle-perf.conf && sudo sysctl --system";
constexpr std::string_view kCapability = "or, for the program alone, sudo setcap cap_perfmon+ep FILE";

struct Event {
  std::string_view file;
  std::string_view domain;  // powercap's word for it
  DomainKind kind;
};
constexpr std::array<Event, 5> kEvents{{{"energy-pkg", "package", DomainKind::package},
                                        {"energy-cores", "core", DomainKind::core},
                                        {"energy-gpu", "uncore", DomainKind::uncore},
                                        {"energy-ram", "dram", DomainKind::dram},
                                        {"energy-psys", "psys", DomainKind::psys}}};

// An event as the PMU describes it.
struct Described {
  Event event;
  std::uint64_t config = 0;
  PerfScale scale;
};

// One of the CPUs that the PMU wants to be asked, and what its domains are numbered by: "0" or "0-die-1".
struct Place {
  int cpu = 0;
  std::string package;
  std::string socket;
};

std::optional<std::string> attribute(const fs::path& path) {
  const auto text = read_text(path, kAttributeBytes);
  if (!text) return std::nullopt;
  return printable(trim(*text));
}

// "0,18" or "0-1,4"; empty where the list is malformed.
std::vector<int> cpus_of(std::string_view list) {
  std::vector<int> cpus;
  for (const std::string& part : split(trim(list), ',')) {
    const auto dash = part.find('-');
    const auto first = parse_integer(part.substr(0, dash));
    const auto last = dash == std::string::npos ? first : parse_integer(part.substr(dash + 1));
    if (!first || !last || *first < 0 || *last < *first || *last > kLargestCpu) return {};
    for (std::int64_t cpu = *first; cpu <= *last; ++cpu) {
      if (cpus.size() == kMostCpus) return {};
      cpus.push_back(static_cast<int>(cpu));
    }
  }
  return cpus;
}

// The number in "event=0x02", of 8 bits (the PMU's format/event is "config:0-7").
std::optional<std::uint64_t> config_of(std::string_view text) {
  constexpr std::string_view kTerm = "event=";
  if (!text.starts_with(kTerm)) return std::nullopt;
  text.remove_prefix(kTerm.size());
  const int base = text.starts_with("0x") ? 16 : 10;
  if (base == 16) text.remove_prefix(2);
  std::uint64_t config = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), config, base);
  if (error != std::errc{} || end != text.data() + text.size() || config > 0xFF) return std::nullopt;
  return config;
}

// Nothing where the PMU lacks the event; a reason in `missing` where its description cannot be used.
std::optional<Described> described(const fs::path& folder, const Event& event, std::vector<std::string>& missing) {
  const fs::path path = folder / "events" / event.file;
  std::error_code error;
  if (!fs::exists(path, error)) return std::nullopt;
  const auto lacks = [&](std::string_view what) {
    missing.push_back(fmt::format("{}: {}", event.domain, what));
    return std::nullopt;
  };
  const auto config = config_of(attribute(path).value_or(""));
  if (!config) return lacks(fmt::format("{} describes no event", event.file));
  if (attribute(path.string() + ".unit").value_or("") != "Joules") {
    return lacks(fmt::format("{}.unit is not Joules", event.file));
  }
  const auto scale = PerfScale::parse(attribute(path.string() + ".scale").value_or(""));
  if (!scale) return lacks(fmt::format("{}.scale is no usable number", event.file));
  return Described{event, *config, *scale};
}

// As powercap names them: the die is part of the name where a package has several.
std::vector<Place> places_of(const std::vector<int>& cpus, const fs::path& sysroot) {
  const auto cpuinfo = read_text(sysroot / "proc/cpuinfo");
  const std::string_view vendor = field_of(cpuinfo ? std::string_view(*cpuinfo) : "", "vendor_id");
  const bool by_package = vendor == "AuthenticAMD" || vendor == "HygonGenuine";
  std::vector<Place> places;
  std::set<std::string> packages;
  bool dies = false;
  for (const int cpu : cpus) {
    const fs::path topology = sysroot / fmt::format("sys/devices/system/cpu/cpu{}/topology", cpu);
    const auto number = [&](const char* file) {
      const auto value = parse_integer(attribute(topology / file).value_or(""));
      return value && *value >= 0 ? fmt::format("{}", *value) : std::string();
    };
    Place place{.cpu = cpu, .package = number("physical_package_id"), .socket = number("die_id")};
    if (place.package.empty()) place.package = cpus.size() == 1 ? "0" : fmt::format("cpu{}", cpu);
    const bool again = !packages.insert(place.package).second;
    if (again && by_package) continue;
    dies |= again;
    places.push_back(std::move(place));
  }
  std::set<std::string> taken;
  for (Place& place : places) {
    const std::string die = place.socket;
    place.socket = dies && !die.empty() ? fmt::format("{}-die-{}", place.package, die) : place.package;
    if (!taken.insert(place.socket).second) place.socket += fmt::format(" (cpu{})", place.cpu);
  }
  return places;
}

Domain domain_of(const Event& event, const Place& place, bool first_place, bool has_psys) {
  Domain domain;
  domain.kind = event.kind;
  domain.name = fmt::format("{}-{}", event.domain, place.socket);
  domain.provenance = Provenance::counter;
  domain.source = "perf";
  domain.update_period = kUpdatePeriod;
  domain.gain_uncertainty = event.kind == DomainKind::dram ? kDramGain : kGain;
  const bool inside_package = event.kind == DomainKind::core || event.kind == DomainKind::uncore;
  if (inside_package) domain.parent = "package-" + place.socket;
  if (!inside_package && has_psys) domain.parent = "psys";
  if (event.kind == DomainKind::psys) {
    domain.parent.clear();
    if (first_place) domain.name = "psys";
    // What the registers of further packages cover beside the first is not told.
    if (!first_place) domain.kind = DomainKind::board;
  }
  return domain;
}

class Counter {
 public:
  Counter(std::uint32_t type, const Described& event, int cpu) : scale_(event.scale) {
    perf_event_attr attributes{};
    attributes.size = sizeof attributes;
    attributes.type = type;
    attributes.config = event.config;
    attributes.read_format = PERF_FORMAT_TOTAL_TIME_ENABLED | PERF_FORMAT_TOTAL_TIME_RUNNING;
    fd_ = static_cast<int>(::syscall(SYS_perf_event_open, &attributes, -1, cpu, -1, PERF_FLAG_FD_CLOEXEC));
    if (fd_ < 0) error_ = errno;
  }
  Counter(Counter&& other) noexcept : scale_(other.scale_), fd_(std::exchange(other.fd_, -1)), error_(other.error_) {}
  Counter& operator=(Counter&&) = delete;
  Counter(const Counter&) = delete;
  Counter& operator=(const Counter&) = delete;
  ~Counter() {
    if (fd_ >= 0) ::close(fd_);
  }
  [[nodiscard]] int error() const { return error_; }

  [[nodiscard]] Reading read() const {
    std::array<std::uint64_t, 3> values{};
    const ssize_t got = ::read(fd_, values.data(), sizeof values);
    if (got == sizeof values) return perf_reading({values[0], values[1], values[2]}, scale_);
    Reading absent;
    absent.reason = got < 0 ? std::strerror(errno) : "the kernel counts this event no longer";
    return absent;
  }

 private:
  PerfScale scale_;
  int fd_ = -1;
  int error_ = 0;
};

class PerfProbe final : public Probe {
 public:
  [[nodiscard]] const std::vector<Domain>& domains() const override { return domains_; }
  void read(Nanoseconds /*now*/, std::span<Reading> out) override {
    for (std::size_t i = 0; i < out.size() && i < counters_.size(); ++i) out[i] = counters_[i].read();
  }
  void add(Domain domain, Counter counter) {
    domains_.push_back(std::move(domain));
    counters_.push_back(std::move(counter));
  }

 private:
  std::vector<Domain> domains_;
  std::vector<Counter> counters_;
};

bool denies(int error) { return error == EACCES || error == EPERM; }

// Opens every event everywhere and says what became of it.
void open_all(Found& found, std::uint32_t type, const std::vector<Described>& events, const std::vector<Place>& places,
              const fs::path& sysroot) {
  auto probe = std::make_unique<PerfProbe>();
  const bool has_psys = std::any_of(events.begin(), events.end(),
                                    [](const Described& event) { return event.event.kind == DomainKind::psys; });
  int denied = 0;
  for (std::size_t i = 0; i < places.size(); ++i) {
    for (const Described& event : events) {
      Domain domain = domain_of(event.event, places[i], i == 0, has_psys);
      Counter counter(type, event, places[i].cpu);
      if (counter.error() == 0) {
        probe->add(std::move(domain), std::move(counter));
        continue;
      }
      if (denies(counter.error())) denied = counter.error();
      found.missing.push_back(fmt::format("{}: {}", domain.name, std::strerror(counter.error())));
    }
  }
  if (denied != 0) {
    found.fix = kFix;
    found.fix_lasting = kFixLasting;
  }
  if (!probe->domains().empty()) {
    found.status = Found::Status::found;
    std::vector<std::string> names;
    for (const Domain& domain : probe->domains()) names.push_back(domain.name);
    found.reason = join(names, ", ");
    found.probe = std::move(probe);
    return;
  }
  found.status = denied != 0 ? Found::Status::denied : Found::Status::absent;
  const std::string paranoid = attribute(sysroot / "proc/sys/kernel/perf_event_paranoid").value_or("not told");
  found.reason = denied != 0 ? fmt::format("{} (kernel.perf_event_paranoid is {}; {})", std::strerror(denied), paranoid,
                                           kCapability)
                             : "no event can be opened: " + join(found.missing, "; ");
}

constexpr Uint128 power_of_ten(int exponent) {
  Uint128 power = 1;
  for (int i = 0; i < exponent; ++i) power *= 10;
  return power;
}

// mantissa · 10^exponent; false where the text is no positive decimal. Digits beyond the 37th are dropped.
bool parse_decimal(std::string_view text, Uint128& mantissa, int& exponent) {
  mantissa = 0;
  exponent = 0;
  std::size_t at = 0;
  std::size_t digits = 0;
  bool point = false;
  for (; at < text.size(); ++at) {
    const char c = text[at];
    if (c == '.' && !point) {
      point = true;
    } else if (c >= '0' && c <= '9') {
      const bool kept = mantissa < power_of_ten(36);
      if (kept) mantissa = mantissa * 10 + static_cast<unsigned>(c - '0');
      exponent += (kept ? 0 : 1) - (point ? 1 : 0);
      ++digits;
    } else {
      break;
    }
  }
  if (at < text.size() && (text[at] == 'e' || text[at] == 'E')) {
    const auto power = parse_integer(text.substr(at + 1));
    if (!power || *power < -1000 || *power > 1000) return false;
    exponent += static_cast<int>(*power);
    at = text.size();
  }
  return at == text.size() && digits > 0 && mantissa > 0;
}

}  // namespace

std::optional<PerfScale> PerfScale::parse(std::string_view joules) {
  constexpr Uint128 kLargest = Uint128{1} << 32U;
  Uint128 mantissa = 0;
  int exponent = 0;
  if (!parse_decimal(trim(joules), mantissa, exponent)) return std::nullopt;
  exponent += 6;  // to microjoules
  for (; exponent > 0; --exponent) {
    if (mantissa > kLargest) return std::nullopt;
    mantissa *= 10;
  }
  // 10^38 is the last power that doubles within 128 bits; what is cut off lies below 2^-64.
  for (; exponent < -38; ++exponent) mantissa /= 10;
  const Uint128 divisor = power_of_ten(-exponent);
  Uint128 whole = mantissa / divisor;
  Uint128 rest = mantissa % divisor;
  Uint128 fraction = 0;
  for (int bit = 0; bit < 64; ++bit) {
    rest *= 2;
    fraction = fraction * 2 + (rest >= divisor ? 1 : 0);
    if (rest >= divisor) rest -= divisor;
  }
  if (rest * 2 >= divisor) ++fraction;
  whole += fraction >> 64U;
  PerfScale scale;
  scale.whole_ = static_cast<std::uint64_t>(whole);
  scale.fraction_ = static_cast<std::uint64_t>(fraction);
  if (whole > kLargest || (scale.whole_ == 0 && scale.fraction_ == 0)) return std::nullopt;
  return scale;
}

std::optional<std::uint64_t> PerfScale::microjoules(std::uint64_t count) const {
  const Uint128 half = Uint128{1} << 63U;
  const Uint128 total = Uint128{count} * whole_ + ((Uint128{count} * fraction_ + half) >> 64U);
  if (total >= kNeverWraps) return std::nullopt;
  return static_cast<std::uint64_t>(total);
}

Reading perf_reading(const PerfCount& count, const PerfScale& scale) {
  Reading reading;
  const auto energy = scale.microjoules(count.count);
  if (count.enabled_ns == 0 || count.running_ns < count.enabled_ns) {
    reading.reason =
        fmt::format("counted for {} of {} ns only: other events have the counter", count.running_ns, count.enabled_ns);
  } else if (!energy) {
    reading.reason = "the count is out of range";
  } else {
    reading.kind = Reading::Kind::counter;
    reading.value = *energy;
    reading.modulus = kNeverWraps;
  }
  return reading;
}

Found find_perf(const ProbeOptions& options) {
  Found found;
  found.name = "perf";
  found.proven = "verified on a fake only";
  const fs::path folder = options.sysroot / "sys/bus/event_source/devices/power";
  const auto type = parse_unsigned(attribute(folder / "type").value_or(""));
  if (!type || *type > std::numeric_limits<std::uint32_t>::max()) {
    found.reason = fmt::format("no energy counters: {} is not there (virtual machine, or no RAPL)", folder.string());
    return found;
  }
  std::vector<Described> events;
  for (const Event& event : kEvents) {
    if (const auto one = described(folder, event, found.missing)) events.push_back(*one);
  }
  if (events.empty()) {
    found.reason = found.missing.empty() ? "the PMU has no energy events (virtual machine?)"
                                         : "no event can be used: " + join(found.missing, "; ");
    return found;
  }
  const std::vector<Place> places = places_of(cpus_of(attribute(folder / "cpumask").value_or("")), options.sysroot);
  if (places.empty()) {
    found.reason = "the PMU's cpumask names no CPU";
    return found;
  }
  open_all(found, static_cast<std::uint32_t>(*type), events, places, options.sysroot);
  return found;
}

}  // namespace wattle::energy
