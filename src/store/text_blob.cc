#include "store/text_blob.h"

#include <zstd.h>

#include <memory>

namespace wattle::store {

std::string compressed(const std::string& text, int level) {
  if (text.empty()) return {};
  const std::unique_ptr<ZSTD_CCtx, decltype(&ZSTD_freeCCtx)> context(ZSTD_createCCtx(), &ZSTD_freeCCtx);
  ZSTD_CCtx_setParameter(context.get(), ZSTD_c_compressionLevel, level);
  ZSTD_CCtx_setParameter(context.get(), ZSTD_c_checksumFlag, 1);
  std::string out(ZSTD_compressBound(text.size()), '\0');
  const std::size_t size = ZSTD_compress2(context.get(), out.data(), out.size(), text.data(), text.size());
  out.resize(ZSTD_isError(size) != 0U ? 0 : size);
  return out;
}

Result<std::string> expanded(std::string_view blob) {
  if (blob.empty()) return std::string();
  const auto size = ZSTD_getFrameContentSize(blob.data(), blob.size());
  if (size == ZSTD_CONTENTSIZE_ERROR || size == ZSTD_CONTENTSIZE_UNKNOWN || size > (1ULL << 30U)) {
    return fail(ErrorKind::failed, "a stored text is damaged");
  }
  std::string text(size, '\0');
  const std::size_t got = ZSTD_decompress(text.data(), text.size(), blob.data(), blob.size());
  if (got != size) return fail(ErrorKind::failed, "a stored text is damaged");
  return text;
}

}  // namespace wattle::store
