// The table `run`: a summary as its row.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "record/summary.h"

namespace SQLite {  // NOLINT(readability-identifier-naming): the library's own
class Database;
}

namespace wattle::store {

// The members of a summary that are read: all, those that a line of `wattle list` tells, or those that progress and
// costs are counted from. The others are left as a new Summary has them. Of 100,000 runs each column costs 5 ms.
enum class Part { whole, listed, counted };

struct SummaryQuery {
  std::string study;  // empty: all
  Part part = Part::whole;
  std::size_t last = 0;  // only the last so many; 0: all
};

// The summary is good until the visitor returns.
using SummaryVisitor = std::function<void(const record::Summary&)>;

// All of these may throw SQLite::Exception.

// The new row's id; nothing where that attempt has a row already.
[[nodiscard]] std::optional<std::int64_t> insert_summary(SQLite::Database& database, const record::Summary& summary);
// In the order they were stored.
[[nodiscard]] std::vector<record::Summary> select_summaries(SQLite::Database& database, const SummaryQuery& query);
void visit_summaries(SQLite::Database& database, const SummaryQuery& query, const SummaryVisitor& visit);
// Names of the columns in which the two differ. A performance that is not a number is NULL in a row.
[[nodiscard]] std::vector<std::string> differing_columns(const record::Summary& row, const record::Summary& told);

}  // namespace wattle::store
