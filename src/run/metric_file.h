// Metrics from a file that the program leaves behind.
#pragma once

#include <sys/stat.h>

#include <filesystem>
#include <optional>
#include <vector>

#include "base/result.h"
#include "record/record.h"
#include "study/study.h"

namespace wattle::run {

// The file before the run, so that one left by an earlier run is not taken for this one's.
class MetricFile {
 public:
  // `path` is absolute or relative to the current directory. Looks at the file at once.
  explicit MetricFile(std::filesystem::path path);

  // All values of the metric, with epochs counted from 1: by the epoch column where there is one (a file that counts
  // from 0 is moved to 1), else by row. Rows without a value are passed over. Fails, for a person to read, where the
  // file is absent, was not written by this run, is larger than 64 MiB, or has no such column.
  [[nodiscard]] Result<std::vector<record::MetricPoint>> read(const study::Metric& metric) const;

 private:
  struct Identity {
    dev_t device;
    ino_t inode;
    off_t size;
    timespec modified;
    timespec changed;
    bool operator==(const Identity& other) const;
  };
  [[nodiscard]] static std::optional<Identity> look(const std::filesystem::path& path);

  std::filesystem::path path_;
  std::optional<Identity> before_;
};

// The two formats, from text. `name` is for messages.
[[nodiscard]] Result<std::vector<record::MetricPoint>> metrics_from_csv(std::string_view text,
                                                                        const study::Metric& metric,
                                                                        const std::string& name);
[[nodiscard]] Result<std::vector<record::MetricPoint>> metrics_from_json_lines(std::string_view text,
                                                                               const study::Metric& metric,
                                                                               const std::string& name);

}  // namespace wattle::run
