#include "study/overrides.h"

#include <gtest/gtest.h>

#include "study/fixture.h"
#include "study/plan.h"

namespace wattle::study {
namespace {

StudyOrDiagnostics with(const std::vector<std::string>& settings, const std::string& text = builtin_study()) {
  FixedSchema schema;
  return parse_study(text, "/nowhere/study.toml", schema, settings);
}

std::string mistakes(const std::vector<std::string>& settings) {
  return describe(with(settings).diagnostics, "study.toml");
}

TEST(Overrides, change_the_study_the_protocol_and_hyperparameters) {
  const auto read = with({"repetitions=5", "protocol.cool_down=10s", "learning_rate=0.1", "name = other",
                          "workload.lenet.defaults.epochs=2", "environment.threads=2"});
  ASSERT_TRUE(read.study) << describe(read.diagnostics, "study.toml");
  const Study& study = *read.study;
  EXPECT_EQ(study.repetitions.max, 5);
  EXPECT_EQ(study.name, "other");
  EXPECT_EQ(study.protocol.cool_down, seconds(10));
  EXPECT_EQ(study.environments.front().threads, 2);
  const auto plan = make_plan(study, "/opt/wattle-train");
  ASSERT_TRUE(plan);
  const Assignment& original = plan->configurations.front().hyperparameters;
  EXPECT_EQ(original.at("learning_rate"), Value(0.1));
  EXPECT_EQ(original.at("epochs"), Value(std::int64_t{2}));
}

TEST(Overrides, take_tables_and_lists_as_the_file_does) {
  const auto read = with({"repetitions={ min = 5, max = 9, until = \"decided\" }"});
  ASSERT_TRUE(read.study) << describe(read.diagnostics, "study.toml");
  EXPECT_TRUE(read.study->repetitions.adaptive());
}

TEST(Overrides, set_a_scripts_default_and_nothing_else_of_it) {
  const char* const script = R"([study]
name = "s"
[workload.script]
command = ["/bin/echo", "{lr}"]
version = "1"
metric = { name = "accuracy", goal = "maximize", tolerance = 0.01, regex = 'acc (?<value>[\d.]+)' }
[workload.script.parameters]
lr = { default = 1.0, domain = [0.1, 10.0] }
)";
  const auto read = with({"lr=5.0"}, script);
  ASSERT_TRUE(read.study) << describe(read.diagnostics, "study.toml");
  EXPECT_EQ(read.study->workloads.front().parameters.front().default_value, Value(5.0));
  const auto beyond = with({"lr=50.0"}, script);
  ASSERT_EQ(beyond.diagnostics.size(), 1U);
  EXPECT_EQ(beyond.diagnostics.front().line, 0) << "it stands in no line of the file";
  EXPECT_EQ(beyond.diagnostics.front().message.rfind("--set lr=50.0: ", 0), 0U) << beyond.diagnostics.front().message;
}

TEST(Overrides, mistakes_name_the_setting) {
  EXPECT_NE(mistakes({"epochs"}).find("--set `epochs`: it must be KEY=VALUE"), std::string::npos);
  EXPECT_NE(mistakes({"=3"}).find("it must be KEY=VALUE"), std::string::npos);
  EXPECT_NE(mistakes({"protocol.cool_dwon=10s"}).find("cool_dwon"), std::string::npos);
  EXPECT_NE(mistakes({"learning_rat=1.0"}).find("did you mean `learning_rate`?"), std::string::npos)
      << mistakes({"learning_rat=1.0"});
  EXPECT_NE(mistakes({"study.name.first=x"}).find("no table"), std::string::npos);
  EXPECT_NE(mistakes({"epochs=1\n[evil]\nx=2"}).find("study.toml: --set"), std::string::npos) << "one value, no more";
}

}  // namespace
}  // namespace wattle::study
