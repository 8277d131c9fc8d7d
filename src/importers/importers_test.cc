#include "importers/importers.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>

namespace wattle::importers {
namespace {

namespace fs = std::filesystem;

class ImportersTest : public testing::Test {
 protected:
  ImportersTest() { fs::create_directories(folder_); }
  ~ImportersTest() override { fs::remove_all(folder_); }

  [[nodiscard]] fs::path given(const std::string& name, const std::string& text) const {
    std::ofstream(folder_ / name, std::ios::binary) << text;
    return folder_ / name;
  }
  [[nodiscard]] static Result<Imported> imported(const std::string& format, const fs::path& file) {
    Request request;
    request.format = format;
    request.files = {file};
    return import(request);
  }
  [[nodiscard]] Result<Imported> table(const std::string& rows) const {
    Request request;
    request.format = "csv";
    request.files = {given("t.csv", "joules,seconds,lr\n" + rows)};
    request.columns = {{"energy_j", "joules"}, {"duration_s", "seconds"}, {"parameter.lr", "lr"}};
    request.provenance = energy::Provenance::counter;
    return import(request);
  }

  fs::path folder_ = fs::path(testing::TempDir()) / ("wattle_importers_" + std::to_string(::getpid()));
};

TEST_F(ImportersTest, every_record_can_be_read_back_and_says_that_it_is_imported) {
  const auto all = table("1.5,2,0.1\n3,4,0.2\n");
  ASSERT_TRUE(all) << all.error().message;
  ASSERT_EQ(all->attempts.size(), 2U);
  for (const record::Attempt& attempt : all->attempts) {
    const auto back = record::record_from_json(record::to_json(attempt.record));
    ASSERT_TRUE(back) << back.error().message;
    EXPECT_EQ(back->fingerprint.at(kImported), "csv t.csv");
    EXPECT_EQ(back->request.key.size(), 64U);
    EXPECT_EQ(back->request.configuration.id.size(), 12U);
  }
  EXPECT_EQ(all->attempts[0].record.measured.energy, Microjoules{1'500'000});
  EXPECT_EQ(all->attempts[1].record.request.configuration.label, "lr 0.2");
}

TEST_F(ImportersTest, rows_that_are_the_same_to_the_byte_are_different_runs) {
  const auto all = table("1,2,0.1\n1,2,0.1\n");
  ASSERT_TRUE(all);
  EXPECT_NE(all->attempts[0].record.request.key, all->attempts[1].record.request.key);
  EXPECT_EQ(all->attempts[0].record.request.block, 1);
  EXPECT_EQ(all->attempts[1].record.request.block, 2);
  const auto shorter = table("1,2,0.1\n");
  EXPECT_EQ(all->attempts[0].record.request.key, shorter->attempts[0].record.request.key);
}

TEST_F(ImportersTest, no_number_is_too_large_for_what_keeps_it) {
  for (const char* row : {"1e13,2,0.1\n", "1,1e10,0.1\n"}) {
    const auto refused = table(row);
    ASSERT_TRUE(refused);
    EXPECT_EQ(refused->mistakes.size(), 1U) << row;
    EXPECT_TRUE(refused->attempts.empty());
  }
  std::string perf;
  for (int socket = 0; socket < 8; ++socket) {
    perf += "S" + std::to_string(socket) + ",1,1999999999999,Joules,power/energy-pkg/,1e30,100.00,,\n";
  }
  const auto whole = imported("perf-stat", given("p.csv", perf));
  ASSERT_TRUE(whole) << whole.error().message;
  const record::Record& record = whole->attempts.front().record;
  EXPECT_EQ(record.domains.size(), 8U);
  EXPECT_FALSE(record.measured.energy);
  EXPECT_NE(record.measured.why_absent.find("more than can be kept"), std::string::npos);
  EXPECT_FALSE(record.duration) << "the counters' time is nonsense";
}

TEST_F(ImportersTest, text_that_is_not_utf8_is_refused_with_its_place) {
  for (const char* bytes : {"\xC0\x80", "\xED\xA0\x80", "\xF5\x80\x80\x80", "\xE2\x82", "\x80"}) {
    const auto refused = imported("codecarbon", given("t.csv", std::string("joules\n12") + bytes));
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().message, "t.csv:2:3: what follows here is not UTF-8 text") << bytes;
  }
}

TEST_F(ImportersTest, an_outlier_rule_is_read_as_in_a_study_file) {
  const auto rule = parse_outlier_rule("measure=gpu-0_temperature, workloads=a|b, drop_highest=7");
  ASSERT_TRUE(rule) << rule.error().message;
  EXPECT_EQ(rule->measure, "gpu-0_temperature");
  EXPECT_EQ(rule->workloads, (std::vector<std::string>{"a", "b"}));
  EXPECT_EQ(rule->drop_highest, 7);
  for (const char* wrong : {"", "measure=energy", "drop_highest=1", "measure=energy,drop_highest=0",
                            "measure=energy,equals=much", "measure=energy,equals=nan", "measure"}) {
    EXPECT_FALSE(parse_outlier_rule(wrong)) << wrong;
  }
}

TEST_F(ImportersTest, a_map_of_columns_is_flat_or_in_tables) {
  const auto map = read_column_map(given("m.toml", "energy_j = 'E'\n[parameter]\nlr = 'rate'\n"));
  ASSERT_TRUE(map) << map.error().message;
  EXPECT_EQ(*map, (std::map<std::string, std::string>{{"energy_j", "E"}, {"parameter.lr", "rate"}}));
  std::string deep = "a";
  for (int i = 0; i < 100'000; ++i) deep += ".a";
  EXPECT_FALSE(read_column_map(given("m.toml", deep + " = 'x'\n")));
}

}  // namespace
}  // namespace wattle::importers
