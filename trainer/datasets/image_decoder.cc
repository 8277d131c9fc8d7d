#include "image_decoder.h"

#include <fmt/format.h>
#include <png.h>
#include <turbojpeg.h>

#include <algorithm>
#include <cmath>

namespace wattle::trainer {
namespace {

constexpr std::int64_t kMostPixels = 64'000'000;

bool is_png(std::span<const std::uint8_t> file) { return file.size() >= 8 && png_sig_cmp(file.data(), 0, 8) == 0; }

/// libpng's simplified interface, freed on every way out.
class Png {
 public:
  explicit Png(std::span<const std::uint8_t> file) {
    image_.version = PNG_IMAGE_VERSION;
    good_ = png_image_begin_read_from_memory(&image_, file.data(), file.size()) != 0;
  }
  ~Png() { png_image_free(&image_); }
  Png(const Png&) = delete;
  Png& operator=(const Png&) = delete;

  [[nodiscard]] bool good() const { return good_; }
  [[nodiscard]] ImageShape shape() const {
    return {(image_.format & PNG_FORMAT_FLAG_COLOR) != 0 ? 3 : 1, image_.height, image_.width};
  }
  [[nodiscard]] std::string message() const { return fmt::format("damaged PNG: {}", image_.message); }
  bool read(std::int64_t channels, std::uint8_t* pixels) {
    image_.format = channels == 1 ? PNG_FORMAT_GRAY : PNG_FORMAT_RGB;
    const png_color black{0, 0, 0};
    return png_image_finish_read(&image_, &black, pixels, 0, nullptr) != 0 && image_.warning_or_error == 0;
  }

 private:
  png_image image_{};
  bool good_ = false;
};

/// Of one axis: for each wanted position, where its source begins and the weights there, of sum 1.
struct Weights {
  std::size_t first = 0;
  std::vector<float> values;
};

std::vector<Weights> triangle_filter(std::int64_t size, std::int64_t wanted) {
  const float scale = static_cast<float>(size) / static_cast<float>(wanted);
  const float reach = std::max(scale, 1.0F);
  std::vector<Weights> axis(static_cast<std::size_t>(wanted));
  for (std::size_t position = 0; position < axis.size(); ++position) {
    const float centre = (static_cast<float>(position) + 0.5F) * scale;
    const auto first = std::max<std::int64_t>(0, static_cast<std::int64_t>(std::floor(centre - reach)));
    const auto last = std::min<std::int64_t>(size, static_cast<std::int64_t>(std::ceil(centre + reach)));
    Weights& weights = axis[position];
    weights.first = static_cast<std::size_t>(first);
    float sum = 0;
    for (std::int64_t source = first; source < last; ++source) {
      const float distance = std::abs(static_cast<float>(source) + 0.5F - centre) / reach;
      weights.values.push_back(std::max(0.0F, 1 - distance));
      sum += weights.values.back();
    }
    for (float& value : weights.values) {
      value /= sum;
    }
  }
  return axis;
}

}  // namespace

ImageDecoder::ImageDecoder() : jpeg_(tjInitDecompress()) {}

ImageDecoder::~ImageDecoder() {
  if (jpeg_ != nullptr) {
    tjDestroy(jpeg_);
  }
}

Result<ImageShape> ImageDecoder::shape(std::span<const std::uint8_t> file) {
  ImageShape shape;
  if (is_png(file)) {
    const Png png(file);
    if (!png.good()) {
      return damaged(png.message());
    }
    shape = png.shape();
  } else {
    int width = 0, height = 0, subsampling = 0, colours = 0;
    if (tjDecompressHeader3(jpeg_, file.data(), file.size(), &width, &height, &subsampling, &colours) != 0) {
      return damaged(fmt::format("neither a PNG nor a whole JPEG: {}", tjGetErrorStr2(jpeg_)));
    }
    if (colours == TJCS_CMYK || colours == TJCS_YCCK) {
      return bad_input("a CMYK JPEG; convert it to RGB");
    }
    shape = {colours == TJCS_GRAY ? 1 : 3, height, width};
  }
  if (shape.height * shape.width > kMostPixels) {
    return bad_input(
        fmt::format("{} x {} pixels; at most {} million are read", shape.width, shape.height, kMostPixels / 1'000'000));
  }
  return shape;
}

Result<void> ImageDecoder::decode(std::span<const std::uint8_t> file, const ImageShape& wanted,
                                  std::span<std::uint8_t> pixels) {
  auto as_is = shape(file);
  if (!as_is) {
    return tl::unexpected(as_is.error());
  }
  as_is->channels = wanted.channels;
  if (*as_is == wanted) {
    return decode_as_is(file, wanted, pixels);
  }
  unscaled_.resize(as_is->bytes());
  auto decoded = decode_as_is(file, *as_is, unscaled_);
  if (decoded) {
    resize(unscaled_, *as_is, wanted, pixels);
  }
  return decoded;
}

Result<void> ImageDecoder::decode_as_is(std::span<const std::uint8_t> file, const ImageShape& as,
                                        std::span<std::uint8_t> pixels) {
  if (is_png(file)) {
    Png png(file);
    if (!png.good() || !png.read(as.channels, pixels.data())) {
      return damaged(png.message());
    }
    return {};
  }
  const int format = as.channels == 1 ? TJPF_GRAY : TJPF_RGB;
  if (tjDecompress2(jpeg_, file.data(), file.size(), pixels.data(), static_cast<int>(as.width), 0,
                    static_cast<int>(as.height), format, 0) != 0) {
    return damaged(fmt::format("damaged JPEG: {}", tjGetErrorStr2(jpeg_)));
  }
  return {};
}

void resize(std::span<const std::uint8_t> from, const ImageShape& size, const ImageShape& wanted,
            std::span<std::uint8_t> pixels) {
  const auto channels = static_cast<std::size_t>(size.channels);
  const auto width = static_cast<std::size_t>(size.width);
  const std::vector<Weights> columns = triangle_filter(size.width, wanted.width);
  const std::vector<Weights> rows = triangle_filter(size.height, wanted.height);
  const std::size_t stride = columns.size() * channels;
  std::vector<float> narrow(static_cast<std::size_t>(size.height) * stride);
  for (std::size_t row = 0; row < static_cast<std::size_t>(size.height); ++row) {
    for (std::size_t at = 0; at < stride; ++at) {
      const Weights& weights = columns[at / channels];
      const std::uint8_t* source = from.data() + (row * width + weights.first) * channels + at % channels;
      float sum = 0;
      for (std::size_t step = 0; step < weights.values.size(); ++step) {
        sum += weights.values[step] * source[step * channels];
      }
      narrow[row * stride + at] = sum;
    }
  }
  for (std::size_t row = 0; row < rows.size(); ++row) {
    for (std::size_t at = 0; at < stride; ++at) {
      float sum = 0.5F;
      for (std::size_t step = 0; step < rows[row].values.size(); ++step) {
        sum += rows[row].values[step] * narrow[(rows[row].first + step) * stride + at];
      }
      pixels[row * stride + at] = static_cast<std::uint8_t>(std::clamp(sum, 0.0F, 255.0F));
    }
  }
}

}  // namespace wattle::trainer
