// Workloads that begin with weights: what a study may ask for, and what the plan makes of it.
#include <gmock/gmock.h>

#include <algorithm>
#include <map>

#include "study/fixture.h"
#include "study/plan.h"

namespace wattle::study {
namespace {

using testing::Contains;
using testing::HasSubstr;
using testing::Not;

const std::string kTuned = R"([workload.tuned]
trainer = "builtin"
model = "lenet5"
dataset = "glyphs"
weights_of = "lenet"
metric = { name = "accuracy", goal = "maximize", tolerance = 0.01, target = 0.5 }
)";

Plan plan_of(const std::string& text, const std::filesystem::path& file = "/nowhere/study.toml") {
  FixedSchema schema;
  auto result = parse_study(text, file, schema);
  EXPECT_TRUE(result.study) << describe(result.diagnostics, file);
  return make_plan(result.study.value_or(Study{}), "/opt/wattle-train").value_or(Plan{});
}

TEST(Weights, are_made_before_they_are_used_and_in_the_same_block) {
  const Plan plan = plan_of(builtin_study(
      kTuned + "[workload.again]\n" + kTuned.substr(kTuned.find('\n') + 1) +
      "[[mutate]]\nparameter = \"learning_rate\"\noperator = \"log_scale\"\nrange = [0.1, 10.0]\nmutants = 5\n"));
  std::map<std::string, int> made;
  int users = 0;
  for (const RunRequest& run : plan.runs) {
    made[run.key] = run.block;
    if (run.configuration.workload == "lenet") {
      EXPECT_THAT(run.arguments, Contains("{run_dir}/weights.safetensors"));
      EXPECT_TRUE(run.weights.key.empty());
      continue;
    }
    ++users;
    ASSERT_TRUE(made.contains(run.weights.key)) << "order " << run.order;
    EXPECT_EQ(made[run.weights.key], run.block);
    EXPECT_THAT(run.arguments, Contains("{weights_path}/weights.safetensors"));
    EXPECT_THAT(run.arguments, Not(Contains("--save")));
    EXPECT_EQ(run.metric.target, 0.5);
  }
  EXPECT_EQ(users, 3 * 2 * 6);
}

TEST(Weights, leave_the_order_of_other_runs_to_chance) {
  bool last = false;
  bool between = false;
  const Plan plan = plan_of(builtin_study(kTuned + "[workload.other]\ntrainer = \"builtin\"\nmodel = \"lenet5\"\n"
                                                   "dataset = \"glyphs\"\nmetric = { name = \"accuracy\", goal = "
                                                   "\"maximize\", tolerance = 0.01 }\n"));
  for (std::size_t i = 0; i + 2 < plan.runs.size(); i += 3) {
    last = last || plan.runs[i + 2].configuration.workload == "other";
    between =
        between || plan.runs[i + 1].configuration.workload == "other" || plan.runs[i].configuration.workload == "other";
  }
  EXPECT_TRUE(last || between);
}

TEST(Weights, of_another_maker_make_another_run) {
  const auto key = [](const std::string& text) {
    for (const RunRequest& run : plan_of(text).runs) {
      if (run.configuration.workload == "tuned") return run.key;
    }
    return std::string();
  };
  const std::string study = builtin_study(kTuned);
  std::string longer = study;
  longer.replace(longer.find("epochs = 6"), 10, "epochs = 7");
  EXPECT_NE(key(study), key(longer)) << "the maker trains longer";
}

TEST(Weights, a_control_run_needs_none) {
  const std::string study = "[study]\nname = \"s\"\nrepetitions = 2\n[protocol]\ncontrol = true\n" + kTuned +
                            "[workload.lenet]\n" + kTuned.substr(kTuned.find('\n') + 1);
  std::string text = study;
  text.erase(text.rfind("weights_of = \"lenet\"\n"), std::string("weights_of = \"lenet\"\n").size());
  const Plan plan = plan_of(text);
  EXPECT_EQ(plan.runs.front().purpose, Purpose::control);
  EXPECT_EQ(plan.runs.front().configuration.workload, "lenet");
}

TEST(Weights, whose_maker_is_left_out_are_left_out_with_it) {
  const Plan plan = plan_of(builtin_study(kTuned + "[environment]\nthreads = 1\n[environments.two]\nthreads = 2\n"
                                                   "[[exclude]]\nworkload = \"lenet\"\nenvironment = \"two\"\n"
                                                   "reason = \"too slow\"\n"));
  EXPECT_EQ(plan.configurations.size(), 2U);
  ASSERT_EQ(plan.excluded.size(), 2U);
  EXPECT_EQ(plan.excluded.back().configuration.workload, "tuned");
  EXPECT_EQ(plan.excluded.back().reason, "too slow");
}

TEST(Weights, that_cannot_be_are_mistakes_at_their_place) {
  const auto with = [](const std::string& what, const std::string& by) {
    std::string tuned = kTuned;
    tuned.replace(tuned.find(what), what.size(), by);
    return mistakes_in(builtin_study(tuned));
  };
  EXPECT_THAT(with("\"lenet\"", "\"lent\""), HasSubstr("there is no workload `lent`; did you mean `lenet`?"));
  EXPECT_THAT(with("\"lenet\"", "\"tuned\""), HasSubstr("in a circle"));
  EXPECT_THAT(with("\"lenet5\"", "\"resnet20\""), HasSubstr("`resnet20` cannot begin with weights of `lenet5`"));
  EXPECT_THAT(with("weights_of", "weights"), HasSubstr("is no file"));
  EXPECT_THAT(with("weights_of = \"lenet\"", "weights_of = \"lenet\"\nweights = \"x\""), HasSubstr("not both"));
  std::string adaptive = builtin_study(kTuned);
  adaptive.replace(adaptive.find("repetitions = 3"), 15, "repetitions = { min = 2, max = 4, until = \"decided\" }");
  EXPECT_THAT(mistakes_in(adaptive), HasSubstr("needs a fixed number of repetitions"));
}

TEST(Weights, of_a_file_are_part_of_the_version_and_bring_their_ledger) {
  const Folder folder("weights_file");
  folder.put("w.safetensors", "one");
  folder.put("w.safetensors.ledger.json", R"({"r": {"energy_j": 7.5, "provenance": "measured"}})");
  std::string tuned = kTuned;
  tuned.replace(tuned.find("weights_of = \"lenet\""), 20, "weights = \"w.safetensors\"");
  const RunRequest run = plan_of("[study]\nname = \"s\"\nrepetitions = 1\n" + tuned, folder.study()).runs.front();
  EXPECT_THAT(run.arguments, Contains((folder.path() / "w.safetensors").string()));
  ASSERT_EQ(run.weights.ledger.size(), 1U);
  EXPECT_EQ(run.weights.ledger.front().energy, Joules{7.5});
  folder.put("w.safetensors", "two");
  EXPECT_NE(plan_of("[study]\nname = \"s\"\nrepetitions = 1\n" + tuned, folder.study()).runs.front().key, run.key);
  folder.put("w.safetensors.ledger.json", R"({"r": {"energy_j": -7.5}})");
  EXPECT_THAT(mistakes_in("[study]\nname = \"s\"\nrepetitions = 1\n" + tuned, folder.study()),
              HasSubstr("`energy_j` must be"));
}

TEST(Weights, reach_a_script_by_a_placeholder_or_not_at_all) {
  const std::string script =
      "[study]\nname = \"s\"\n[workload.a]\ncommand = [\"true\"]\n"
      "metric = { name = \"m\", goal = \"maximize\", tolerance = 0.1 }\n"
      "[workload.b]\ncommand = [\"true\", \"{weights_path}/a.pt\"]\nweights_of = \"a\"\n"
      "metric = { name = \"m\", goal = \"maximize\", tolerance = 0.1 }\n";
  EXPECT_EQ(mistakes_in(script), "");
  std::string without = script;
  without.replace(without.find("{weights_path}/"), 15, "");
  EXPECT_THAT(mistakes_in(without), HasSubstr("would reach the program nowhere"));
  std::string unasked = script;
  unasked.erase(unasked.find("weights_of = \"a\"\n"), 17);
  EXPECT_THAT(mistakes_in(unasked), HasSubstr("needs `weights_of` or `weights`"));
}

}  // namespace
}  // namespace wattle::study
