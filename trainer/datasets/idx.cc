#include <fmt/format.h>
#include <zlib.h>

#include <algorithm>
#include <array>
#include <memory>

#include "dataset.h"
#include "split.h"

/// The idx format (Y. LeCun, "The MNIST database", file formats): a big-endian magic number that says bytes and the
/// number of dimensions, the dimensions, then the bytes. zlib reads plain files as they are.

namespace wattle::trainer {
namespace {

namespace fs = std::filesystem;

constexpr std::uint32_t kImageMagic = 0x803, kLabelMagic = 0x801;
constexpr std::uint32_t kLargestSide = 4096;
constexpr std::size_t kPiece = std::size_t{16} << 20U;

class IdxFile {
 public:
  static Result<IdxFile> open(const fs::path& folder, const std::string& name) {
    for (const char* ending : {"", ".gz"}) {
      const fs::path path = folder / (name + ending);
      if (gzFile file = gzopen(path.c_str(), "rb")) {
        return IdxFile(path, file);
      }
    }
    return bad_input(fmt::format("{}: neither it nor {}.gz can be opened", (folder / name).string(), name));
  }

  /// A header's numbers: `magic`, then `count` dimensions.
  Result<std::vector<std::uint32_t>> header(std::uint32_t magic, std::size_t count) {
    auto bytes = read(4 * (count + 1));
    if (!bytes) {
      return tl::unexpected(bytes.error());
    }
    std::vector<std::uint32_t> numbers;
    for (std::size_t at = 0; at < bytes->size(); at += 4) {
      const auto* byte = bytes->data() + at;
      numbers.push_back(std::uint32_t{byte[0]} << 24U | std::uint32_t{byte[1]} << 16U | std::uint32_t{byte[2]} << 8U |
                        std::uint32_t{byte[3]});
    }
    if (numbers.front() != magic) {
      return damaged(fmt::format("{}: begins with {:#010x}, where an idx file of {} begins with {:#010x}",
                                 path_.string(), numbers.front(), magic == kImageMagic ? "images" : "labels", magic));
    }
    numbers.erase(numbers.begin());
    return numbers;
  }

  /// Exactly `size` bytes. Memory grows with what the file really holds, not with what its header claims.
  Result<std::vector<std::uint8_t>> read(std::size_t size) {
    std::vector<std::uint8_t> bytes;
    while (bytes.size() < size) {
      const std::size_t have = bytes.size();
      const std::size_t want = std::min(kPiece, size - have);
      bytes.resize(have + want);
      const int got = gzread(file_.get(), bytes.data() + have, static_cast<unsigned>(want));
      if (got < 0 || static_cast<std::size_t>(got) != want) {
        return damaged(fmt::format("{}: truncated or damaged: ends {} bytes before its header says", path_.string(),
                                   size - have - static_cast<std::size_t>(std::max(got, 0))));
      }
    }
    return bytes;
  }

  /// The file must end here.
  Result<void> finish() {
    std::uint8_t extra = 0;
    const int got = gzread(file_.get(), &extra, 1);
    if (got != 0) {
      return damaged(fmt::format("{}: {}", path_.string(),
                                 got > 0 ? "holds more bytes than its header says" : "damaged at its end"));
    }
    return {};
  }

  [[nodiscard]] std::string name() const { return path_.string(); }

 private:
  struct Close {
    void operator()(gzFile file) const { gzclose(file); }
  };
  IdxFile(fs::path path, gzFile file) : path_(std::move(path)), file_(file) { gzbuffer(file, 1U << 18U); }

  fs::path path_;
  std::unique_ptr<gzFile_s, Close> file_;
};

struct LabelledImages {
  ImageShape shape;
  ImageSet images;
  std::string images_file, labels_file;
};

Result<std::vector<std::int64_t>> read_labels(IdxFile& file, std::size_t images, const std::string& images_file) {
  const auto header = file.header(kLabelMagic, 1);
  if (!header) {
    return tl::unexpected(header.error());
  }
  if (header->front() != images) {
    return bad_input(
        fmt::format("{}: {} labels for the {} images of {}", file.name(), header->front(), images, images_file));
  }
  const auto bytes = file.read(images);
  if (!bytes) {
    return tl::unexpected(bytes.error());
  }
  if (auto end = file.finish(); !end) {
    return tl::unexpected(end.error());
  }
  return std::vector<std::int64_t>(bytes->begin(), bytes->end());
}

Result<LabelledImages> read_pair(const fs::path& folder, const std::string& prefix) {
  auto images = IdxFile::open(folder, prefix + "-images-idx3-ubyte");
  auto labels = IdxFile::open(folder, prefix + "-labels-idx1-ubyte");
  if (!images || !labels) {
    return tl::unexpected(images ? labels.error() : images.error());
  }
  const auto header = images->header(kImageMagic, 3);
  if (!header) {
    return tl::unexpected(header.error());
  }
  const std::size_t count = (*header)[0];
  const std::uint32_t rows = (*header)[1], columns = (*header)[2];
  if (count == 0 || rows == 0 || columns == 0 || rows > kLargestSide || columns > kLargestSide) {
    return bad_input(fmt::format("{}: {} images of {} x {} pixels; at least one is needed, of 1 to {} pixels a side",
                                 images->name(), count, rows, columns, kLargestSide));
  }
  LabelledImages result{{1, rows, columns}, {}, images->name(), labels->name()};
  auto values = read_labels(*labels, count, images->name());
  if (!values) {
    return tl::unexpected(values.error());
  }
  auto pixels = images->read(count * rows * columns);
  if (!pixels) {
    return tl::unexpected(pixels.error());
  }
  if (auto end = images->finish(); !end) {
    return tl::unexpected(end.error());
  }
  result.images = {std::move(*pixels), std::move(*values)};
  return result;
}

}  // namespace

Result<Dataset> load_idx(const DatasetRequest& request) {
  auto train = read_pair(request.path, "train");
  if (!train) {
    return tl::unexpected(train.error());
  }
  auto test = read_pair(request.path, "t10k");
  if (!test) {
    return tl::unexpected(test.error());
  }
  if (request.stop_requested()) {
    return interrupted();
  }
  if (test->shape != train->shape) {
    return bad_input(fmt::format("{}: images of {} x {} pixels, where {} has {} x {}", test->images_file,
                                 test->shape.height, test->shape.width, train->images_file, train->shape.height,
                                 train->shape.width));
  }
  const std::int64_t largest = *std::max_element(train->images.labels.begin(), train->images.labels.end());
  if (*std::max_element(test->images.labels.begin(), test->images.labels.end()) > largest) {
    return bad_input(fmt::format("{}: holds a class that {} lacks", test->labels_file, train->labels_file));
  }
  Dataset dataset;
  dataset.shape = train->shape;
  for (std::int64_t label = 0; label <= largest; ++label) {
    dataset.classes.push_back(fmt::format("{}", label));
  }
  divide_by_position(train->images, test->images, request, dataset);
  if (dataset.validation.size() == 0 || largest == 0) {
    return bad_input(fmt::format("{}: too few images or classes to train and validate", train->labels_file));
  }
  return dataset;
}

}  // namespace wattle::trainer
