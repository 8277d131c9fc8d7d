#include <fmt/format.h>
#include <gtest/gtest.h>
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <filesystem>
#include <fstream>
#include <limits>
#include <nlohmann/json.hpp>
#include <optional>

#include "../checkpoint/ledger.h"
#include "../checkpoint/safetensors.h"
#include "../metrics.h"
#include "../random.h"

namespace wattle::trainer {
namespace {

namespace fs = std::filesystem;

class Safetensors : public testing::Test {
 protected:
  void SetUp() override {
    folder_ = fs::temp_directory_path() / fmt::format("wattle-safetensors-{}", getpid());
    fs::create_directories(folder_);
    path_ = folder_ / "file";
  }
  void TearDown() override { fs::remove_all(folder_); }

  Result<SafetensorsFile> read_file(const std::string& header, std::size_t data,
                                    std::optional<std::uint64_t> length = {}) {
    std::ofstream file(path_, std::ios::binary);
    const std::uint64_t said = length.value_or(header.size());
    for (int byte = 0; byte < 8; ++byte) {
      file.put(static_cast<char>(said >> (8 * byte)));
    }
    file << header << std::string(data, 'x');
    file.close();
    return SafetensorsFile::read(path_);
  }

  fs::path folder_, path_;
};

TEST_F(Safetensors, what_was_written_is_read) {
  const std::vector<std::uint8_t> first = {1, 2, 3, 4, 5, 6, 7, 8}, second = {9};
  const StoredTensor tensors[] = {
      {"a.weight", "F32", {2, 1}, first}, {"b", "U8", {}, second}, {"c", "I64", {0, 5}, {}}};
  ASSERT_TRUE(write_safetensors(path_, tensors, {{"key", "value \" \n"}}));
  const auto file = SafetensorsFile::read(path_);
  ASSERT_TRUE(file) << file.error().message;
  ASSERT_EQ(file->tensors().size(), 3U);
  EXPECT_EQ(file->find("a.weight")->shape, (std::vector<std::int64_t>{2, 1}));
  EXPECT_TRUE(std::ranges::equal(file->find("a.weight")->bytes, first));
  EXPECT_EQ(file->find("b")->bytes[0], 9);
  EXPECT_EQ(file->find("d"), nullptr);
  EXPECT_EQ(file->metadata().at("key"), "value \" \n");
  EXPECT_EQ(std::distance(fs::directory_iterator(folder_), fs::directory_iterator()), 1);  // nothing left beside it
}

TEST_F(Safetensors, a_file_as_the_format_describes_it_is_read) {
  EXPECT_TRUE(read_file(R"({"t":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}})", 8));
  EXPECT_TRUE(read_file(R"({"__metadata__":{"a":"b"}})", 0));
}

TEST_F(Safetensors, hostile_files_are_refused_with_what_is_wrong) {
  struct Case {
    const char* header;
    std::size_t data;
    const char* says;
  };
  const Case cases[] = {
      {R"({"t":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}})", 7, "outside"},
      {R"({"t":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}})", 9, "unused"},
      {R"({"t":{"dtype":"F32","shape":[2],"data_offsets":[8,0]}})", 8, "outside"},
      {R"({"t":{"dtype":"F32","shape":[3],"data_offsets":[0,8]}})", 8, "do not fit"},
      {R"({"t":{"dtype":"F32","shape":[-2],"data_offsets":[0,8]}})", 8, "whole number"},
      {R"({"t":{"dtype":"F32","shape":[2],"data_offsets":[-8,0]}})", 8, "outside"},
      {R"({"t":{"dtype":"F32","shape":[4611686018427387904,8],"data_offsets":[0,0]}})", 0, "do not fit"},
      {R"({"t":{"dtype":"F32","shape":[18446744073709551615],"data_offsets":[0,8]}})", 8, "whole number"},
      {R"({"t":{"dtype":"F8","shape":[2],"data_offsets":[0,8]}})", 8, "dtype"},
      {R"({"t":{"dtype":7,"shape":[2],"data_offsets":[0,8]}})", 8, "dtype"},
      {R"({"t":{"shape":[2],"data_offsets":[0,8]}})", 8, "lacks"},
      {R"({"t":[1]})", 0, "lacks"},
      {R"({"t":{"dtype":"U8","shape":[2],"data_offsets":[0,2]},"u":{"dtype":"U8","shape":[2],"data_offsets":[1,3]}})",
       3, "overlap"},
      {R"({"t":{"dtype":"U8","shape":[1],"data_offsets":[0,1]},"t":{"dtype":"U8","shape":[1],"data_offsets":[1,2]}})",
       2, "different names"},
      {R"({"__metadata__":{"a":1}})", 0, "metadata"},
      {R"({"__metadata__":"a"})", 0, "metadata"},
      {R"([1,2])", 0, "JSON object"},
      {R"({"t")", 0, "JSON object"},
  };
  for (const Case& one : cases) {
    const auto file = read_file(one.header, one.data);
    ASSERT_FALSE(file) << one.header;
    EXPECT_EQ(file.error().code, ExitCode::kDamagedData);
    EXPECT_NE(file.error().message.find(one.says), std::string::npos) << one.header << file.error().message;
    EXPECT_NE(file.error().message.find(path_.string()), std::string::npos);
  }
  EXPECT_FALSE(read_file("{}", 0, 3));
  EXPECT_FALSE(read_file("{}", 0, UINT64_MAX));
  EXPECT_FALSE(read_file("{}", 0, 0));
  EXPECT_FALSE(read_file(std::string(200'000, '['), 0));
  EXPECT_EQ(SafetensorsFile::read(folder_).error().code, ExitCode::kBadInput);
  EXPECT_EQ(SafetensorsFile::read(folder_ / "absent").error().code, ExitCode::kBadInput);
}

TEST_F(Safetensors, no_damaged_byte_of_a_header_is_more_than_an_error) {
  const std::string good = R"({"t":{"dtype":"F32","shape":[2,1],"data_offsets":[0,8]},"__metadata__":{"k":"v"}})";
  Random random(4);
  for (int round = 0; round < 2000; ++round) {
    std::string header = good;
    for (std::uint64_t change = random.below(3) + 1; change > 0; --change) {
      header[random.below(header.size())] = static_cast<char>(random.below(256));
    }
    const auto file = read_file(header, 8);
    if (file && !file->tensors().empty()) {
      EXPECT_LE(file->tensors()[0].bytes.size(), 8U);
    }
  }
}

TEST_F(Safetensors, a_full_disk_leaves_the_old_file) {
  const std::vector<std::uint8_t> small(8), large(1 << 16);
  const StoredTensor before[] = {{"t", "U8", {8}, small}}, after[] = {{"t", "U8", {1 << 16}, large}};
  ASSERT_TRUE(write_safetensors(path_, before, {}));
  rlimit limit{};
  getrlimit(RLIMIT_FSIZE, &limit);
  signal(SIGXFSZ, SIG_IGN);
  const rlimit small_limit{1 << 15, limit.rlim_max};
  setrlimit(RLIMIT_FSIZE, &small_limit);
  const auto written = write_safetensors(path_, after, {});
  setrlimit(RLIMIT_FSIZE, &limit);
  ASSERT_FALSE(written);
  EXPECT_EQ(written.error().code, ExitCode::kUnwritable);
  EXPECT_EQ(SafetensorsFile::read(path_)->find("t")->bytes.size(), 8U);
  EXPECT_EQ(std::distance(fs::directory_iterator(folder_), fs::directory_iterator()), 1);
}

TEST_F(Safetensors, a_folder_that_is_not_there_is_said) {
  EXPECT_EQ(write_safetensors(folder_ / "absent" / "file", {}, {}).error().code, ExitCode::kUnwritable);
}

LedgerEntry entry(const std::string& run) { return {run, "1", "m", "d", "t", 7, 3, 1000, 2.5, std::nullopt, "", ""}; }

TEST(Ledger, is_read_as_it_was_written) {
  Ledger ledger = {entry("a"), entry("b")};
  ledger[1].energy_j = 12.25;
  ledger[1].energy_source = "flag";
  ledger[1].energy_provenance = "measured";
  const auto read = parse_ledger(ledger_json(ledger).dump());
  ASSERT_TRUE(read);
  EXPECT_EQ(ledger_json(*read), ledger_json(ledger));
  EXPECT_FALSE((*read)[0].energy_j);
}

TEST(Ledger, what_is_none_is_refused) {
  for (const char* text : {"", "{}", "[1]", R"([{"run":"a"}])", R"([{"run":1}])"}) {
    EXPECT_FALSE(parse_ledger(text)) << text;
  }
}

TEST(Ledger, joules_of_which_nobody_says_so_are_not_measured) {
  Ledger ledger = {entry("a")};
  ledger[0].energy_j = 1;
  EXPECT_EQ(parse_ledger(ledger_json(ledger).dump())->front().energy_provenance, "estimated");
  ledger[0].energy_j.reset();
  EXPECT_EQ(parse_ledger(ledger_json(ledger).dump())->front().energy_provenance, "");
}

TEST_F(Safetensors, joules_are_filled_in_from_the_file_beside_a_checkpoint) {
  Ledger ledger = {entry("a"), entry("b")};
  EXPECT_TRUE(fill_from_file(ledger, path_));  // no such file: nothing happens
  EXPECT_FALSE(ledger[0].energy_j);
  std::ofstream(path_.string() + ".ledger.json") << R"({"b": {"energy_j": 4.5, "provenance": "measured"}})";
  EXPECT_TRUE(fill_from_file(ledger, path_));
  EXPECT_FALSE(ledger[0].energy_j);
  EXPECT_EQ(ledger[1].energy_j, 4.5);
  EXPECT_EQ(ledger[1].energy_source, "file");
  EXPECT_EQ(ledger[1].energy_provenance, "measured");
  std::ofstream(path_.string() + ".ledger.json") << R"({"a": {"energy_j": null}, "b": {"energy_j": 9}})";
  EXPECT_TRUE(fill_from_file(ledger, path_));
  EXPECT_FALSE(ledger[0].energy_j) << "not known";
  EXPECT_EQ(ledger[1].energy_j, 4.5) << "it was known";
  for (const char* text : {"[]", R"({"a": 3})", R"({"a": {"energy_j": -1}})", R"({"a": {"energy_j": "x"}})", "{"}) {
    std::ofstream(path_.string() + ".ledger.json") << text;
    EXPECT_FALSE(fill_from_file(ledger, path_)) << text;
  }
}

TEST(Metrics, rates_are_scikit_learns) {
  // Labels 0 0 0 1 1 2, answers 0 0 1 1 1 1.
  const Confusion confusion{4, {2, 1, 0, 0, 0, 2, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0}};
  const Rates one = rates_of(confusion, 1);
  EXPECT_DOUBLE_EQ(one.precision, 0.5);
  EXPECT_DOUBLE_EQ(one.recall, 1);
  EXPECT_DOUBLE_EQ(one.f1, 2.0 / 3);
  const Rates macro = macro_rates(confusion);  // class 3 never occurs and does not count
  EXPECT_DOUBLE_EQ(macro.precision, 0.5);
  EXPECT_DOUBLE_EQ(macro.recall, (2.0 / 3 + 1 + 0) / 3);
  EXPECT_DOUBLE_EQ(macro.f1, (0.8 + 2.0 / 3 + 0) / 3);
}

TEST(Metrics, the_area_under_the_curve_counts_pairs_in_order) {
  Random random(2);
  std::vector<float> scores;
  std::vector<char> positive;
  for (int index = 0; index < 200; ++index) {
    positive.push_back(static_cast<char>(random.below(2)));
    scores.push_back(static_cast<float>(random.below(20)) + (positive.back() != 0 ? 3.0F : 0.0F));
  }
  double in_order = 0, pairs = 0;
  for (std::size_t good = 0; good < scores.size(); ++good) {
    for (std::size_t bad = 0; bad < scores.size(); ++bad) {
      if (positive[good] != 0 && positive[bad] == 0) {
        pairs += 1;
        in_order += scores[good] > scores[bad] ? 1 : scores[good] == scores[bad] ? 0.5 : 0;
      }
    }
  }
  EXPECT_DOUBLE_EQ(*area_under_curve(scores, positive), in_order / pairs);
  EXPECT_FALSE(area_under_curve(scores, std::vector<char>(200, 1)));
  scores[3] = std::numeric_limits<float>::quiet_NaN();
  EXPECT_FALSE(area_under_curve(scores, positive));
}

}  // namespace
}  // namespace wattle::trainer
