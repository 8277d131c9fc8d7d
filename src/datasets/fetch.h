// Getting a file of a data set: its addresses in turn, from where an earlier transfer ended, and under its name only
// once its digest is right.
//
// A part is continued by size alone, without If-Range: what it must become is known before by its digest, so a
// part of something else is found out in the end, and then fetched once more from the start.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <stop_token>
#include <string>

#include "datasets/data_set.h"
#include "http/transfer.h"

namespace wattle::datasets {

using Ask = std::function<Result<void>(const http::TransferRequest&, http::TransferReceiver&)>;

struct FetchOptions {
  std::string from;         // base address that replaces the table's, http:// too; empty: the table's
  std::string authorities;  // as in http::TransferRequest
  Seconds patience{60.0};
  std::stop_token stop;
  // Called at the start of every attempt with the address, and while bytes come with "": how many are here.
  std::function<void(const std::string& url, std::int64_t here)> progress = [](const auto&, auto) {};
};

struct Fetched {
  std::filesystem::path place;
  bool was_there = false;     // right already: nothing was asked
  std::int64_t received = 0;  // bytes, over all attempts
  std::int64_t resumed_from = 0;
};

// The addresses that are asked for a file, best first.
[[nodiscard]] std::vector<std::string> addresses(const File& file, const std::string& from);

// Into `folder`, which is made. A transfer that breaks off goes on at once as long as each attempt brings something,
// ten times at most; then the next address is asked. What came stays in NAME.part for the next call, unless it is
// wrong. A file that is there and wrong is replaced when the right one has come. Fails: failed (the answers were no, or
// wrong), environment (no answer, or the disk), bad_input (no address), interrupted (stop).
[[nodiscard]] Result<Fetched> fetch(const File& file, const std::filesystem::path& folder, const Ask& ask,
                                    const FetchOptions& options);

}  // namespace wattle::datasets
