// How this module opens SQLite, and how SQLite's exceptions end at its boundary: as errors that say what to do.
#pragma once

#include <SQLiteCpp/SQLiteCpp.h>

#include <filesystem>
#include <nlohmann/json.hpp>

#include "base/result.h"

namespace wattle::store {

// For writing (created where it is absent) or reading. Waits 5 s for the lock of another program. Throws
// SQLite::Exception.
[[nodiscard]] SQLite::Database open_to_write(const std::filesystem::path& file);
[[nodiscard]] SQLite::Database open_to_read(const std::filesystem::path& file);

[[nodiscard]] Error sqlite_error(const std::filesystem::path& file, const SQLite::Exception& error);
// A record or plan that is no JSON.
[[nodiscard]] Error json_error(const std::filesystem::path& file, const nlohmann::json::exception& error);

// `work` returns a Result.
template <class Work>
auto guarded(const std::filesystem::path& file, Work work) -> decltype(work()) {
  try {
    return work();
  } catch (const SQLite::Exception& error) {
    return tl::unexpected(sqlite_error(file, error));
  } catch (const nlohmann::json::exception& error) {
    return tl::unexpected(json_error(file, error));
  }
}

}  // namespace wattle::store
