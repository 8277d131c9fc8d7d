#include "run/power_cap.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cmath>
#include <cstring>
#include <nlohmann/json.hpp>
#include <vector>

#include "base/text.h"
#include "run/descriptor.h"

namespace wattle::run {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;

struct Limit {
  fs::path file;
  std::string microwatts;  // as it was
};

// Zones of packages: "intel-rapl:0". Their parts ("intel-rapl:0:1") and the MMIO twin have no limit of their own that
// counts.
std::vector<fs::path> packages(const fs::path& sysroot) {
  std::vector<fs::path> zones;
  std::error_code error;
  for (const auto& entry : fs::directory_iterator(sysroot / "sys/class/powercap", error)) {
    const std::string name = entry.path().filename().string();
    if (!name.starts_with("intel-rapl:") || std::count(name.begin(), name.end(), ':') != 1) continue;
    const auto told = read_text(entry.path() / "name", 4096);
    if (told && told->starts_with("package")) zones.push_back(entry.path());
  }
  std::sort(zones.begin(), zones.end());
  return zones;
}

Result<void> put(const fs::path& file, const std::string& text) {
  const Descriptor descriptor(::open(file.c_str(), O_WRONLY | O_TRUNC | O_CLOEXEC));
  if (descriptor.valid() && write_all(descriptor.get(), text)) return {};
  return fail(ErrorKind::environment, fmt::format("cannot write {}: {}", file.string(), std::strerror(errno)));
}

Result<std::vector<Limit>> limits_of(const fs::path& sysroot) {
  std::vector<Limit> limits;
  for (const fs::path& zone : packages(sysroot)) {
    const fs::path file = zone / "constraint_0_power_limit_uw";
    auto text = read_text(file, 4096);
    if (!text) return tl::unexpected(text.error());
    const std::string value(trim(*text));
    if (!parse_unsigned(value)) {
      return fail(ErrorKind::environment, fmt::format("{} holds no power limit", file.string()));
    }
    limits.push_back({file, value});
  }
  if (limits.empty()) {
    return fail(ErrorKind::environment, "no processor's power can be limited here (there is no powercap package)");
  }
  return limits;
}

}  // namespace

Result<void> set_power_cap(const PowerCapOrder& order, const fs::path& journal) {
  const auto limits = limits_of(order.sysroot);
  if (!limits) return tl::unexpected(limits.error());
  json kept = json::array();
  for (const Limit& limit : *limits) kept.push_back({{"file", limit.file.string()}, {"microwatts", limit.microwatts}});
  if (auto written = write_text(journal, kept.dump()); !written) return written;
  const std::string wanted = fmt::format("{}", std::llround(order.watts.value * 1e6));
  for (const Limit& limit : *limits) {
    if (auto set = put(limit.file, wanted); !set) {
      (void)restore_power_cap(journal);
      return set;
    }
  }
  return {};
}

Result<void> restore_power_cap(const fs::path& journal) {
  const auto text = read_text(journal, 1U << 20U);
  if (!text) return {};
  const json kept = json::parse(*text, nullptr, false);
  Result<void> done;
  for (const json& limit : kept.is_array() ? kept : json::array()) {
    const auto file = limit.is_object() ? limit.find("file") : limit.end();
    const auto value = limit.is_object() ? limit.find("microwatts") : limit.end();
    if (file == limit.end() || value == limit.end() || !file->is_string() || !value->is_string()) continue;
    // A journal names limits and nothing else.
    const fs::path path = file->get<std::string>();
    if (path.filename() != "constraint_0_power_limit_uw" || !parse_unsigned(value->get<std::string>())) continue;
    if (auto set = put(path, value->get<std::string>()); !set && done) done = set;
  }
  if (!done) return done;
  std::error_code error;
  fs::remove(journal, error);
  return {};
}

}  // namespace wattle::run
