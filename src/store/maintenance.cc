#include "store/maintenance.h"

#include <SQLiteCpp/Backup.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <sqlite3.h>

#include <cerrno>
#include <cstdio>
#include <cstring>

#include "store/database.h"
#include "store/place.h"
#include "store/schema.h"
#include "store/store.h"

namespace wattle::store {
namespace {

namespace fs = std::filesystem;

std::uintmax_t size_with_log(const fs::path& file) {
  std::error_code code;
  const auto size = fs::file_size(file, code);
  const auto whole = code ? 0 : size;
  const auto log = fs::file_size(file.string() + "-wal", code);
  return whole + (code ? 0 : log);
}

// Locked for this process, of any schema known here; absent stores stay absent.
Result<WriterLock> lock_present(const fs::path& file) {
  // Reading says best what is wrong with a file that is none.
  if (const auto store = Store::open(file, Store::Mode::read); !store) return tl::unexpected(store.error());
  return WriterLock::take(file);
}

void copy_pages(const fs::path& file, const fs::path& target) {
  SQLite::Database from = open_to_read(file);
  SQLite::Database to = open_to_write(target);
  // All pages in one step are of one moment; in several, each commit of the writer would begin the copy anew.
  if (const int code = SQLite::Backup(to, from).executeStep(-1); code != SQLITE_DONE) {
    throw SQLite::Exception("the copy did not come to its end", code);
  }
  to.exec("PRAGMA journal_mode = DELETE");  // or else the copy would need a log beside it to be read
}

// Never over a file that came meanwhile.
Result<void> name_it(const fs::path& finished, const fs::path& target) {
  if (::renameat2(AT_FDCWD, finished.c_str(), AT_FDCWD, target.c_str(), RENAME_NOREPLACE) == 0) return {};
  if (errno == EINVAL && ::rename(finished.c_str(), target.c_str()) == 0) return {};  // FAT knows no such flag
  return fail(ErrorKind::environment, fmt::format("cannot write {}: {}", target.string(), std::strerror(errno)));
}

}  // namespace

Result<Vacuumed> vacuum(const fs::path& file) {
  const auto lock = lock_present(file);
  if (!lock) return tl::unexpected(lock.error());
  return guarded(file, [&]() -> Result<Vacuumed> {
    SQLite::Database database = open_to_write(file);
    Vacuumed vacuumed;
    vacuumed.before = size_with_log(file);
    database.exec("VACUUM");
    database.exec("PRAGMA wal_checkpoint(TRUNCATE)");
    vacuumed.after = size_with_log(file);
    return vacuumed;
  });
}

Result<Migrated> migrate(const fs::path& file) {
  const auto lock = lock_present(file);
  if (!lock) return tl::unexpected(lock.error());
  return guarded(file, [&]() -> Result<Migrated> {
    SQLite::Database database = open_to_write(file);
    const auto version = schema_version(database, file);
    if (!version) return tl::unexpected(version.error());
    auto steps = bring_up_to_date(database, *version);
    if (!steps) return tl::unexpected(steps.error());
    return Migrated{*version, kSchemaVersion, *std::move(steps)};
  });
}

Result<std::uintmax_t> copy_store(const fs::path& file, const fs::path& target) {
  if (const auto store = Store::open(file, Store::Mode::read); !store) return tl::unexpected(store.error());
  std::error_code code;
  if (fs::exists(fs::symlink_status(target, code))) {
    return fail(ErrorKind::bad_input, fmt::format("{} is there already, and is not overwritten", target.string()),
                "name a new file");
  }
  if (const auto placed = check_place(target, file_system_type); !placed) return tl::unexpected(placed.error());
  // Made under another name: what carries the target's name is complete.
  const fs::path unfinished = target.string() + ".unfinished";
  const auto clear = [&] {
    for (const char* ending : {"", "-journal", "-wal", "-shm"}) fs::remove(unfinished.string() + ending, code);
  };
  clear();
  auto copied = guarded(target, [&]() -> Result<std::uintmax_t> {
    copy_pages(file, unfinished);
    if (const auto named = name_it(unfinished, target); !named) return tl::unexpected(named.error());
    return size_with_log(target);
  });
  clear();
  return copied;
}

}  // namespace wattle::store
