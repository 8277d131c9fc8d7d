#include "store/summary_rows.h"

#include <SQLiteCpp/SQLiteCpp.h>
#include <fmt/format.h>
#include <sqlite3.h>

#include <cmath>
#include <memory>

namespace wattle::store {
namespace {

constexpr const char* kSummaryColumns =
    "key, attempt, study, workload, configuration, label, original, block, run_order, purpose, training_seed, "
    "end_state, reason, started_wall_ns, duration_s, measured_energy_j, estimated_energy_j, metric, performance, "
    "performance_split, flags";

template <class Unit>
void bind_optional(SQLite::Statement& statement, int index, const std::optional<Unit>& value) {
  if (value) {
    statement.bind(index, value->value);
  } else {
    statement.bind(index);
  }
}

void bind_summary(SQLite::Statement& statement, const record::Summary& s) {
  int i = 0;
  statement.bind(++i, s.key);
  statement.bind(++i, s.attempt);
  statement.bind(++i, s.study);
  statement.bind(++i, s.workload);
  statement.bind(++i, s.configuration);
  statement.bind(++i, s.label);
  statement.bind(++i, s.original ? 1 : 0);
  statement.bind(++i, s.block);
  statement.bind(++i, s.order);
  statement.bind(++i, s.purpose);
  statement.bind(++i, static_cast<std::int64_t>(s.training_seed));
  statement.bind(++i, std::string(record::to_string(s.end)));
  statement.bind(++i, s.reason);
  statement.bind(++i, s.started_wall.value);
  bind_optional(statement, ++i, s.duration);
  bind_optional(statement, ++i, s.measured_energy);
  bind_optional(statement, ++i, s.estimated_energy);
  statement.bind(++i, s.metric);
  if (s.performance) {
    statement.bind(++i, *s.performance);  // SQLite keeps a NaN as NULL; the record still holds it
  } else {
    statement.bind(++i);
  }
  statement.bind(++i, s.performance_split);
  statement.bind(++i, s.flags);
}

// Reads a row's columns one after the other. SQLite's own interface: 100,000 rows of 21 columns are read whenever
// somebody asks for a list, and SQLiteCpp's Column costs more than the column.
class Columns {
 public:
  explicit Columns(sqlite3_stmt* row) : row_(row) {}
  std::string text() {
    const auto* bytes = reinterpret_cast<const char*>(sqlite3_column_text(row_, column_));
    const int size = sqlite3_column_bytes(row_, column_++);
    return bytes == nullptr ? std::string() : std::string(bytes, static_cast<std::size_t>(size));
  }
  std::int64_t integer() { return sqlite3_column_int64(row_, column_++); }
  int small() { return sqlite3_column_int(row_, column_++); }
  std::optional<double> real() {
    const int column = column_++;
    if (sqlite3_column_type(row_, column) == SQLITE_NULL) return std::nullopt;
    return sqlite3_column_double(row_, column);
  }
  template <class Unit>
  std::optional<Unit> quantity() {
    const auto value = real();
    return value ? std::optional<Unit>(Unit{*value}) : std::nullopt;
  }

 private:
  sqlite3_stmt* row_;
  int column_ = 0;
};

void read_summary(sqlite3_stmt* row, record::Summary& s) {
  Columns columns(row);
  s.key = columns.text();
  s.attempt = columns.small();
  s.study = columns.text();
  s.workload = columns.text();
  s.configuration = columns.text();
  s.label = columns.text();
  s.original = columns.small() != 0;
  s.block = columns.small();
  s.order = columns.small();
  s.purpose = columns.text();
  s.training_seed = static_cast<std::uint64_t>(columns.integer());
  s.end = record::end_state(columns.text()).value_or(record::EndState::interrupted);
  s.reason = columns.text();
  s.started_wall = {columns.integer()};
  s.duration = columns.quantity<Seconds>();
  s.measured_energy = columns.quantity<Joules>();
  s.estimated_energy = columns.quantity<Joules>();
  s.metric = columns.text();
  s.performance = columns.real();
  s.performance_split = columns.text();
  s.flags = columns.text();
}

bool same_number(const std::optional<double>& row, const std::optional<double>& told) {
  const bool is_told = told && !std::isnan(*told);
  return row.has_value() == is_told && (!is_told || *row == *told);
}

}  // namespace

std::optional<std::int64_t> insert_summary(SQLite::Database& database, const record::Summary& summary) {
  SQLite::Statement run(database, fmt::format("INSERT OR IGNORE INTO run ({}) VALUES ({})", kSummaryColumns,
                                              "?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?"));
  bind_summary(run, summary);
  if (run.exec() == 0) return std::nullopt;
  return database.getLastInsertRowid();
}

std::vector<record::Summary> select_summaries(SQLite::Database& database, const std::string& study) {
  sqlite3* const handle = database.getHandle();
  const std::string sql =
      fmt::format("SELECT {} FROM run {} ORDER BY id", kSummaryColumns, study.empty() ? "" : "WHERE study = ?");
  sqlite3_stmt* prepared = nullptr;
  if (sqlite3_prepare_v2(handle, sql.c_str(), -1, &prepared, nullptr) != SQLITE_OK) throw SQLite::Exception(handle);
  const std::unique_ptr<sqlite3_stmt, decltype(&sqlite3_finalize)> rows(prepared, &sqlite3_finalize);
  if (!study.empty()) sqlite3_bind_text(prepared, 1, study.data(), static_cast<int>(study.size()), SQLITE_STATIC);
  std::vector<record::Summary> all;
  if (study.empty()) all.reserve(static_cast<std::size_t>(database.execAndGet("SELECT count(*) FROM run").getInt64()));
  int code = SQLITE_ROW;
  while ((code = sqlite3_step(prepared)) == SQLITE_ROW) read_summary(prepared, all.emplace_back());
  if (code != SQLITE_DONE) throw SQLite::Exception(handle, code);
  return all;
}

std::vector<std::string> differing_columns(const record::Summary& row, const record::Summary& told) {
  const auto number = [](const auto& quantity) {
    return quantity ? std::optional<double>(quantity->value) : std::nullopt;
  };
  const std::pair<const char*, bool> columns[] = {
      {"key", row.key == told.key},
      {"attempt", row.attempt == told.attempt},
      {"study", row.study == told.study},
      {"workload", row.workload == told.workload},
      {"configuration", row.configuration == told.configuration},
      {"label", row.label == told.label},
      {"original", row.original == told.original},
      {"block", row.block == told.block},
      {"run_order", row.order == told.order},
      {"purpose", row.purpose == told.purpose},
      {"training_seed", row.training_seed == told.training_seed},
      {"end_state", row.end == told.end},
      {"reason", row.reason == told.reason},
      {"started_wall_ns", row.started_wall == told.started_wall},
      {"duration_s", same_number(number(row.duration), number(told.duration))},
      {"measured_energy_j", same_number(number(row.measured_energy), number(told.measured_energy))},
      {"estimated_energy_j", same_number(number(row.estimated_energy), number(told.estimated_energy))},
      {"metric", row.metric == told.metric},
      {"performance", same_number(row.performance, told.performance)},
      {"performance_split", row.performance_split == told.performance_split},
      {"flags", row.flags == told.flags}};
  std::vector<std::string> names;
  for (const auto& [name, same] : columns) {
    if (!same) names.emplace_back(name);
  }
  return names;
}

}  // namespace wattle::store
