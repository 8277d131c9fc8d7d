// Pretraining and multitask training, on runs whose joules are known.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <stdexcept>

#include "analysis/questions.h"

namespace wattle::analysis {
namespace {

using record::EndState;
using record::Record;
using ::testing::HasSubstr;

class Chain {
 public:
  std::vector<Record> records;

  Record& add(const std::string& workload, int block, double joules, bool measured = true) {
    Record record;
    record.request.key = workload + "#" + std::to_string(block);
    record.request.block = block;
    record.request.configuration.workload = workload;
    record.request.configuration.label = "original";
    record.end = EndState::reached;
    record.duration = to_nanoseconds(Seconds{joules / 10.0});
    (measured ? record.measured : record.estimated) = {to_microjoules(Joules{joules}), {}, 1.0, 0.02};
    record.windows = {{{energy::WindowKind::run, "run", {}, Nanoseconds{}, *record.duration}, "", {}}};
    records.push_back(std::move(record));
    return records.back();
  }
  Record& add_tuned(int block, double joules, bool measured = true) {
    Record& tuned = add("tuned", block, joules, measured);
    tuned.request.weights = {
        .key = "base#" + std::to_string(block), .workload = "base", .attempt = 1, .file = "", .ledger = {}};
    return tuned;
  }
  // 100 J, then 20 J in place of 60 J, a little different in each block.
  static Chain sound(int blocks) {
    Chain chain;
    for (int block = 1; block <= blocks; ++block) {
      chain.add("base", block, 100.0 + block);
      chain.add_tuned(block, 20.0);
      chain.add("scratch", block, 60.0 + block % 3);
    }
    return chain;
  }
  [[nodiscard]] Answer answer() const { return pretraining(records, {}).value(); }
};

const Cell& cell(const Answer& answer, const std::string& table, std::size_t row, const std::string& key) {
  for (const AnswerTable& one : answer.tables) {
    for (std::size_t i = 0; one.name == table && i < one.columns.size(); ++i) {
      if (one.columns[i].key == key) return one.rows.at(row).at(i);
    }
  }
  throw std::runtime_error("no " + table + " " + key);
}

TEST(Pretraining, pays_after_as_many_uses_as_it_cost_savings) {
  const Answer answer = Chain::sound(5).answer();
  // (101 + … + 105) / (41 + 42 + 40 + 41 + 42)
  EXPECT_NEAR(*cell(answer, "break-even", 0, "break_even").value, 515.0 / 206.0, 1e-9);
  EXPECT_NEAR(*cell(answer, "break-even", 1, "break_even").value, 515.0 / 206.0, 1e-9) << "by time";
  EXPECT_LT(*cell(answer, "break-even", 0, "break_even_low").value, 2.5);
  EXPECT_GT(*cell(answer, "break-even", 0, "break_even_high").value, 2.5);
  EXPECT_THAT(answer.sentence, HasSubstr("Pretraining pays from 3 fine-tunings on (N* = 2.5"));
  EXPECT_EQ(cell(answer, "ledger", 0, "energy_j").value, 101.0);
  EXPECT_EQ(cell(answer, "ledger", 0, "provenance").text, "measured");
}

TEST(Pretraining, has_no_upper_end_where_the_saving_may_be_none) {
  Chain chain;
  for (int block = 1; block <= 6; ++block) {
    chain.add("base", block, 100.0);
    chain.add_tuned(block, 20.0);
    chain.add("scratch", block, block % 2 == 0 ? 50.0 : 5.0);
  }
  const Answer answer = chain.answer();
  EXPECT_TRUE(cell(answer, "break-even", 0, "break_even").value);
  EXPECT_EQ(cell(answer, "break-even", 0, "break_even_high").why_absent, "the saving may be none");
  EXPECT_THAT(answer.sentence, HasSubstr("without an end"));
}

TEST(Pretraining, of_unknown_cost_has_no_break_even_but_one_by_time) {
  Chain chain = Chain::sound(3);
  for (Record& record : chain.records) {
    if (record.request.configuration.workload == "base") record.measured = {};
  }
  const Answer answer = chain.answer();
  EXPECT_FALSE(cell(answer, "break-even", 0, "break_even").value);
  EXPECT_TRUE(cell(answer, "break-even", 1, "break_even").value);
  EXPECT_THAT(answer.sentence, HasSubstr("is not known: the run that made the weights has no energy"));
}

TEST(Pretraining, never_divides_estimated_by_measured_joules) {
  Chain chain = Chain::sound(3);
  for (Record& record : chain.records) {
    if (record.request.configuration.workload == "base") std::swap(record.measured, record.estimated);
  }
  EXPECT_THAT(chain.answer().sentence, HasSubstr("not both measured or both estimated"));
}

TEST(Pretraining, is_known_by_a_bound_where_scratch_never_reached_and_not_at_all_where_fine_tuning_did_not) {
  Chain chain = Chain::sound(3);
  for (Record& record : chain.records) {
    if (record.request.key == "scratch#2") record.end = EndState::censored;
  }
  EXPECT_THAT(chain.answer().sentence, HasSubstr("at most, for some runs from scratch never reached"));
  for (Record& record : chain.records) {
    if (record.request.key == "tuned#1") record.end = EndState::censored;
  }
  EXPECT_THAT(chain.answer().sentence, HasSubstr("1 fine-tunings never reached the target"));
}

TEST(Pretraining, takes_a_files_cost_from_its_ledger) {
  Chain chain;
  for (int block = 1; block <= 3; ++block) {
    chain.add("scratch", block, 60.0);
    study::Weights& weights = chain.add("tuned", block, 20.0).request.weights;
    weights.file = "/x/w.pt";
    weights.ledger = {{"r", Joules{80.0}, false, 0.1, Seconds{9.0}, "elsewhere"}};
  }
  const Answer answer = chain.answer();
  EXPECT_NEAR(*cell(answer, "break-even", 0, "break_even").value, 2.0, 1e-12);
  EXPECT_EQ(cell(answer, "ledger", 0, "source").text, "w.pt");
  ASSERT_FALSE(answer.warnings.empty());
  EXPECT_THAT(answer.warnings.back(), HasSubstr("another machine"));
  EXPECT_THAT(answer.warnings, testing::Contains(HasSubstr("rests on 3 blocks")));
}

TEST(Multitask, sets_the_joint_training_against_the_sum_of_the_single_ones) {
  Chain chain;
  for (int block = 1; block <= 4; ++block) {
    chain.add("joint", block, 60.0);
    chain.add("single-a", block, 50.0);
    chain.add("single-b", block, 30.0);
  }
  const Answer answer = multitask(chain.records, {}).value();
  EXPECT_NEAR(*cell(answer, "ratio", 0, "joint_against_sum").value, 0.75, 1e-12);
  EXPECT_NEAR(*cell(answer, "ratio", 1, "joint_against_sum").value, 0.75, 1e-12);
  chain.records.front().end = EndState::censored;
  EXPECT_EQ(cell(multitask(chain.records, {}).value(), "ratio", 0, "unreached").value, 1.0);
}

}  // namespace
}  // namespace wattle::analysis
