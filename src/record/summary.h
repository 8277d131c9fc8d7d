// One attempt in one line: what lists, resuming and proposers need, without its windows and raw material. The store
// keeps these as columns, so that 100,000 runs are listed without opening a record.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "record/record.h"

namespace wattle::record {

struct Summary {
  std::string key;  // identity of the run; several attempts may share it
  int attempt = 1;
  std::string study;
  std::string workload;
  std::string configuration;  // id
  std::string label;
  bool original = false;
  int block = 1;
  int order = 0;
  std::string purpose;
  std::uint64_t training_seed = 0;
  EndState end = EndState::interrupted;
  std::string reason;
  Nanoseconds started_wall;
  std::optional<Seconds> duration;
  std::optional<Joules> measured_energy;
  std::optional<Joules> estimated_energy;
  std::string metric;
  std::optional<double> performance;
  std::string performance_split;  // "test" or "validation", empty where absent
  std::string flags;              // comma-separated, empty for none
};

[[nodiscard]] Summary summarise(const Record& record);

}  // namespace wattle::record
