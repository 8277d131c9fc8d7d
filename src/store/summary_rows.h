// The table `run`: a summary as its row.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "record/summary.h"

namespace SQLite {
class Database;
}

namespace wattle::store {

// All of these may throw SQLite::Exception.

// The new row's id; nothing where that attempt has a row already.
[[nodiscard]] std::optional<std::int64_t> insert_summary(SQLite::Database& database, const record::Summary& summary);
// In the order they were stored; of one study, or all where the name is empty.
[[nodiscard]] std::vector<record::Summary> select_summaries(SQLite::Database& database, const std::string& study);
// Names of the columns in which the two differ. A performance that is not a number is NULL in a row.
[[nodiscard]] std::vector<std::string> differing_columns(const record::Summary& row, const record::Summary& told);

}  // namespace wattle::store
