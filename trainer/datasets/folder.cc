#include <archive.h>
#include <archive_entry.h>
#include <fmt/format.h>

#include <algorithm>
#include <atomic>
#include <fstream>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <thread>

#include "../random.h"
#include "dataset.h"
#include "image_decoder.h"
#include "split.h"

namespace wattle::trainer {
namespace {

namespace fs = std::filesystem;

constexpr std::int64_t kLargestFile = std::int64_t{256} << 20U;

/// An image not yet decoded: still on disk where `bytes` is empty (a folder), else read already (an archive).
struct ImageFile {
  std::string name;  ///< train/CLASS/FILE: what errors call it and what its key is made of
  std::string class_name;
  fs::path path;
  std::vector<std::uint8_t> bytes;
};

struct Listing {
  std::vector<ImageFile> train, test;
  std::set<std::string> train_classes, test_classes;  ///< empty folders too
};

bool is_image_name(std::string_view name) {
  std::string ending = fs::path(name).extension().string();
  std::transform(ending.begin(), ending.end(), ending.begin(),
                 [](char letter) { return static_cast<char>(std::tolower(static_cast<unsigned char>(letter))); });
  return !name.starts_with('.') && (ending == ".jpg" || ending == ".jpeg" || ending == ".png");
}

tl::unexpected<Error> bad_file(const fs::path& where, std::string_view name, std::string_view problem) {
  return bad_input(name.empty() ? fmt::format("{}: {}", where.string(), problem)
                                : fmt::format("{}: {}: {}", where.string(), name, problem));
}

tl::unexpected<Error> damaged_file(const fs::path& where, std::string_view name, std::string_view problem) {
  return damaged(bad_file(where, name, problem).value().message);
}

void list_class(const fs::path& folder, const std::string& split, std::vector<ImageFile>& files) {
  const std::string class_name = folder.filename().string();
  for (const fs::directory_entry& entry : fs::directory_iterator(folder)) {
    const std::string name = entry.path().filename().string();
    if (is_image_name(name)) {
      files.push_back({split + "/" + class_name + "/" + name, class_name, entry.path(), {}});
    }
  }
}

Result<Listing> list_folder(const DatasetRequest& request) {
  Listing listing;
  try {
    for (const std::string split : {"train", "test"}) {
      const fs::path folder = request.path / split;
      if (!fs::is_directory(folder)) {
        return bad_file(folder, "", "no such folder; images are read from train/CLASS/* and test/CLASS/*");
      }
      for (const fs::directory_entry& entry : fs::directory_iterator(folder)) {
        const std::string name = entry.path().filename().string();
        if (entry.is_directory() && !name.starts_with('.')) {
          (split == "train" ? listing.train_classes : listing.test_classes).insert(name);
          list_class(entry.path(), split, split == "train" ? listing.train : listing.test);
        }
      }
    }
  } catch (const fs::filesystem_error& error) {
    return bad_input(error.what());
  }
  return listing;
}

/// The parts of a path in an archive; nothing where the path is absolute or climbs out of the archive.
std::optional<std::vector<std::string>> safe_parts(const fs::path& path) {
  std::vector<std::string> parts;
  if (path.is_absolute()) {
    return std::nullopt;
  }
  for (const fs::path& part : path) {
    if (part == "..") {
      return std::nullopt;
    }
    if (part != "." && !part.empty()) {
      parts.push_back(part.string());
    }
  }
  return parts;
}

/// Reads a tar from its beginning to its end, once. Nothing is written to disk.
class TarReader {
 public:
  explicit TarReader(const DatasetRequest& request) : request_(request), tar_(archive_read_new()) {
    archive_read_support_filter_gzip(tar_.get());
    archive_read_support_format_tar(tar_.get());
  }

  Result<Listing> read() {
    constexpr std::size_t kBlock = std::size_t{1} << 18U;
    if (archive_read_open_filename(tar_.get(), request_.path.c_str(), kBlock) != ARCHIVE_OK) {
      return bad_file(request_.path, "", problem());
    }
    while (true) {
      archive_entry* entry = nullptr;
      const int status = archive_read_next_header(tar_.get(), &entry);
      if (status == ARCHIVE_EOF) {
        return std::move(listing_);
      }
      if (status != ARCHIVE_OK) {
        return damaged_file(request_.path, "", fmt::format("truncated or damaged: {}", problem()));
      }
      if (request_.stop_requested()) {
        return interrupted();
      }
      if (auto taken = take(entry); !taken) {
        return tl::unexpected(taken.error());
      }
    }
  }

 private:
  struct Free {
    void operator()(archive* tar) const { archive_read_free(tar); }
  };

  std::string problem() {
    const char* text = archive_error_string(tar_.get());
    return text == nullptr ? "unreadable" : text;
  }

  Result<void> take(archive_entry* entry) {
    const char* name = archive_entry_pathname(entry);
    const auto parts = safe_parts(name == nullptr ? "" : name);
    if (!parts) {
      return bad_file(request_.path, name, "a path that leaves the archive");
    }
    // Whatever stands before train/ or test/ is the archive's own folder.
    const auto split = std::find_if(parts->begin(), parts->end(),
                                    [](const std::string& part) { return part == "train" || part == "test"; });
    const auto depth = parts->end() - split;
    const bool directory = archive_entry_filetype(entry) == AE_IFDIR;
    if (depth < 2 || (depth == 2 && !directory) || split[1].starts_with('.')) {
      return {};
    }
    (*split == "train" ? listing_.train_classes : listing_.test_classes).insert(split[1]);
    if (directory || depth != 3 || !is_image_name(split[2])) {
      return {};
    }
    if (archive_entry_filetype(entry) != AE_IFREG || archive_entry_hardlink(entry) != nullptr) {
      return bad_file(request_.path, name, "not a regular file");
    }
    ImageFile file{*split + "/" + split[1] + "/" + split[2], split[1], {}, {}};
    if (auto filled = fill(entry, file); !filled) {
      return filled;
    }
    (*split == "train" ? listing_.train : listing_.test).push_back(std::move(file));
    return {};
  }

  Result<void> fill(archive_entry* entry, ImageFile& file) {
    const std::int64_t size = archive_entry_size(entry);
    if (size <= 0 || size > kLargestFile) {
      return bad_file(request_.path, file.name, size == 0 ? "empty" : fmt::format("{} bytes", size));
    }
    file.bytes.resize(static_cast<std::size_t>(size));
    const auto got = archive_read_data(tar_.get(), file.bytes.data(), file.bytes.size());
    if (got != static_cast<la_ssize_t>(file.bytes.size())) {
      return damaged_file(request_.path, file.name, "truncated or damaged");
    }
    return {};
  }

  const DatasetRequest& request_;
  std::unique_ptr<archive, Free> tar_;
  Listing listing_;
};

/// Checks that both splits hold the same classes and no class is empty; gives the classes, sorted.
Result<std::vector<std::string>> check_classes(const DatasetRequest& request, Listing& listing) {
  std::map<std::string, std::pair<std::size_t, std::size_t>> counts;
  for (const std::string& name : listing.train_classes) {
    counts[name];
  }
  for (const std::string& name : listing.test_classes) {
    counts[name];
  }
  for (const ImageFile& file : listing.train) {
    ++counts[file.class_name].first;
  }
  for (const ImageFile& file : listing.test) {
    ++counts[file.class_name].second;
  }
  if (counts.size() < 2) {
    return bad_file(request.path, "",
                    fmt::format("{} classes; two are needed, as train/CLASS/* and test/CLASS/*", counts.size()));
  }
  std::vector<std::string> classes;
  for (const auto& [name, count] : counts) {
    if (count.first == 0 || count.second == 0) {
      return bad_file(request.path, fmt::format("{}/{}", count.first == 0 ? "train" : "test", name),
                      "no JPEG or PNG images");
    }
    classes.push_back(name);
  }
  return classes;
}

std::vector<std::int64_t> labels_of(const std::vector<ImageFile>& files, const std::vector<std::string>& classes) {
  std::vector<std::int64_t> labels;
  for (const ImageFile& file : files) {
    labels.push_back(std::lower_bound(classes.begin(), classes.end(), file.class_name) - classes.begin());
  }
  return labels;
}

std::vector<std::uint64_t> keys_of(const std::vector<ImageFile>& files) {
  std::vector<std::uint64_t> keys;
  for (const ImageFile& file : files) {
    keys.push_back(hash_of(file.name));
  }
  return keys;
}

Result<std::span<const std::uint8_t>> contents(const ImageFile& file, std::vector<std::uint8_t>& buffer) {
  if (!file.bytes.empty()) {
    return std::span<const std::uint8_t>(file.bytes);
  }
  std::error_code problem;
  const auto size = fs::file_size(file.path, problem);
  if (problem || size == 0 || static_cast<std::int64_t>(size) > kLargestFile) {
    return bad_input(problem ? problem.message() : fmt::format("{} bytes", size));
  }
  buffer.resize(size);
  std::ifstream stream(file.path, std::ios::binary);
  if (!stream.read(reinterpret_cast<char*>(buffer.data()), static_cast<std::streamsize>(size))) {
    return bad_input("cannot be read");
  }
  return std::span<const std::uint8_t>(buffer);
}

/// Decodes the chosen files on the request's threads. Of several bad files the first is told, whichever thread met one.
class ParallelDecoder {
 public:
  ParallelDecoder(const DatasetRequest& request, const ImageShape& shape) : request_(request), shape_(shape) {}

  Result<ImageSet> decode(const std::vector<ImageFile>& files, const std::vector<std::int64_t>& labels,
                          const Positions& chosen) {
    ImageSet images;
    images.pixels.resize(chosen.size() * shape_.bytes());
    std::vector<std::jthread> others;
    for (int thread = 1; thread < request_.threads; ++thread) {
      others.emplace_back([&] { work(files, chosen, images.pixels); });
    }
    work(files, chosen, images.pixels);
    others.clear();  // joins
    if (request_.stop_requested()) {
      return interrupted();
    }
    if (error_) {
      error_->message =
          fmt::format("{}: {}: {}", request_.path.string(), files[chosen[first_bad_]].name, error_->message);
      return tl::unexpected(*error_);
    }
    for (const std::size_t position : chosen) {
      images.labels.push_back(labels[position]);
    }
    return images;
  }

 private:
  void work(const std::vector<ImageFile>& files, const Positions& chosen, std::span<std::uint8_t> pixels) {
    ImageDecoder decoder;
    std::vector<std::uint8_t> buffer;
    for (std::size_t at = next_++; at < chosen.size() && at < first_bad_; at = next_++) {
      if (request_.stop_requested()) {
        return;
      }
      const auto decoded =
          decode_one(decoder, files[chosen[at]], buffer, pixels.subspan(at * shape_.bytes(), shape_.bytes()));
      const std::lock_guard lock(mutex_);
      if (!decoded && at < first_bad_) {
        first_bad_ = at;
        error_ = decoded.error();
      }
    }
  }

  Result<void> decode_one(ImageDecoder& decoder, const ImageFile& file, std::vector<std::uint8_t>& buffer,
                          std::span<std::uint8_t> pixels) {
    try {
      const auto bytes = contents(file, buffer);
      return bytes ? decoder.decode(*bytes, shape_, pixels) : Result<void>(tl::unexpected(bytes.error()));
    } catch (const std::bad_alloc&) {  // must not leave a thread
      return tl::unexpected(Error{ExitCode::kOutOfMemory, "out of memory"});
    }
  }

  const DatasetRequest& request_;
  ImageShape shape_;
  std::atomic<std::size_t> next_ = 0;
  std::atomic<std::size_t> first_bad_ = SIZE_MAX;
  std::mutex mutex_;
  std::optional<Error> error_;
};

Result<ImageShape> wanted_shape(const DatasetRequest& request, const ImageFile& first) {
  std::vector<std::uint8_t> buffer;
  const auto file = contents(first, buffer);
  ImageDecoder decoder;
  auto shape = file ? decoder.shape(*file) : Result<ImageShape>(tl::unexpected(file.error()));
  if (!shape) {
    return tl::unexpected(
        Error{shape.error().code, bad_file(request.path, first.name, shape.error().message).value().message});
  }
  if (request.image_size > 0) {
    shape->height = shape->width = request.image_size;
  }
  return shape;
}

}  // namespace

Result<Dataset> load_folder(const DatasetRequest& request) {
  auto listing = fs::is_directory(request.path) ? list_folder(request) : TarReader(request).read();
  if (!listing) {
    return tl::unexpected(listing.error());
  }
  const auto by_name = [](const ImageFile& left, const ImageFile& right) { return left.name < right.name; };
  std::sort(listing->train.begin(), listing->train.end(), by_name);
  std::sort(listing->test.begin(), listing->test.end(), by_name);
  auto classes = check_classes(request, *listing);
  if (!classes) {
    return tl::unexpected(classes.error());
  }
  const auto train_labels = labels_of(listing->train, *classes);
  const auto test_labels = labels_of(listing->test, *classes);
  const Split split =
      hold_out(train_labels, keys_of(listing->train), request.train_samples, request.validation_samples);
  if (split.validation.empty()) {
    return bad_file(request.path, "train", "too few images to hold out a tenth of each class for validation");
  }
  Positions all(test_labels.size());
  for (std::size_t position = 0; position < all.size(); ++position) {
    all[position] = position;
  }
  const Positions tested = stratified_subset(all, test_labels, keys_of(listing->test), request.test_samples);
  const auto shape = wanted_shape(request, listing->train.front());
  if (!shape) {
    return tl::unexpected(shape.error());
  }
  auto train = ParallelDecoder(request, *shape).decode(listing->train, train_labels, split.train);
  auto validation = ParallelDecoder(request, *shape).decode(listing->train, train_labels, split.validation);
  auto test = ParallelDecoder(request, *shape).decode(listing->test, test_labels, tested);
  for (const auto* part : {&train, &validation, &test}) {
    if (!*part) {
      return tl::unexpected(part->error());
    }
  }
  return Dataset{*shape, std::move(*classes), std::move(*train), std::move(*validation), std::move(*test)};
}

}  // namespace wattle::trainer
