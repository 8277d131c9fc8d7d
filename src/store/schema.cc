#include "store/schema.h"

#include <SQLiteCpp/SQLiteCpp.h>
#include <fmt/format.h>

#include "store/plan_text.h"
#include "store/store.h"
#include "store/text_blob.h"

namespace wattle::store {
namespace {

// Written to PRAGMA application_id, so that a stranger's database is never taken for a store ("Watt").
constexpr int kApplicationId = 0x57617474;

constexpr const char* kSchema1 = R"sql(
CREATE TABLE run (
  id INTEGER PRIMARY KEY,
  key TEXT NOT NULL,
  attempt INTEGER NOT NULL,
  study TEXT NOT NULL,
  workload TEXT NOT NULL,
  configuration TEXT NOT NULL,
  label TEXT NOT NULL,
  original INTEGER NOT NULL,
  block INTEGER NOT NULL,
  run_order INTEGER NOT NULL,
  purpose TEXT NOT NULL,
  training_seed INTEGER NOT NULL,
  end_state TEXT NOT NULL,
  reason TEXT NOT NULL,
  started_wall_ns INTEGER NOT NULL,
  duration_s REAL,
  measured_energy_j REAL,
  estimated_energy_j REAL,
  metric TEXT NOT NULL,
  performance REAL,
  performance_split TEXT NOT NULL,
  flags TEXT NOT NULL,
  UNIQUE (key, attempt)
) STRICT;
CREATE INDEX run_by_study ON run (study, id);
CREATE TABLE plan (
  study TEXT PRIMARY KEY,
  requests BLOB NOT NULL
) STRICT;
CREATE TABLE detail (
  run_id INTEGER PRIMARY KEY REFERENCES run (id),
  record TEXT NOT NULL,
  trace BLOB NOT NULL,
  events BLOB NOT NULL,
  output BLOB NOT NULL,
  error BLOB NOT NULL
) STRICT;
)sql";

constexpr const char* kSchema2 = R"sql(
CREATE TABLE telemetry (
  run_id INTEGER PRIMARY KEY REFERENCES run (id),
  lines BLOB NOT NULL
) STRICT;
)sql";

// Schema 3 writes plans in another form. The order of the rows, which tells what was run last, stays.
Result<int> rewrite_plans(SQLite::Database& database) {
  int plans = 0;
  SQLite::Statement row(database, "SELECT rowid, requests FROM plan ORDER BY rowid");
  SQLite::Statement update(database, "UPDATE plan SET requests = ? WHERE rowid = ?");
  while (row.executeStep()) {
    const auto text = expanded(row.getColumn(1).getString());
    if (!text) return tl::unexpected(text.error());
    const auto runs = decode_plan(*text);
    if (!runs) return tl::unexpected(runs.error());
    const auto plan = encode_plan(*runs);
    if (!plan) return tl::unexpected(plan.error());
    const std::string blob = compressed(*plan, kPlanCompression);
    update.bind(1, blob.data(), static_cast<int>(blob.size()));
    update.bind(2, row.getColumn(0).getInt64());
    update.exec();
    update.reset();
    ++plans;
  }
  return plans;
}

}  // namespace

Result<int> schema_version(SQLite::Database& database, const std::filesystem::path& file) {
  const int application = database.execAndGet("PRAGMA application_id").getInt();
  const int version = database.execAndGet("PRAGMA user_version").getInt();
  if (application == kApplicationId && version > kSchemaVersion) {
    return fail(ErrorKind::bad_input,
                fmt::format("store {} was written by a newer wattle (schema {}, this one knows {})", file.string(),
                            version, kSchemaVersion),
                "use that wattle, or another --store");
  }
  if (application == kApplicationId && version > 0) return version;
  const bool empty = database.execAndGet("SELECT count(*) FROM sqlite_master").getInt() == 0;
  if (empty && application == 0) return 0;
  return fail(ErrorKind::bad_input, fmt::format("{} is not a Wattle store", file.string()),
              "name another file with --store");
}

Result<std::vector<std::string>> bring_up_to_date(SQLite::Database& database, int version) {
  std::vector<std::string> steps;
  if (version == kSchemaVersion) return steps;
  SQLite::Transaction transaction(database);
  if (version < 1) {
    database.exec(kSchema1);
    database.exec(fmt::format("PRAGMA application_id = {}", kApplicationId));
    steps.emplace_back("schema 1: the tables run, detail and plan");
  }
  if (version < 2) {
    database.exec(kSchema2);
    steps.emplace_back("schema 2: the table telemetry; runs stored before have none");
  }
  if (version < 3) {
    const auto plans = rewrite_plans(database);
    if (!plans) return tl::unexpected(plans.error());
    steps.push_back(
        fmt::format("schema 3: {} plan{} written in the form that is quick to read", *plans, *plans == 1 ? "" : "s"));
  }
  database.exec(fmt::format("PRAGMA user_version = {}", kSchemaVersion));
  transaction.commit();
  return steps;
}

}  // namespace wattle::store
