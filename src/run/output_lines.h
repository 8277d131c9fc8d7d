// Metrics and epoch windows from the lines that a program prints, by the time at which they arrived.
#pragma once

#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "record/record.h"
#include "run/cut.h"
#include "run/descriptor.h"
#include "study/metric_pattern.h"

namespace wattle::run {

// A line that matched the metric's pattern.
struct OutputLine {
  std::optional<Nanoseconds> time;  // CLOCK_MONOTONIC, arrival at the parent; absent where it is not known
  double value = 0.0;
  std::optional<int> epoch;  // as printed
};

// The line without terminal control sequences.
[[nodiscard]] std::string without_escapes(std::string_view line);

// Cuts a stream into lines. A carriage return ends one too: progress bars overwrite themselves with it. Of a longer
// line the first kLongestLine bytes are given.
class LineSplitter {
 public:
  static constexpr std::size_t kLongestLine = 4096;
  void feed(std::string_view bytes, const std::function<void(std::string_view)>& on_line);
  // The unfinished last line, if any.
  void finish(const std::function<void(std::string_view)>& on_line);

 private:
  std::string partial_;
};

// Finds the matching lines of one stream and keeps them, in memory and in lines.jsonl.
class OutputLines {
 public:
  OutputLines(study::MetricPattern pattern, const std::filesystem::path& file);
  // `time` absent: the bytes' arrival is not known.
  void feed(std::string_view bytes, std::optional<Nanoseconds> time);
  void finish(std::optional<Nanoseconds> time);

  [[nodiscard]] const std::vector<OutputLine>& lines() const { return lines_; }
  [[nodiscard]] bool shortened() const { return shortened_; }

 private:
  void match(std::string_view line, std::optional<Nanoseconds> time);

  study::MetricPattern pattern_;
  Descriptor file_;
  LineSplitter splitter_;
  std::vector<OutputLine> lines_;
  bool shortened_ = false;
};

// lines.jsonl of a run whose parent died. Damaged lines are left out.
[[nodiscard]] std::vector<OutputLine> read_output_lines(const std::filesystem::path& file);

// The metric's values: of every epoch the last one; a program that counts from 0 is moved to 1.
[[nodiscard]] std::vector<record::MetricPoint> metrics_from(const std::vector<OutputLine>& lines,
                                                            const std::string& name);

// Epoch windows: each from the arrival of the last line of the epoch before (the first from the run's begin, so it
// holds the program's start too) to the arrival of its own last line. A program that buffers its output falsifies them:
// then lines of different epochs arrive together. Where two epochs' lines are closer than 2 ms and than 5 % of the mean
// epoch, all are void.
[[nodiscard]] std::vector<Cut> epochs_from(const std::vector<OutputLine>& lines, const energy::Window& run);

}  // namespace wattle::run
