#include "store/summary_rows.h"

#include <SQLiteCpp/SQLiteCpp.h>
#include <fmt/format.h>
#include <sqlite3.h>

#include <algorithm>
#include <cmath>
#include <iterator>
#include <memory>
#include <string_view>

#include "base/text.h"

namespace wattle::store {
namespace {

template <class Unit>
void bind_optional(SQLite::Statement& statement, int index, const std::optional<Unit>& value) {
  if (value) {
    statement.bind(index, value->value);
  } else {
    statement.bind(index);
  }
}

// In the order of kColumns.
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

// One column of the row that a statement stands on. SQLite's own interface: SQLiteCpp's Column costs more than the
// column.
class Field {
 public:
  Field(sqlite3_stmt* row, int column) : row_(row), column_(column) {}
  [[nodiscard]] std::string_view text() const {
    const auto* bytes = reinterpret_cast<const char*>(sqlite3_column_text(row_, column_));
    return {bytes == nullptr ? "" : bytes, static_cast<std::size_t>(sqlite3_column_bytes(row_, column_))};
  }
  [[nodiscard]] std::int64_t integer() const { return sqlite3_column_int64(row_, column_); }
  [[nodiscard]] int small() const { return sqlite3_column_int(row_, column_); }
  [[nodiscard]] std::optional<double> real() const {
    if (sqlite3_column_type(row_, column_) == SQLITE_NULL) return std::nullopt;
    return sqlite3_column_double(row_, column_);
  }
  template <class Unit>
  [[nodiscard]] std::optional<Unit> quantity() const {
    const auto value = real();
    return value ? std::optional<Unit>(Unit{*value}) : std::nullopt;
  }

 private:
  sqlite3_stmt* row_;
  int column_;
};

using record::Summary;

struct Column {
  const char* name;
  bool listed;   // belongs to Part::listed
  bool counted;  // belongs to Part::counted
  void (*read)(const Field& field, Summary& s);

  [[nodiscard]] bool belongs_to(Part part) const {
    return part == Part::whole || (part == Part::listed ? listed : counted);
  }
};

record::EndState end_of(std::string_view name) {
  return record::end_state(name).value_or(record::EndState::interrupted);
}

constexpr Column kColumns[] = {
    {"key", true, true, [](const Field& f, Summary& s) { s.key = f.text(); }},
    {"attempt", true, false, [](const Field& f, Summary& s) { s.attempt = f.small(); }},
    {"study", true, false, [](const Field& f, Summary& s) { s.study = f.text(); }},
    {"workload", false, true, [](const Field& f, Summary& s) { s.workload = f.text(); }},
    {"configuration", false, true, [](const Field& f, Summary& s) { s.configuration = f.text(); }},
    {"label", true, false, [](const Field& f, Summary& s) { s.label = f.text(); }},
    {"original", false, false, [](const Field& f, Summary& s) { s.original = f.small() != 0; }},
    {"block", true, false, [](const Field& f, Summary& s) { s.block = f.small(); }},
    {"run_order", false, false, [](const Field& f, Summary& s) { s.order = f.small(); }},
    {"purpose", false, false, [](const Field& f, Summary& s) { s.purpose = f.text(); }},
    {"training_seed", false, false,
     [](const Field& f, Summary& s) { s.training_seed = static_cast<std::uint64_t>(f.integer()); }},
    {"end_state", true, true, [](const Field& f, Summary& s) { s.end = end_of(f.text()); }},
    {"reason", true, false, [](const Field& f, Summary& s) { s.reason = f.text(); }},
    {"started_wall_ns", false, false, [](const Field& f, Summary& s) { s.started_wall = {f.integer()}; }},
    {"duration_s", true, true, [](const Field& f, Summary& s) { s.duration = f.quantity<Seconds>(); }},
    {"measured_energy_j", true, true, [](const Field& f, Summary& s) { s.measured_energy = f.quantity<Joules>(); }},
    {"estimated_energy_j", true, true, [](const Field& f, Summary& s) { s.estimated_energy = f.quantity<Joules>(); }},
    {"metric", false, false, [](const Field& f, Summary& s) { s.metric = f.text(); }},
    {"performance", true, false, [](const Field& f, Summary& s) { s.performance = f.real(); }},
    {"performance_split", false, false, [](const Field& f, Summary& s) { s.performance_split = f.text(); }},
    {"flags", true, true, [](const Field& f, Summary& s) { s.flags = f.text(); }},
};

// Names of the part's columns, as SQL lists them.
std::string names_of(Part part) {
  std::vector<std::string> names;
  for (const Column& column : kColumns) {
    if (column.belongs_to(part)) names.emplace_back(column.name);
  }
  return join(names, ", ");
}

// The rows that a query means, one after the other.
class Rows {
 public:
  Rows(SQLite::Database& database, const SummaryQuery& query) : handle_(database.getHandle()) {
    for (const Column& column : kColumns) {
      if (column.belongs_to(query.part)) columns_.push_back(&column);
    }
    const std::string_view of_study = query.study.empty() ? "" : "WHERE study = ?1";
    const std::string which =
        query.last == 0
            ? std::string(of_study)
            : fmt::format("WHERE id IN (SELECT id FROM run {} ORDER BY id DESC LIMIT {})", of_study, query.last);
    const std::string sql = fmt::format("SELECT {} FROM run {} ORDER BY id", names_of(query.part), which);
    sqlite3_stmt* prepared = nullptr;
    if (sqlite3_prepare_v2(handle_, sql.c_str(), -1, &prepared, nullptr) != SQLITE_OK) throw SQLite::Exception(handle_);
    statement_.reset(prepared);
    if (!query.study.empty()) {
      const auto size = static_cast<int>(query.study.size());
      sqlite3_bind_text(prepared, 1, query.study.data(), size, SQLITE_TRANSIENT);
    }
  }
  bool step() {
    const int code = sqlite3_step(statement_.get());
    if (code != SQLITE_ROW && code != SQLITE_DONE) throw SQLite::Exception(handle_, code);
    return code == SQLITE_ROW;
  }
  void read(Summary& s) const {
    int number = 0;
    for (const Column* column : columns_) column->read(Field(statement_.get(), number++), s);
  }

 private:
  struct Finalize {
    void operator()(sqlite3_stmt* statement) const { sqlite3_finalize(statement); }
  };
  sqlite3* handle_;
  std::vector<const Column*> columns_;
  std::unique_ptr<sqlite3_stmt, Finalize> statement_;
};

bool same_number(const std::optional<double>& row, const std::optional<double>& told) {
  const bool is_told = told && !std::isnan(*told);
  return row.has_value() == is_told && (!is_told || *row == *told);
}

}  // namespace

std::optional<std::int64_t> insert_summary(SQLite::Database& database, const Summary& summary) {
  std::string places = "?";
  for (std::size_t i = 1; i < std::size(kColumns); ++i) places += ",?";
  SQLite::Statement run(database,
                        fmt::format("INSERT OR IGNORE INTO run ({}) VALUES ({})", names_of(Part::whole), places));
  bind_summary(run, summary);
  if (run.exec() == 0) return std::nullopt;
  return database.getLastInsertRowid();
}

std::vector<Summary> select_summaries(SQLite::Database& database, const SummaryQuery& query) {
  SQLite::Statement count(database,
                          fmt::format("SELECT count(*) FROM run {}", query.study.empty() ? "" : "WHERE study = ?"));
  if (!query.study.empty()) count.bind(1, query.study);
  count.executeStep();
  const auto stored = static_cast<std::size_t>(count.getColumn(0).getInt64());
  std::vector<Summary> all;
  all.reserve(query.last == 0 ? stored : std::min(stored, query.last));
  Rows rows(database, query);
  while (rows.step()) rows.read(all.emplace_back());
  return all;
}

void visit_summaries(SQLite::Database& database, const SummaryQuery& query, const SummaryVisitor& visit) {
  Summary summary;  // each row takes the room of the last one's texts
  Rows rows(database, query);
  while (rows.step()) {
    rows.read(summary);
    visit(summary);
  }
}

std::vector<std::string> differing_columns(const Summary& row, const Summary& told) {
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
