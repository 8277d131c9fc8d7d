#include "cli/bundle_files.h"

#include <fmt/format.h>

#include <algorithm>
#include <system_error>

#include "base/text.h"

namespace wattle::cli {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t kBlock = 512;
constexpr std::size_t kLongestPath = 100;

void put(std::string& header, std::size_t at, std::string_view text) {
  std::copy(text.begin(), text.end(), header.begin() + static_cast<std::ptrdiff_t>(at));
}

// The fields stand at fixed places; numbers are octal.
std::string header_of(const std::string& path, std::size_t size) {
  std::string header(kBlock, '\0');
  put(header, 0, path);
  put(header, 100, "0000644");
  put(header, 108, "0000000");  // user
  put(header, 116, "0000000");  // group
  put(header, 124, fmt::format("{:011o}", size));
  put(header, 136, "00000000000");  // modified
  put(header, 148, "        ");     // the checksum counts as blanks
  header[156] = '0';                // a file
  put(header, 257,
      std::string_view("ustar\0"
                       "00",
                       8));
  unsigned sum = 0;
  for (const char c : header) sum += static_cast<unsigned char>(c);
  put(header, 148, fmt::format("{:06o}", sum));
  header[154] = '\0';
  return header;
}

}  // namespace

std::string checksums(const BundleFiles& files) {
  std::string lines;
  for (const auto& [path, content] : files) lines += fmt::format("{}  {}\n", sha256(content), path);
  return lines;
}

Result<std::string> ustar(const BundleFiles& files, const std::string& top) {
  std::string archive;
  for (const auto& [path, content] : files) {
    const std::string name = fmt::format("{}/{}", top, path);
    if (name.size() > kLongestPath || content.size() >= (std::size_t{8} << 30U)) {
      return fail(ErrorKind::bad_input, fmt::format("{} does not fit a tar archive", printable(name)),
                  "give a shorter --output, or a folder");
    }
    archive += header_of(name, content.size());
    archive += content;
    archive.append((kBlock - content.size() % kBlock) % kBlock, '\0');
  }
  return archive.append(2 * kBlock, '\0');
}

Result<void> write_folder(const BundleFiles& files, const fs::path& folder) {
  std::error_code code;
  fs::create_directories(folder, code);
  for (const auto& [path, content] : files) {
    if (!code) fs::create_directories((folder / path).parent_path(), code);
    if (code) {
      return fail(ErrorKind::environment, fmt::format("{} cannot be made: {}", folder.string(), code.message()));
    }
    if (const auto written = write_text(folder / path, content); !written) {
      fs::remove_all(folder, code);
      return written;
    }
  }
  return {};
}

}  // namespace wattle::cli
