// Findings laid out for a person or a program. Pure: the same input gives the same bytes, nothing is read or written.
//
// Rules of every format: energy that is not measured is called so wherever it stands ("est.", `basis`); a number that
// is absent stays absent, with the reason; text from a study or a program is escaped for the format it goes into.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "analysis/findings.h"
#include "record/record.h"

namespace wattle::report {

enum class Format { text, json, csv, md, latex, html };
[[nodiscard]] std::optional<Format> parse_format(std::string_view name);
[[nodiscard]] std::vector<std::string> format_names();

struct Options {
  int width = 80;                 // columns; text only, at least 40 is assumed
  bool colour = false;            // ANSI colours; text only
  bool explain = false;           // how each number is computed, with sources; text and md (html always has it)
  std::string store_name;         // shown in the footer; may be empty
  std::vector<std::string> next;  // "report: wattle report --format html": commands worth trying, may be empty
};

// `records` are those that the findings were made of; html lists them, the other formats do without (an empty span
// leaves out what only they know: machine, probes, runs). CSV is one row per mutant and measure, see findings_csv.
[[nodiscard]] std::string render(const analysis::Findings& findings, std::span<const record::Record> records,
                                 Format format, const Options& options);

// --- CSV, RFC 4180 quoting, lines end with LF, first line names the columns, absent is empty, units in the names ----

// One row per run attempt. Only hyperparameters that differ between the rows become columns; a name that is taken gets
// the prefix "parameter_". Every row carries the whole fingerprint of machine and build. measured_energy_j and
// estimated_energy_j are never both one number; domains follow as measured_energy_j:NAME or estimated_energy_j:NAME.
[[nodiscard]] std::string runs_csv(std::span<const record::Record> records);

// One row per attempt, window that belongs to an epoch, and domain (quantity energy_j) or metric value (quantity
// metric). `of` is the domain's or the metric's name; provenance, coverage and uncertainty are of energies only.
[[nodiscard]] std::string epochs_csv(std::span<const record::Record> records);

}  // namespace wattle::report
