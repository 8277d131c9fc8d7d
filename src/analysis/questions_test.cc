#include "analysis/questions.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>

namespace wattle::analysis {
namespace {

using record::Record;
using ::testing::HasSubstr;
using ::testing::Not;

// Runs of two workloads, alone and beside each other, with shares as the engine stores them.
class Beside {
 public:
  std::vector<Record> records;

  // 10 W idle; alone: 10 s at 30 W, so 200 J active each.
  void alone(const std::string& workload, int block) { add(workload, block, 10.0).estimated = total(300.0); }

  // Both at once: 12 s, 600 J in all, of it 120 J idle, 30 J others, 0 unknown; shares 250 J and 200 J.
  void together(int block, const std::string& invalid = {}) {
    int member = 0;
    for (const char* workload : {"a", "b"}) {
      Record& record = add(workload, block, member == 0 ? 12.0 : 9.0);
      study::Colocation& colocation = record.request.configuration.colocation;
      colocation.partners = {member == 0 ? "b/original" : "a/original"};
      colocation.member = member;
      record.request.group = "group#" + std::to_string(block);
      record.request.key += "/beside";
      record::GroupShare share;
      share.members = 2;
      share.overlap = member == 0 ? 0.75 : 1.0;
      share.invalid = invalid;
      share.estimated = total(600.0);
      share.own = to_microjoules(Joules{member == 0 ? 250.0 : 200.0});
      share.least = to_microjoules(Joules{150.0});
      share.most = to_microjoules(Joules{300.0});
      share.idle = to_microjoules(Joules{120.0});
      share.others = to_microjoules(Joules{30.0});
      record.group = share;
      ++member;
    }
  }

 private:
  static record::Total total(double joules) { return {to_microjoules(Joules{joules}), {}, 1.0, 0.0}; }

  Record& add(const std::string& workload, int block, double time_s) {
    Record record;
    record.request.key = workload + "#" + std::to_string(block);
    record.request.block = block;
    record.request.configuration.workload = workload;
    record.request.configuration.label = "original";
    record.end = record::EndState::completed;
    record.duration = to_nanoseconds(Seconds{time_s});
    record.windows = {{{energy::WindowKind::run, "run", {}, seconds(100), seconds(100) + *record.duration}, "", {}}};
    records.push_back(std::move(record));
    return records.back();
  }
};

const AnswerTable& table(const Answer& answer, const std::string& name) {
  for (const AnswerTable& one : answer.tables) {
    if (one.name == name) return one;
  }
  throw std::runtime_error("no table " + name);
}

const Cell& cell(const AnswerTable& table, std::size_t row, const std::string& key) {
  for (std::size_t i = 0; i < table.columns.size(); ++i) {
    if (table.columns[i].key == key) return table.rows.at(row).at(i);
  }
  throw std::runtime_error("no column " + key);
}

TEST(SideBySide, tells_the_groups_energy_each_share_and_each_change_apart) {
  Beside beside;
  for (int block = 1; block <= 6; ++block) {
    beside.alone("a", block);
    beside.alone("b", block);
    beside.together(block);
  }
  const auto answer = side_by_side(beside.records, {});
  ASSERT_TRUE(answer);
  EXPECT_EQ(answer->basis, "estimated");
  const AnswerTable& groups = table(*answer, "groups");
  ASSERT_EQ(groups.rows.size(), 1U);
  EXPECT_EQ(cell(groups, 0, "n").value, 6.0);
  EXPECT_EQ(cell(groups, 0, "energy_j").value, 600.0);
  EXPECT_NEAR(*cell(groups, 0, "energy_change").value, 600.0 / 600.0, 1e-12);
  EXPECT_NEAR(*cell(groups, 0, "duration_change").value, 12.0 / 20.0, 1e-12);
  EXPECT_EQ(cell(groups, 0, "idle_j").value, 120.0);
  const AnswerTable& members = table(*answer, "members");
  ASSERT_EQ(members.rows.size(), 2U);
  EXPECT_EQ(cell(members, 0, "attributed_energy_j").value, 250.0);
  EXPECT_EQ(cell(members, 0, "attributed_energy_j").low, 150.0);
  EXPECT_EQ(cell(members, 0, "alone_energy_j").value, 200.0) << "300 J less 10 W for 10 s";
  EXPECT_NEAR(*cell(members, 0, "energy_change").value, 1.25, 1e-12);
  EXPECT_TRUE(cell(members, 0, "energy_change").low) << "six blocks give an interval";
  EXPECT_NEAR(*cell(members, 1, "duration_change").value, 0.9, 1e-12);
  EXPECT_EQ(cell(members, 1, "overlap").value, 1.0);
}

TEST(SideBySide, a_group_that_is_invalid_says_why_and_counts_nowhere) {
  Beside beside;
  beside.alone("a", 1);
  beside.alone("b", 1);
  beside.together(1, "b/original hardly worked");
  const auto answer = side_by_side(beside.records, {});
  ASSERT_TRUE(answer);
  EXPECT_TRUE(table(*answer, "groups").rows.empty());
  ASSERT_FALSE(answer->warnings.empty());
  EXPECT_THAT(answer->warnings.front(), HasSubstr("b/original hardly worked"));
}

TEST(SideBySide, without_the_same_runs_alone_changes_are_absent_and_not_zero) {
  Beside beside;
  beside.together(1);
  const auto answer = side_by_side(beside.records, {});
  ASSERT_TRUE(answer);
  const AnswerTable& groups = table(*answer, "groups");
  ASSERT_EQ(groups.rows.size(), 1U);
  EXPECT_FALSE(cell(groups, 0, "energy_change").value);
  EXPECT_FALSE(cell(groups, 0, "energy_change").why_absent.empty());
  EXPECT_EQ(cell(groups, 0, "energy_j").value, 600.0);
}

TEST(Drift, is_told_where_the_same_work_takes_ever_longer) {
  std::vector<Record> records;
  for (int block = 1; block <= 8; ++block) {
    Record record;
    record.request.purpose = study::Purpose::control;
    record.request.block = block;
    record.request.key = "control#" + std::to_string(block);
    record.end = record::EndState::completed;
    record.started_wall = seconds(1000L * block);
    record.duration = to_nanoseconds(Seconds{10.0 + 0.1 * block});
    records.push_back(record);
  }
  auto answer = drift(records, {});
  ASSERT_TRUE(answer);
  EXPECT_THAT(answer->sentence, HasSubstr("ever longer"));
  EXPECT_EQ(cell(table(*answer, "trend"), 0, "rho").value, 1.0);
  EXPECT_EQ(table(*answer, "runs").rows.size(), 8U);
  for (Record& record : records) record.duration = seconds(10);
  answer = drift(records, {});
  EXPECT_THAT(answer->sentence, Not(HasSubstr("drifted")));
  EXPECT_FALSE(cell(table(*answer, "trend"), 0, "rho").value) << "equal values have no order";
  EXPECT_THAT(drift({}, {})->sentence, HasSubstr("control = true"));
}

TEST(Questions, have_names_of_their_own) {
  for (const Question& one : questions()) {
    EXPECT_EQ(question(one.name), &one);
    EXPECT_TRUE(one.answer(std::span<const Record>{}, {})) << one.name << " of nothing must say so, not fail";
  }
  EXPECT_EQ(question("nonsense"), nullptr);
}

}  // namespace
}  // namespace wattle::analysis
