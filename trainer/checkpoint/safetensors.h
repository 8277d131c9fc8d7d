#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "../result.h"

namespace wattle::trainer {

/// The safetensors format (Hugging Face, "Format"): eight bytes of length, little-endian, a JSON header of that length,
/// then the tensors' bytes, row by row, without holes. The one format of weights and checkpoints here: any Python reads
/// it.

/// How a tensor's values are stored; `name` is the format's word: F32, I64…
struct ElementType {
  std::string_view name;
  std::size_t bytes;
};
[[nodiscard]] std::span<const ElementType> element_types();

/// A tensor's values stay where they are: the view lives as long as what owns them.
struct StoredTensor {
  std::string name;
  std::string_view type;  ///< of `element_types`
  std::vector<std::int64_t> shape;
  std::span<const std::uint8_t> bytes;
};

/// A file that has been read and checked. Whatever its header says, no view leaves the file: lengths, offsets, shapes
/// and types are checked first, overlapping tensors, holes and names that stand twice are refused, and memory grows
/// with the file's own size alone. Owns the bytes; movable.
class SafetensorsFile {
 public:
  /// Fails with ExitCode::kDamagedData, naming the file, for whatever is not such a file; kBadInput if it is not there.
  [[nodiscard]] static Result<SafetensorsFile> read(const std::filesystem::path& path);

  [[nodiscard]] const std::vector<StoredTensor>& tensors() const { return tensors_; }
  /// Null where there is none of that name.
  [[nodiscard]] const StoredTensor* find(std::string_view name) const;
  [[nodiscard]] const std::map<std::string, std::string>& metadata() const { return metadata_; }

 private:
  std::vector<std::uint8_t> file_;
  std::vector<StoredTensor> tensors_;
  std::map<std::string, std::string> metadata_;
};

/// Writes `path` atomically: a new file beside it is written and synced, then takes its name. Whoever reads sees the
/// old file or the new one, whole; a full disk (ExitCode::kUnwritable) leaves the old one as it was.
[[nodiscard]] Result<void> write_safetensors(const std::filesystem::path& path, std::span<const StoredTensor> tensors,
                                             const std::map<std::string, std::string>& metadata);

/// The same for any bytes.
[[nodiscard]] Result<void> write_atomically(const std::filesystem::path& path,
                                            std::span<const std::span<const std::uint8_t>> pieces);

}  // namespace wattle::trainer
