// Keeping runs: one SQLite file (WAL, versioned schema) that holds everything needed to analyse again without running
// again. `docs/store.md` describes the tables for people with sqlite3 at hand.
//
// One writer at a time: opening for writing takes an exclusive flock on STORE.lock, held for the life of the object.
// Any number of readers. Closing the writer checkpoints the WAL, so the single file is complete. Not thread-safe.
#pragma once

#include <filesystem>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "base/result.h"
#include "record/record.h"
#include "record/summary.h"
#include "store/place.h"
#include "store/plan_text.h"
#include "store/summary_rows.h"

namespace wattle::store {

inline constexpr int kSchemaVersion = 3;

class Store {
 public:
  enum class Mode { read, write };

  // read: fails (bad_input) where there is no store. write: creates it. Fails where the file is not a Wattle store, is
  // of a newer schema, is being written by another process (its pid is named), cannot be locked or written, or lies on
  // a network file system. A store of an older schema is read as it is; opening it for writing brings it up to date.
  [[nodiscard]] static Result<Store> open(const std::filesystem::path& file, Mode mode,
                                          const FileSystemType& type_of = file_system_type);
  Store(Store&&) noexcept;
  Store& operator=(Store&&) noexcept;
  ~Store();

  // Stores the attempt, in one transaction. An attempt already there (same key and number) is left as it is: ingesting
  // twice is harmless.
  [[nodiscard]] Result<void> add(const record::Attempt& attempt);
  // All of them in one transaction, so all or none. Returns how many were new.
  [[nodiscard]] Result<std::size_t> add(std::span<const record::Attempt> attempts);

  // What the study asks for now: replaces the plan kept under its name, unless it is the same. Runs of an earlier plan
  // stay stored.
  [[nodiscard]] Result<void> set_plan(const std::string& study, const std::vector<study::RunRequest>& runs);
  // Empty where the study never had one (imported runs).
  [[nodiscard]] Result<std::vector<study::RunRequest>> plan(const std::string& study) const;
  // The same, of each run only what counting needs: quick for plans of 100,000 runs.
  [[nodiscard]] Result<PlannedRuns> planned_runs(const std::string& study) const;

  // Attempts in the order they were stored; of one study, or all where the name is empty. Summaries: the last `last` of
  // them, all where it is 0.
  [[nodiscard]] Result<std::vector<record::Summary>> summaries(const std::string& study = {},
                                                               std::size_t last = 0) const;
  // The same, one after the other and only in part: quick for 100,000 runs.
  [[nodiscard]] Result<void> visit(const SummaryQuery& query, const SummaryVisitor& visitor) const;
  [[nodiscard]] Result<std::vector<record::Record>> records(const std::string& study = {}) const;
  // Attempts at runs that the study's plan asks for now, seen with its eyes: label, pair, order, outlier rules and
  // tolerance are the plan's, for an edited study may have changed them without touching what was run. All records
  // where there is no plan.
  [[nodiscard]] Result<std::vector<record::Record>> planned_records(const std::string& study) const;
  // The attempt whose key begins with the given digits: "3f2a" or "3f2a.2" for its second attempt, else the last.
  // Fails (bad_input) where none or several runs fit.
  [[nodiscard]] Result<record::Attempt> attempt(const std::string& key_prefix) const;
  // Names of the studies, the one that was run last at the end.
  [[nodiscard]] Result<std::vector<std::string>> studies() const;

 private:
  struct Inside;
  explicit Store(std::unique_ptr<Inside> inside);
  [[nodiscard]] Result<std::string> plan_text(const std::string& study) const;
  std::unique_ptr<Inside> inside_;
};

}  // namespace wattle::store
