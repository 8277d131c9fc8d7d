// What is known of a public data set before it is here: its files, how long they are, what their digests are and who
// says so.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "base/result.h"

namespace wattle::datasets {

// Of a file's bytes. MD5 tells damage, but no longer malice; it is there for sets whose publishers give nothing else.
struct Digest {
  enum class Kind { sha256, md5 };
  Kind kind = Kind::sha256;
  std::string hex;  // lower case

  bool operator==(const Digest&) const = default;
};
[[nodiscard]] std::string_view to_string(Digest::Kind kind);
[[nodiscard]] std::size_t hex_digits(Digest::Kind kind);

struct File {
  std::string name;       // one path component, see is_name
  std::int64_t size = 0;  // bytes, at least 1
  Digest digest;
  std::vector<std::string> urls;  // https:// each, asked in turn; empty: there is only what --from names
};

struct DataSet {
  std::string name;     // the folder that it gets, see is_name
  std::string about;    // one line
  std::string licence;  // as the source states it
  std::string citation;
  std::string dataset;               // what `wattle-train --dataset` calls such files; empty: it does not read them
  std::string below;                 // where, below the set's folder, `--data` points once it is prepared
  std::vector<std::string> prepare;  // shell commands that make it readable; {folder} is the set's folder
  std::string source;                // where sizes, digests and URLs were copied from
  bool known = false;                // in Wattle's own table; else of a catalog of the user's
  // Whether its URLs were fetched when the table was made. A digest decides whatever they give.
  bool tried = false;
  std::vector<File> files;

  [[nodiscard]] std::int64_t size() const;
};

// The sets that Wattle knows, in the order in which they are listed.
[[nodiscard]] std::vector<DataSet> known_data_sets();

// Whether it may name a set or a file: up to 100 of A-Z a-z 0-9 . _ -, the first a letter or a digit, and not at the
// end .part, so that it can neither leave its folder nor be taken for a flag or for another file's part.
[[nodiscard]] bool is_name(std::string_view text);

// The sets of a TOML file like
//   [digits]
//   about = "…"                              # licence, citation and source likewise; all may be missing
//   dataset = "idx"                          # prepare and below as above
//   [[digits.file]]
//   name = "train-images-idx3-ubyte.gz"
//   size = 9912422
//   sha256 = "…"                             # or md5
//   url = "https://…"                        # or an array of mirrors, or nothing
// Fails (bad_input) at the first mistake, with its line, and where a set has the name of one that is `taken`.
[[nodiscard]] Result<std::vector<DataSet>> read_catalog(const std::filesystem::path& file,
                                                        const std::vector<DataSet>& taken);

}  // namespace wattle::datasets
