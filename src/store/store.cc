#include "store/store.h"

#include <SQLiteCpp/SQLiteCpp.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <sqlite3.h>
#include <sys/file.h>
#include <sys/vfs.h>
#include <unistd.h>
#include <zstd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <nlohmann/json.hpp>
#include <unordered_map>
#include <utility>

#include "base/text.h"

namespace wattle::store {
namespace {

// Written to PRAGMA application_id, so that a stranger's database is never taken for a store ("Watt").
constexpr int kApplicationId = 0x57617474;

constexpr const char* kSchema = R"sql(
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

// What version 2 adds: run on a new store and on one of version 1.
constexpr const char* kSchema2 = R"sql(
CREATE TABLE telemetry (
  run_id INTEGER PRIMARY KEY REFERENCES run (id),
  lines BLOB NOT NULL
) STRICT;
)sql";

constexpr const char* kSummaryColumns =
    "key, attempt, study, workload, configuration, label, original, block, run_order, purpose, training_seed, "
    "end_state, reason, started_wall_ns, duration_s, measured_energy_j, estimated_energy_j, metric, performance, "
    "performance_split, flags";

std::string compressed(const std::string& text) {
  std::string out(ZSTD_compressBound(text.size()), '\0');
  const std::size_t size = ZSTD_compress(out.data(), out.size(), text.data(), text.size(), 3);
  out.resize(ZSTD_isError(size) != 0U ? 0 : size);
  return out;
}

Result<std::string> expanded(const std::string& blob) {
  if (blob.empty()) return std::string();
  const auto size = ZSTD_getFrameContentSize(blob.data(), blob.size());
  if (size == ZSTD_CONTENTSIZE_ERROR || size == ZSTD_CONTENTSIZE_UNKNOWN || size > (1ULL << 30U)) {
    return fail(ErrorKind::failed, "a stored text is damaged");
  }
  std::string text(size, '\0');
  const std::size_t got = ZSTD_decompress(text.data(), text.size(), blob.data(), blob.size());
  if (got != size) return fail(ErrorKind::failed, "a stored text is damaged");
  return text;
}

// Empty where the run has none, or the store is of version 1.
Result<std::string> telemetry_of(SQLite::Database& database, std::int64_t run_id) {
  if (!database.tableExists("telemetry")) return std::string();
  SQLite::Statement row(database, "SELECT lines FROM telemetry WHERE run_id = ?");
  row.bind(1, run_id);
  if (!row.executeStep()) return std::string();
  return expanded(row.getColumn(0).getString());
}

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

template <class Unit>
std::optional<Unit> optional_column(const SQLite::Column& column) {
  if (column.isNull()) return std::nullopt;
  return Unit{column.getDouble()};
}

record::Summary summary_of(SQLite::Statement& row) {
  record::Summary s;
  int i = 0;
  s.key = row.getColumn(i++).getString();
  s.attempt = row.getColumn(i++).getInt();
  s.study = row.getColumn(i++).getString();
  s.workload = row.getColumn(i++).getString();
  s.configuration = row.getColumn(i++).getString();
  s.label = row.getColumn(i++).getString();
  s.original = row.getColumn(i++).getInt() != 0;
  s.block = row.getColumn(i++).getInt();
  s.order = row.getColumn(i++).getInt();
  s.purpose = row.getColumn(i++).getString();
  s.training_seed = static_cast<std::uint64_t>(row.getColumn(i++).getInt64());
  s.end = record::end_state(row.getColumn(i++).getString()).value_or(record::EndState::interrupted);
  s.reason = row.getColumn(i++).getString();
  s.started_wall = {row.getColumn(i++).getInt64()};
  s.duration = optional_column<Seconds>(row.getColumn(i++));
  s.measured_energy = optional_column<Joules>(row.getColumn(i++));
  s.estimated_energy = optional_column<Joules>(row.getColumn(i++));
  s.metric = row.getColumn(i++).getString();
  if (!row.getColumn(i).isNull()) s.performance = row.getColumn(i).getDouble();
  ++i;
  s.performance_split = row.getColumn(i++).getString();
  s.flags = row.getColumn(i++).getString();
  return s;
}

Error sqlite_error(const std::filesystem::path& file, const SQLite::Exception& error) {
  const int code = error.getErrorCode();
  const bool foreign = code == SQLITE_NOTADB || code == SQLITE_CORRUPT;
  return {foreign ? ErrorKind::bad_input : ErrorKind::environment,
          fmt::format("store {}: {}", file.string(), error.what()), foreign ? "name another file with --store" : ""};
}

// The lock that makes one writer. Released by the kernel when the process ends, however it ends.
class WriterLock {
 public:
  static Result<WriterLock> take(const std::filesystem::path& file) {
    const int fd = ::open(file.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0644);
    if (fd < 0) {
      return fail(ErrorKind::environment, fmt::format("cannot create {}: {}", file.string(), std::strerror(errno)),
                  "choose a writable place with --store or WATTLE_STORE");
    }
    WriterLock lock(fd);
    if (::flock(fd, LOCK_EX | LOCK_NB) != 0) {
      const std::string holder(trim(read_text(file, 64).value_or("")));
      return fail(ErrorKind::environment,
                  fmt::format("another wattle (pid {}) is writing this store", holder.empty() ? "unknown" : holder),
                  "wait for it, or use another --store");
    }
    const std::string pid = fmt::format("{}\n", ::getpid());
    if (::ftruncate(fd, 0) != 0 || ::pwrite(fd, pid.data(), pid.size(), 0) < 0) {
      return fail(ErrorKind::environment, fmt::format("cannot write {}: {}", file.string(), std::strerror(errno)));
    }
    return lock;
  }
  WriterLock() = default;
  WriterLock(WriterLock&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  WriterLock& operator=(WriterLock&& other) noexcept {
    std::swap(fd_, other.fd_);
    return *this;
  }
  ~WriterLock() {
    if (fd_ >= 0) ::close(fd_);
  }

 private:
  explicit WriterLock(int fd) : fd_(fd) {}
  int fd_ = -1;
};

// SQLite's WAL needs shared memory, and flock needs one kernel: neither holds on a network file system.
bool on_network_file_system(const std::filesystem::path& folder) {
  struct statfs info {};
  if (::statfs(folder.c_str(), &info) != 0) return false;
  constexpr std::array<long, 6> kNetwork{0x6969, 0x517B, 0xFF534D42, 0xFE534D42, 0x0BD00BD0, 0x47504653};
  return std::find(kNetwork.begin(), kNetwork.end(), static_cast<long>(info.f_type)) != kNetwork.end();
}

Result<void> check_schema(SQLite::Database& database, const std::filesystem::path& file, Store::Mode mode) {
  const int application = database.execAndGet("PRAGMA application_id").getInt();
  const int version = database.execAndGet("PRAGMA user_version").getInt();
  const bool empty = database.execAndGet("SELECT count(*) FROM sqlite_master").getInt() == 0;
  if (application == kApplicationId && version == kSchemaVersion) return {};
  if (application == kApplicationId && version > kSchemaVersion) {
    return fail(ErrorKind::bad_input,
                fmt::format("store {} was written by a newer wattle (schema {}, this one knows {})", file.string(),
                            version, kSchemaVersion),
                "use that wattle, or another --store");
  }
  if (application == kApplicationId && version > 0) {
    // Readers get along without what it lacks; the first writer adds it.
    if (mode == Store::Mode::read) return {};
    SQLite::Transaction migration(database);
    database.exec(kSchema2);
    database.exec(fmt::format("PRAGMA user_version = {}", kSchemaVersion));
    migration.commit();
    return {};
  }
  if (!empty || mode == Store::Mode::read) {
    return fail(ErrorKind::bad_input, fmt::format("{} is not a Wattle store", file.string()),
                "name another file with --store");
  }
  SQLite::Transaction transaction(database);
  database.exec(kSchema);
  database.exec(kSchema2);
  database.exec(fmt::format("PRAGMA application_id = {}", kApplicationId));
  database.exec(fmt::format("PRAGMA user_version = {}", kSchemaVersion));
  transaction.commit();
  return {};
}

}  // namespace

struct Store::Inside {
  Inside(std::filesystem::path path, Mode open_mode, WriterLock writer)
      : file(std::move(path)),
        mode(open_mode),
        lock(std::move(writer)),
        database(file.string(),
                 mode == Mode::write ? SQLite::OPEN_READWRITE | SQLite::OPEN_CREATE : SQLite::OPEN_READWRITE, 5000) {}

  std::filesystem::path file;
  Mode mode;
  WriterLock lock;
  SQLite::Database database;

  // Every use of SQLite passes here: its exceptions end at this module's boundary.
  template <class Work>
  auto guarded(Work work) -> decltype(work()) {
    try {
      return work();
    } catch (const SQLite::Exception& error) {
      return tl::unexpected(sqlite_error(file, error));
    } catch (const nlohmann::json::exception& error) {
      return fail(ErrorKind::failed, fmt::format("store {}: {}", file.string(), error.what()));
    }
  }
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

Result<Store> Store::open(const std::filesystem::path& file, Mode mode) {
  std::error_code code;
  const bool exists = std::filesystem::exists(file, code);
  if (mode == Mode::read && !exists) {
    return fail(ErrorKind::bad_input, fmt::format("there is no store {} yet", file.string()),
                "`wattle run STUDY.toml` makes one; --store or WATTLE_STORE names another");
  }
  const auto folder = std::filesystem::absolute(file).parent_path();
  if (on_network_file_system(folder)) {
    return fail(ErrorKind::environment,
                fmt::format("{} is on a network file system, where SQLite is not safe", folder.string()),
                "put the store on a local disk with --store");
  }
  WriterLock lock;
  if (mode == Mode::write) {
    auto taken = WriterLock::take(file.string() + ".lock");
    if (!taken) return tl::unexpected(taken.error());
    lock = std::move(*taken);
  }
  try {
    auto inside = std::make_unique<Inside>(file, mode, std::move(lock));
    if (const auto checked = check_schema(inside->database, file, mode); !checked) {
      return tl::unexpected(checked.error());
    }
    inside->database.exec(mode == Mode::write ? "PRAGMA journal_mode = WAL" : "PRAGMA query_only = ON");
    // A run costs minutes: losing its row to a power cut is dearer than one fsync.
    if (mode == Mode::write) inside->database.exec("PRAGMA synchronous = FULL");
    return Store(std::move(inside));
  } catch (const SQLite::Exception& error) {
    return tl::unexpected(sqlite_error(file, error));
  }
}

Result<void> Store::add(const record::Attempt& attempt) {
  return inside_->guarded([&]() -> Result<void> {
    SQLite::Database& database = inside_->database;
    SQLite::Transaction transaction(database);
    SQLite::Statement run(database, fmt::format("INSERT OR IGNORE INTO run ({}) VALUES ({})", kSummaryColumns,
                                                "?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?"));
    bind_summary(run, record::summarise(attempt.record));
    if (run.exec() == 0) return {};
    SQLite::Statement detail(database,
                             "INSERT INTO detail (run_id, record, trace, events, output, error) VALUES (?,?,?,?,?,?)");
    const std::int64_t run_id = database.getLastInsertRowid();
    detail.bind(1, run_id);
    detail.bind(2, record::to_json(attempt.record).dump(-1, ' ', false, nlohmann::json::error_handler_t::replace));
    detail.bind(3, attempt.trace.data(), static_cast<int>(attempt.trace.size()));
    int index = 4;
    for (const std::string* text : {&attempt.events, &attempt.output, &attempt.error}) {
      const std::string blob = compressed(*text);
      detail.bind(index++, blob.data(), static_cast<int>(blob.size()));
    }
    detail.exec();
    if (!attempt.telemetry.empty()) {
      const std::string lines = compressed(attempt.telemetry);
      SQLite::Statement telemetry(database, "INSERT INTO telemetry (run_id, lines) VALUES (?,?)");
      telemetry.bind(1, run_id);
      telemetry.bind(2, lines.data(), static_cast<int>(lines.size()));
      telemetry.exec();
    }
    transaction.commit();
    return {};
  });
}

Result<std::vector<record::Summary>> Store::summaries(const std::string& study) const {
  return inside_->guarded([&]() -> Result<std::vector<record::Summary>> {
    SQLite::Statement rows(inside_->database, fmt::format("SELECT {} FROM run {} ORDER BY id", kSummaryColumns,
                                                          study.empty() ? "" : "WHERE study = ?"));
    if (!study.empty()) rows.bind(1, study);
    std::vector<record::Summary> all;
    while (rows.executeStep()) all.push_back(summary_of(rows));
    return all;
  });
}

Result<std::vector<record::Record>> Store::records(const std::string& study) const {
  return inside_->guarded([&]() -> Result<std::vector<record::Record>> {
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
  return inside_->guarded([&]() -> Result<void> {
    nlohmann::json requests = nlohmann::json::array();
    for (const study::RunRequest& run : runs) requests.push_back(study::to_json(run));
    const std::string blob = compressed(requests.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace));
    SQLite::Statement insert(inside_->database, "INSERT OR REPLACE INTO plan (study, requests) VALUES (?, ?)");
    insert.bind(1, study);
    insert.bind(2, blob.data(), static_cast<int>(blob.size()));
    insert.exec();
    return {};
  });
}

Result<std::vector<study::RunRequest>> Store::plan(const std::string& study) const {
  return inside_->guarded([&]() -> Result<std::vector<study::RunRequest>> {
    std::vector<study::RunRequest> runs;
    SQLite::Statement row(inside_->database, "SELECT requests FROM plan WHERE study = ?");
    row.bind(1, study);
    if (!row.executeStep()) return runs;
    const auto text = expanded(row.getColumn(0).getString());
    if (!text) return tl::unexpected(text.error());
    for (const nlohmann::json& item : nlohmann::json::parse(*text)) {
      auto request = study::request_from_json(item);
      if (!request) return tl::unexpected(request.error());
      runs.push_back(std::move(*request));
    }
    return runs;
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
    record.request = *found->second;
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
  return inside_->guarded([&]() -> Result<record::Attempt> {
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
  return inside_->guarded([&]() -> Result<std::vector<std::string>> {
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

Result<std::string> Store::integrity() const {
  return inside_->guarded([&]() -> Result<std::string> {
    const std::string answer = inside_->database.execAndGet("PRAGMA integrity_check").getString();
    return answer == "ok" ? std::string() : answer;
  });
}

}  // namespace wattle::store
