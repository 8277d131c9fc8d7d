#include "energy/plug_probe.h"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <cmath>
#include <nlohmann/json.hpp>
#include <optional>
#include <utility>

#include "base/text.h"
#include "energy/accumulator.h"

namespace wattle::energy {
namespace {

constexpr Nanoseconds kPeriod = milliseconds(500);
constexpr Nanoseconds kAnswerTime = seconds(1);
constexpr Nanoseconds kFirstAnswerTime = seconds(2);  // the name is looked up, the plug may wake its radio
constexpr std::size_t kLargestAnswer = 65'536;
// Shelly states neither how often its plugs measure nor, for all of them, how well: allowances.
constexpr Nanoseconds kUpdatePeriod = seconds(1);
constexpr double kGain = 0.03;

constexpr std::string_view kSecondGeneration = "/rpc/Switch.GetStatus?id=0";
constexpr std::string_view kFirstGeneration = "/status";

// HOST or HOST:PORT of what a URL takes; nothing that could lead elsewhere (a user, a path).
bool is_place(const std::string& place) {
  std::string_view host = place;
  if (host.starts_with('[')) {
    const auto end = host.find(']');
    if (end == std::string_view::npos) return false;
    const std::string_view address = host.substr(1, end - 1);
    host.remove_prefix(end + 1);
    const bool valid = std::all_of(address.begin(), address.end(),
                                   [](unsigned char c) { return std::isxdigit(c) != 0 || c == ':' || c == '.'; });
    if (!valid || address.empty()) return false;
  } else {
    const std::string_view name = host.substr(0, host.find(':'));
    host.remove_prefix(name.size());
    const bool valid = std::all_of(name.begin(), name.end(), [](unsigned char c) {
      return std::isalnum(c) != 0 || c == '.' || c == '-' || c == '_';
    });
    if (!valid || name.empty() || name.size() > 253) return false;
  }
  if (host.empty()) return true;
  const auto port = host.starts_with(':') ? parse_unsigned(host.substr(1)) : std::nullopt;
  return port && *port >= 1 && *port <= 65'535;
}

// The value of the key, or null: answers are untrusted, so nothing is taken for granted.
nlohmann::json at(const nlohmann::json& object, std::string_view key) {
  const auto found = object.is_object() ? object.find(key) : object.end();
  return found == object.end() ? nlohmann::json() : *found;
}
nlohmann::json first_of(const nlohmann::json& array) {
  return array.is_array() && !array.empty() ? array.front() : nlohmann::json();
}

// In µW.
Result<std::uint64_t> power_in(const std::string& answer, bool second_generation) {
  const auto failed = [](std::string why) { return fail(ErrorKind::failed, std::move(why)); };
  if (answer.size() > kLargestAnswer) return failed("the answer is longer than 64 KiB");
  const nlohmann::json json = nlohmann::json::parse(answer, nullptr, false);
  if (json.is_discarded()) return failed("the answer is no JSON");
  const nlohmann::json meter = second_generation ? json : first_of(at(json, "meters"));
  const nlohmann::json power = at(meter, second_generation ? "apower" : "power");
  const nlohmann::json on = second_generation ? at(json, "output") : at(first_of(at(json, "relays")), "ison");
  if (on == false) return failed("the plug is switched off, so this machine is not behind it");
  if (at(meter, "is_valid") == false) return failed("the plug says that its power is not valid");
  if (!power.is_number()) return failed(fmt::format("no `{}` in the answer", second_generation ? "apower" : "power"));
  const auto watts = power.get<double>();
  if (watts == 0.0) return failed("0 W: this machine is not behind the plug");
  if (!(watts > 0.0)) return failed(fmt::format("{} W is no power that a machine draws", shortest(watts)));
  if (watts > plausible_power(DomainKind::wall).value) return failed("more power than a machine can draw");
  return static_cast<std::uint64_t>(std::llround(watts * 1e6));
}

class PlugProbe final : public Probe {
 public:
  PlugProbe(const std::string& place, bool second_generation, decltype(ProbeOptions::http_get) get)
      : url_(fmt::format("http://{}{}", place, second_generation ? kSecondGeneration : kFirstGeneration)),
        second_generation_(second_generation),
        get_(std::move(get)) {
    Domain domain;
    domain.name = "wall-" + place;
    domain.kind = DomainKind::wall;
    domain.provenance = Provenance::integrated_power;
    domain.source = "plug " + place;
    domain.gain_uncertainty = kGain;
    domain.update_period = kUpdatePeriod;
    domains_.push_back(std::move(domain));
  }

  [[nodiscard]] const std::vector<Domain>& domains() const override { return domains_; }
  [[nodiscard]] Nanoseconds own_period() const override { return kPeriod; }
  void read(Nanoseconds /*now*/, std::span<Reading> out) override {
    const auto power = ask(kAnswerTime);
    out[0].kind = power ? Reading::Kind::power : Reading::Kind::absent;
    out[0].value = power.value_or(0);
    out[0].reason = power ? std::string() : power.error().message;
  }
  [[nodiscard]] Result<std::uint64_t> ask(Nanoseconds time) const {
    const auto answer = get_(url_, time);
    if (!answer) return tl::unexpected(answer.error());
    return power_in(*answer, second_generation_);
  }

 private:
  std::string url_;
  bool second_generation_;
  decltype(ProbeOptions::http_get) get_;
  std::vector<Domain> domains_;
};

}  // namespace

Found find_plug(const std::string& place, const ProbeOptions& options) {
  Found found;
  found.name = "plug:" + place;
  found.proven = "verified on a fake only";
  if (!is_place(place)) {
    found.reason = fmt::format("`{}` is no HOST or HOST:PORT; for example plug:192.168.1.20", printable(place));
    return found;
  }
  if (!options.http_get) {
    found.reason = "nothing here can ask a network";
    return found;
  }
  auto probe = std::make_unique<PlugProbe>(place, true, options.http_get);
  auto power = probe->ask(kFirstAnswerTime);
  // An answer that is not the later generations' may be the first's; silence would be silence again.
  if (!power && power.error().kind == ErrorKind::failed) {
    auto older = std::make_unique<PlugProbe>(place, false, options.http_get);
    if (auto its_power = older->ask(kFirstAnswerTime)) {
      probe = std::move(older);
      power = its_power;
    }
  }
  if (!power) {
    found.reason = printable(power.error().message);
    return found;
  }
  found.status = Found::Status::found;
  found.reason = fmt::format("wall-{}: {:.1f} W now", place, static_cast<double>(*power) * 1e-6);
  found.probe = std::move(probe);
  return found;
}

}  // namespace wattle::energy
