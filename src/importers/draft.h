// One run as a file tells it, and what makes it a record. Internal to importers.
#pragma once

#include <optional>
#include <set>
#include <string>
#include <vector>

#include "importers/importers.h"
#include "record/record.h"

namespace wattle::importers {

struct Part {
  energy::Domain domain;
  std::optional<Joules> energy;
  std::string why_absent;
};

// What a run had used at an epoch's end.
struct EpochEnd {
  int epoch = 1;
  std::optional<Seconds> until;
  std::optional<Joules> energy;  // of the first part
};

struct Draft {
  std::string file;
  std::string identity;  // what makes the run itself: its content, never its place or the file's name
  std::string workload;
  study::Environment environment;
  study::Assignment hyperparameters;
  std::string label;     // of what is no original; empty: what differs
  bool original = true;  // the first of a workload × environment says what the original is
  int block = 0;         // below 1: counted
  record::EndState end = record::EndState::completed;
  std::string reason;
  Nanoseconds started_wall{};
  std::optional<Seconds> duration;
  std::vector<Part> parts;
  std::vector<EpochEnd> epochs;            // of tables that tell them
  std::optional<record::Metered> metered;  // from a trace, instead of parts
  study::Metric metric;
  std::vector<record::MetricPoint> metrics;
  std::vector<energy::Measure> measures;
  std::vector<std::string> missing;  // domains, with the reason
  std::vector<std::string> flags;
  std::map<std::string, std::string> fingerprint;
  std::string trace;      // encoded
  std::string telemetry;  // encoded
};

struct Intake {
  std::vector<Draft> drafts;
  std::vector<std::string> mistakes;
  std::size_t bad_rows = 0;
  std::vector<std::string> notes;
};

// Whole-run metric that a file tells beside the one that counts.
void add_metric(Draft& draft, const char* name, std::optional<double> value, record::Split split);
// A mean over the run; the maximum is not told.
void add_mean(Draft& draft, const char* name, const char* unit, std::optional<double> mean, std::int64_t readings = 0);

// Keys, pairs, labels, ids, blocks and order, energies and outlier rules.
[[nodiscard]] Result<Imported> finish(const Request& request, Intake intake);

// --- One file each ---------------------------------------------------------------------------------------------------

[[nodiscard]] Result<void> read_delrey_table(const Request& request, Intake& intake);
[[nodiscard]] Result<void> read_delrey_logs(const Request& request, Intake& intake);
[[nodiscard]] Result<void> read_zeus(const Request& request, Intake& intake);
[[nodiscard]] Result<void> read_codecarbon(const Request& request, Intake& intake);
[[nodiscard]] Result<void> read_perf_stat(const Request& request, Intake& intake);
[[nodiscard]] Result<void> read_mapped_csv(const Request& request, Intake& intake);

}  // namespace wattle::importers
