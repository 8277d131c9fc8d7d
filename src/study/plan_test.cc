#include "study/plan.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <nlohmann/json.hpp>
#include <set>

#include "study/fixture.h"

namespace wattle::study {
namespace {

using testing::Contains;
using testing::ElementsAre;
using testing::IsSubsetOf;
using testing::Not;

const char* const kEpochs =
    "[[mutate]]\nparameter = \"epochs\"\noperator = \"scale\"\nrange = [0.5, 2.0]\nmutants = 2\n";
const char* const kRate =
    "[[mutate]]\nparameter = \"learning_rate\"\noperator = \"log_scale\"\nrange = [0.1, 10.0]\nmutants = 2\n";

Study read(const std::string& text, const std::filesystem::path& file = "/nowhere/study.toml") {
  FixedSchema schema;
  auto result = parse_study(text, file, schema);
  EXPECT_TRUE(result.study) << describe(result.diagnostics, file);
  return result.study.value_or(Study{});
}

Plan plan_of(const std::string& text) { return make_plan(read(text), "/opt/wattle-train").value(); }

std::set<std::string> keys(const Plan& plan) {
  std::set<std::string> found;
  for (const RunRequest& run : plan.runs) found.insert(run.key);
  return found;
}

std::string replaced(std::string text, const std::string& what, const std::string& by) {
  return text.replace(text.find(what), what.size(), by);
}

TEST(Plan, the_original_comes_first_and_mutants_differ_by_one_value) {
  const Plan plan = plan_of(builtin_study(std::string(kEpochs) + kRate));
  ASSERT_EQ(plan.configurations.size(), 5U);
  const Configuration& original = plan.configurations[0];
  EXPECT_TRUE(original.original());
  EXPECT_EQ(original.label, "original");
  EXPECT_EQ(original.hyperparameters.size(), 6U) << "one full assignment";
  for (std::size_t i = 1; i < 5; ++i) {
    const Configuration& mutant = plan.configurations[i];
    EXPECT_EQ(mutant.varied.front(), i < 3 ? "epochs" : "learning_rate");
    EXPECT_EQ(mutant.mutation, i < 3 ? "scale" : "log_scale");
    EXPECT_EQ(mutant.label, mutant.varied.front() + " " + to_text(mutant.hyperparameters.at(mutant.varied.front())));
    int different = 0;
    for (const auto& [name, value] : mutant.hyperparameters)
      different += value == original.hyperparameters.at(name) ? 0 : 1;
    EXPECT_EQ(different, 1);
    EXPECT_EQ(mutant.id.size(), 12U);
    EXPECT_NE(mutant.id, original.id);
  }
}

TEST(Plan, every_block_holds_each_configuration_once_with_one_seed) {
  const Plan plan = plan_of(builtin_study(std::string(kEpochs) + kRate));
  ASSERT_EQ(plan.runs.size(), 15U);
  std::set<std::uint64_t> seeds;
  for (int block = 1; block <= 3; ++block) {
    std::set<std::string> ids;
    std::set<std::uint64_t> seeds_of_block;
    std::set<std::string> pairs;
    std::string original_key;
    for (const RunRequest& run : plan.runs) {
      if (run.block != block) continue;
      EXPECT_TRUE(ids.insert(run.configuration.id).second);
      seeds_of_block.insert(run.training_seed);
      pairs.insert(run.pair_key);
      if (run.configuration.original()) original_key = run.key;
      EXPECT_LT(run.training_seed, 1U << 31U);
    }
    EXPECT_EQ(ids.size(), 5U);
    EXPECT_EQ(seeds_of_block.size(), 1U);
    EXPECT_EQ(pairs, std::set<std::string>{original_key});
    seeds.insert(*seeds_of_block.begin());
  }
  EXPECT_EQ(seeds.size(), 3U);
  for (std::size_t i = 0; i < plan.runs.size(); ++i) {
    EXPECT_EQ(plan.runs[i].order, static_cast<int>(i) + 1);
    EXPECT_EQ(plan.runs[i].block, static_cast<int>(i / 5) + 1) << "block by block";
    EXPECT_EQ(plan.runs[i].key, run_key(plan.runs[i]));
  }
  EXPECT_EQ(keys(plan).size(), 15U);
}

TEST(Plan, blocks_are_shuffled_each_its_own_way) {
  const Plan plan =
      plan_of(replaced(builtin_study(std::string(kEpochs) + kRate), "repetitions = 3", "repetitions = 100"));
  std::set<std::vector<std::string>> orders;
  std::map<std::string, int> first;
  int in_order_of_keys = 0;
  for (std::size_t block = 0; block < 100; ++block) {
    std::vector<std::string> order;
    for (std::size_t i = 0; i < 5; ++i) order.push_back(plan.runs[block * 5 + i].configuration.id);
    ++first[order[0]];
    const auto begin = plan.runs.begin() + static_cast<std::ptrdiff_t>(block * 5);
    in_order_of_keys += std::is_sorted(begin, begin + 5, [](const auto& a, const auto& b) { return a.key < b.key; });
    orders.insert(order);
  }
  EXPECT_GT(orders.size(), 50U) << "of 120 orders";
  EXPECT_LT(in_order_of_keys, 10) << "of 100, where chance gives 0.8";
  EXPECT_EQ(first.size(), 5U) << "nobody is always late";
  for (const auto& [id, count] : first) EXPECT_NEAR(count, 20, 16) << "four standard deviations";
}

TEST(Plan, the_same_study_gives_the_same_plan) {
  const std::string text = builtin_study(std::string(kEpochs) + kRate);
  const Plan a = plan_of(text);
  const Plan b = plan_of(text);
  ASSERT_EQ(a.runs.size(), b.runs.size());
  for (std::size_t i = 0; i < a.runs.size(); ++i) EXPECT_EQ(to_json(a.runs[i]), to_json(b.runs[i]));
}

// A change here changes every stored key: runs people have done would be done again.
TEST(Plan, keys_seeds_and_draws_are_the_same_on_every_machine_and_in_every_version) {
  const Plan plan = plan_of(builtin_study(kRate));
  EXPECT_EQ(plan.configurations[1].label, "learning_rate 0.163");
  EXPECT_EQ(plan.runs[0].training_seed, 1310796462U);
  EXPECT_EQ(plan.runs[0].key, "2a73afe53651daa0963ef466e98f7e9bd44e4d7ab98241213fa26c465a2eeec8");
}

TEST(Plan, the_order_of_tables_does_not_matter) {
  const std::string other_order = R"([environment]
threads = 1
)" + std::string(kRate) + kEpochs +
                                  builtin_study();
  const Plan a = plan_of(builtin_study(std::string(kEpochs) + kRate));
  const Plan b = plan_of(other_order);
  EXPECT_EQ(keys(a), keys(b));
  for (std::size_t i = 0; i < a.runs.size(); ++i) EXPECT_EQ(a.runs[i].key, b.runs[i].key) << "nor does it reorder runs";
}

TEST(Plan, a_rule_more_adds_runs_and_changes_none) {
  const std::string momentum = "[[mutate]]\nparameter = \"momentum\"\noperator = \"values\"\nvalues = [0.5, 0.9]\n";
  const Plan before = plan_of(builtin_study(kRate));
  for (const std::string& more : {momentum + kRate, kRate + momentum, std::string(kEpochs) + kRate}) {
    const Plan after = plan_of(builtin_study(more));
    EXPECT_THAT(keys(before), IsSubsetOf(keys(after)));
    EXPECT_EQ(after.runs.size(), before.runs.size() + 6);
  }
}

TEST(Plan, more_repetitions_add_runs_and_keep_the_old_ones_in_place) {
  const std::string text = builtin_study(std::string(kEpochs) + kRate);
  const Plan three = plan_of(text);
  Plan nine = plan_of(replaced(text, "repetitions = 3", "repetitions = 9"));
  ASSERT_EQ(nine.runs.size(), 45U);
  for (std::size_t i = 0; i < three.runs.size(); ++i) {
    EXPECT_EQ(nine.runs[i].protocol.repetitions.max, 9) << "every run knows how many were to be";
    nine.runs[i].protocol.repetitions = three.runs[i].protocol.repetitions;
    EXPECT_EQ(to_json(nine.runs[i]), to_json(three.runs[i]));
  }
}

TEST(Plan, what_makes_another_run_makes_another_key) {
  const std::string text = builtin_study();
  const std::string base = plan_of(text).runs[0].key;
  for (const auto& [what, by] : std::initializer_list<std::pair<const char*, const char*>>{
           {"epochs = 6", "epochs = 7"},
           {"seed = 42", "seed = 43"},
           {"lenet5", "resnet20"},
           {"workload.lenet]", "workload.other]"},
           {"[study]", "[environment]\nthreads = 2\n[study]"},
           {"[study]", "[environment]\nvariables = { A = \"b\" }\n[study]"}}) {
    std::string changed = replaced(text, what, by);
    if (changed.find("workload.other") != std::string::npos)
      changed = replaced(changed, "workload.lenet.", "workload.other.");
    EXPECT_NE(plan_of(changed).runs[0].key, base) << by;
  }
}

TEST(Plan, names_places_limits_and_order_make_no_other_key) {
  const std::string text = builtin_study();
  const auto base = keys(plan_of(text));
  EXPECT_EQ(keys(plan_of(replaced(text, "lenet-on-glyphs", "renamed"))), base);
  EXPECT_EQ(keys(plan_of(replaced(text, "[study]", "[protocol]\ntime_limit = \"1h\"\n[study]"))), base);
  EXPECT_EQ(keys(make_plan(read(text, "/elsewhere/other.toml"), "/usr/bin/wattle-train").value()), base);
  EXPECT_EQ(keys(plan_of(replaced(text, "learning_rate = 0.05", "learning_rate = 5e-2"))), base);
  EXPECT_EQ(keys(plan_of(replaced(text, "learning_rate = 0.05", "learning_rate = 0.05\nmomentum = 0"))), base)
      << "saying what the trainer does anyway";
}

TEST(Plan, a_builtin_run_spells_what_the_study_names) {
  const Plan plan = plan_of(
      builtin_study(replaced(kRate, "log_scale\"\nrange = [0.1, 10.0]\nmutants = 2", "values\"\nvalues = [1]")));
  const auto run =
      std::find_if(plan.runs.begin(), plan.runs.end(), [](const auto& r) { return !r.configuration.original(); });
  EXPECT_THAT(run->arguments, ElementsAre("/opt/wattle-train", "--model", "lenet5", "--dataset", "glyphs", "--seed",
                                          std::to_string(run->training_seed), "--device", "cpu", "--threads", "1",
                                          "--epochs", "6", "--batch-size", "64", "--learning-rate", "1.0"));
  EXPECT_EQ(run->variables, (std::map<std::string, std::string>{
                                {"OMP_NUM_THREADS", "1"}, {"OPENBLAS_NUM_THREADS", "1"}, {"MKL_NUM_THREADS", "1"}}));
  EXPECT_EQ(run->working_directory, "/nowhere");
}

TEST(Plan, an_originals_value_of_a_mutated_parameter_is_spelled_too) {
  const Plan plan =
      plan_of(builtin_study("[[mutate]]\nparameter = \"momentum\"\noperator = \"values\"\nvalues = [0.9]\n"));
  for (const RunRequest& run : plan.runs) EXPECT_THAT(run.arguments, Contains("--momentum"));
}

TEST(Plan, a_default_changed_in_the_value_reaches_the_command_line) {
  Study study = read(builtin_study());
  for (Parameter& parameter : study.workloads[0].parameters) {
    if (parameter.name == "momentum") parameter.default_value = 0.5;
  }
  EXPECT_THAT(make_plan(study, "t")->runs[0].arguments, Contains("--momentum"));
  EXPECT_THAT(plan_of(builtin_study()).runs[0].arguments, Not(Contains("--momentum")));
}

const char* const kScript = R"([study]
name = "s"
repetitions = 1
[environment]
threads = 4
variables = { OMP_NUM_THREADS = "3", PYTHONUNBUFFERED = "" }
[workload.script]
command = ["python3", "t.py", "--lr={lr}", "{--fast:fast}", "{--slow:slow}", "{seed}", "{threads}", "{device}", "{run_dir}/c"]
render = [{ template = "c.in", target = "c.json" }]
output = "pipe"
metric = { name = "loss", goal = "minimize", tolerance = 0.1, file = "{run_dir}/log.csv" }
[workload.script.parameters]
lr = { default = 1.0 }
fast = { default = true }
slow = { default = false }
)";

TEST(Plan, a_script_gets_its_placeholders_filled_and_keeps_the_run_directory) {
  const Folder folder("plan_script");
  folder.put("t.py", "pass");
  folder.put("c.in", R"({"lr": {lr}, "out": "{run_dir}", "raw": "{{lr}}"})");
  const Plan plan = make_plan(read(kScript, folder.study()), "").value();
  const RunRequest& run = plan.runs.at(0);
  const std::string seed = std::to_string(run.training_seed);
  EXPECT_THAT(run.arguments, ElementsAre("python3", "t.py", "--lr=1.0", "--fast", seed, "4", "cpu", "{run_dir}/c"));
  ASSERT_EQ(run.rendered_files.size(), 1U);
  EXPECT_EQ(run.rendered_files[0].first, "c.json");
  EXPECT_EQ(run.rendered_files[0].second, R"({"lr": 1.0, "out": "{run_dir}", "raw": "{lr}"})");
  EXPECT_FALSE(run.use_terminal);
  EXPECT_EQ(run.variables.at("OMP_NUM_THREADS"), "3") << "what the author sets wins";
  EXPECT_EQ(run.variables.at("PYTHONUNBUFFERED"), "");
  EXPECT_EQ(run.variables.at("MKL_NUM_THREADS"), "4");
}

TEST(Plan, workloads_pair_with_their_own_originals) {
  const std::string second =
      replaced(builtin_study().substr(builtin_study().find("[workload")), "workload.lenet]", "workload.zebra]");
  const Plan plan =
      plan_of(builtin_study(replaced(second, "workload.lenet.defaults", "workload.zebra.defaults") + kRate));
  std::map<std::string, const RunRequest*> by_key;
  for (const RunRequest& run : plan.runs) by_key[run.key] = &run;
  for (const RunRequest& run : plan.runs) {
    ASSERT_TRUE(by_key.count(run.pair_key));
    const RunRequest& partner = *by_key[run.pair_key];
    EXPECT_EQ(partner.configuration.workload, run.configuration.workload);
    EXPECT_EQ(partner.block, run.block);
    EXPECT_TRUE(partner.configuration.original());
  }
  EXPECT_EQ(plan.runs.size(), 18U);
}

TEST(Plan, a_rule_that_cannot_yield_is_an_error) {
  Study study = read(builtin_study(kEpochs));
  study.mutations[0].mutants = 1000;
  const auto plan = make_plan(study, "t");
  ASSERT_FALSE(plan);
  EXPECT_EQ(plan.error().kind, ErrorKind::bad_input);
  EXPECT_NE(plan.error().message.find("holds 9 other whole numbers, not 1000"), std::string::npos)
      << plan.error().message;
}

TEST(Quickstart, is_sound_and_looks_both_ways_from_the_default) {
  FixedSchema schema;
  const auto file = std::filesystem::path(WATTLE_STUDIES) / "quickstart.toml";
  const auto loaded = load_study(file, schema);
  ASSERT_TRUE(loaded.study) << describe(loaded.diagnostics, file);
  const Plan plan = make_plan(*loaded.study, "wattle-train").value();
  ASSERT_EQ(plan.configurations.size(), 5U);
  EXPECT_EQ(plan.runs.size(), 40U);
  std::set<double> rates;
  for (const Configuration& c : plan.configurations) rates.insert(*to_number(c.hyperparameters.at("learning_rate")));
  ASSERT_EQ(rates.size(), 3U);
  EXPECT_LT(*rates.begin(), 0.05);
  EXPECT_GT(*rates.rbegin(), 0.05);
}

}  // namespace
}  // namespace wattle::study
