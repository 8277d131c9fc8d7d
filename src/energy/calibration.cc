#include "energy/calibration.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <cmath>
#include <optional>
#include <utility>

#include "base/text.h"
#include "energy/accumulator.h"
#include "energy/coefficients.h"

namespace wattle::energy {
namespace {

constexpr double kNormal95 = 1.96;
constexpr double kBetter = 0.9;     // of the line's error: what a bend must come below
constexpr double kRounding = 1e-9;  // relative
constexpr double kSameUse = 0.02;   // two levels closer than this are one

// --- Least squares ---------------------------------------------------------------------------------------

using Polynomial = std::array<double, 3>;  // W per power of u, rising
constexpr std::size_t kNone = ~std::size_t{0};

double value(const Polynomial& p, double u) { return p[0] + u * (p[1] + u * p[2]); }

// What a curve is made of: it is a sum of these, each times a coefficient.
using Basis = std::vector<Polynomial>;
using Equations = std::array<std::array<double, 4>, 3>;  // a row an unknown, the right-hand side last

// Gauss-Jordan with pivoting. Absent where a pivot is as good as 0.
std::optional<std::array<double, 3>> solve(Equations rows, std::size_t unknowns, double tiny) {
  for (std::size_t k = 0; k < unknowns; ++k) {
    std::size_t pivot = k;
    for (std::size_t r = k + 1; r < unknowns; ++r) {
      if (std::abs(rows[r][k]) > std::abs(rows[pivot][k])) pivot = r;
    }
    std::swap(rows[k], rows[pivot]);
    if (!(std::abs(rows[k][k]) > tiny)) return std::nullopt;
    for (std::size_t r = 0; r < unknowns; ++r) {
      if (r == k) continue;
      const double factor = rows[r][k] / rows[k][k];
      for (std::size_t c = k; c < 4; ++c) rows[r][c] -= factor * rows[k][c];
    }
  }
  std::array<double, 3> solution{};
  for (std::size_t k = 0; k < unknowns; ++k) solution[k] = rows[k][3] / rows[k][k];
  return solution;
}

// Relative misses are made small, for so a source errs and so uncertainty is told. By the normal equations: uses are
// within 0…1 and far apart, so at most three terms are well conditioned. Absent where the points do not determine them.
std::optional<Polynomial> least_squares(std::span<const LoadPoint> points, const Basis& basis, std::size_t left_out) {
  Equations rows{};
  double weights = 0.0;
  for (std::size_t i = 0; i < points.size(); ++i) {
    if (i == left_out) continue;
    const auto& [use, power, seconds] = points[i];
    const double weight = seconds / (power.value * power.value);
    weights += weight;
    for (std::size_t r = 0; r < basis.size(); ++r) {
      const double factor = weight * value(basis[r], use);
      for (std::size_t c = 0; c < basis.size(); ++c) rows[r][c] += factor * value(basis[c], use);
      rows[r][3] += factor * power.value;
    }
  }
  const auto coefficients = solve(rows, basis.size(), 1e-9 * weights);
  if (!coefficients) return std::nullopt;
  Polynomial sum{};
  for (std::size_t r = 0; r < basis.size(); ++r) {
    for (std::size_t k = 0; k < 3; ++k) sum[k] += (*coefficients)[r] * basis[r][k];
  }
  return sum;
}

struct Range {
  double least = 1.0;
  double most = 0.0;
};

double slope_of(const Polynomial& p, double u) { return p[1] + 2.0 * p[2] * u; }

const Basis kLine{{1, 0, 0}, {0, 1, 0}};

// What the best parabola is made of: where that falls at an end of the range, the parabola that is level there.
std::optional<Basis> parabola(std::span<const LoadPoint> points, Range range) {
  const Basis free{{1, 0, 0}, {0, 1, 0}, {0, 0, 1}};
  const auto best = least_squares(points, free, kNone);
  if (!best) return std::nullopt;
  if (slope_of(*best, range.most) < 0.0) return Basis{{1, 0, 0}, {0, 1, -0.5 / range.most}};
  if (slope_of(*best, range.least) < 0.0) return Basis{{1, 0, 0}, {0, -2.0 * range.least, 1}};
  return free;
}

// The best such curve with its error, or nothing where some level, left out, leaves it undetermined, or it falls.
std::optional<Fit> fit_of(std::span<const LoadPoint> points, const Basis& basis, Range range) {
  const auto all = least_squares(points, basis, kNone);
  if (!all) return std::nullopt;
  Fit result;
  result.curve = {{(*all)[0]}, {(*all)[1]}, {(*all)[2]}, range.least, range.most};
  if (!result.curve.rises()) return std::nullopt;
  result.points = static_cast<int>(points.size());
  double weights = 0.0;
  double squares = 0.0;
  double relative_squares = 0.0;
  for (std::size_t i = 0; i < points.size(); ++i) {
    const auto others = least_squares(points, basis, i);
    if (!others) return std::nullopt;
    const double miss = std::abs(points[i].power.value - value(*others, points[i].use));
    const double relative = miss / points[i].power.value;
    weights += points[i].weight;
    squares += points[i].weight * miss * miss;
    relative_squares += points[i].weight * relative * relative;
    result.largest.value = std::max(result.largest.value, miss);
    result.relative_largest = std::max(result.relative_largest, relative);
  }
  result.rms = {std::sqrt(squares / weights)};
  result.relative_rms = std::sqrt(relative_squares / weights);
  return result;
}

std::string percent(double share) { return fmt::format("{:.0f} %", 100.0 * share); }

Result<void> check(std::span<const LoadPoint> points) {
  for (std::size_t i = 0; i < points.size(); ++i) {
    const auto& [use, power, weight] = points[i];
    const auto bad = [&](const char* what) {
      return fail(ErrorKind::bad_input, fmt::format("level {} has no {}", i + 1, what));
    };
    if (!(use >= 0.0 && use <= 1.0)) return bad("CPU use between 0 and 1");
    if (!(power.value > 0.0 && power <= plausible_power(DomainKind::wall)))
      return bad("power above 0 W and below 30 kW");
    if (!(weight > 0.0 && weight < 1e9)) return bad("weight above 0");
  }
  return {};
}

Result<Range> range_of(std::span<const LoadPoint> points) {
  std::vector<double> uses;
  for (const LoadPoint& point : points) uses.push_back(point.use);
  std::sort(uses.begin(), uses.end());
  int different = 0;
  double last = -1.0;
  for (const double use : uses) {
    if (use - last <= kSameUse) continue;
    ++different;
    last = use;
  }
  if (different < kFewestUses) {
    return fail(ErrorKind::failed, fmt::format("{} different CPU use{} cannot tell a curve, {} are needed", different,
                                               different == 1 ? "" : "s", kFewestUses));
  }
  const Range range{uses.front(), uses.back()};
  if (range.least > kFarthestFromRest || range.most - range.least < kNarrowestRange) {
    return fail(
        ErrorKind::failed,
        fmt::format("the loads kept {} to {} of the machine busy: at most {} and a range of at least {} are needed",
                    percent(range.least), percent(range.most), percent(kFarthestFromRest), percent(kNarrowestRange)));
  }
  return range;
}

}  // namespace

Watts PowerCurve::at(double use) const {
  const double inside = std::clamp(use, least_use, most_use);
  const double inner = value({base.value, slope.value, bend.value}, inside);
  return {inner + (slope.value + 2.0 * bend.value * inside) * (use - inside)};
}

bool PowerCurve::rises() const {
  const double rounding = kRounding * std::abs(at(1.0).value);
  const Polynomial polynomial{base.value, slope.value, bend.value};
  return slope_of(polynomial, least_use) >= -rounding && slope_of(polynomial, most_use) >= -rounding;
}

double Fit::spread() const { return std::max(kNormal95 * relative_rms, relative_largest); }

Result<Fit> fit(std::span<const LoadPoint> points) {
  if (const auto sound = check(points); !sound) return tl::unexpected(sound.error());
  const auto range = range_of(points);
  if (!range) return tl::unexpected(range.error());
  auto best = fit_of(points, kLine, *range);
  if (!best) return fail(ErrorKind::failed, "power does not rise with CPU use");
  const auto basis = parabola(points, *range);
  const auto bent = basis ? fit_of(points, *basis, *range) : std::nullopt;
  if (bent && bent->relative_rms < kBetter * best->relative_rms - kRounding) best = bent;
  const Watts rise = best->curve.at(range->most) - best->curve.at(range->least);
  if (!(rise.value > 2.0 * best->rms.value)) {
    return fail(ErrorKind::failed, fmt::format("power hardly rises with CPU use: by {}, with an error of {} left",
                                               human(rise), human(best->rms)));
  }
  if (best->curve.at(0.0).value < 0.0) {
    return fail(ErrorKind::failed,
                fmt::format("the fit has {} at rest, which no machine has", human(best->curve.at(0.0))));
  }
  if (best->spread() >= kModelGain) {
    return fail(ErrorKind::failed, fmt::format("CPU use does not explain the power: ±{} is left, and the model without "
                                               "a calibration is ±{}",
                                               percent(best->spread()), percent(kModelGain)));
  }
  return *best;
}

double Calibration::gain() const { return std::hypot(source_gain, fit.spread(), kOtherPrograms); }

std::string Calibration::provenance() const {
  using std::chrono::days;
  using std::chrono::nanoseconds;
  const std::chrono::sys_time<nanoseconds> instant{nanoseconds(fitted_wall.value)};
  const std::chrono::year_month_day date{std::chrono::floor<days>(instant)};
  return fmt::format("{} ({}) on {:04}-{:02}-{:02}", against, join(domains, ", "), static_cast<int>(date.year()),
                     static_cast<unsigned>(date.month()), static_cast<unsigned>(date.day()));
}

CurveIntegral::CurveIntegral(const PowerCurve& curve)
    : curve_(curve), rest_(curve.at(0.0)), rise_(curve.at(1.0) - curve.at(0.0)) {}

void CurveIntegral::add(Nanoseconds passed, Seconds busy) {
  passed_ += passed;
  busy_ += busy;
  stretch_ += passed;
  stretch_busy_ += busy;
  if (stretch_ >= kUseStretch) {
    // A tick may fall into the stretch after the one it was used in.
    const double use = std::clamp(stretch_busy_ / to_seconds(stretch_), 0.0, 1.0);
    beside_chord_ += (curve_.at(use) - (rest_ + rise_ * use)) * to_seconds(stretch_);
    stretch_ = {};
    stretch_busy_ = {};
  }
  told_ = std::max(told_, rest_ * to_seconds(passed_) + rise_ * busy_ + beside_chord_);
}

}  // namespace wattle::energy
