#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <map>

#include "base/text.h"
#include "study/reading.h"

namespace wattle::study {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t kMostDataFiles = 2'000'000;

std::string manifest_line(const fs::path& file, const std::string& name, std::error_code& error) {
  const auto size = fs::file_size(file, error);
  if (error) return {};
  const auto modified = fs::last_write_time(file, error);
  if (error) return {};
  // The file clock's epoch is the library's own; the system clock's is 1970 everywhere.
  const auto since_1970 = std::chrono::file_clock::to_sys(modified).time_since_epoch();
  const auto nanoseconds = std::chrono::duration_cast<std::chrono::nanoseconds>(since_1970).count();
  return fmt::format("{} {} {}\n", size, nanoseconds, name);
}

tl::unexpected<Error> unreadable(const fs::path& data, const std::error_code& error) {
  return fail(ErrorKind::bad_input, fmt::format("cannot read {}: {}", data.string(), error.message()));
}

}  // namespace

std::string script_version(std::vector<NamedContent> files, const std::vector<std::string>& command) {
  std::sort(files.begin(), files.end(), [](const auto& a, const auto& b) { return a.name < b.name; });
  std::string text;
  for (const NamedContent& file : files) text += fmt::format("{} {}\n", sha256(file.content), file.name);
  for (const std::string& element : command) text += fmt::format("{}:{}", element.size(), element);
  return sha256(text);
}

Result<std::string> data_manifest(const fs::path& data) {
  std::error_code error;
  const auto status = fs::status(data, error);
  if (!fs::exists(status)) return fail(ErrorKind::bad_input, fmt::format("{} does not exist", data.string()));
  if (!fs::is_directory(status)) {
    const std::string line = manifest_line(data, data.filename().string(), error);
    if (error) return unreadable(data, error);
    return sha256(line);
  }
  std::map<std::string, std::string> lines;  // by name: the order of a folder is the file system's affair
  for (fs::recursive_directory_iterator entry(data, error), end; !error && entry != end; entry.increment(error)) {
    if (!entry->is_regular_file(error) || error) continue;
    const std::string name = entry->path().lexically_relative(data).generic_string();
    lines[name] = manifest_line(entry->path(), name, error);
    if (lines.size() > kMostDataFiles) {
      return fail(ErrorKind::bad_input, fmt::format("{} holds more than {} files", data.string(), kMostDataFiles));
    }
  }
  if (error) return unreadable(data, error);
  std::string text;
  for (const auto& [name, line] : lines) text += line;
  return sha256(text);
}

}  // namespace wattle::study
