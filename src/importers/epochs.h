// Tables with a row an epoch: rows of one run put together. Internal to importers.
#pragma once

#include <string>
#include <vector>

#include "importers/draft.h"

namespace wattle::importers {

// A row, read as if it were a run: its energy and time are those until the epoch's end, or of the epoch alone.
struct EpochRow {
  Draft draft;
  std::int64_t epoch = 0;  // from 0 or 1
  std::string run;         // as the table calls it; empty where it does not
  std::size_t line = 0;
  bool good = true;
};

// Rows of one file, run, workload, environment, setting and repetition are one run, in the order of their first rows;
// its metric by epoch is of the validation split, its energy and time are the last epoch's, and until each epoch's end.
// What two rows of a run contradict each other in is a mistake, and a run with a bad row is left out as a whole.
void put_together(std::vector<EpochRow> rows, bool per_epoch, Intake& intake);

}  // namespace wattle::importers
