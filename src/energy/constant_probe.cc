#include "energy/constant_probe.h"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <cmath>
#include <optional>
#include <utility>

#include "base/text.h"
#include "energy/coefficients.h"
#include "energy/exact.h"

namespace wattle::energy {
namespace {

constexpr double kMostWatts = 1e6;
constexpr std::size_t kLongestName = 40;

class ConstantProbe final : public Probe {
 public:
  ConstantProbe(Domain domain, std::uint64_t microwatts) : microwatts_(microwatts) {
    domains_.push_back(std::move(domain));
  }
  [[nodiscard]] const std::vector<Domain>& domains() const override { return domains_; }
  // As a counter: nothing can happen to it between two reads, however far apart.
  void read(Nanoseconds now, std::span<Reading> out) override {
    if (!first_) first_ = now;
    const Int128 microjoules = static_cast<Int128>(microwatts_) * (now - *first_).value / 1'000'000'000;
    out[0].kind = Reading::Kind::counter;
    out[0].value = static_cast<std::uint64_t>(microjoules);
    out[0].modulus = kNeverWraps;
  }

 private:
  std::uint64_t microwatts_;
  std::optional<Nanoseconds> first_;
  std::vector<Domain> domains_;
};

bool is_name(std::string_view name) {
  const auto plain = [](unsigned char c) { return std::isalnum(c) != 0 || c == '-' || c == '_' || c == '.'; };
  return !name.empty() && name.size() <= kLongestName && std::isalnum(static_cast<unsigned char>(name.front())) != 0 &&
         std::all_of(name.begin(), name.end(), plain);
}

}  // namespace

Found find_constant(const std::string& words) {
  Found found;
  found.name = "constant:" + words;
  found.proven = "an estimate by its nature: what was stated";
  const auto colon = words.find(':');
  const std::string number = words.substr(0, colon);
  const auto watts = parse_real(number);
  const std::uint64_t microwatts =
      watts && *watts > 0.0 && *watts <= kMostWatts ? static_cast<std::uint64_t>(std::llround(*watts * 1e6)) : 0;
  if (microwatts == 0) {
    found.reason = fmt::format("`{}` is no power in watts above 0 and up to a megawatt; for example constant:15:fans",
                               printable(number));
    return found;
  }
  const std::string name = colon == std::string::npos ? "" : words.substr(colon + 1);
  if (colon != std::string::npos && !is_name(name)) {
    found.reason = fmt::format("`{}` is no name: letters, digits and -_. are, {} at most; for example constant:15:fans",
                               printable(name), kLongestName);
    return found;
  }
  Domain domain;
  domain.name = name.empty() ? "other" : "other-" + name;
  domain.kind = DomainKind::other;
  domain.provenance = Provenance::constant;
  domain.source = "constant";
  domain.gain_uncertainty = kModelGain;
  found.status = Found::Status::found;
  found.reason = fmt::format("{}: {} W, as stated", domain.name, shortest(*watts));
  found.probe = std::make_unique<ConstantProbe>(std::move(domain), microwatts);
  return found;
}

}  // namespace wattle::energy
