// Charts of the HTML page as SVG.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <set>

#include "base/text.h"
#include "report/html.h"

namespace wattle::report {
namespace {

using analysis::Findings;

constexpr double kWidth = 520;
constexpr double kHeight = 380;
constexpr double kLeft = 46;
constexpr double kRight = 508;
constexpr double kTop = 14;
constexpr double kBottom = 336;
constexpr double kCharacter = 6.3;  // mean width of a character at the chart's font size
constexpr std::size_t kMostLabels = 14;
constexpr double kBeyondDrawing = 1e12;  // such a value stands in the table only

struct Point {
  std::string label;
  std::string title;
  double x = 0.0;
  double y = 0.0;
  std::optional<double> x_low, x_high, y_low, y_high;
  Tone tone = Tone::plain;
  bool original = false;
};

struct Range {
  double low = 0.0;
  double high = 0.0;
  [[nodiscard]] double clamped(double value) const { return std::clamp(value, low, high); }
  [[nodiscard]] bool holds(double value) const { return value >= low && value <= high; }
};

struct Box {
  double x, y, width, height;
  [[nodiscard]] bool overlaps(const Box& other) const {
    return x < other.x + other.width && other.x < x + width && y < other.y + other.height && other.y < y + height;
  }
};

std::vector<Point> points_of(const Findings& findings, const Measures& all, const Measure& cost) {
  std::vector<Point> points;
  const bool several = families(findings).size() > 1;
  for (const auto& mutant : findings.mutants) {
    const auto& costs = mutant.*cost.comparison;
    const auto x = cost.shown(costs.estimate);
    const auto y = all.metric.shown(mutant.metric.estimate);
    if (!x || !y || !(std::abs(*x) < kBeyondDrawing) || !(std::abs(*y) < kBeyondDrawing)) continue;
    const Ruling rule = ruling(findings, mutant);
    const auto finite = [](std::optional<double> value) {
      return value && std::abs(*value) < kBeyondDrawing ? value : std::nullopt;
    };
    points.push_back({shortened((several ? mutant.family + ": " : "") + label_in_family(mutant), 24),
                      label_in_family(mutant) + ": " + in_words(cost, costs) + ", " +
                          in_words(all.metric, mutant.metric) + "; " + rule.word + " (" + rule.because + ")",
                      *x, *y, finite(cost.shown(costs.low)), finite(cost.shown(costs.high)),
                      finite(all.metric.shown(mutant.metric.low)), finite(all.metric.shown(mutant.metric.high)),
                      rule.tone, false});
  }
  return points;
}

// Holds the estimates and the ends of their intervals with a margin; but one far outlier must not press the others
// together, so a side ends at four times the median distance from 0, but never before `least_reach`.
Range range_of(const std::vector<double>& values, std::vector<double> ends, double least_reach) {
  std::vector<double> distances;
  distances.reserve(values.size());
  for (const double value : values) distances.push_back(std::abs(value));
  const auto middle = distances.begin() + static_cast<std::ptrdiff_t>(distances.size() / 2);
  std::nth_element(distances.begin(), middle, distances.end());
  const double reach = std::max(4.0 * *middle, least_reach);
  ends.insert(ends.end(), values.begin(), values.end());
  ends.push_back(0.0);
  const auto [least, greatest] = std::minmax_element(ends.begin(), ends.end());
  double low = std::max(*least, -reach);
  double high = std::min(*greatest, reach);
  low = std::min(low, -0.6 * least_reach);
  high = std::max(high, 0.4 * least_reach);
  const double margin = 0.1 * (high - low);
  return {low - margin, high + margin};
}

double tick_step(double span) {
  const double raw = span / 6.0;
  const double power = std::pow(10.0, std::floor(std::log10(raw)));
  for (const double factor : {1.0, 2.0, 5.0}) {
    if (factor * power >= raw) return factor * power;
  }
  return 10.0 * power;
}

class Chart {
 public:
  Chart(Range x, Range y) : x_(x), y_(y) {}

  [[nodiscard]] double px(double x) const {
    return kLeft + (x_.clamped(x) - x_.low) / (x_.high - x_.low) * (kRight - kLeft);
  }
  [[nodiscard]] double py(double y) const {
    return kBottom - (y_.clamped(y) - y_.low) / (y_.high - y_.low) * (kBottom - kTop);
  }

  void axes(const std::string& x_title, const std::string& y_title) {
    grid_lines(x_, true);
    grid_lines(y_, false);
    body_ += fmt::format("<text class=\"t\" x=\"{}\" y=\"{}\" text-anchor=\"middle\">{}</text>", (kLeft + kRight) / 2,
                         kHeight - 6, html_escaped(x_title));
    body_ +=
        fmt::format("<text class=\"t\" transform=\"translate(12 {}) rotate(-90)\" text-anchor=\"middle\">{}</text>",
                    (kTop + kBottom) / 2, html_escaped(y_title));
  }

  void greener_region(double tolerance, const std::string& words) {
    body_ += fmt::format("<rect class=\"region\" x=\"{:.1f}\" y=\"{:.1f}\" width=\"{:.1f}\" height=\"{:.1f}\"/>", kLeft,
                         kTop, px(0) - kLeft, py(-tolerance) - kTop);
    body_ += fmt::format("<path class=\"tolerance\" d=\"M{:.1f} {:.1f}H{:.1f}\"/>", kLeft, py(-tolerance), kRight);
    body_ +=
        fmt::format("<text class=\"a\" x=\"{:.1f}\" y=\"{:.1f}\">{}</text>", kLeft + 6, kTop + 13, html_escaped(words));
    taken_.push_back({kLeft, kTop, kCharacter * static_cast<double>(display_width(words)) + 6, 18});
  }

  // Among the points no other is better in both: less cost, more of the metric.
  void front(std::vector<Point> points) {
    std::sort(points.begin(), points.end(),
              [](const Point& a, const Point& b) { return std::tie(a.x, b.y) < std::tie(b.x, a.y); });
    std::string path;
    double best = -std::numeric_limits<double>::infinity();
    for (const Point& point : points) {
      if (point.y <= best) continue;
      best = point.y;
      path += path.empty() ? fmt::format("M{:.1f} {:.1f}", px(point.x), py(point.y))
                           : fmt::format("H{:.1f}V{:.1f}", px(point.x), py(point.y));
    }
    body_ += "<path class=\"front\" d=\"" + path + "\"/>";
  }

  void mark(const Point& point) {
    const double x = px(point.x);
    const double y = py(point.y);
    taken_.push_back({x - 6, y - 6, 12, 12});
    const std::string_view tone = point.original             ? "orig"
                                  : point.tone == Tone::good ? "good"
                                  : point.tone == Tone::bad  ? "bad"
                                                             : "open";
    body_ += fmt::format("<g class=\"{}\"><title>{}</title>", tone, html_escaped(point.title));
    const bool outside = !x_.holds(point.x) || !y_.holds(point.y);
    if (!outside && point.x_low && point.x_high) {
      const double left = px(*point.x_low);
      const double right = px(*point.x_high);
      body_ += fmt::format("<path class=\"bar\" d=\"M{:.1f} {:.1f}H{:.1f}\"/>", left, y, right);
      taken_.push_back({left, y - 1, right - left, 2});
    }
    if (!outside && point.y_low && point.y_high) {
      const double bottom = py(*point.y_low);
      const double top = py(*point.y_high);
      body_ += fmt::format("<path class=\"bar\" d=\"M{:.1f} {:.1f}V{:.1f}\"/>", x, bottom, top);
      taken_.push_back({x - 1, top, 2, bottom - top});
    }
    if (point.original) {
      body_ += fmt::format("<path d=\"M{0:.1f} {1:.1f}l7 7l-7 7l-7-7z\"/>", x, y - 7);
    } else if (outside) {
      const double turn = !y_.holds(point.y) ? (point.y < y_.low ? 180 : 0) : (point.x > x_.high ? 90 : -90);
      body_ += fmt::format("<path d=\"M0-6L5 5H-5z\" transform=\"translate({:.1f} {:.1f}) rotate({})\"/>", x, y, turn);
    } else {
      body_ += fmt::format("<circle cx=\"{:.1f}\" cy=\"{:.1f}\" r=\"4.5\"/>", x, y);
    }
    body_ += "</g>";
  }

  // Beside the point where there is room; without a label the point still has its title.
  void label(const Point& point, const std::string& text) {
    const double width = kCharacter * static_cast<double>(display_width(text)) + 2;
    const double x = px(point.x);
    const double y = py(point.y);
    for (const double top : {y - 17, y + 3, y - 31, y + 17}) {
      for (const double left : {x + 9, x - 9 - width, x - width / 2}) {
        const Box box{left, top, width, 14};
        const bool inside = left >= kLeft && left + width <= kWidth && top >= kTop && top + 14 <= kBottom;
        const auto overlaps = [&](const Box& other) { return box.overlaps(other); };
        if (!inside || std::any_of(taken_.begin(), taken_.end(), overlaps)) continue;
        taken_.push_back(box);
        body_ +=
            fmt::format("<text class=\"{}\" x=\"{:.1f}\" y=\"{:.1f}\">{}</text>",
                        point.original || point.tone == Tone::good ? "l" : "a", left + 1, top + 11, html_escaped(text));
        return;
      }
    }
  }

  [[nodiscard]] std::string svg(const std::string& description) const {
    return fmt::format("<svg class=\"chart\" viewBox=\"0 0 {} {}\" role=\"img\" aria-label=\"{}\">", kWidth, kHeight,
                       html_escaped(description)) +
           body_ + "</svg>";
  }

 private:
  void grid_lines(Range range, bool vertical) {
    const double step = tick_step(range.high - range.low);
    const int decimals = std::clamp(static_cast<int>(-std::floor(std::log10(step) + 1e-9)), 0, 6);
    for (int k = static_cast<int>(std::ceil(range.low / step)); k * step <= range.high; ++k) {
      const double value = k * step;
      const std::string text = number(value, decimals, true);
      const std::string_view line = k == 0 ? "zero" : "grid";
      if (vertical) {
        body_ += fmt::format("<path class=\"{}\" d=\"M{:.1f} {}V{}\"/>", line, px(value), kTop, kBottom);
        body_ += fmt::format("<text class=\"a\" x=\"{:.1f}\" y=\"{}\" text-anchor=\"middle\">{}</text>", px(value),
                             kBottom + 15, text);
      } else {
        body_ += fmt::format("<path class=\"{}\" d=\"M{} {:.1f}H{}\"/>", line, kLeft, py(value), kRight);
        body_ += fmt::format("<text class=\"a\" x=\"{}\" y=\"{:.1f}\" text-anchor=\"end\">{}</text>", kLeft - 5,
                             py(value) + 4, text);
      }
    }
  }

  Range x_;
  Range y_;
  std::string body_;
  std::vector<Box> taken_;
};

}  // namespace

std::string tradeoff_chart(const Findings& findings) {
  const Measures all = measures(findings);
  const Measure& cost = findings.basis == analysis::Basis::absent ? all.time : all.energy;
  std::vector<Point> points = points_of(findings, all, cost);
  if (points.empty()) return {};
  std::vector<double> xs;
  std::vector<double> ys;
  std::vector<double> x_ends;
  std::vector<double> y_ends;
  for (const Point& point : points) {
    xs.push_back(point.x);
    ys.push_back(point.y);
    for (const auto& end : {point.x_low, point.x_high}) x_ends.push_back(end.value_or(point.x));
    for (const auto& end : {point.y_low, point.y_high}) y_ends.push_back(end.value_or(point.y));
  }
  const double tolerance =
      std::isfinite(findings.tolerance) ? std::max(0.0, findings.tolerance * all.metric.scale) : 0.0;
  Chart chart(range_of(xs, x_ends, 5.0), range_of(ys, y_ends, tolerance > 0.0 ? 3.0 * tolerance : 1.0));
  const std::string unit = all.metric.unit.empty() ? "" : ", " + all.metric.unit;
  chart.axes(cost.name + cost.qualifier + " against the original, %",
             shortened(all.metric.name, 24) + unit + " (up is better)");
  chart.greener_region(tolerance, "less " + cost.name + cost.qualifier + ", no loss");

  Point base;
  base.label = "original";
  base.title = "original";
  base.original = true;
  points.push_back(base);
  chart.front(points);
  for (const Point& point : points) chart.mark(point);
  // The original and good ones first: where room is short, they keep their labels.
  const auto rank = [](const Point& point) { return point.original ? 0 : point.tone == Tone::good ? 1 : 2; };
  std::stable_sort(points.begin(), points.end(), [&](const Point& a, const Point& b) { return rank(a) < rank(b); });
  for (std::size_t p = 0; p < std::min(points.size(), kMostLabels); ++p) chart.label(points[p], points[p].label);
  return chart.svg(cost.name + " against " + all.metric.name + " of every mutant, relative to the original");
}

std::string strip_chart(const std::vector<double>& values, std::optional<double> median, double least,
                        double greatest) {
  const double span = greatest > least ? greatest - least : 1.0;
  const auto x = [&](double value) { return 6.0 + (value - least) / span * 188.0; };
  std::string out =
      "<svg class=\"strip\" viewBox=\"0 0 200 20\" role=\"img\" aria-label=\"runs\"><path class=\"grid\" d=\"M6 "
      "10H194\"/>";
  for (const double value : values) {
    if (std::isfinite(value)) out += fmt::format("<circle class=\"run\" cx=\"{:.1f}\" cy=\"10\" r=\"3.2\"/>", x(value));
  }
  if (median && std::isfinite(*median)) out += fmt::format("<path class=\"median\" d=\"M{:.1f} 3V17\"/>", x(*median));
  return out + "</svg>";
}

}  // namespace wattle::report
