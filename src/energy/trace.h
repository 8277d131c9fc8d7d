// A run's samples as a cumulative function of time per domain, and the energy of any window of it.
//
// E(t) is kept in int64 microjoules. A window is the difference of E at its two edges, each interpolated linearly and
// rounded once; so windows that touch add up to the last microjoule, by construction.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "base/units.h"
#include "energy/domain.h"

namespace wattle::energy {

struct Sample {
  Nanoseconds time;        // CLOCK_MONOTONIC, middle of the read
  Microjoules cumulative;  // since the first sample of the series
  bool gap_before =
      false;  // nothing is known of the interval that ends here (reset, error, suspend): E stands still in it
};

struct Series {
  Domain domain;
  std::vector<Sample> samples;  // strictly increasing in time, non-decreasing in energy
};

struct Trace {
  std::vector<Series> series;
  std::vector<std::string> missing;  // domains wanted but not had, with the reason: "dram-0: permission denied"
  std::int64_t reads = 0;            // sampling rounds done
  std::int64_t dropped = 0;          // rounds that came more than one interval late
};

// A span of a trace.
enum class WindowKind { run, phase, epoch };
[[nodiscard]] std::string_view to_string(WindowKind kind);
struct Window {
  WindowKind kind = WindowKind::run;
  std::string name;          // "run", "train", "validate", "epoch"
  std::optional<int> epoch;  // 1-based
  Nanoseconds begin;
  Nanoseconds end;
};

// The energy of one domain in one window.
struct WindowEnergy {
  std::optional<Microjoules> energy;  // absent with a reason, never 0 for "unknown"
  std::string why_absent;
  double coverage = 0.0;     // fraction of the window inside valid sample intervals, 0…1
  double uncertainty = 0.0;  // relative half-width of ~95 %: edges ⊕ gain ⊕ gaps (docs/measurement.md)
};

// A window needs this many samples, and this many updates of its source, before its energy is told; fewer is "too short
// to measure".
inline constexpr int kMinimumSamples = 20;

// E at an instant: linear between samples, held before the first and after the last. Empty series: 0.
[[nodiscard]] Microjoules cumulative_at(const Series& series, Nanoseconds instant);
// The run window needs two samples only, for its own begin and end are sampled, and the updates.
[[nodiscard]] WindowEnergy energy_in(const Series& series, const Window& window);
// Mean power over consecutive steps of the window (over the sampled part of each), for pictures; absent where nothing
// is known.
[[nodiscard]] std::vector<std::optional<Watts>> power_curve(const Series& series, const Window& window, int steps);
// The highest mean power in the window, where each sample is taken with the last one at least 100 ms before it;
// intervals with a gap inside do not count. Absent where there is none.
[[nodiscard]] std::optional<Watts> peak_power(const Series& series, const Window& window);

// Indices of the series whose sum is the machine's energy, each joule once: wall > psys > packages + dram, plus GPUs
// not covered (a wall covers them; psys only where it is named as their parent); children, second series of one name,
// board sensors (what they contain is not known) and series without samples left out. Measured and estimated are
// covered apart: nothing estimated fills a hole in what is measured.
struct Cover {
  std::vector<std::size_t> measured;
  std::vector<std::size_t> estimated;
};
[[nodiscard]] Cover cover(const std::vector<Series>& series);

// --- On disk: a trace file is a sequence of zstd frames with checksum, one a flush, so a torn end loses at most the
// last frame. The same bytes are stored in the database. ------------------------------------------------

// The samples of `trace` that `already` has not, as bytes to append: one frame, or several where there are very many.
// Domains stand in the frame that introduces them, counters in every one. `already` is moved on.
struct Flushed {
  std::vector<std::size_t> samples;  // per series; a series beyond its end is introduced by the next chunk
  std::size_t missing = 0;           // of Trace::missing
};
[[nodiscard]] std::string encode_chunk(const Trace& trace, Flushed& already);
// All whole frames, joined. A damaged or torn frame ends the reading; `damaged` says so. No bytes are an empty trace.
// Fails (bad_input) on what is no trace file at all, or of a version unknown here. Never allocates much more than a
// valid file of that many samples needs.
struct DecodedTrace {
  Trace trace;
  bool damaged = false;
};
[[nodiscard]] Result<DecodedTrace> decode_trace(std::string_view bytes);

}  // namespace wattle::energy
