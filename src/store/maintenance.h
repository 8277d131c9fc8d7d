// Looking after a store: is it sound, can it be smaller, is it of today's schema, and a copy of it.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "base/result.h"

namespace wattle::store {

struct Fault {
  std::string run;  // "KEY.ATTEMPT"; empty where it is the file's or a plan's
  std::string what;
};
struct Verification {
  int schema = 0;
  std::int64_t runs = 0;
  std::int64_t traces = 0;     // that hold a sample at least
  std::int64_t telemetry = 0;  // runs that have some
  std::int64_t plans = 0;
  std::vector<Fault> faults;  // empty: all is sound
};

// Reads everything once: SQLite's integrity check and foreign keys; every record; every trace, telemetry and text with
// its checksum; every plan; and whether the columns of `run` say what the records say. What is damaged is a fault, and
// the reading goes on with the next run. A trace that was cut off before it was stored (its record has the flag "trace
// damaged") is no fault of the store. Sees one moment of a store that is being written. Error: it cannot be opened.
[[nodiscard]] Result<Verification> verify(const std::filesystem::path& file);

struct Vacuumed {
  std::uintmax_t before = 0;  // bytes of the file, its log included
  std::uintmax_t after = 0;
};
// Gives back what is not used. Takes the writer's lock, and room on the disk for a second copy while it works.
[[nodiscard]] Result<Vacuumed> vacuum(const std::filesystem::path& file);

struct Migrated {
  int from = 0;
  int to = 0;
  std::vector<std::string> steps;  // a line each; empty: nothing was to do
};
// What opening for writing does, told. Takes the writer's lock.
[[nodiscard]] Result<Migrated> migrate(const std::filesystem::path& file);

// A complete store in one file, of one moment, also while a campaign writes the other. Fails (bad_input) where the
// target is there already; leaves no half of a copy behind. Returns its size in bytes.
[[nodiscard]] Result<std::uintmax_t> copy_store(const std::filesystem::path& file, const std::filesystem::path& target);

}  // namespace wattle::store
