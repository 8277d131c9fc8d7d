// The tables of a store, and how an older store gets those of today. docs/store.md describes them.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "base/result.h"

namespace SQLite {
class Database;
}

namespace wattle::store {

// 0 for a file without any table. Fails (bad_input) on what is no store and on a store of a newer schema. May throw
// SQLite::Exception, like everything here.
[[nodiscard]] Result<int> schema_version(SQLite::Database& database, const std::filesystem::path& file);
// In one transaction: brings a store of that version, 0 included, up to kSchemaVersion. Returns what was done, a line a
// step.
[[nodiscard]] Result<std::vector<std::string>> bring_up_to_date(SQLite::Database& database, int version);

}  // namespace wattle::store
