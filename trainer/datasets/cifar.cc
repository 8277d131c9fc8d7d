#include <fmt/format.h>

#include <algorithm>
#include <fstream>

#include "dataset.h"
#include "split.h"

/// CIFAR's binary version (A. Krizhevsky 2009): records of the label bytes (CIFAR-100: coarse, then fine), then 1,024
/// red, green and blue bytes. A tenth of each class of train validates.

namespace wattle::trainer {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t kSide = 32, kPixels = kSide * kSide, kBytes = 3 * kPixels;
constexpr std::size_t kMostRecords = 10'000'000;

struct Format {
  std::vector<std::string> train, test;
  std::size_t label_bytes, label_at;  ///< which of the label bytes is the first label set's
  std::int64_t classes;
};

Result<void> read_file(const fs::path& path, const Format& format, ImageSet& images) {
  std::ifstream file(path, std::ios::binary | std::ios::ate);
  if (!file) {
    return bad_input(fmt::format("{}: cannot be opened", path.string()));
  }
  const auto size = static_cast<std::size_t>(std::max<std::streamoff>(file.tellg(), 0));
  const std::size_t record = format.label_bytes + kBytes;
  if (size == 0 || size % record != 0 || size / record > kMostRecords) {
    return damaged(fmt::format("{}: {} bytes, which is no number of records of {}", path.string(), size, record));
  }
  std::vector<char> bytes(size);
  file.seekg(0);
  if (!file.read(bytes.data(), static_cast<std::streamsize>(size))) {
    return damaged(fmt::format("{}: cannot be read", path.string()));
  }
  for (std::size_t begin = 0; begin < size; begin += record) {
    const auto byte = [&bytes, begin](std::size_t at) { return static_cast<std::uint8_t>(bytes[begin + at]); };
    if (byte(format.label_at) >= format.classes) {
      return damaged(fmt::format("{}: record {} is of class {}, above {}", path.string(), begin / record,
                                 byte(format.label_at), format.classes - 1));
    }
    images.labels.push_back(byte(format.label_at));
    images.second_labels.push_back(format.label_bytes == 2 ? byte(0) : 0);
    for (std::size_t pixel = 0; pixel < kPixels; ++pixel) {
      for (std::size_t channel = 0; channel < 3; ++channel) {
        images.pixels.push_back(byte(format.label_bytes + channel * kPixels + pixel));
      }
    }
  }
  return {};
}

Result<ImageSet> read_files(const fs::path& folder, const std::vector<std::string>& names, const Format& format) {
  ImageSet images;
  for (const std::string& name : names) {
    if (auto read = read_file(folder / name, format, images); !read) {
      return tl::unexpected(read.error());
    }
  }
  return images;
}

Result<Dataset> load(const DatasetRequest& request, const Format& format) {
  const auto train = read_files(request.path, format.train, format);
  if (!train) {
    return tl::unexpected(train.error());
  }
  const auto test = read_files(request.path, format.test, format);
  if (!test) {
    return tl::unexpected(test.error());
  }
  if (request.stop_requested()) {
    return interrupted();
  }
  Dataset dataset;
  dataset.shape = {3, kSide, kSide};
  divide_by_position(*train, *test, request, dataset);
  if (dataset.validation.size() == 0) {
    return bad_input(fmt::format("{}: too few images to train and validate", request.path.string()));
  }
  return dataset;
}

std::vector<std::string> numbered(std::string_view prefix, int count) {
  std::vector<std::string> names;
  for (int number = 0; number < count; ++number) {
    names.push_back(fmt::format("{}{}", prefix, number));
  }
  return names;
}

}  // namespace

Result<Dataset> load_cifar10(const DatasetRequest& request) {
  const Format format{
      {"data_batch_1.bin", "data_batch_2.bin", "data_batch_3.bin", "data_batch_4.bin", "data_batch_5.bin"},
      {"test_batch.bin"},
      1,
      0,
      10};
  auto dataset = load(request, format);
  if (dataset) {
    dataset->classes = {"airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck"};
    dataset->second_classes = {"animal", "vehicle"};
    for (ImageSet* set : {&dataset->train, &dataset->validation, &dataset->test}) {
      for (std::size_t image = 0; image < set->size(); ++image) {
        const std::int64_t label = set->labels[image];
        set->second_labels[image] = label < 2 || label > 7 ? 1 : 0;
      }
    }
  }
  return dataset;
}

Result<Dataset> load_cifar100(const DatasetRequest& request) {
  auto dataset = load(request, {{"train.bin"}, {"test.bin"}, 2, 1, 100});
  if (dataset) {
    dataset->classes = numbered("fine", 100);
    dataset->second_classes = numbered("coarse", 20);
    for (const ImageSet* set : {&dataset->train, &dataset->validation, &dataset->test}) {
      if (std::any_of(set->second_labels.begin(), set->second_labels.end(),
                      [](std::int64_t label) { return label > 19; })) {
        return damaged(fmt::format("{}: holds a coarse class above 19", request.path.string()));
      }
    }
  }
  return dataset;
}

}  // namespace wattle::trainer
