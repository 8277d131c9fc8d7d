#include <fmt/format.h>

#include <algorithm>
#include <boost/math/distributions/chi_squared.hpp>
#include <cmath>

#include "stats/survival.h"

namespace wattle::stats {
namespace {

struct Entry {
  double time = 0.0;
  bool event = false;
  std::size_t group = 0;
};

Result<std::vector<Entry>> pooled(std::span<const std::span<const Lifetime>> groups) {
  if (groups.size() < 2) return fail(ErrorKind::bad_input, fmt::format("{} groups, 2 are needed", groups.size()));
  if (groups.size() > 100) return fail(ErrorKind::bad_input, "more than 100 groups");
  std::vector<Entry> entries;
  for (std::size_t g = 0; g < groups.size(); ++g) {
    if (groups[g].empty()) return fail(ErrorKind::bad_input, fmt::format("group {} is empty", g + 1));
    for (const Lifetime& one : groups[g]) {
      if (!std::isfinite(one.time) || one.time < 0.0) {
        return fail(ErrorKind::bad_input, fmt::format("group {}: a time is not a finite number of 0 or more", g + 1));
      }
      entries.push_back({one.time, one.event, g});
    }
  }
  if (entries.size() > 1'000'000) return fail(ErrorKind::bad_input, "more than 1,000,000 times");
  std::sort(entries.begin(), entries.end(), [](const Entry& a, const Entry& b) { return a.time < b.time; });
  return entries;
}

// Observed less expected of all groups but the last, and their covariance, row by row.
struct Score {
  std::size_t size = 0;
  std::vector<double> difference;
  std::vector<double> covariance;

  void add(const std::vector<double>& at_risk, const std::vector<double>& events, double all, double all_events,
           double weight) {
    const double spread = all > 1.0 ? all_events * (all - all_events) / (all - 1.0) : 0.0;
    for (std::size_t a = 0; a < size; ++a) {
      const double share = at_risk[a] / all;
      difference[a] += weight * (events[a] - all_events * share);
      for (std::size_t b = 0; b < size; ++b) {
        covariance[a * size + b] += weight * weight * spread * share * ((a == b ? 1.0 : 0.0) - at_risk[b] / all);
      }
    }
  }

  // difference' covariance^-1 difference and the covariance's rank, by elimination without exchange: it is positive
  // semidefinite, and a group never at risk beside another adds nothing.
  [[nodiscard]] std::pair<double, int> quadratic_form() const {
    std::vector<double> c = covariance;
    std::vector<double> d = difference;
    double form = 0.0;
    int rank = 0;
    for (std::size_t p = 0; p < size; ++p) {
      const double pivot = c[p * size + p];
      if (!(pivot > 1e-12 * covariance[p * size + p])) continue;
      ++rank;
      form += d[p] * d[p] / pivot;
      for (std::size_t r = p + 1; r < size; ++r) {
        const double factor = c[r * size + p] / pivot;
        for (std::size_t k = p; k < size; ++k) c[r * size + k] -= factor * c[p * size + k];
        d[r] -= factor * d[p];
      }
    }
    return {form, rank};
  }
};

}  // namespace

Result<SurvivalTest> compare_survival(std::span<const std::span<const Lifetime>> groups, SurvivalWeight weight) {
  const auto entries = pooled(groups);
  if (!entries) return tl::unexpected(entries.error());
  const std::size_t k = groups.size();
  std::vector<double> at_risk;
  for (const auto& group : groups) at_risk.push_back(static_cast<double>(group.size()));
  SurvivalTest result;
  result.observed.assign(k, 0.0);
  result.expected.assign(k, 0.0);
  Score score{k - 1, std::vector<double>(k - 1, 0.0), std::vector<double>((k - 1) * (k - 1), 0.0)};
  std::vector<double> events(k);
  std::vector<double> leaving(k);
  for (std::size_t first = 0; first < entries->size();) {
    const auto all = static_cast<double>(entries->size() - first);
    std::fill(events.begin(), events.end(), 0.0);
    std::fill(leaving.begin(), leaving.end(), 0.0);
    double all_events = 0.0;
    const double time = (*entries)[first].time;
    for (; first < entries->size() && (*entries)[first].time == time; ++first) {
      const Entry& entry = (*entries)[first];
      leaving[entry.group] += 1.0;
      if (!entry.event) continue;
      events[entry.group] += 1.0;
      all_events += 1.0;
    }
    if (all_events > 0.0) score.add(at_risk, events, all, all_events, weight == SurvivalWeight::gehan ? all : 1.0);
    for (std::size_t g = 0; g < k; ++g) {
      result.observed[g] += events[g];
      result.expected[g] += all_events * at_risk[g] / all;
      at_risk[g] -= leaving[g];
    }
  }
  const auto [form, rank] = score.quadratic_form();
  if (rank == 0) {
    return fail(ErrorKind::bad_input, "no event came while two groups were at risk: there is nothing to compare");
  }
  result.chi_squared = form;
  result.degrees = rank;
  result.p_value = boost::math::cdf(boost::math::complement(boost::math::chi_squared(result.degrees), form));
  return result;
}

}  // namespace wattle::stats
