// The files of a bundle, as a folder or as one archive. Internal to cli.
#pragma once

#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include "base/result.h"

namespace wattle::cli {

// The commands that every report ends with (report.cc).
[[nodiscard]] std::vector<std::string> report_next();

// Path inside the bundle, with slashes -> content.
using BundleFiles = std::map<std::string, std::string>;

// "DIGEST  PATH" lines, as `sha256sum -c` reads them.
[[nodiscard]] std::string checksums(const BundleFiles& files);
// A POSIX ustar archive (IEEE 1003.1-1988): entries sorted, all below `top`, owner 0, time 0, so that the same files
// give the same bytes. Fails where a path is too long for the format or a file has 8 GiB or more.
[[nodiscard]] Result<std::string> ustar(const BundleFiles& files, const std::string& top);
// Writes them below a folder that must not be there yet; what was written is taken away again where it fails.
[[nodiscard]] Result<void> write_folder(const BundleFiles& files, const std::filesystem::path& folder);

}  // namespace wattle::cli
