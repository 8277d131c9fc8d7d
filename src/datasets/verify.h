// Whether what is here is what was published.
#pragma once

#include <filesystem>
#include <functional>
#include <optional>
#include <stop_token>
#include <string>
#include <vector>

#include "datasets/data_set.h"

namespace wattle::datasets {

enum class State { ok, missing, wrong, unreadable };
[[nodiscard]] std::string_view to_string(State state);

struct Verdict {
  std::string file;  // its name
  State state = State::missing;
  std::string why;        // of wrong: what was expected and what is there; of unreadable: the reason
  std::int64_t part = 0;  // bytes of it that an unfinished transfer left
};

// Reads the whole file. Empty digest: stopped. Fails (environment) where it cannot be read.
[[nodiscard]] Result<Digest> digest_of(const std::filesystem::path& file, Digest::Kind kind,
                                       const std::stop_token& stop = {});

// A length that differs spares the reading.
[[nodiscard]] Verdict verify(const File& file, const std::filesystem::path& folder, const std::stop_token& stop = {});

// What a look at names and lengths tells, without reading: for lists.
struct Presence {
  std::size_t complete = 0;  // files of the right length
  bool begun = false;        // something of it is there
};
[[nodiscard]] Presence presence(const DataSet& set, const std::filesystem::path& folder);

}  // namespace wattle::datasets
