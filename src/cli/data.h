// What the commands of `wattle data` share.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "base/result.h"
#include "cli/context.h"
#include "datasets/data_set.h"

namespace wattle::cli {

struct DataOptions {
  std::string into = "data";          // --into, else WATTLE_DATA
  std::vector<std::string> catalogs;  // --catalog
  std::vector<std::string> names;     // of sets; verify takes folders, too
  std::string from;                   // fetch --from
  std::string timeout = "60s";        // fetch --timeout
  std::string as;                     // verify --as
};

// Wattle's own sets, then those of --catalog.
[[nodiscard]] Result<std::vector<datasets::DataSet>> all_sets(const DataOptions& options);
[[nodiscard]] Result<const datasets::DataSet*> set_named(const std::vector<datasets::DataSet>& sets,
                                                         const std::string& name);
[[nodiscard]] std::string bytes_text(std::int64_t bytes);  // "26.4 MB"
// What is to be typed before and for training with the set, once it is in `folder`.
[[nodiscard]] std::vector<std::string> next_commands(const datasets::DataSet& set, const std::filesystem::path& folder);

[[nodiscard]] int fetch_data(const Context& context, const DataOptions& options);

}  // namespace wattle::cli
