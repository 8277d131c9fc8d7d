#include "energy/battery_probe.h"

#include <fmt/format.h>

#include <algorithm>
#include <optional>
#include <system_error>
#include <utility>

#include "base/text.h"
#include "energy/accumulator.h"
#include "energy/attribute.h"
#include "energy/exact.h"

namespace wattle::energy {
namespace {

namespace fs = std::filesystem;

// ACPI asks the controller once a second at most (drivers/acpi/battery.c: cache_time), and controllers are no faster.
constexpr Nanoseconds kPeriod = seconds(1);
// No accuracy is told: an allowance for a gauge of current at the battery.
constexpr double kGain = 0.10;

constexpr std::string_view kOnMains = "on mains: unplug to measure";

Reading absent(std::string why) {
  Reading reading;
  reading.reason = std::move(why);
  return reading;
}

Int128 magnitude(std::int64_t value) { return value < 0 ? -static_cast<Int128>(value) : static_cast<Int128>(value); }

class Battery {
 public:
  explicit Battery(const fs::path& path)
      : name_(path.filename().string()),
        status_(path / "status"),
        power_(path / "power_now"),
        current_(path / "current_now"),
        voltage_(path / "voltage_now") {}

  [[nodiscard]] const std::string& name() const { return name_; }
  [[nodiscard]] std::string status() const {
    const auto text = status_.text();
    return text ? *text : text.error().message;
  }
  // Power that flows, in µW, in whichever direction.
  [[nodiscard]] Result<Int128> power() const {
    const auto told = power_.number();
    if (told) return magnitude(*told);
    if (!current_.exists()) return tl::unexpected(told.error());
    const auto current = current_.number();
    if (!current) return tl::unexpected(current.error());
    const auto voltage = voltage_.number();
    if (!voltage) return tl::unexpected(voltage.error());
    return magnitude(*current) * magnitude(*voltage) / 1'000'000;
  }

 private:
  std::string name_;
  Attribute status_;
  Attribute power_;
  Attribute current_;
  Attribute voltage_;
};

class BatteryProbe final : public Probe {
 public:
  BatteryProbe(std::vector<Battery> batteries, std::vector<Attribute> chargers)
      : batteries_(std::move(batteries)), chargers_(std::move(chargers)) {
    Domain domain;
    domain.name = "wall-battery";
    domain.kind = DomainKind::wall;
    domain.provenance = Provenance::integrated_power;
    domain.source = "battery";
    domain.gain_uncertainty = kGain;
    domain.update_period = kPeriod;
    domains_.push_back(std::move(domain));
  }

  [[nodiscard]] const std::vector<Domain>& domains() const override { return domains_; }
  [[nodiscard]] Nanoseconds own_period() const override { return kPeriod; }
  void read(Nanoseconds /*now*/, std::span<Reading> out) override { out[0] = reading(); }

  [[nodiscard]] Reading reading() const {
    for (const Attribute& online : chargers_) {
      if (const auto value = online.number(); value && *value > 0) return absent(std::string(kOnMains));
    }
    Int128 total = 0;
    bool discharging = false;
    for (const Battery& battery : batteries_) {
      const std::string status = battery.status();
      if (status == "Charging") return absent(fmt::format("{} ({} charges)", kOnMains, battery.name()));
      const auto power = battery.power();
      if (status == "Discharging") {
        if (!power) return absent(fmt::format("{}: {}", battery.name(), power.error().message));
        if (*power == 0) return absent(fmt::format("{} says 0 W while it discharges", battery.name()));
        discharging = true;
        total += *power;
      } else if (power && *power != 0) {
        return absent(fmt::format("{} gives or takes power, with the status `{}`", battery.name(), status));
      }
    }
    if (!discharging) return absent(fmt::format("{} (no battery discharges)", kOnMains));
    if (total > static_cast<Int128>(plausible_power(DomainKind::wall).value * 1e6)) {
      return absent("more power than a machine can draw");
    }
    Reading reading;
    reading.kind = Reading::Kind::power;
    reading.value = static_cast<std::uint64_t>(total);
    return reading;
  }

 private:
  std::vector<Battery> batteries_;
  std::vector<Attribute> chargers_;
  std::vector<Domain> domains_;
};

std::string text_of(const fs::path& path) {
  const auto text = Attribute(path).text();
  return text ? *text : std::string();
}

}  // namespace

Found find_battery(const ProbeOptions& options) {
  const fs::path folder = options.sysroot / "sys/class/power_supply";
  std::vector<fs::path> supplies;
  std::error_code error;
  for (fs::directory_iterator entry(folder, error), end; !error && entry != end; entry.increment(error)) {
    supplies.push_back(entry->path());
  }
  std::sort(supplies.begin(), supplies.end());
  std::vector<Battery> batteries;
  std::vector<Attribute> chargers;
  for (const fs::path& supply : supplies) {
    if (text_of(supply / "scope") == "Device") continue;
    const std::string type = text_of(supply / "type");
    if (type == "Mains" || type == "USB" || type == "Wireless") chargers.emplace_back(supply / "online");
    if (type == "Battery" && text_of(supply / "present") != "0") batteries.emplace_back(supply);
  }
  Found found;
  found.name = "battery";
  found.proven = "verified on a fake only";
  if (batteries.empty()) {
    found.reason = "no battery in " + folder.string();
    return found;
  }
  const std::size_t count = batteries.size();
  auto probe = std::make_unique<BatteryProbe>(std::move(batteries), std::move(chargers));
  const Reading now = probe->reading();
  if (now.kind == Reading::Kind::absent) {
    found.reason = now.reason;
    return found;
  }
  found.status = Found::Status::found;
  found.reason = fmt::format("wall-battery: the whole machine, {} {}", count, count == 1 ? "battery" : "batteries");
  found.probe = std::move(probe);
  return found;
}

}  // namespace wattle::energy
