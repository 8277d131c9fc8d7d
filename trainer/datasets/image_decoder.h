#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "dataset.h"

namespace wattle::trainer {

/// Decodes JPEG (libjpeg-turbo) and PNG (libpng) from memory. Holds buffers that it reuses: one a thread.
///
/// Errors are sentences without the file's name, which the caller adds. A JPEG that decodes only with warnings
/// (cut short, damaged) is an error: training on grey bands is worse than not training.
class ImageDecoder {
 public:
  ImageDecoder();
  ~ImageDecoder();
  ImageDecoder(const ImageDecoder&) = delete;
  ImageDecoder& operator=(const ImageDecoder&) = delete;

  /// Size and channels (1 grey, 3 colour) from the header alone; images above 64 million pixels are refused.
  [[nodiscard]] Result<ImageShape> shape(std::span<const std::uint8_t> file);

  /// Decodes into `pixels`, of `wanted.bytes()` bytes, row by row, channels together. Grey becomes colour and colour
  /// grey as the codec does it; transparency is laid on black. Another size is resized to the wanted one without
  /// regard to its aspect, by a triangle filter (bilinear when enlarging, averaging over the area when reducing).
  [[nodiscard]] Result<void> decode(std::span<const std::uint8_t> file, const ImageShape& wanted,
                                    std::span<std::uint8_t> pixels);

 private:
  Result<void> decode_as_is(std::span<const std::uint8_t> file, const ImageShape& as, std::span<std::uint8_t> pixels);

  void* jpeg_;
  std::vector<std::uint8_t> unscaled_;
};

/// Resizes `from` (of shape `size`) to `pixels` (of shape `wanted`, of equal channels) as `ImageDecoder` says.
void resize(std::span<const std::uint8_t> from, const ImageShape& size, const ImageShape& wanted,
            std::span<std::uint8_t> pixels);

}  // namespace wattle::trainer
