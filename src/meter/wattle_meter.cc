// The meter half of wattle_meter.h: C's structs and pointers around LiveMeter.
#include "meter/wattle_meter.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <exception>
#include <limits>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "meter/live_meter.h"

using wattle::Nanoseconds;
using wattle::meter::LiveMeter;
using wattle::meter::LiveMeterOptions;

struct wattle_meter {  // NOLINT(readability-identifier-naming): declared in C
  std::unique_ptr<LiveMeter> live;
  pid_t process = 0;
};

namespace {

namespace energy = wattle::energy;

constexpr double kUnknown = std::numeric_limits<double>::quiet_NaN();
constexpr Nanoseconds kShortest = wattle::milliseconds(1);
constexpr Nanoseconds kLongest = wattle::seconds(60);
constexpr std::size_t kLeastMemory = std::size_t{1} << 20U;

// Cut between characters, and always ended.
void copy(std::string_view text, char* out, std::size_t size) {
  if (out == nullptr || size == 0) return;
  std::size_t length = std::min(text.size(), size - 1);
  while (length < text.size() && length > 0 && (static_cast<unsigned char>(text[length]) & 0xc0U) == 0x80U) --length;
  std::copy_n(text.begin(), length, out);
  out[length] = '\0';
}

// Whether `out` is a struct that we can fill: its size is that of the first version, or more. There is one version yet.
template <class Struct>
bool fillable(const Struct* out) {
  return out != nullptr && out->size >= sizeof(Struct);
}

constexpr std::string_view kNotOurs = "the meter belongs to the process that started it";
bool ours(const wattle_meter& meter) { return meter.process == ::getpid(); }

LiveMeterOptions options_of(const wattle_meter_options& given) {
  LiveMeterOptions options;
  if (given.interval_ns != 0) options.interval = Nanoseconds{given.interval_ns};
  for (const char* const* name = given.probes; name != nullptr && *name != nullptr; ++name) {
    options.probes.wanted.emplace_back(*name);
  }
  if (given.sysroot != nullptr) options.probes.sysroot = given.sysroot;
  if (given.visible_gpus != nullptr) options.probes.visible_gpus = given.visible_gpus;
  if (given.memory_bytes != 0) options.memory_bytes = std::max(given.memory_bytes, kLeastMemory);
  return options;
}

// A program built with a newer header may have more options: fine as long as it leaves them at their defaults.
std::string_view why_not(const wattle_meter_options& given) {
  if (given.size < sizeof(wattle_meter_options)) return "options.size is not sizeof(wattle_meter_options)";
  const auto* bytes = reinterpret_cast<const unsigned char*>(&given);
  const bool newer =
      std::any_of(bytes + sizeof given, bytes + given.size, [](unsigned char byte) { return byte != 0; });
  if (newer) return "an option is set that this version of libwattle_meter does not know";
  const bool odd =
      given.interval_ns != 0 && (given.interval_ns < kShortest.value || given.interval_ns > kLongest.value);
  return odd ? "options.interval_ns is outside 1 ms to 60 s" : std::string_view();
}

template <class Energy>  // record::Total or energy::WindowEnergy
void quantify(const Energy& known, wattle_energy& out) {
  out.energy_j = known.energy ? wattle::to_joules(*known.energy).value : kUnknown;
  out.uncertainty = known.energy ? known.uncertainty : kUnknown;
  out.coverage = known.coverage;
  copy(known.why_absent, out.why_absent, sizeof out.why_absent);
}

void fill_domain(const wattle::meter::LiveWindow& window, std::size_t index, wattle_energy& out) {
  const energy::Domain& domain = window.metered.domains[index];
  copy(domain.name, out.name, sizeof out.name);
  copy(energy::to_string(domain.provenance), out.provenance, sizeof out.provenance);
  copy(domain.source, out.source, sizeof out.source);
  out.measured = energy::measured(domain.provenance) ? 1 : 0;
  out.simulated = domain.simulated ? 1 : 0;
  quantify(window.metered.windows.front().energies[index], out);
}

void fill_total(const wattle::meter::LiveWindow& window, bool measured, wattle_energy& out) {
  std::string names;
  std::string_view kind;
  for (const std::size_t part : measured ? window.cover.measured : window.cover.estimated) {
    const energy::Domain& domain = window.metered.domains[part];
    const std::string_view own = energy::to_string(domain.provenance);
    names += (names.empty() ? "" : ", ") + domain.name;
    kind = kind.empty() || kind == own ? own : "mixed";
    if (domain.simulated) out.simulated = 1;
  }
  copy(measured ? "measured" : "estimated", out.name, sizeof out.name);
  copy(kind, out.provenance, sizeof out.provenance);
  copy(names, out.source, sizeof out.source);
  out.measured = measured ? 1 : 0;
  quantify(measured ? window.metered.measured : window.metered.estimated, out);
}

wattle_energy nothing_known(std::size_t size, std::string_view why) {
  wattle_energy nothing{};
  nothing.size = size;
  nothing.energy_j = nothing.uncertainty = kUnknown;
  copy(why, nothing.why_absent, sizeof nothing.why_absent);
  return nothing;
}

}  // namespace

int64_t wattle_clock_ns(void) { return wattle::SystemClock().monotonic().value; }

wattle_meter* wattle_meter_start(const wattle_meter_options* options, char* error, size_t error_size) {
  try {
    if (options != nullptr && !why_not(*options).empty()) {
      copy(why_not(*options), error, error_size);
      return nullptr;
    }
    auto live = LiveMeter::start(options == nullptr ? LiveMeterOptions{} : options_of(*options));
    if (live) return new wattle_meter{std::move(*live), ::getpid()};
    copy(live.error().message, error, error_size);
  } catch (const std::exception& failure) {
    copy(failure.what(), error, error_size);
  } catch (...) {
    copy("unknown failure", error, error_size);
  }
  return nullptr;
}

size_t wattle_meter_domain_count(const wattle_meter* meter) {
  return meter != nullptr && ours(*meter) ? meter->live->domains().size() : 0;
}

int wattle_meter_window(const wattle_meter* meter, int domain, int64_t begin_ns, int64_t end_ns,
                        wattle_energy* energy) {
  if (meter == nullptr || !fillable(energy)) return WATTLE_METER_BAD_ARGUMENT;
  wattle_energy out = nothing_known(energy->size, kNotOurs);
  try {
    const bool total = domain == WATTLE_METER_MEASURED || domain == WATTLE_METER_ESTIMATED;
    if (ours(*meter)) {
      const bool there = domain >= 0 && static_cast<std::size_t>(domain) < meter->live->domains().size();
      if (!total && !there) return WATTLE_METER_BAD_ARGUMENT;
      const auto window = meter->live->window(Nanoseconds{begin_ns}, Nanoseconds{end_ns});
      if (total) {
        fill_total(window, domain == WATTLE_METER_MEASURED, out);
      } else {
        fill_domain(window, static_cast<std::size_t>(domain), out);
      }
    }
  } catch (...) {
    out = nothing_known(energy->size, "out of memory");
  }
  *energy = out;
  return std::isnan(out.energy_j) ? WATTLE_METER_ABSENT : WATTLE_METER_OK;
}

int wattle_meter_now(const wattle_meter* meter, wattle_power* power) {
  if (meter == nullptr || !fillable(power)) return WATTLE_METER_BAD_ARGUMENT;
  wattle_power out{};
  out.size = power->size;
  out.power_w = out.energy_j = kUnknown;
  try {
    const auto now = ours(*meter) ? meter->live->now() : std::nullopt;
    if (now) {
      out.energy_j = wattle::to_joules(now->energy).value;
      out.power_w = now->power ? now->power->value : kUnknown;
      out.measured = now->estimated ? 0 : 1;
      const auto& domains = meter->live->domains();
      out.simulated = std::any_of(domains.begin(), domains.end(), [](const auto& one) { return one.simulated; });
    }
  } catch (...) {
    out.power_w = out.energy_j = kUnknown;
  }
  *power = out;
  return std::isnan(out.power_w) ? WATTLE_METER_ABSENT : WATTLE_METER_OK;
}

size_t wattle_meter_missing(const wattle_meter* meter, size_t index, char* text, size_t text_size) {
  if (meter == nullptr || !ours(*meter) || index >= meter->live->missing().size()) return 0;
  const std::string& missing = meter->live->missing()[index];
  copy(missing, text, text_size);
  return missing.size();
}

void wattle_meter_stop(wattle_meter* meter) {
  // A forked child has none of the threads that would have to end.
  if (meter != nullptr && ours(*meter)) delete meter;
}
