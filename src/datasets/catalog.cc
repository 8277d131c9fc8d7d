// Names, and catalogs that users write.
#include <fmt/format.h>
#include <toml++/toml.h>

#include <algorithm>
#include <array>
#include <numeric>

#include "base/text.h"
#include "datasets/data_set.h"

namespace wattle::datasets {
namespace {

constexpr std::size_t kLongest = 1U << 20U;
constexpr std::int64_t kLargestFile = std::int64_t{1} << 50U;

constexpr std::array<std::string_view, 8> kSetKeys{"about",   "licence", "citation", "source",
                                                   "dataset", "below",   "prepare",  "file"};
constexpr std::array<std::string_view, 5> kFileKeys{"name", "size", "sha256", "md5", "url"};

// A mistake and where it is; thrown inside of this file only.
struct Mistake {
  toml::source_position at;
  std::string what;
  std::string hint = {};
};

[[noreturn]] void mistaken(const toml::node& node, std::string what, std::string hint = {}) {
  throw Mistake{node.source().begin, std::move(what), std::move(hint)};
}

template <std::size_t n>
void check_keys(const toml::table& table, const std::array<std::string_view, n>& keys) {
  for (const auto& [key, value] : table) {
    if (std::find(keys.begin(), keys.end(), key.str()) != keys.end()) continue;
    const std::vector<std::string> known(keys.begin(), keys.end());
    const auto meant = nearest(key.str(), known);
    mistaken(value, fmt::format("unknown key `{}`", printable(key.str())),
             meant ? fmt::format("did you mean `{}`?", *meant) : fmt::format("there are {}", join(known, ", ")));
  }
}

std::string text_of(const toml::table& table, std::string_view key) {
  const toml::node* node = table.get(key);
  if (node == nullptr) return {};
  const auto text = node->value_exact<std::string>();
  if (!text) mistaken(*node, fmt::format("`{}` is a text in quotes", key));
  return *text;
}

std::vector<std::string> texts_of(const toml::table& table, std::string_view key) {
  const toml::node* node = table.get(key);
  if (node == nullptr) return {};
  if (const toml::array* array = node->as_array()) {
    std::vector<std::string> texts;
    for (const toml::node& element : *array) {
      const auto text = element.value_exact<std::string>();
      if (!text) mistaken(element, fmt::format("`{}` is a text in quotes or an array of them", key));
      texts.push_back(*text);
    }
    return texts;
  }
  return {text_of(table, key)};
}

Digest digest_of(const toml::table& table) {
  const std::string sha256 = text_of(table, "sha256");
  const std::string md5 = text_of(table, "md5");
  if (sha256.empty() == md5.empty()) mistaken(table, "a file needs either sha256 or md5");
  Digest digest{.kind = sha256.empty() ? Digest::Kind::md5 : Digest::Kind::sha256, .hex = sha256 + md5};
  for (char& c : digest.hex) c = c >= 'A' && c <= 'F' ? static_cast<char>(c - 'A' + 'a') : c;
  const std::string_view kind = to_string(digest.kind);
  if (digest.hex.size() != hex_digits(digest.kind) ||
      digest.hex.find_first_not_of("0123456789abcdef") != std::string::npos) {
    mistaken(*table.get(kind), fmt::format("`{}` has {} hexadecimal digits", kind, hex_digits(digest.kind)));
  }
  return digest;
}

File file_of(const toml::table& table) {
  check_keys(table, kFileKeys);
  File file;
  file.name = text_of(table, "name");
  if (!is_name(file.name)) {
    mistaken(table, fmt::format("`{}` cannot name a file", printable(file.name)),
             "letters, digits, `.`, `_` and `-`; no folder, no `.part` at the end");
  }
  const toml::node* size = table.get("size");
  file.size = size == nullptr ? 0 : size->value_exact<std::int64_t>().value_or(0);
  if (file.size < 1 || file.size > kLargestFile) {
    mistaken(size == nullptr ? table : *size, "a file needs its size in bytes, a whole number from 1");
  }
  file.digest = digest_of(table);
  file.urls = texts_of(table, "url");
  for (const std::string& url : file.urls) {
    if (url.starts_with("https://") && url.find_first_of(" \r\n\t") == std::string::npos) continue;
    mistaken(*table.get("url"), fmt::format("`{}` is no https:// address", printable(url)),
             "leave `url` out, and name a mirror of any kind by --from");
  }
  return file;
}

// A relative path that stays where it is.
bool is_below(const std::string& path) {
  if (path.empty()) return true;
  const std::vector<std::string> parts = split(path, '/');
  return std::all_of(parts.begin(), parts.end(), [](const std::string& part) { return is_name(part); });
}

DataSet set_of(const std::string& name, const toml::node& node) {
  const toml::table* table = node.as_table();
  if (table == nullptr)
    mistaken(node, fmt::format("`{}` stands outside of a set", printable(name)), "begin with [NAME]");
  if (!is_name(name)) {
    mistaken(node, fmt::format("`{}` cannot name a set", printable(name)), "letters, digits, `.`, `_` and `-`");
  }
  check_keys(*table, kSetKeys);
  DataSet set;
  set.name = name;
  set.about = text_of(*table, "about");
  set.licence = text_of(*table, "licence");
  set.citation = text_of(*table, "citation");
  set.source = text_of(*table, "source");
  set.dataset = text_of(*table, "dataset");
  set.below = text_of(*table, "below");
  set.prepare = texts_of(*table, "prepare");
  if (!is_below(set.below)) mistaken(*table->get("below"), "`below` is a folder inside of the set's");
  const toml::node* files = table->get("file");
  const toml::array* array = files == nullptr ? nullptr : files->as_array();
  if (array == nullptr || array->empty()) mistaken(*table, "a set needs a file", fmt::format("[[{}.file]]", name));
  for (const toml::node& element : *array) {
    const toml::table* one = element.as_table();
    if (one == nullptr) mistaken(element, "each file is a table", fmt::format("[[{}.file]]", name));
    set.files.push_back(file_of(*one));
    const auto same = [&](const File& file) { return file.name == set.files.back().name; };
    if (std::count_if(set.files.begin(), set.files.end(), same) > 1) {
      mistaken(*one, fmt::format("`{}` is there twice", set.files.back().name));
    }
  }
  return set;
}

}  // namespace

std::string_view to_string(Digest::Kind kind) { return kind == Digest::Kind::sha256 ? "sha256" : "md5"; }

std::size_t hex_digits(Digest::Kind kind) { return kind == Digest::Kind::sha256 ? 64 : 32; }

std::int64_t DataSet::size() const {
  return std::accumulate(files.begin(), files.end(), std::int64_t{0},
                         [](std::int64_t sum, const File& file) { return sum + file.size; });
}

bool is_name(std::string_view text) {
  constexpr std::string_view kLetters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";
  if (text.empty() || text.size() > 100 || text.ends_with(".part")) return false;
  if (kLetters.find(text.front()) == std::string_view::npos) return false;
  return std::all_of(text.begin(), text.end(), [&](char c) {
    return kLetters.find(c) != std::string_view::npos || c == '.' || c == '_' || c == '-';
  });
}

Result<std::vector<DataSet>> read_catalog(const std::filesystem::path& file, const std::vector<DataSet>& taken) {
  const auto text = read_text(file, kLongest);
  if (!text) return tl::unexpected(text.error());
  const std::string name = printable(file.string());
  try {
    const toml::table table = toml::parse(*text);
    std::vector<DataSet> sets;
    for (const auto& [key, node] : table) {
      sets.push_back(set_of(std::string(key.str()), node));
      const bool twice =
          std::any_of(taken.begin(), taken.end(), [&](const DataSet& other) { return other.name == sets.back().name; });
      if (twice) {
        mistaken(node, fmt::format("there is a set `{}` already", sets.back().name),
                 "give yours another name; a mirror of that one is named by --from");
      }
    }
    return sets;
  } catch (const Mistake& mistake) {
    return fail(ErrorKind::bad_input,
                fmt::format("{}:{}:{}: {}", name, mistake.at.line, mistake.at.column, mistake.what), mistake.hint);
  } catch (const toml::parse_error& error) {
    const auto& begin = error.source().begin;
    return fail(ErrorKind::bad_input, fmt::format("{}:{}:{}: not TOML: {}", name, begin.line, begin.column,
                                                  printable(std::string(error.description()))));
  }
}

}  // namespace wattle::datasets
