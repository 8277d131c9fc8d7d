// Others' measurements as records: tables and logs of published studies, of other tools, and anybody's CSV. What comes
// out is marked by `imported` in its fingerprint and answers the same questions as runs of one's own.
//
// Files are hostile input: whatever is wrong in a cell is told with its place, and nothing is guessed. What a file does
// not tell stays absent, with the reason.
#pragma once

#include <filesystem>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "record/record.h"

namespace wattle::importers {

// The key of Record::fingerprint that every imported record has: its value is the format and the file's name.
inline constexpr const char* kImported = "imported";

struct Request {
  std::string format;                        // a name of formats()
  std::vector<std::filesystem::path> files;  // of zeus: one folder, or the files
  std::string study;                         // empty: the first file's stem
  std::string workload;                      // of formats whose files name none; empty: the file's stem
  std::string environment;                   // likewise; empty: what the file says of the machine, else "default"
  double tolerance = 0.01;                   // of the metric, in its own unit
  Nanoseconds trim{};                        // delrey-raw: cut from both ends of a log
  bool skip_bad = false;                     // leave rows with mistakes out, instead of refusing all
  std::vector<study::OutlierRule> outliers;  // without workloads: of all
  // csv: Wattle's name -> theirs, see csv_columns().
  std::map<std::string, std::string> columns;
  std::string metric;  // csv: the metric's name; empty: that of its column
  bool minimize = false;
  bool per_epoch = false;  // csv with a column of epochs: each row tells its own epoch alone, not all until its end
  energy::Provenance provenance = energy::Provenance::model;  // csv: how their energy came about
};

struct Imported {
  std::string study;
  std::vector<record::Attempt> attempts;  // empty where there are mistakes and `skip_bad` was not asked for
  std::vector<std::string> mistakes;      // "table.csv:3:7: …", in file order
  std::size_t rows_left_out = 0;          // because of them
  std::vector<std::string> notes;         // what a reader of the numbers should know
};

struct Format {
  std::string_view name;
  std::string_view what;  // one line
};
[[nodiscard]] std::span<const Format> formats();
// Wattle's names for columns of a CSV, each with its meaning; those that end in a dot are followed by a name.
[[nodiscard]] std::span<const Format> csv_columns();

// Reads files, writes nothing. The same files give the same keys, under whatever name they have: storing twice is
// harmless. Fails (bad_input) for an unknown format, a file that is none of it, or an outlier rule that fits no run.
[[nodiscard]] Result<Imported> import(const Request& request);

// "measure=gpu-0_temperature,workloads=a|b,drop_highest=7": the keys of [[outlier]] in a study file.
[[nodiscard]] Result<study::OutlierRule> parse_outlier_rule(std::string_view text);
// A file of `wattle = "theirs"` lines (TOML); parameters, metrics and measures may stand in tables of that name.
[[nodiscard]] Result<std::map<std::string, std::string>> read_column_map(const std::filesystem::path& file);

}  // namespace wattle::importers
