#include <archive.h>
#include <archive_entry.h>
#include <gtest/gtest.h>
#include <png.h>
#include <turbojpeg.h>
#include <unistd.h>
#include <zlib.h>

#include <algorithm>
#include <cmath>
#include <fstream>
#include <map>
#include <numeric>
#include <set>

#include "../datasets/dataset.h"
#include "../datasets/image_decoder.h"
#include "../datasets/split.h"
#include "../random.h"

namespace wattle::trainer {
namespace {

namespace fs = std::filesystem;
using Bytes = std::vector<std::uint8_t>;

class Files : public testing::Test {
 protected:
  void SetUp() override {
    folder_ = fs::temp_directory_path() / ("wattle-data-" + std::to_string(getpid()));
    fs::remove_all(folder_);
    fs::create_directories(folder_);
  }
  void TearDown() override { fs::remove_all(folder_); }

  void write(const std::string& name, const Bytes& bytes) const {
    fs::create_directories((folder_ / name).parent_path());
    std::ofstream(folder_ / name, std::ios::binary)
        .write(reinterpret_cast<const char*>(bytes.data()), static_cast<std::streamsize>(bytes.size()));
  }

  fs::path folder_;
};

std::string message(const Result<Dataset>& result) { return result ? "loaded" : result.error().message; }

// ---- splitting ----

TEST(Split, a_tenth_of_each_class_is_held_out_whatever_the_limits) {
  std::vector<std::int64_t> labels;
  std::vector<std::uint64_t> keys;
  for (std::uint64_t index = 0; index < 1000; ++index) {
    labels.push_back(index < 800 ? 0 : 1);
    keys.push_back(mix(index));
  }
  const Split all = hold_out(labels, keys, 0, 0);
  EXPECT_EQ(all.validation.size(), 100U);
  EXPECT_EQ(std::count_if(all.validation.begin(), all.validation.end(), [&](auto at) { return labels[at] == 1; }), 20);
  std::set<std::size_t> seen(all.train.begin(), all.train.end());
  seen.insert(all.validation.begin(), all.validation.end());
  EXPECT_EQ(seen.size(), 1000U);

  const Split some = hold_out(labels, keys, 101, 10);
  EXPECT_EQ(some.train.size(), 101U);
  EXPECT_EQ(some.validation.size(), 10U);
  EXPECT_TRUE(std::includes(all.train.begin(), all.train.end(), some.train.begin(), some.train.end()));
  EXPECT_TRUE(
      std::includes(all.validation.begin(), all.validation.end(), some.validation.begin(), some.validation.end()));
}

TEST(Split, a_subset_keeps_the_proportions_of_the_classes_to_one_image) {
  std::vector<std::int64_t> labels;
  std::vector<std::uint64_t> keys;
  Positions pool;
  for (std::uint64_t index = 0; index < 999; ++index) {
    labels.push_back(static_cast<std::int64_t>(index % 7));
    keys.push_back(mix(index));
    pool.push_back(index);
  }
  for (const std::int64_t limit : {1, 6, 7, 100, 998}) {
    const Positions chosen = stratified_subset(pool, labels, keys, limit);
    EXPECT_EQ(chosen.size(), static_cast<std::size_t>(limit));
    std::map<std::int64_t, double> counts;
    for (const std::size_t at : chosen) {
      ++counts[labels[at]];
    }
    for (const auto& [label, count] : counts) {
      EXPECT_NEAR(count, static_cast<double>(limit) / 7, 1.01) << label;
    }
  }
  EXPECT_EQ(stratified_subset(pool, labels, keys, 5000), pool);
}

// ---- glyphs ----

TEST(Glyphs, are_the_same_however_many_threads_draw_them_and_a_larger_set_begins_with_the_smaller) {
  DatasetRequest request;
  request.train_samples = 600;
  request.validation_samples = request.test_samples = 50;
  const auto one = load_glyphs(request);
  request.threads = 3;
  request.train_samples = 900;
  const auto three = load_glyphs(request);
  ASSERT_TRUE(one && three);
  EXPECT_TRUE(std::equal(one->train.pixels.begin(), one->train.pixels.end(), three->train.pixels.begin()));
  EXPECT_EQ(one->validation.pixels, three->validation.pixels);
  EXPECT_NE(one->validation.pixels, one->test.pixels);
  EXPECT_FALSE(std::equal(one->validation.pixels.begin(), one->validation.pixels.end(), one->train.pixels.begin()));
}

TEST(Glyphs, every_class_appears_about_equally_often) {
  DatasetRequest request;
  request.train_samples = 10'000;
  request.validation_samples = request.test_samples = 1;
  const auto glyphs = load_glyphs(request);
  std::vector<int> counts(10);
  for (const std::int64_t label : glyphs->train.labels) {
    ++counts.at(static_cast<std::size_t>(label));
  }
  for (const int count : counts) {
    EXPECT_NEAR(count, 1000, 5 * 30);
  }
}

TEST(Glyphs, drawing_stops_when_asked_to) {
  DatasetRequest request;
  request.stop_requested = [] { return true; };
  EXPECT_EQ(load_glyphs(request).error().code, ExitCode::kInterrupted);
}

TEST(ChannelStatistics, are_those_of_the_definition) {
  const ImageSet images{{0, 10, 255, 10, 255, 10, 0, 10}, {0}};
  const ChannelStatistics statistics = channel_statistics(images, 2);
  EXPECT_DOUBLE_EQ(statistics.mean[0], 0.5);
  EXPECT_DOUBLE_EQ(statistics.deviation[0], 0.5);
  EXPECT_DOUBLE_EQ(statistics.mean[1], 10 / 255.0);
  EXPECT_DOUBLE_EQ(statistics.deviation[1], 1);  // a channel that never varies
}

// ---- idx ----

void append(Bytes& bytes, std::uint32_t number) {
  for (const unsigned shift : {24U, 16U, 8U, 0U}) {
    bytes.push_back(static_cast<std::uint8_t>(number >> shift));
  }
}

Bytes idx_images(std::uint32_t count, std::uint32_t side, std::uint32_t magic = 0x803) {
  Bytes bytes;
  for (const std::uint32_t number : {magic, count, side, side}) {
    append(bytes, number);
  }
  for (std::uint32_t index = 0; index < count * side * side; ++index) {
    bytes.push_back(static_cast<std::uint8_t>(index / (side * side)));
  }
  return bytes;
}

Bytes idx_labels(std::uint32_t count, std::uint32_t classes = 5) {
  Bytes bytes;
  append(bytes, 0x801);
  append(bytes, count);
  for (std::uint32_t index = 0; index < count; ++index) {
    bytes.push_back(static_cast<std::uint8_t>(index % classes));
  }
  return bytes;
}

Bytes gzipped(const Bytes& bytes) {
  Bytes packed(compressBound(bytes.size()) + 64);
  z_stream stream{};
  deflateInit2(&stream, 6, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY);
  stream.next_in = const_cast<std::uint8_t*>(bytes.data());
  stream.avail_in = static_cast<unsigned>(bytes.size());
  stream.next_out = packed.data();
  stream.avail_out = static_cast<unsigned>(packed.size());
  deflate(&stream, Z_FINISH);
  packed.resize(stream.total_out);
  deflateEnd(&stream);
  return packed;
}

bool says_of_data(ExitCode code) { return code == ExitCode::kBadInput || code == ExitCode::kDamagedData; }

class Idx : public Files {
 protected:
  void SetUp() override {
    Files::SetUp();
    write("train-images-idx3-ubyte", idx_images(100, 12));
    write("train-labels-idx1-ubyte", idx_labels(100));
    write("t10k-images-idx3-ubyte.gz", gzipped(idx_images(20, 12)));
    write("t10k-labels-idx1-ubyte.gz", gzipped(idx_labels(20)));
  }

  [[nodiscard]] Result<Dataset> load(std::int64_t limit = 0) const {
    DatasetRequest request;
    request.path = folder_;
    request.train_samples = request.test_samples = limit;
    return load_idx(request);
  }
};

TEST_F(Idx, plain_and_gzipped_files_load_with_a_tenth_held_out) {
  const auto data = load();
  ASSERT_TRUE(data) << message(data);
  EXPECT_EQ(data->train.size(), 90U);
  EXPECT_EQ(data->validation.size(), 10U);
  EXPECT_EQ(data->test.size(), 20U);
  EXPECT_EQ(data->classes.size(), 5U);
  EXPECT_EQ(data->shape, (ImageShape{1, 12, 12}));
  for (std::size_t index = 0; index < data->train.size(); ++index) {
    const std::uint8_t image = data->train.pixels[index * 144];  // every pixel holds the image's number
    EXPECT_EQ(data->train.labels[index], image % 5);
  }
}

TEST_F(Idx, limits_choose_from_all_classes) {
  const auto data = load(10);
  ASSERT_TRUE(data);
  EXPECT_EQ(data->train.size(), 10U);
  EXPECT_EQ(std::set<std::int64_t>(data->train.labels.begin(), data->train.labels.end()).size(), 5U);
  EXPECT_EQ(data->test.size(), 10U);
}

struct BadIdx {
  const char* name;
  const char* file;
  Bytes bytes;
  const char* says;
};

TEST_F(Idx, every_bad_file_is_named_with_what_is_wrong) {
  Bytes cut = idx_images(100, 12);
  cut.resize(1000);
  Bytes cut_gzip = gzipped(idx_images(20, 12));
  cut_gzip.resize(cut_gzip.size() / 2);
  Bytes long_one = idx_labels(100);
  long_one.push_back(0);
  Bytes vast;
  for (const std::uint32_t number : {0x803U, 0xffffffffU, 4096U, 4096U}) {
    append(vast, number);
  }
  Bytes vast_labels;
  append(vast_labels, 0x801);
  append(vast_labels, 0xffffffffU);
  const BadIdx cases[] = {
      {"magic", "train-images-idx3-ubyte", idx_images(100, 12, 0x801), "begins with"},
      {"truncated", "train-images-idx3-ubyte", cut, "truncated"},
      {"truncated gzip", "t10k-images-idx3-ubyte.gz", cut_gzip, "truncated"},
      {"empty", "train-labels-idx1-ubyte", {}, "truncated"},
      {"other count", "train-labels-idx1-ubyte", idx_labels(99), "99 labels for the 100 images"},
      {"longer", "train-labels-idx1-ubyte", long_one, "more bytes"},
      {"vast side", "train-images-idx3-ubyte", idx_images(0, 12), "0 images"},
      {"vast count", "train-images-idx3-ubyte", vast, "labels for the 4294967295 images"},
      {"unknown class", "t10k-labels-idx1-ubyte.gz", gzipped(idx_labels(20, 6)), "class"},
      {"other size", "t10k-images-idx3-ubyte.gz", gzipped(idx_images(20, 13)), "13 x 13"},
  };
  for (const BadIdx& bad : cases) {
    SetUp();
    write(bad.file, bad.bytes);
    const auto data = load();
    ASSERT_FALSE(data) << bad.name;
    EXPECT_TRUE(says_of_data(data.error().code)) << bad.name;
    EXPECT_NE(message(data).find(bad.says), std::string::npos) << bad.name << ": " << message(data);
    EXPECT_NE(message(data).find((folder_ / bad.file).string()), std::string::npos)
        << bad.name << ": " << message(data);
  }
}

TEST_F(Idx, a_header_that_claims_terabytes_costs_no_more_than_the_file) {
  Bytes images, labels;
  for (const std::uint32_t number : {0x803U, 100U, 4096U, 4096U}) {
    append(images, number);
  }
  write("train-images-idx3-ubyte", images);
  EXPECT_NE(message(load()).find("truncated"), std::string::npos) << message(load());
}

TEST_F(Idx, a_missing_file_is_named) {
  fs::remove(folder_ / "t10k-labels-idx1-ubyte.gz");
  EXPECT_NE(message(load()).find("t10k-labels-idx1-ubyte"), std::string::npos);
}

// ---- folder ----

Bytes jpeg(int side, std::uint8_t grey, bool colour = true, bool noise = false) {
  const std::size_t channels = colour ? 3 : 1;
  Bytes pixels(static_cast<std::size_t>(side) * static_cast<std::size_t>(side) * channels, grey);
  for (std::size_t at = 0; noise && at < pixels.size(); ++at) {
    pixels[at] = static_cast<std::uint8_t>(mix(at));
  }
  tjhandle handle = tjInitCompress();
  unsigned char* out = nullptr;
  unsigned long size = 0;
  tjCompress2(handle, pixels.data(), side, 0, side, colour ? TJPF_RGB : TJPF_GRAY, &out, &size,
              colour ? TJSAMP_444 : TJSAMP_GRAY, 95, 0);
  Bytes bytes(out, out + size);
  tjFree(out);
  tjDestroy(handle);
  return bytes;
}

Bytes png(unsigned side, std::uint8_t grey) {
  const Bytes pixels(std::size_t{side} * side * 3, grey);
  png_image image{};
  image.version = PNG_IMAGE_VERSION;
  image.width = image.height = side;
  image.format = PNG_FORMAT_RGB;
  png_alloc_size_t size = 0;
  png_image_write_to_memory(&image, nullptr, &size, 0, pixels.data(), 0, nullptr);
  Bytes bytes(size);
  png_image_write_to_memory(&image, bytes.data(), &size, 0, pixels.data(), 0, nullptr);
  return bytes;
}

std::map<std::string, Bytes> small_set() {
  std::map<std::string, Bytes> files;
  for (int index = 0; index < 20; ++index) {
    const std::string name = std::to_string(100 + index);
    files["train/black/" + name + ".jpg"] = jpeg(16, 0);
    files["train/white/" + name + ".png"] = png(16, 255);
    files["test/black/" + name + ".JPEG"] = jpeg(16, 0);
    files["test/white/" + name + ".jpg"] = jpeg(16, 255);
  }
  return files;
}

class Folder : public Files {
 protected:
  void write_all(const std::map<std::string, Bytes>& files) const {
    for (const auto& [name, bytes] : files) {
      write("data/" + name, bytes);
    }
  }

  [[nodiscard]] fs::path write_tar(const std::map<std::string, Bytes>& files, bool gzip = true) const {
    fs::path path = folder_ / (gzip ? "data.tar.gz" : "data.tar");
    archive* tar = archive_write_new();
    archive_write_set_format_pax_restricted(tar);
    if (gzip) {
      archive_write_add_filter_gzip(tar);
    }
    archive_write_open_filename(tar, path.c_str());
    for (const auto& [name, bytes] : files) {
      archive_entry* entry = archive_entry_new();
      archive_entry_set_pathname(entry, name.c_str());
      archive_entry_set_size(entry, static_cast<la_int64_t>(bytes.size()));
      archive_entry_set_filetype(entry, name.ends_with('/') ? AE_IFDIR : AE_IFREG);
      archive_entry_set_perm(entry, 0755);
      if (name.ends_with("link.jpg")) {
        archive_entry_set_filetype(entry, AE_IFLNK);
        archive_entry_set_symlink(entry, "/etc/passwd");
      }
      archive_write_header(tar, entry);
      archive_write_data(tar, bytes.data(), bytes.size());
      archive_entry_free(entry);
    }
    archive_write_free(tar);
    return path;
  }

  static Result<Dataset> load(const fs::path& path, std::int64_t limit = 0, int threads = 1, std::int64_t side = 0) {
    DatasetRequest request;
    request.path = path;
    request.train_samples = limit;
    request.threads = threads;
    request.image_size = side;
    return load_folder(request);
  }

  void expect_bad(const std::map<std::string, Bytes>& files, const std::string& says) {
    const auto tar = load(write_tar(files));
    ASSERT_FALSE(tar) << says;
    EXPECT_TRUE(says_of_data(tar.error().code)) << says;
    EXPECT_NE(message(tar).find(says), std::string::npos) << message(tar);
  }
};

TEST_F(Folder, a_folder_and_a_tar_of_it_hold_the_same_images_on_any_number_of_threads) {
  write_all(small_set());
  const auto folder = load(folder_ / "data");
  const auto gzip = load(write_tar(small_set()), 0, 3);
  const auto plain = load(write_tar(small_set(), false));
  ASSERT_TRUE(folder) << message(folder);
  ASSERT_TRUE(gzip) << message(gzip);
  ASSERT_TRUE(plain) << message(plain);
  EXPECT_EQ(folder->classes, (std::vector<std::string>{"black", "white"}));
  EXPECT_EQ(folder->train.size(), 36U);
  EXPECT_EQ(folder->validation.size(), 4U);
  EXPECT_EQ(folder->test.size(), 40U);
  for (const auto* other : {&gzip, &plain}) {
    EXPECT_EQ(folder->train.pixels, (*other)->train.pixels);
    EXPECT_EQ(folder->train.labels, (*other)->train.labels);
    EXPECT_EQ(folder->validation.pixels, (*other)->validation.pixels);
    EXPECT_EQ(folder->test.pixels, (*other)->test.pixels);
  }
  for (std::size_t index = 0; index < folder->train.size(); ++index) {
    EXPECT_NEAR(folder->train.pixels[index * 768], folder->train.labels[index] == 1 ? 255 : 0, 2);
  }
}

TEST_F(Folder, a_folder_above_train_and_test_and_files_that_are_no_images_do_not_matter) {
  std::map<std::string, Bytes> files;
  for (const auto& [name, bytes] : small_set()) {
    files["./my set/" + name] = bytes;
  }
  files["README.txt"] = {'x'};
  files["./my set/train/black/.hidden.jpg"] = {'x'};
  files["./my set/train/black/notes.txt"] = {'x'};
  const auto data = load(write_tar(files));
  ASSERT_TRUE(data) << message(data);
  EXPECT_EQ(data->train.size(), 36U);
}

TEST_F(Folder, images_of_other_sizes_and_colours_are_brought_to_the_first_ones) {
  auto files = small_set();
  files["train/white/100.png"] = png(31, 255);
  files["train/white/101.png"] = jpeg(9, 255, false);
  const auto data = load(write_tar(files));
  ASSERT_TRUE(data) << message(data);
  EXPECT_EQ(data->shape, (ImageShape{3, 16, 16}));
  for (std::size_t index = 0; index < data->train.pixels.size(); ++index) {
    EXPECT_NEAR(data->train.pixels[index], data->train.labels[index / 768] == 1 ? 255 : 0, 2);
  }
  EXPECT_EQ(load(write_tar(files), 0, 1, 24)->shape, (ImageShape{3, 24, 24}));
}

TEST_F(Folder, a_limit_takes_from_every_class) {
  const auto data = load(write_tar(small_set()), 6);
  EXPECT_EQ(std::count(data->train.labels.begin(), data->train.labels.end(), 1), 3);
  EXPECT_EQ(data->train.size(), 6U);
}

TEST_F(Folder, only_chosen_images_are_decoded) {
  auto files = small_set();
  for (int index = 0; index < 20; ++index) {  // one of these nineteen is enough to fail a full load
    files["train/white/" + std::to_string(200 + index) + ".jpg"] = {0xff, 0xd8, 0xff, 'x'};
  }
  EXPECT_FALSE(load(write_tar(files)));
  DatasetRequest request;
  request.path = folder_ / "data.tar.gz";
  request.train_samples = request.validation_samples = 1;
  const auto data = load_folder(request);
  ASSERT_TRUE(data) << message(data);
  EXPECT_EQ(data->train.labels, std::vector<std::int64_t>{1});
}

TEST_F(Folder, damaged_images_are_named) {
  auto files = small_set();
  files["train/black/105.jpg"].resize(files["train/black/105.jpg"].size() / 2);
  expect_bad(files, "train/black/105.jpg");
  Bytes cut = jpeg(16, 0, true, true);  // its header is whole: only decoding meets the end
  cut.resize(cut.size() - 200);
  files = small_set();
  files["train/black/106.jpg"] = cut;
  expect_bad(files, "train/black/106.jpg: damaged JPEG");
  files = small_set();
  files["test/white/119.jpg"] = {};
  expect_bad(files, "test/white/119.jpg");
  files = small_set();
  Bytes& broken = files["train/white/103.png"];
  std::fill(broken.begin() + 40, broken.end() - 16, std::uint8_t{7});
  expect_bad(files, "train/white/103.png");
}

TEST_F(Folder, of_several_damaged_images_the_first_is_named_on_any_number_of_threads) {
  auto files = small_set();
  for (auto& [name, bytes] : files) {
    if (name.starts_with("test/")) {
      bytes.resize(bytes.size() / 2);
    }
  }
  const fs::path tar = write_tar(files);
  for (const int threads : {1, 4}) {
    EXPECT_NE(message(load(tar, 0, threads)).find("test/black/100.JPEG"), std::string::npos);
  }
}

TEST_F(Folder, paths_that_leave_the_archive_are_refused) {
  for (const char* hostile : {"/train/black/1.jpg", "../train/black/1.jpg", "train/black/../../../1.jpg"}) {
    auto files = small_set();
    files[hostile] = jpeg(16, 0);
    expect_bad(files, "leaves the archive");
  }
  auto files = small_set();
  files["train/black/link.jpg"] = {};
  expect_bad(files, "not a regular file");
}

TEST_F(Folder, classes_must_be_the_same_and_not_empty) {
  auto files = small_set();
  files["train/empty/"] = {};
  files["test/empty/1.jpg"] = jpeg(16, 0);
  expect_bad(files, "train/empty: no JPEG or PNG images");
  files = small_set();
  files["test/third/1.jpg"] = jpeg(16, 0);
  expect_bad(files, "train/third");
  expect_bad({{"train/only/1.jpg", jpeg(16, 0)}, {"test/only/1.jpg", jpeg(16, 0)}}, "1 classes");
  expect_bad({}, "0 classes");
}

TEST_F(Folder, an_archive_that_is_cut_short_or_is_none_is_named) {
  const fs::path tar = write_tar(small_set());
  fs::resize_file(tar, fs::file_size(tar) / 2);
  EXPECT_NE(message(load(tar)).find("data.tar.gz"), std::string::npos) << message(load(tar));
  write("noise.tar", Bytes(5000, 'x'));
  EXPECT_FALSE(load(folder_ / "noise.tar"));
  EXPECT_NE(message(load(folder_ / "absent.tar")).find("absent.tar"), std::string::npos);
  fs::create_directories(folder_ / "empty");
  EXPECT_NE(message(load(folder_ / "empty")).find("empty/train"), std::string::npos);
}

TEST(ImageDecoder, refuses_an_image_whose_header_claims_a_vast_size) {
  Bytes bytes = jpeg(16, 0);
  for (std::size_t at = 0; at + 8 < bytes.size(); ++at) {
    if (bytes[at] == 0xff && bytes[at + 1] == 0xc0) {  // start of frame: length, precision, height, width
      std::fill(bytes.begin() + static_cast<std::ptrdiff_t>(at) + 5,
                bytes.begin() + static_cast<std::ptrdiff_t>(at) + 9, std::uint8_t{0xfe});
    }
  }
  ImageDecoder decoder;
  const auto shape = decoder.shape(bytes);
  ASSERT_FALSE(shape);
  EXPECT_NE(shape.error().message.find("million"), std::string::npos) << shape.error().message;
}

TEST(Resize, keeps_a_flat_image_flat_and_a_means_mean) {
  const ImageShape size{1, 8, 8}, half{1, 4, 4}, twice{1, 16, 16};
  Bytes flat(64, 77), small(16), large(256);
  resize(flat, size, half, small);
  resize(flat, size, twice, large);
  EXPECT_EQ(small, Bytes(16, 77));
  EXPECT_EQ(large, Bytes(256, 77));

  Bytes ramp(64);
  for (std::size_t at = 0; at < 64; ++at) {
    ramp[at] = static_cast<std::uint8_t>(20 * (at % 8));
  }
  resize(ramp, size, half, small);
  for (std::size_t column = 1; column + 1 < 4; ++column) {  // inside, a ramp stays a ramp: 2c and 2c + 1 average
    EXPECT_NEAR(small[4 + column], 20.0 * (2.0 * static_cast<double>(column) + 0.5), 1);
  }
}

}  // namespace
}  // namespace wattle::trainer
