#include "store/database.h"

#include <fmt/format.h>
#include <sqlite3.h>
#include <unistd.h>

#include <cctype>
#include <utility>

namespace wattle::store {
namespace {

namespace fs = std::filesystem;

constexpr int kPatienceMs = 5000;
constexpr int kOneThread = SQLITE_OPEN_NOMUTEX;  // a Store is not thread-safe: SQLite need not lock at every column

// Reading is read-only, but the WAL's index must be mapped, which needs a writable folder. Where there is none (a CD, a
// mounted snapshot) and no log waits beside the file, nobody writes it: SQLite may take it for immutable.
std::pair<std::string, int> how_to_read(const fs::path& file) {
  const fs::path folder = fs::absolute(file).parent_path();
  if (::access(folder.c_str(), W_OK) == 0) return {file.string(), SQLite::OPEN_READWRITE};
  std::error_code code;
  const auto waiting = fs::file_size(file.string() + "-wal", code);
  if (!code && waiting > 0) return {file.string(), SQLite::OPEN_READONLY};
  std::string uri = "file:";
  for (const char c : fs::absolute(file).string()) {
    const bool plain = std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '/' || c == '.' || c == '-' || c == '_';
    uri += plain ? std::string(1, c) : fmt::format("%{:02x}", static_cast<unsigned char>(c));
  }
  return {uri + "?immutable=1", SQLite::OPEN_READONLY | SQLite::OPEN_URI};
}

// Exit code and hint of a primary result code (https://www.sqlite.org/rescode.html).
Error meaning(int code, const fs::path& file) {
  switch (code) {
    case SQLITE_NOTADB:
      return {ErrorKind::bad_input, {}, "name another file with --store"};
    case SQLITE_CORRUPT:
      return {ErrorKind::bad_input, {}, "`wattle store verify` says what can still be read"};
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
      return {ErrorKind::environment, {}, "another program (sqlite3?) holds it: end that, and try again"};
    case SQLITE_FULL:
    case SQLITE_IOERR:
      return {ErrorKind::environment,
              {},
              fmt::format("make room on the disk; attempts that are not stored yet stay in {}.runs, and the same "
                          "command goes on",
                          file.string())};
    case SQLITE_CANTOPEN:
    case SQLITE_READONLY:
    case SQLITE_PERM:
      return {ErrorKind::environment, {}, "choose a writable place with --store or WATTLE_STORE"};
    default:
      return {ErrorKind::environment, {}, {}};
  }
}

}  // namespace

SQLite::Database open_to_write(const fs::path& file) {
  return {file.string(), SQLite::OPEN_READWRITE | SQLite::OPEN_CREATE | kOneThread, kPatienceMs};
}

SQLite::Database open_to_read(const fs::path& file) {
  const auto [name, flags] = how_to_read(file);
  return {name, flags | kOneThread, kPatienceMs};
}

Error sqlite_error(const fs::path& file, const SQLite::Exception& error) {
  Error told = meaning(error.getErrorCode() & 0xff, file);
  told.message = fmt::format("store {}: {}", file.string(), error.what());
  return told;
}

Error json_error(const fs::path& file, const nlohmann::json::exception& error) {
  return {ErrorKind::failed, fmt::format("store {}: {}", file.string(), error.what()),
          "`wattle store verify` names the damaged runs"};
}

}  // namespace wattle::store
