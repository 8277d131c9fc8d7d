#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "store/database.h"
#include "store/maintenance.h"
#include "store/plan_text.h"
#include "store/schema.h"
#include "store/store.h"
#include "store/summary_rows.h"
#include "store/text_blob.h"

namespace wattle::store {
namespace {

// Reads a whole store and notes what is wrong with it.
class Verifier {
 public:
  Verifier(SQLite::Database& database, int schema) : database_(database) { found_.schema = schema; }

  Verification all() {
    // One moment, whatever a campaign stores meanwhile.
    const SQLite::Transaction moment(database_);
    attempt_to("", [&] { structure(); });
    std::vector<record::Summary> rows;
    attempt_to("", [&] { rows = select_summaries(database_, {}); });
    found_.runs = static_cast<std::int64_t>(rows.size());
    attempt_to("", [&] { runs(rows); });
    attempt_to("", [&] { plans(); });
    return std::move(found_);
  }

 private:
  void fault(const std::string& run, std::string what) { found_.faults.push_back({run, std::move(what)}); }

  // Damage shows as an exception wherever a page is read: it is a fault, and what is left is looked at.
  template <class Work>
  void attempt_to(const std::string& run, Work work) {
    try {
      work();
    } catch (const SQLite::Exception& error) {
      fault(run, error.what());
    } catch (const nlohmann::json::exception& error) {
      fault(run, fmt::format("damaged JSON: {}", error.what()));
    }
  }

  void structure() {
    SQLite::Statement integrity(database_, "PRAGMA integrity_check");
    while (integrity.executeStep()) {
      if (std::string line = integrity.getColumn(0).getString(); line != "ok") fault({}, std::move(line));
    }
    SQLite::Statement keys(database_, "PRAGMA foreign_key_check");
    while (keys.executeStep()) {
      fault({},
            fmt::format("row {} of {} belongs to no run", keys.getColumn(1).getInt64(), keys.getColumn(0).getString()));
    }
  }

  // Each run is fetched by itself, so that a damaged page costs only the runs on it.
  void runs(const std::vector<record::Summary>& rows) {
    SQLite::Statement detail(database_,
                             "SELECT record, trace, events, output, error, detail.run_id FROM run LEFT JOIN detail "
                             "ON run.id = detail.run_id WHERE key = ? AND attempt = ?");
    for (const record::Summary& row : rows) {
      const std::string name = fmt::format("{}.{}", row.key, row.attempt);
      attempt_to(name, [&] {
        detail.reset();
        detail.bind(1, row.key);
        detail.bind(2, row.attempt);
        if (!detail.executeStep() || detail.getColumn(5).isNull()) return fault(name, "its record is missing");
        run(name, row, detail);
      });
    }
  }

  void run(const std::string& name, const record::Summary& row, const SQLite::Statement& detail) {
    const auto json = nlohmann::json::parse(detail.getColumn(0).getString(), nullptr, false);
    const auto record = record::record_from_json(json);
    if (!record) {
      fault(name, json.is_discarded() ? "its record is no JSON" : record.error().message);
    } else {
      for (const std::string& column : differing_columns(row, record::summarise(*record))) {
        fault(name, fmt::format("column `{}` is not what its record says", column));
      }
    }
    const bool cut_off =
        record && std::find(record->flags.begin(), record->flags.end(), "trace damaged") != record->flags.end();
    trace(name, detail.getColumn(1).getString(), cut_off);
    constexpr const char* kTexts[] = {"events", "output", "error"};
    for (int i = 0; i < 3; ++i) {
      if (!expanded(detail.getColumn(2 + i).getString())) fault(name, fmt::format("its {} is damaged", kTexts[i]));
    }
    if (found_.schema >= 2) telemetry(name, detail.getColumn(5).getInt64());
  }

  void trace(const std::string& name, const std::string& bytes, bool cut_off) {
    const auto decoded = energy::decode_trace(bytes);
    if ((!decoded || decoded->damaged) && !cut_off) fault(name, "its trace is damaged");
    if (!decoded) return;
    const auto& series = decoded->trace.series;
    if (std::any_of(series.begin(), series.end(), [](const auto& one) { return !one.samples.empty(); })) {
      ++found_.traces;
    }
  }

  void telemetry(const std::string& name, std::int64_t run_id) {
    SQLite::Statement row(database_, "SELECT lines FROM telemetry WHERE run_id = ?");
    row.bind(1, run_id);
    if (!row.executeStep()) return;
    ++found_.telemetry;
    const auto lines = expanded(row.getColumn(0).getString());
    if (!lines || !energy::decode_telemetry(*lines)) fault(name, "its telemetry is damaged");
  }

  void plans() {
    SQLite::Statement rows(database_, "SELECT study, requests FROM plan ORDER BY rowid");
    while (rows.executeStep()) {
      ++found_.plans;
      const auto text = expanded(rows.getColumn(1).getString());
      const auto runs = text ? decode_plan(*text) : tl::unexpected(text.error());
      if (!runs) {
        fault({}, fmt::format("the plan of {}: {}", rows.getColumn(0).getString(), runs.error().message));
      }
    }
  }

  SQLite::Database& database_;
  Verification found_;
};

}  // namespace

Result<Verification> verify(const std::filesystem::path& file) {
  if (const auto store = Store::open(file, Store::Mode::read); !store) return tl::unexpected(store.error());
  return guarded(file, [&]() -> Result<Verification> {
    SQLite::Database database = open_to_read(file);
    const auto version = schema_version(database, file);
    if (!version) return tl::unexpected(version.error());
    return Verifier(database, *version).all();
  });
}

}  // namespace wattle::store
