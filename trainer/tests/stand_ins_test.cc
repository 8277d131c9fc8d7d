#include <fmt/format.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <fstream>

#include "../datasets/dataset.h"
#include "../random.h"

namespace wattle::trainer {
namespace {

namespace fs = std::filesystem;

const DatasetKind& kind_named(std::string_view name) {
  const auto kinds = dataset_kinds();
  return *std::find_if(kinds.begin(), kinds.end(), [name](const DatasetKind& kind) { return kind.name == name; });
}

DatasetRequest small_request() {
  DatasetRequest request;
  request.train_samples = 120;
  request.validation_samples = request.test_samples = 20;
  return request;
}

TEST(StandIns, are_the_same_however_many_threads_draw_them_and_a_larger_set_begins_with_the_smaller) {
  for (const DatasetKind& kind : dataset_kinds()) {
    if (!kind.synthetic) {
      continue;
    }
    DatasetRequest request = small_request();
    const auto one = kind.load(request);
    request.threads = 3;
    request.train_samples = 200;
    const auto three = kind.load(request);
    ASSERT_TRUE(one && three) << kind.name;
    EXPECT_TRUE(std::equal(one->train.pixels.begin(), one->train.pixels.end(), three->train.pixels.begin()));
    EXPECT_TRUE(std::equal(one->train.labels.begin(), one->train.labels.end(), three->train.labels.begin()));
    EXPECT_NE(one->validation.pixels, one->test.pixels) << kind.name;
    EXPECT_EQ(one->train.pixels.size(), 120 * one->shape.bytes()) << kind.name;
    request.stop_requested = [] { return true; };
    EXPECT_EQ(kind.load(request).error().code, ExitCode::kInterrupted) << kind.name;
  }
}

void expect_about_equal(const std::vector<std::int64_t>& labels, std::size_t classes) {
  std::vector<double> counts(classes);
  for (const std::int64_t label : labels) {
    ++counts.at(static_cast<std::size_t>(label));
  }
  const double expected = static_cast<double>(labels.size()) / static_cast<double>(classes);
  for (const double count : counts) {
    EXPECT_NEAR(count, expected, 5 * std::sqrt(expected));
  }
}

TEST(StandIns, show_every_class_of_both_label_sets_about_equally_often) {
  DatasetRequest request = small_request();
  request.train_samples = 2000;
  const auto textures = load_textures(request);
  EXPECT_EQ(textures->classes.size(), 8U);
  expect_about_equal(textures->train.labels, 8);
  EXPECT_EQ(textures->second_classes.size(), 5U);
  expect_about_equal(textures->train.second_labels, 5);
  request.image_size = 16;
  const auto squares = load_chess_squares(request);
  expect_about_equal(squares->train.labels, 2);
  EXPECT_EQ(squares->shape, (ImageShape{3, 16, 16}));
}

TEST(StandIns, the_light_of_the_whole_image_does_not_tell_whether_a_square_is_occupied) {
  DatasetRequest request = small_request();
  request.train_samples = 1000;
  request.image_size = 32;
  const auto squares = load_chess_squares(request);
  std::vector<std::pair<double, std::int64_t>> lights;
  for (std::size_t image = 0; image < squares->train.size(); ++image) {
    double sum = 0;
    for (std::size_t byte = 0; byte < squares->shape.bytes(); ++byte) {
      sum += squares->train.pixels[image * squares->shape.bytes() + byte];
    }
    lights.emplace_back(sum, squares->train.labels[image]);
  }
  std::sort(lights.begin(), lights.end());
  double best = 0, occupied_below = 0, occupied = 0;
  for (const auto& [light, label] : lights) {
    occupied += static_cast<double>(label);
  }
  for (std::size_t cut = 0; cut < lights.size(); ++cut) {
    const double right = occupied_below + (static_cast<double>(lights.size() - cut) - (occupied - occupied_below));
    best = std::max({best, right, static_cast<double>(lights.size()) - right});
    occupied_below += static_cast<double>(lights[cut].second);
  }
  EXPECT_LT(best / static_cast<double>(lights.size()), 0.7);
}

TEST(Target, the_second_label_set_takes_the_place_of_the_first) {
  const auto first = load_dataset(kind_named("textures"), small_request(), "first");
  const auto second = load_dataset(kind_named("textures"), small_request(), "second");
  EXPECT_EQ(second->classes, first->second_classes);
  EXPECT_EQ(second->test.labels, first->test.second_labels);
  EXPECT_EQ(load_dataset(kind_named("glyphs"), small_request(), "second").error().code, ExitCode::kBadInput);
}

TEST(ImageSize, holds_for_data_that_comes_in_another_size) {
  DatasetRequest request = small_request();
  request.image_size = 14;
  const auto glyphs = load_dataset(kind_named("glyphs"), request, "first");
  EXPECT_EQ(glyphs->shape, (ImageShape{1, 14, 14}));
  EXPECT_EQ(glyphs->test.pixels.size(), 20U * 14 * 14);
  request.image_size = 28;
  EXPECT_EQ(load_dataset(kind_named("glyphs"), request, "first")->train.pixels, load_glyphs(request)->train.pixels);
}

class Cifar : public testing::Test {
 protected:
  void SetUp() override {
    folder_ = fs::temp_directory_path() / fmt::format("wattle-cifar-{}", getpid());
    fs::create_directories(folder_);
  }
  void TearDown() override { fs::remove_all(folder_); }

  /// `count` records of `label_bytes` labels, the last of them 0, 1 … `classes` - 1 by turns.
  void write(const std::string& name, int count, int label_bytes, int classes, int missing = 0) const {
    std::string bytes;
    for (int record = 0; record < count; ++record) {
      if (label_bytes == 2) {
        bytes.push_back(static_cast<char>(record % classes / 5));
      }
      bytes.push_back(static_cast<char>(record % classes));
      for (int value = 0; value < 3072; ++value) {
        bytes.push_back(static_cast<char>(value / 1024 * 50 + record % classes));
      }
    }
    bytes.resize(bytes.size() - static_cast<std::size_t>(missing));
    std::ofstream(folder_ / name, std::ios::binary) << bytes;
  }
  void write_cifar10(int missing = 0) const {
    for (int batch = 1; batch <= 5; ++batch) {
      write(fmt::format("data_batch_{}.bin", batch), 40, 1, 10);
    }
    write("test_batch.bin", 30, 1, 10, missing);
  }
  Result<Dataset> load(std::string_view name) const {
    DatasetRequest request;
    request.path = folder_;
    return load_dataset(kind_named(name), request, "first");
  }

  fs::path folder_;
};

TEST_F(Cifar, ten_classes_are_read_with_their_colours_and_their_kind) {
  write_cifar10();
  const auto data = load("cifar10");
  ASSERT_TRUE(data) << data.error().message;
  EXPECT_EQ(data->train.size() + data->validation.size(), 200U);
  EXPECT_EQ(data->test.size(), 30U);
  for (std::size_t image = 0; image < 30; ++image) {
    const auto label = static_cast<std::uint8_t>(data->test.labels[image]);
    const std::uint8_t* pixel = data->test.pixels.data() + image * 3072 + 3 * 500;  // a pixel's three colours
    EXPECT_EQ(pixel[0], label);
    EXPECT_EQ(pixel[1], 50 + label);
    EXPECT_EQ(pixel[2], 100 + label);
    EXPECT_EQ(data->test.second_labels[image], label < 2 || label > 7 ? 1 : 0);
  }
}

TEST_F(Cifar, a_hundred_classes_have_coarse_ones) {
  write("train.bin", 1000, 2, 100);
  write("test.bin", 100, 2, 100);
  const auto data = load("cifar100");
  ASSERT_TRUE(data) << data.error().message;
  EXPECT_EQ(data->classes.size(), 100U);
  EXPECT_EQ(data->test.second_labels[7], data->test.labels[7] / 5);
}

TEST_F(Cifar, damaged_and_missing_files_are_named) {
  EXPECT_EQ(load("cifar10").error().code, ExitCode::kBadInput);
  write_cifar10(1);
  EXPECT_EQ(load("cifar10").error().code, ExitCode::kDamagedData);
  EXPECT_NE(load("cifar10").error().message.find("test_batch.bin"), std::string::npos);
  write_cifar10();
  write("test_batch.bin", 30, 1, 11);
  EXPECT_EQ(load("cifar10").error().code, ExitCode::kDamagedData);
}

}  // namespace
}  // namespace wattle::trainer
