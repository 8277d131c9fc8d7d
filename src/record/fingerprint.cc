#include <fcntl.h>
#include <fmt/format.h>
#include <sched.h>
#include <unistd.h>

#include <array>

#include "base/text.h"
#include "record/record.h"
#include "record/version.h"

namespace wattle {

std::string_view version() { return WATTLE_VERSION; }

}  // namespace wattle

namespace wattle::record {
namespace {

namespace fs = std::filesystem;

#ifdef __clang__
constexpr const char* kCompiler = __VERSION__;
#else
constexpr const char* kCompiler = "GCC " __VERSION__;
#endif

// The first bytes of a small kernel file, or nothing. /proc/cpuinfo is produced while it is read and costs milliseconds
// on a machine of many cores, so no more of it is asked for than its first core.
std::string head(const fs::path& path) {
  const int fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (fd < 0) return {};
  std::array<char, 8192> buffer{};
  const ssize_t got = ::read(fd, buffer.data(), buffer.size());
  ::close(fd);
  return got <= 0 ? std::string() : std::string(buffer.data(), static_cast<std::size_t>(got));
}

// The value after `key` and `separator` in the first line that begins with the key.
std::string field(std::string_view text, std::string_view key, char separator) {
  for (std::size_t begin = 0; begin < text.size();) {
    const auto end = std::min(text.find('\n', begin), text.size());
    const std::string_view line = text.substr(begin, end - begin);
    begin = end + 1;
    const auto mark = line.find(separator);
    if (mark == std::string_view::npos || trim(line.substr(0, mark)) != key) continue;
    std::string_view value = trim(line.substr(mark + 1));
    if (value.size() >= 2 && value.front() == '"' && value.back() == '"') value = value.substr(1, value.size() - 2);
    return std::string(value);
  }
  return {};
}

// How many processors "0-3,8-11" names; 0 where it is no such list.
std::int64_t listed(std::string_view list) {
  std::int64_t count = 0;
  for (const std::string& part : wattle::split(trim(list), ',')) {
    const auto dash = part.find('-');
    const auto first = parse_integer(part.substr(0, dash));
    const auto last = dash == std::string::npos ? first : parse_integer(part.substr(dash + 1));
    if (!first || !last || *first < 0 || *last < *first || *last > 1'000'000) return 0;
    count += *last - *first + 1;
  }
  return count;
}

bool present(const fs::path& path) { return ::access(path.c_str(), F_OK) == 0; }

std::string container(const fs::path& root) {
  if (const std::string named = head(root / "run/systemd/container"); !named.empty()) return std::string(trim(named));
  if (present(root / ".dockerenv")) return "docker";
  if (present(root / "run/.containerenv")) return "podman";
  return {};
}

std::string virtual_machine(const fs::path& root, std::string_view cpuinfo) {
  const std::string flags = " " + field(cpuinfo, "flags", ':') + " ";
  if (flags.find(" hypervisor ") == std::string::npos) return {};
  const std::string product(trim(head(root / "sys/class/dmi/id/product_name")));
  return product.empty() ? "yes" : product;
}

std::string turbo(const fs::path& root) {
  const fs::path cpu = root / "sys/devices/system/cpu";
  const std::string no_turbo(trim(head(cpu / "intel_pstate/no_turbo")));
  if (!no_turbo.empty()) return no_turbo == "0" ? "on" : "off";
  const std::string boost(trim(head(cpu / "cpufreq/boost")));
  return boost.empty() ? std::string() : (boost == "1" ? "on" : "off");
}

std::string memory_bytes(const fs::path& root) {
  const auto words = wattle::split(field(head(root / "proc/meminfo"), "MemTotal", ':'), ' ');
  const auto kib = parse_integer(words.front());
  return kib && *kib >= 0 && *kib < (std::int64_t{1} << 52) ? fmt::format("{}", *kib * 1024) : std::string();
}

std::string processor(std::string_view cpuinfo) {
  for (const std::string_view key : {"model name", "Processor", "cpu model", "CPU part"}) {
    if (std::string name = field(cpuinfo, key, ':'); !name.empty()) return name;
  }
  return {};
}

}  // namespace

std::map<std::string, std::string> machine_fingerprint(const fs::path& sysroot) {
  const std::string cpuinfo = head(sysroot / "proc/cpuinfo");
  const std::int64_t cores = listed(head(sysroot / "sys/devices/system/cpu/online"));
  cpu_set_t allowed;
  CPU_ZERO(&allowed);
  const bool live = sysroot == "/" && ::sched_getaffinity(0, sizeof allowed, &allowed) == 0;
  std::map<std::string, std::string> values{
      {"cpu", processor(cpuinfo)},
      {"cores", cores > 0 ? fmt::format("{}", cores) : std::string()},
      {"cores_allowed", live ? fmt::format("{}", CPU_COUNT(&allowed)) : std::string()},
      {"memory_bytes", memory_bytes(sysroot)},
      {"kernel", std::string(trim(head(sysroot / "proc/sys/kernel/osrelease")))},
      {"hostname", std::string(trim(head(sysroot / "proc/sys/kernel/hostname")))},
      {"os", field(head(sysroot / "etc/os-release"), "PRETTY_NAME", '=')},
      {"container", container(sysroot)},
      {"virtual_machine", virtual_machine(sysroot, cpuinfo)},
      {"governor", std::string(trim(head(sysroot / "sys/devices/system/cpu/cpu0/cpufreq/scaling_governor")))},
      {"turbo", turbo(sysroot)},
      {"compiler", kCompiler},
      {"build_type", WATTLE_BUILD_TYPE},
      {"wattle", std::string(version())}};
  // Absent is not empty: what the machine does not tell has no entry.
  std::erase_if(values, [](const auto& entry) { return entry.second.empty(); });
  return values;
}

std::string machine_identity(const std::map<std::string, std::string>& fingerprint) {
  std::string identity;
  for (const char* key : {"hostname", "cpu", "cores", "memory_bytes"}) {
    const auto value = fingerprint.find(key);
    if (!identity.empty()) identity += " | ";
    identity += value == fingerprint.end() ? "?" : value->second;
  }
  return identity;
}

}  // namespace wattle::record
