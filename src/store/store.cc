#include "store/store.h"

#include <fmt/format.h>

#include <nlohmann/json.hpp>
#include <unordered_map>
#include <utility>

#include "base/text.h"
#include "store/database.h"
#include "store/schema.h"
#include "store/summary_rows.h"
#include "store/text_blob.h"

namespace wattle::store {
namespace {

namespace fs = std::filesystem;

// Empty where the run has none, or the store is of version 1.
Result<std::string> telemetry_of(SQLite::Database& database, std::int64_t run_id) {
  if (!database.tableExists("telemetry")) return std::string();
  SQLite::Statement row(database, "SELECT lines FROM telemetry WHERE run_id = ?");
  row.bind(1, run_id);
  if (!row.executeStep()) return std::string();
  return expanded(row.getColumn(0).getString());
}

// Whether it was not there yet.
bool insert(SQLite::Database& database, const record::Attempt& attempt) {
  const auto run_id = insert_summary(database, record::summarise(attempt.record));
  if (!run_id) return false;
  SQLite::Statement detail(database,
                           "INSERT INTO detail (run_id, record, trace, events, output, error) VALUES (?,?,?,?,?,?)");
  detail.bind(1, *run_id);
  detail.bind(2, record::to_json(attempt.record).dump(-1, ' ', false, nlohmann::json::error_handler_t::replace));
  detail.bind(3, attempt.trace.data(), static_cast<int>(attempt.trace.size()));
  int index = 4;
  for (const std::string* text : {&attempt.events, &attempt.output, &attempt.error}) {
    const std::string blob = compressed(*text);
    detail.bind(index++, blob.data(), static_cast<int>(blob.size()));
  }
  detail.exec();
  if (attempt.telemetry.empty()) return true;
  const std::string lines = compressed(attempt.telemetry);
  SQLite::Statement telemetry(database, "INSERT INTO telemetry (run_id, lines) VALUES (?,?)");
  telemetry.bind(1, *run_id);
  telemetry.bind(2, lines.data(), static_cast<int>(lines.size()));
  telemetry.exec();
  return true;
}

}  // namespace

struct Store::Inside {
  Inside(fs::path path, Mode open_mode, WriterLock writer)
      : file(std::move(path)),
        mode(open_mode),
        lock(std::move(writer)),
        database(mode == Mode::write ? open_to_write(file) : open_to_read(file)) {}

  fs::path file;
  Mode mode;
  WriterLock lock;
  SQLite::Database database;
};

Store::Store(std::unique_ptr<Inside> inside) : inside_(std::move(inside)) {}
Store::Store(Store&&) noexcept = default;
Store& Store::operator=(Store&&) noexcept = default;

Store::~Store() {
  if (!inside_ || inside_->mode == Mode::read) return;
  try {
    inside_->database.exec("PRAGMA wal_checkpoint(TRUNCATE)");
  } catch (const SQLite::Exception&) {  // a reader still holds it: the next close checkpoints
  }
}

Result<Store> Store::open(const fs::path& file, Mode mode, const FileSystemType& type_of) {
  std::error_code code;
  if (mode == Mode::read && !fs::exists(file, code)) {
    return fail(ErrorKind::bad_input, fmt::format("there is no store {} yet", file.string()),
                "`wattle run STUDY.toml` makes one; --store or WATTLE_STORE names another");
  }
  if (const auto placed = check_place(file, type_of); !placed) return tl::unexpected(placed.error());
  WriterLock lock;
  if (mode == Mode::write) {
    auto taken = WriterLock::take(file);
    if (!taken) return tl::unexpected(taken.error());
    lock = std::move(*taken);
  }
  return guarded(file, [&]() -> Result<Store> {
    auto inside = std::make_unique<Inside>(file, mode, std::move(lock));
    const auto version = schema_version(inside->database, file);
    if (!version) return tl::unexpected(version.error());
    if (mode == Mode::read) {
      // Readers get along without what an older schema lacks; the first writer adds it.
      if (*version == 0) {
        return fail(ErrorKind::bad_input, fmt::format("{} is not a Wattle store", file.string()),
                    "name another file with --store");
      }
      inside->database.exec("PRAGMA query_only = ON");
      return Store(std::move(inside));
    }
    if (const auto steps = bring_up_to_date(inside->database, *version); !steps) {
      return tl::unexpected(steps.error());
    }
    inside->database.exec("PRAGMA journal_mode = WAL");
    // A run costs minutes: losing its row to a power cut is dearer than one fsync.
    inside->database.exec("PRAGMA synchronous = FULL");
    return Store(std::move(inside));
  });
}

Result<void> Store::add(const record::Attempt& attempt) {
  const auto added = add(std::span(&attempt, 1));
  if (!added) return tl::unexpected(added.error());
  return {};
}

Result<std::size_t> Store::add(std::span<const record::Attempt> attempts) {
  return guarded(inside_->file, [&]() -> Result<std::size_t> {
    SQLite::Transaction transaction(inside_->database);
    std::size_t added = 0;
    for (const record::Attempt& attempt : attempts) added += insert(inside_->database, attempt) ? 1 : 0;
    transaction.commit();
    return added;
  });
}

Result<std::vector<record::Summary>> Store::summaries(const std::string& study, std::size_t last) const {
  return guarded(inside_->file, [&]() -> Result<std::vector<record::Summary>> {
    return select_summaries(inside_->database, {study, Part::whole, last});
  });
}

Result<void> Store::visit(const SummaryQuery& query, const SummaryVisitor& visitor) const {
  return guarded(inside_->file, [&]() -> Result<void> {
    visit_summaries(inside_->database, query, visitor);
    return {};
  });
}

Result<std::vector<record::Record>> Store::records(const std::string& study) const {
  return guarded(inside_->file, [&]() -> Result<std::vector<record::Record>> {
    SQLite::Statement rows(
        inside_->database,
        fmt::format("SELECT record FROM detail JOIN run ON run.id = detail.run_id {} ORDER BY run.id",
                    study.empty() ? "" : "WHERE study = ?"));
    if (!study.empty()) rows.bind(1, study);
    std::vector<record::Record> all;
    while (rows.executeStep()) {
      auto record = record::record_from_json(nlohmann::json::parse(rows.getColumn(0).getString()));
      if (!record) return tl::unexpected(record.error());
      all.push_back(std::move(*record));
    }
    return all;
  });
}

Result<void> Store::set_plan(const std::string& study, const std::vector<study::RunRequest>& runs) {
  return guarded(inside_->file, [&]() -> Result<void> {
    const auto text = encode_plan(runs);
    if (!text) return tl::unexpected(text.error());
    const auto kept = plan_text(study);
    // Resuming asks for the same again. A damaged plan is written anew like a changed one.
    SQLite::Statement last(inside_->database, "SELECT study FROM plan ORDER BY rowid DESC LIMIT 1");
    const bool is_last = last.executeStep() && last.getColumn(0).getString() == study;
    last.reset();
    if (kept && is_last && *kept == *text) return {};
    const std::string blob = compressed(*text, kPlanCompression);
    SQLite::Statement insert(inside_->database, "INSERT OR REPLACE INTO plan (study, requests) VALUES (?, ?)");
    insert.bind(1, study);
    insert.bind(2, blob.data(), static_cast<int>(blob.size()));
    insert.exec();
    return {};
  });
}

Result<std::string> Store::plan_text(const std::string& study) const {
  SQLite::Statement row(inside_->database, "SELECT requests FROM plan WHERE study = ?");
  row.bind(1, study);
  if (!row.executeStep()) return std::string();
  const SQLite::Column blob = row.getColumn(0);
  return expanded({static_cast<const char*>(blob.getBlob()), static_cast<std::size_t>(blob.getBytes())});
}

Result<std::vector<study::RunRequest>> Store::plan(const std::string& study) const {
  return guarded(inside_->file, [&]() -> Result<std::vector<study::RunRequest>> {
    const auto text = plan_text(study);
    if (!text) return tl::unexpected(text.error());
    if (text->empty()) return std::vector<study::RunRequest>();
    return decode_plan(*text);
  });
}

Result<PlannedRuns> Store::planned_runs(const std::string& study) const {
  return guarded(inside_->file, [&]() -> Result<PlannedRuns> {
    auto text = plan_text(study);
    if (!text) return tl::unexpected(text.error());
    if (text->empty()) return PlannedRuns{};
    return decode_planned_runs(*std::move(text));
  });
}

Result<std::vector<record::Record>> Store::planned_records(const std::string& study) const {
  auto runs = plan(study);
  if (!runs) return tl::unexpected(runs.error());
  auto all = records(study);
  if (!all || runs->empty()) return all;
  std::unordered_map<std::string_view, const study::RunRequest*> asked;
  for (const study::RunRequest& run : *runs) asked.emplace(run.key, &run);
  std::vector<record::Record> planned;
  for (record::Record& record : *all) {
    const auto found = asked.find(record.request.key);
    if (found == asked.end()) continue;
    if (record.request.protocol.outliers != found->second->protocol.outliers) {
      record.flags.emplace_back("outlier rules changed after it was made");
    }
    const int weights_attempt = record.request.weights.attempt;  // a plan cannot know it
    record.request = *found->second;
    record.request.weights.attempt = weights_attempt;
    planned.push_back(std::move(record));
  }
  return planned;
}

Result<record::Attempt> Store::attempt(const std::string& key_prefix) const {
  const auto dot = key_prefix.find('.');
  const std::string prefix = key_prefix.substr(0, dot);
  const auto number = dot == std::string::npos ? std::nullopt : parse_integer(key_prefix.substr(dot + 1));
  const bool well_formed = !prefix.empty() && prefix.find_first_not_of("0123456789abcdef") == std::string::npos;
  if (!well_formed || (dot != std::string::npos && !number)) {
    return fail(ErrorKind::bad_input, fmt::format("`{}` is not a run's key", printable(key_prefix)),
                "`wattle list` shows the keys");
  }
  return guarded(inside_->file, [&]() -> Result<record::Attempt> {
    SQLite::Statement rows(
        inside_->database,
        "SELECT key, record, trace, events, output, error, run.id FROM detail JOIN run ON run.id = detail.run_id "
        "WHERE key >= ?1 AND key < ?1 || 'g' AND (?2 IS NULL OR attempt = ?2) ORDER BY key, attempt");
    rows.bind(1, prefix);
    if (number) rows.bind(2, *number);
    std::optional<record::Attempt> found;
    std::string key;
    while (rows.executeStep()) {
      if (found && rows.getColumn(0).getString() != key) {
        return fail(ErrorKind::bad_input, fmt::format("several runs begin with `{}`", prefix), "give more digits");
      }
      key = rows.getColumn(0).getString();
      auto record = record::record_from_json(nlohmann::json::parse(rows.getColumn(1).getString()));
      if (!record) return tl::unexpected(record.error());
      found = record::Attempt{std::move(*record), rows.getColumn(2).getString(), {}, {}, {}, {}};
      auto lines = telemetry_of(inside_->database, rows.getColumn(6).getInt64());
      if (!lines) return tl::unexpected(lines.error());
      found->telemetry = *std::move(lines);
      int column = 3;
      for (std::string* text : {&found->events, &found->output, &found->error}) {
        auto plain = expanded(rows.getColumn(column++).getString());
        if (!plain) return tl::unexpected(plain.error());
        *text = std::move(*plain);
      }
    }
    if (!found) {
      return fail(ErrorKind::bad_input, fmt::format("no run begins with `{}`", prefix), "`wattle list` shows the keys");
    }
    return std::move(*found);
  });
}

Result<std::vector<std::string>> Store::studies() const {
  return guarded(inside_->file, [&]() -> Result<std::vector<std::string>> {
    SQLite::Statement rows(
        inside_->database,  // A plan's row is new whenever the study is run, so its rowid tells what came last.
        "SELECT study FROM (SELECT study, 0 AS planned, max(id) AS place FROM run "
        "WHERE study NOT IN (SELECT study FROM plan) GROUP BY study "
        "UNION ALL SELECT study, 1, rowid FROM plan) ORDER BY planned, place");
    std::vector<std::string> names;
    while (rows.executeStep()) names.push_back(rows.getColumn(0).getString());
    return names;
  });
}

}  // namespace wattle::store
