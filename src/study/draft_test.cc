#include "study/draft.h"

#include <gtest/gtest.h>

#include "study/metric_pattern.h"
#include "study/plan.h"

namespace wattle::study {
namespace {

using Arguments = std::vector<std::string>;

// Every draft must be readable by what reads the output during a run.
void expect_reads(const DraftMetric& metric, const std::string& line, double value, std::optional<int> epoch) {
  const auto pattern = MetricPattern::compile(metric.regex);
  ASSERT_TRUE(pattern) << metric.regex << ": " << pattern.error().message;
  const auto match = pattern->match(line);
  ASSERT_TRUE(match) << metric.regex;
  EXPECT_DOUBLE_EQ(match->value, value);
  EXPECT_EQ(match->epoch, epoch);
}

TEST(Draft, numbers_on_the_command_line_are_hyperparameters) {
  const Arguments arguments{"python3", "train.py", "--lr",   "0.1", "--batch-size=128",
                            "--name",  "x",        "--seed", "7",   "-v"};
  const auto found = find_hyperparameters(arguments);
  ASSERT_EQ(found.size(), 2U);
  EXPECT_EQ(found[0].name, "lr");
  EXPECT_EQ(found[0].argument, 3U);
  EXPECT_EQ(found[1].name, "batch_size");
  EXPECT_TRUE(found[1].joined);
  EXPECT_EQ(std::get<std::int64_t>(found[1].value), 128);
  ASSERT_TRUE(find_seed(arguments));
  EXPECT_EQ(find_seed(arguments)->argument, 8U);
}

TEST(Draft, of_a_flag_given_twice_the_last_counts) {
  const Arguments arguments{"train", "--lr", "0.1", "--lr", "0.2"};
  const auto found = find_hyperparameters(arguments);
  ASSERT_EQ(found.size(), 1U);
  EXPECT_EQ(found[0].argument, 4U);
}

TEST(Draft, validation_accuracy_is_preferred_and_its_regex_reads_the_line) {
  const std::string line = "epoch 3 train_loss 0.412 val_acc 0.91";
  const auto metrics = find_metrics("loading\nepoch 2 train_loss 0.5 val_acc 0.88\n" + line + "\ntest_acc 0.9\n");
  ASSERT_FALSE(metrics.empty());
  EXPECT_EQ(metrics[0].name, "val_acc");
  EXPECT_EQ(metrics[0].lines, 2);
  EXPECT_TRUE(metrics[0].per_epoch);
  EXPECT_EQ(metrics[0].goal, Goal::maximize);
  expect_reads(metrics[0], line, 0.91, 3);
}

TEST(Draft, the_usual_spellings_are_read) {
  struct Case {
    std::string line;
    std::string name;
    double value;
    std::optional<int> epoch;
  };
  for (const Case& c :
       {Case{"Epoch: 4/10 - accuracy: 91.2% - loss: 0.30", "accuracy", 91.2, 4},
        Case{"Test set: Average loss: 0.0345, Accuracy: 9887/10000 (99%)", "Accuracy", 99.0, {}},
        Case{"[epoch=7] eval/f1=0.83", "eval/f1", 0.83, 7}, Case{"val_loss = 1.5e-3", "val_loss", 1.5e-3, {}}}) {
    const auto metrics = find_metrics(c.line + "\n");
    ASSERT_FALSE(metrics.empty()) << c.line;
    EXPECT_EQ(metrics[0].name, c.name);
    expect_reads(metrics[0], c.line, c.value, c.epoch);
  }
}

TEST(Draft, output_without_a_metric_yields_none) {
  EXPECT_TRUE(find_metrics("").empty());
  EXPECT_TRUE(find_metrics("hello 5\nport: 8080\n").empty());
  EXPECT_TRUE(find_metrics(std::string(2'000'000, 'x')).empty());
  EXPECT_TRUE(find_metrics(std::string("acc nan\nacc \xff\xfe 1e999\n")).empty());
}

TEST(Draft, tolerance_follows_the_metrics_size) {
  DraftMetric metric;
  metric.last = 0.91;
  EXPECT_DOUBLE_EQ(guess_tolerance(metric), 0.01);
  metric.last = 91.0;
  EXPECT_DOUBLE_EQ(guess_tolerance(metric), 1.0);
  metric.goal = Goal::minimize;
  metric.last = 0.34;
  EXPECT_DOUBLE_EQ(guess_tolerance(metric), 0.003);
}

class NoTrainer final : public SchemaSource {
 public:
  Result<TrainerSchema> schema() override { return fail(ErrorKind::environment, "no trainer in this test"); }
};

TEST(Draft, the_drafted_study_is_a_good_study) {
  Draft draft;
  draft.name = "train";
  draft.arguments = {"/bin/sh",        "-c", "echo \"$0\" it's", "--lr", "0.1", "--epochs=3",
                     "--log-interval", "10", "--seed",           "1"};
  draft.parameters = find_hyperparameters(draft.arguments);
  draft.seed = find_seed(draft.arguments);
  draft.metric = find_metrics("epoch 1 acc 0.5\n").at(0);
  const std::string toml = to_toml(draft);
  NoTrainer source;
  const auto read = parse_study(toml, "/tmp/study.toml", source);
  ASSERT_TRUE(read.study) << describe(read.diagnostics, "study.toml") << toml;
  const auto& workload = read.study->workloads.at(0);
  EXPECT_EQ(workload.command.at(2), "echo \"$0\" it's") << "arguments survive quoting";
  EXPECT_EQ(workload.command.at(5), "--epochs={epochs}");
  EXPECT_EQ(workload.command.at(9), "{seed}");
  EXPECT_EQ(read.study->mutations.size(), 2U) << "lr and epochs; how often it logs is not worth varying";
  const auto plan = make_plan(*read.study, "");
  ASSERT_TRUE(plan) << plan.error().message;
  EXPECT_EQ(plan->configurations.size(), 1U + static_cast<std::size_t>(mutants_of(draft)));
}

}  // namespace
}  // namespace wattle::study
