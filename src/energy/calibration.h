// The model, fitted to this machine: watts as a function of CPU use, from a ladder of loads that a trusted source
// measured. Pure but for load_ and save_. Not thread-safe, no shared state.
//
//   P(u) = base + slope · u + bend · u²      u: busy share of all online CPUs, 0…1
//
// The bend is there only where it predicts levels that were left out better than a line does; a parabola that would
// fall within the range is made level at that end. What such a curve cannot know is what the CPUs do: at one use
// programs differ. The ladder's own kinds of work show some of it and are in the error left; kOtherPrograms stands for
// the rest.
#pragma once

#include <filesystem>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "base/units.h"

namespace wattle::energy {

// One level of the ladder.
struct LoadPoint {
  double use = 0.0;  // 0…1
  Watts power;
  double weight = 1.0;  // above 0; seconds measured
};

struct PowerCurve {
  Watts base;
  Watts slope;
  Watts bend;
  double least_use = 0.0;  // what it was fitted on
  double most_use = 1.0;
  // Beyond the fitted range it goes on straight.
  [[nodiscard]] Watts at(double use) const;
  [[nodiscard]] bool rises() const;  // never falls, but for rounding
};

// The curve and how far it misses levels that it was not shown: each is left out in turn (relative: of its own power).
struct Fit {
  PowerCurve curve;
  int points = 0;
  Watts rms;
  Watts largest;
  double relative_rms = 0.0;
  double relative_largest = 0.0;
  // Relative half-width of ~95 % of what the curve says of a level: 1.96 rms or the largest, whichever is more.
  [[nodiscard]] double spread() const;
};

inline constexpr int kFewestUses = 3;              // different uses
inline constexpr double kFarthestFromRest = 0.25;  // of the least use
inline constexpr double kNarrowestRange = 0.5;     // from the least use to the most
inline constexpr double kOtherPrograms = 0.10;     // our allowance; models of use miss programs they have not seen by
                                                   // this and more (McCullough et al., USENIX ATC 2011)
// Least squares of relative misses, weighted. Refuses (bad_input) what is no number, and (failed) levels that are too
// few or span too little of the machine, power that does not rise with use or is below 0 at rest, and a fit no better
// than the model's table.
[[nodiscard]] Result<Fit> fit(std::span<const LoadPoint> points);

struct Calibration {
  std::string machine;               // as record::machine_identity says it
  Nanoseconds fitted_wall;           // when, since 1970 UTC
  std::string against;               // source: "powercap"
  std::vector<std::string> domains;  // whose sum the curve is
  bool covers_memory = false;        // they hold the memory's joules too
  bool simulated = false;            // they were a replay or scripted
  double source_gain = 0.0;          // their own relative half-width
  Fit fit;

  // Relative half-width of ~95 % of the calibrated model: source ⊕ spread ⊕ kOtherPrograms.
  [[nodiscard]] double gain() const;
  // "powercap (package-0, dram-0) on 2026-05-04" (UTC).
  [[nodiscard]] std::string provenance() const;
};

[[nodiscard]] std::string calibration_json(const Calibration& calibration);
// Fails (bad_input) on anything but a sound calibration of this version, naming the field.
[[nodiscard]] Result<Calibration> parse_calibration(std::string_view text);
[[nodiscard]] Result<void> save_calibration(const std::filesystem::path& file, const Calibration& calibration);
// Another machine's is bad_input.
[[nodiscard]] Result<Calibration> load_calibration(const std::filesystem::path& file, std::string_view machine);

// Energy by a curve, from busy time that comes in ticks of 10 ms.
//
// Use over one sampling interval of 20 ms is 0, ½ or 1 of a CPU whatever it really was, and a bent curve makes a bias
// of such noise: bend · variance of u, up to bend/24 on one CPU. So the curve is split in two. Its chord, from rest to
// full use, is linear: it is applied to ticks at once and exactly. What the curve has beside the chord is applied over
// stretches of at least kUseStretch, where that bias is below bend/600. Until a stretch is over it is owed: at most
// |bend|/4 · kUseStretch joules. What is told never falls.
class CurveIntegral {
 public:
  static constexpr Nanoseconds kUseStretch = milliseconds(100);

  explicit CurveIntegral(const PowerCurve& curve);
  // `busy`: of all online CPUs together, divided by how many there are.
  void add(Nanoseconds passed, Seconds busy);
  [[nodiscard]] Joules energy() const { return told_; }

 private:
  PowerCurve curve_;
  Watts rest_;
  Watts rise_;  // of the chord, from rest to full use
  Nanoseconds passed_{};
  Seconds busy_;
  Nanoseconds stretch_{};
  Seconds stretch_busy_;
  Joules beside_chord_;
  Joules told_;
};

}  // namespace wattle::energy
