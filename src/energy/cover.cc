// Which domains add up to the machine's energy.
#include <algorithm>
#include <functional>
#include <string_view>
#include <vector>

#include "energy/trace.h"

namespace wattle::energy {
namespace {

using Indices = std::vector<std::size_t>;

bool inside_psys(DomainKind kind) {
  return kind == DomainKind::package || kind == DomainKind::core || kind == DomainKind::uncore ||
         kind == DomainKind::dram;
}

class Candidates {
 public:
  Candidates(const std::vector<Series>& series, bool measured_ones) : series_(series) {
    for (std::size_t i = 0; i < series.size(); ++i) {
      const Domain& domain = series[i].domain;
      const bool usable = !series[i].samples.empty() && domain.kind != DomainKind::board;
      if (usable && measured(domain.provenance) == measured_ones && !find(domain.name)) indices_.push_back(i);
    }
  }

  [[nodiscard]] Indices non_overlapping() const {
    if (has(DomainKind::wall)) return those([](const Domain& domain) { return domain.kind == DomainKind::wall; });
    const bool psys = has(DomainKind::psys);
    return those([&](const Domain& domain) { return !contained(domain) && !(psys && inside_psys(domain.kind)); });
  }

 private:
  [[nodiscard]] const Domain* find(std::string_view name) const {
    for (const std::size_t i : indices_) {
      if (series_[i].domain.name == name) return &series_[i].domain;
    }
    return nullptr;
  }
  [[nodiscard]] bool has(DomainKind kind) const {
    return std::any_of(indices_.begin(), indices_.end(), [&](std::size_t i) { return series_[i].domain.kind == kind; });
  }
  // A parent that is not itself a candidate (denied, never read) contains nothing here.
  [[nodiscard]] bool contained(const Domain& domain) const {
    return !domain.parent.empty() && domain.parent != domain.name && find(domain.parent) != nullptr;
  }
  [[nodiscard]] Indices those(const std::function<bool(const Domain&)>& wanted) const {
    Indices chosen;
    for (const std::size_t i : indices_) {
      if (wanted(series_[i].domain)) chosen.push_back(i);
    }
    return chosen;
  }

  const std::vector<Series>& series_;
  Indices indices_;
};

}  // namespace

Cover cover(const std::vector<Series>& series) {
  return {.measured = Candidates(series, true).non_overlapping(),
          .estimated = Candidates(series, false).non_overlapping()};
}

}  // namespace wattle::energy
