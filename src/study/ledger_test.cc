#include "study/ledger.h"

#include <gmock/gmock.h>

#include <nlohmann/json.hpp>

#include "study/fixture.h"

namespace wattle::study {
namespace {

using testing::HasSubstr;

// What is said of FILE.ledger.json with this text.
std::string refusal(const std::string& text) {
  const Folder folder("ledger");
  folder.put("w.pt", "weights");
  folder.put("w.pt.ledger.json", text);
  const auto ledger = read_ledger(folder.path() / "w.pt");
  return ledger ? "accepted" : ledger.error().message;
}

// A safetensors file whose own list names these runs.
std::string safetensors(const std::vector<std::string>& runs) {
  nlohmann::json list = nlohmann::json::array();
  for (const std::string& run : runs) list.push_back({{"run", run}, {"energy_j", nullptr}, {"duration_s", 2.0}});
  const std::string header = nlohmann::json{{"__metadata__", {{"wattle.ledger", list.dump()}}}}.dump();
  std::string bytes(8, '\0');
  for (std::size_t i = 0; i < 8; ++i) bytes[i] = static_cast<char>(header.size() >> (8 * i) & 0xFFU);
  return bytes + header;
}

TEST(Ledger, comes_back_from_its_file_as_it_was_written) {
  const Folder folder("ledger_written");
  const Ledger sent{{"a", Joules{12.5}, false, 0.02, Seconds{3.25}, "host | cpu"},
                    {"b", Joules{0.1}, true, 0.3, {}, ""}};
  ASSERT_TRUE(write_ledger(folder.path() / "w.pt", sent));
  const auto back = read_ledger(folder.path() / "w.pt");
  ASSERT_TRUE(back) << back.error().message;
  EXPECT_EQ(*back, sent);
}

TEST(Ledger, weights_without_one_cost_nobody_knows_what) {
  const Folder folder("ledger_absent");
  folder.put("w.pt", "weights");
  const auto ledger = read_ledger(folder.path() / "w.pt");
  ASSERT_TRUE(ledger);
  EXPECT_FALSE(total_of(*ledger).energy) << "not 0";
  EXPECT_THAT(total_of(*ledger).why_absent, HasSubstr("no ledger"));
}

TEST(Ledger, hostile_ones_are_refused_in_words) {
  EXPECT_THAT(refusal(R"({"a": {"energy_j": 1)"), HasSubstr("cut off"));
  EXPECT_THAT(refusal(""), HasSubstr("no JSON"));
  EXPECT_THAT(refusal(R"({"a": {"energy_j": NaN}})"), HasSubstr("no JSON"));
  EXPECT_THAT(refusal(R"({"a": {"energy_j": 1e999}})"), HasSubstr("beyond all measure"));
  EXPECT_THAT(refusal(R"({"a": {"energy_j": -1}})"), HasSubstr("run a: `energy_j` must be a number from 0 to 1e+15"));
  EXPECT_THAT(refusal(R"({"a": {"energy_j": 1e20}})"), HasSubstr("`energy_j` must be"));
  EXPECT_THAT(refusal(R"({"a": {"energy_j": "12"}})"), HasSubstr("`energy_j` must be"));
  EXPECT_THAT(refusal(R"({"a": {"energy_j": 1, "provenance": "guessed"}})"), HasSubstr("`provenance`"));
  EXPECT_THAT(refusal(R"({"a": {"energy_j": 1, "uncertainty": -0.1}})"), HasSubstr("`uncertainty`"));
  EXPECT_THAT(refusal(R"({"a": {"energy_j": 1, "duration_s": -3}})"), HasSubstr("`duration_s`"));
  EXPECT_THAT(refusal(R"({"a": 12})"), HasSubstr("run a: must be an object"));
  EXPECT_THAT(refusal("[]"), HasSubstr("must be an object"));
  EXPECT_THAT(refusal(std::string(100'000, '[')), HasSubstr("no JSON"));
}

TEST(Ledger, weights_that_name_their_runs_take_no_others_and_miss_those_that_lack) {
  const Folder folder("ledger_named");
  folder.put("w.safetensors", safetensors({"a", "b"}));
  folder.put("w.safetensors.ledger.json", R"({"a": {"energy_j": 5, "provenance": "measured"}})");
  const auto ledger = read_ledger(folder.path() / "w.safetensors");
  ASSERT_TRUE(ledger) << ledger.error().message;
  ASSERT_EQ(ledger->size(), 2U);
  EXPECT_FALSE(total_of(*ledger).energy);
  EXPECT_THAT(total_of(*ledger).why_absent, HasSubstr("nobody measured run b"));
  folder.put("w.safetensors.ledger.json", R"({"c": {"energy_j": 5}})");
  const auto other = read_ledger(folder.path() / "w.safetensors");
  ASSERT_FALSE(other);
  EXPECT_THAT(other.error().message, HasSubstr("run c has no part in these weights"));
}

TEST(Ledger, measured_and_estimated_joules_have_no_sum) {
  const Ledger measured{{"a", Joules{2.0}, false, 0.1, Seconds{1.0}, ""},
                        {"b", Joules{6.0}, false, 0.3, Seconds{2.0}, ""}};
  EXPECT_EQ(total_of(measured).energy, Joules{8.0});
  EXPECT_DOUBLE_EQ(total_of(measured).uncertainty, 0.25);
  EXPECT_EQ(total_of(measured).duration, Seconds{3.0});
  Ledger mixed = measured;
  mixed.back().estimated = true;
  EXPECT_FALSE(total_of(mixed).energy);
  EXPECT_THAT(total_of(mixed).why_absent, HasSubstr("others estimated"));
}

TEST(Ledger, joules_of_which_nobody_says_how_they_were_obtained_are_estimated) {
  const auto ledger = ledger_from_json(nlohmann::json::parse(R"({"a": {"energy_j": 1}})"));
  ASSERT_TRUE(ledger);
  EXPECT_TRUE(ledger->front().estimated);
}

}  // namespace
}  // namespace wattle::study
