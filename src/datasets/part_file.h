// A file while it is on its way: NAME.part beside the place where it will stand, so that nothing unfinished or wrong
// ever has the final name. One program writes it at a time.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string_view>

#include "base/result.h"

namespace wattle::datasets {

class PartFile {
 public:
  // Opens or makes `place`.part and its folder, and locks it until it is destroyed. A link in its place is refused.
  // Fails (environment) where that is not possible, or another program is at it.
  [[nodiscard]] static Result<PartFile> open(const std::filesystem::path& place);
  PartFile(PartFile&& other) noexcept;
  PartFile& operator=(PartFile&&) = delete;
  PartFile(const PartFile&) = delete;
  PartFile& operator=(const PartFile&) = delete;
  ~PartFile();

  [[nodiscard]] const std::filesystem::path& path() const { return path_; }
  [[nodiscard]] std::int64_t size() const { return size_; }
  [[nodiscard]] Result<void> append(std::string_view bytes);
  [[nodiscard]] Result<void> empty();
  void remove();
  // Safe on the disk and under its final name, in place of whatever stood there.
  [[nodiscard]] Result<void> finish();

 private:
  PartFile(std::filesystem::path place, std::filesystem::path path, int descriptor, std::int64_t size)
      : place_(std::move(place)), path_(std::move(path)), descriptor_(descriptor), size_(size) {}

  std::filesystem::path place_;
  std::filesystem::path path_;
  int descriptor_;
  std::int64_t size_;
};

}  // namespace wattle::datasets
