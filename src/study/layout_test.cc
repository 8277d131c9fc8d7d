// Designs, environments and groups, from the text of a study to its runs: examples, then random studies.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <nlohmann/json.hpp>
#include <regex>
#include <set>

#include "study/cpu_list.h"
#include "study/fixture.h"
#include "study/plan.h"
#include "study/random.h"

namespace wattle::study {
namespace {

Study read(const std::string& text) {
  FixedSchema schema;
  auto result = parse_study(text, "/nowhere/study.toml", schema);
  EXPECT_TRUE(result.study) << describe(result.diagnostics, "study.toml") << text;
  return result.study.value_or(Study{});
}
Plan plan_of(const std::string& text, std::optional<int> cores = {}) {
  auto plan = make_plan(read(text), "t", cores);
  EXPECT_TRUE(plan);
  return plan.value_or(Plan{});
}
std::vector<std::string> labels(const Plan& plan) {
  std::vector<std::string> found;
  for (const Configuration& c : plan.configurations) found.push_back(c.label);
  return found;
}
const char* const kSecond = R"([workload.resnet]
trainer = "builtin"
model = "resnet20"
dataset = "glyphs"
metric = { name = "accuracy", goal = "maximize", tolerance = 0.01 }
)";
using Words = std::vector<std::string>;

TEST(Designs, a_sweep_takes_every_combination_and_merges_the_original) {
  const Plan plan = plan_of(builtin_study(
      "[[sweep]]\nparameters = { batch_size = [64, 128], learning_rate = { low = 0.0005, high = 5, points "
      "= 3, scale = \"log\" } }\n"));
  EXPECT_EQ(labels(plan),
            (Words{"original", "learning_rate 5.0e-04", "learning_rate 5.0", "batch_size 128, learning_rate 5.0e-04",
                   "batch_size 128", "batch_size 128, learning_rate 5.0"}));
  EXPECT_EQ(plan.configurations[1].mutation, "sweep");
}

TEST(Designs, a_stated_configuration_keeps_its_label_unless_it_is_known) {
  const Plan plan =
      plan_of(builtin_study("[[configuration]]\nlabel = \"paper\"\nparameters = { batch_size = 128, momentum = 0.9 }\n"
                            "[[configuration]]\nlabel = \"again\"\nparameters = { batch_size = 64 }\n"));
  EXPECT_EQ(labels(plan), (Words{"original", "paper"}));
  EXPECT_EQ(plan.configurations[1].varied, (Words{"batch_size", "momentum"}));
  EXPECT_EQ(plan.configurations[1].mutation, "stated");
  ASSERT_EQ(plan.warnings.size(), 1U);
  EXPECT_NE(plan.warnings[0].find("`again` is the same as `original`"), std::string::npos) << plan.warnings[0];
}

TEST(Designs, a_latin_hypercube_has_one_point_in_every_stratum_of_every_factor) {
  const Plan plan = plan_of(builtin_study(
      "[[sample]]\ncount = 20\nparameters = { learning_rate = { low = 1e-4, high = 1, scale = \"log\" }, momentum = { "
      "low = 0, high = 1 }, epochs = { low = 101, high = 120 } }\n"));
  ASSERT_EQ(plan.configurations.size(), 21U);
  std::set<int> rates;
  std::set<int> momenta;
  std::set<Value> epochs;
  for (std::size_t i = 1; i < 21; ++i) {
    const Assignment& values = plan.configurations[i].hyperparameters;
    rates.insert(static_cast<int>(std::floor((std::log10(*to_number(values.at("learning_rate"))) + 4.0) * 5.0)));
    momenta.insert(static_cast<int>(std::floor(*to_number(values.at("momentum")) * 20.0)));
    epochs.insert(values.at("epochs"));
  }
  EXPECT_GE(rates.size(), 19U) << "rounding to three digits may cross an edge";
  EXPECT_GE(momenta.size(), 19U);
  EXPECT_EQ(epochs.size(), 20U);
}

TEST(Designs, a_sample_as_large_as_its_space_is_the_whole_space) {
  for (const char* method : {"latin_hypercube", "random"}) {
    const Plan plan = plan_of(builtin_study(fmt::format(
        "[[sample]]\nmethod = \"{}\"\ncount = 16\nparameters = {{ epochs = [1, 2, 3, 4], batch_size = {{ low = 2, high "
        "= 5 }} }}\n",
        method)));
    EXPECT_EQ(plan.configurations.size(), 17U) << method;
  }
}

TEST(Environments, each_holds_every_configuration_and_pairs_within_itself) {
  const Plan plan = plan_of(
      builtin_study("[environment]\nthreads = 2\nwait_policy = \"passive\"\n[environments.one-thread]\nthreads = 1\n"
                    "[environments.two]\n[[configuration]]\nparameters = { epochs = 7 }\n"));
  EXPECT_EQ(labels(plan), (Words{"original @two", "epochs 7 @two", "original @one-thread", "epochs 7 @one-thread"}))
      << "the one that changes nothing names the base";
  std::map<std::string, const RunRequest*> by_key;
  for (const RunRequest& run : plan.runs) by_key[run.key] = &run;
  for (const RunRequest& run : plan.runs) {
    EXPECT_EQ(by_key.at(run.pair_key)->configuration.environment, run.configuration.environment);
    EXPECT_EQ(run.variables.at("OMP_WAIT_POLICY"), "passive");
    EXPECT_EQ(run.variables.at("OMP_NUM_THREADS"), run.configuration.environment.name == "two" ? "2" : "1");
  }
}

TEST(Exclusions, leave_out_with_their_reason_but_never_the_original_by_a_parameter) {
  const Plan plan = plan_of(
      builtin_study("[environments.e]\nthreads = 2\n[[sweep]]\nparameters = { batch_size = [32, 64, 128] }\n"
                    "[[exclude]]\nenvironment = \"e\"\nparameters = { batch_size = 128 }\nreason = \"too large\"\n"
                    "[[exclude]]\nparameters = { batch_size = 64 }\nreason = \"the default\"\n"));
  EXPECT_EQ(plan.configurations.size(), 5U);
  ASSERT_EQ(plan.excluded.size(), 1U);
  EXPECT_EQ(plan.excluded[0].configuration.label, "batch_size 128 @e");
  EXPECT_EQ(plan.excluded[0].reason, "too large");
  EXPECT_EQ(plan.warnings, (Words{"the exclusion `the default` excludes nothing"}));
}

TEST(Groups, divide_threads_and_cpus_and_stand_together) {
  const Plan plan = plan_of(builtin_study(std::string(kSecond) +
                                          "[environment]\nthreads = 3\ncpus = \"0-2,8\"\n"
                                          "[[group]]\nworkloads = [\"lenet\", \"resnet\"]\n"
                                          "[[group]]\nworkloads = [\"lenet\", \"lenet\"]\nmode = \"background\"\n"
                                          "divide_cores = false\n"));
  ASSERT_EQ(plan.configurations.size(), 6U);
  const Configuration& lenet = plan.configurations[2];
  const Configuration& resnet = plan.configurations[3];
  EXPECT_EQ(lenet.label, "original beside resnet");
  EXPECT_EQ(lenet.colocation.partners, (Words{"resnet/original"}));
  EXPECT_EQ(lenet.environment.threads, 2);
  EXPECT_EQ(lenet.environment.cpus, "0-1");
  EXPECT_EQ(resnet.environment.threads, 1);
  EXPECT_EQ(resnet.environment.cpus, "2,8");
  EXPECT_EQ(plan.configurations[4].environment.threads, 3);
  EXPECT_EQ(plan.warnings, (Words{"the group lenet, lenet is oversubscribed: 6 threads on 4 CPUs"}));
  for (std::size_t i = 0; i < plan.runs.size(); ++i) {
    const RunRequest& run = plan.runs[i];
    if (run.group.empty() || run.configuration.colocation.member != 0) continue;
    ASSERT_LT(i + 1, plan.runs.size());
    EXPECT_EQ(plan.runs[i + 1].group, run.group);
    const bool background = run.configuration.colocation.mode == GroupMode::background;
    EXPECT_EQ(plan.runs[i + 1].purpose, background ? Purpose::partner : Purpose::score);
  }
}

TEST(Groups, of_environments_that_divide_into_equal_parts_stay_apart) {
  const Plan plan =
      plan_of(builtin_study("[environment]\nthreads = 2\n[environments.three]\nthreads = 3\n[[group]]\nworkloads = "
                            "[\"lenet\", \"lenet\"]\n"));
  std::set<std::string> keys;
  std::set<std::string> ids;
  for (const RunRequest& run : plan.runs) keys.insert(run.key);
  for (const Configuration& c : plan.configurations) ids.insert(c.id);
  EXPECT_EQ(keys.size(), plan.runs.size());
  EXPECT_EQ(ids.size(), 6U);
}

TEST(Control, begins_each_block_with_the_seed_of_the_first) {
  const Plan plan = plan_of(builtin_study("[protocol]\ncontrol = true\n[[sweep]]\nparameters = { epochs = [7, 8] }\n"));
  ASSERT_EQ(plan.runs.size(), 12U);
  std::set<std::string> keys;
  for (std::size_t block = 0; block < 3; ++block) {
    const RunRequest& control = plan.runs[block * 4];
    EXPECT_EQ(control.purpose, Purpose::control);
    EXPECT_TRUE(control.configuration.original());
    EXPECT_EQ(control.training_seed, plan.runs[1].training_seed);
    EXPECT_EQ(control.pair_key, control.key);
    keys.insert(control.key);
  }
  EXPECT_EQ(keys.size(), 3U);
  EXPECT_NE(plan.runs[4].training_seed, plan.runs[5].training_seed);
}

TEST(CpuLists, are_sorted_ranges_without_overlap) {
  EXPECT_EQ(parse_cpus("0-3,8").value(), (std::vector<int>{0, 1, 2, 3, 8}));
  EXPECT_EQ(cpu_list({0, 1, 2, 3, 8}), "0-3,8");
  for (const char* wrong :
       {"", "3-1", "1,1", "2,1", "0-4096", "-1", "1-", "a", "0,,1", "99999999999999999999", "0-3,2"}) {
    EXPECT_FALSE(parse_cpus(wrong)) << wrong;
  }
}

// --- Mistakes ----------------------------------------------------------------------------------------------------

TEST(Mistakes, in_designs_environments_and_groups) {
  for (
      const auto& [more, says] : std::initializer_list<std::pair<const char*, const char*>>{
          {"[[sweep]]\n", "14:1: [[sweep]] lacks `parameters`; for example parameters = { batch_size"},
          {"[[sweep]]\nparameters = {}", "`parameters` is empty"},
          {"[[sweep]]\nparameters = { epoch = [1] }", "no workload has a parameter `epoch`; did you mean `epochs`?"},
          {"[[sweep]]\nparameters = { epochs = [1, 1.5] }", "15:29: `epochs`: 1.5 is not a whole number"},
          {"[[sweep]]\nparameters = { epochs = [2, 2] }", "2 stands twice"},
          {"[[sweep]]\nparameters = { epochs = [] }", "`epochs` has no values"},
          {"[[sweep]]\nparameters = { epochs = 3 }",
           "must be a list of values or a range, not a whole number; write [3]"},
          {"[[sweep]]\nparameters = { epochs = { low = 1, high = 9 } }", "lacks `points`"},
          {"[[sweep]]\nparameters = { momentum = { low = 0, high = 2, points = 3 } }", "2.0 is above the largest, 1"},
          {"[[sweep]]\nparameters = { momentum = { low = 0, high = 1, points = 3, scale = \"log\" } }",
           "begins above 0"},
          {"[[sweep]]\nparameters = { momentum = { low = nan, high = 1, points = 3 } }", "must be a finite number"},
          {"[[sweep]]\nparameters = { epochs = { low = 1, high = 1000, points = 1000 }, batch_size = { low = 1, high = "
           "1000, points = 1000 } }",
           "1e+06 combinations; a sweep may have 100000"},
          {"[[sample]]\nparameters = { epochs = [1] }", "lacks `count`"},
          {"[[sample]]\ncount = 3\nparameters = { epochs = [1, 2] }", "the space holds only 2 for 3 points"},
          {"[[sample]]\ncount = 300\nparameters = { momentum = { low = 0.1, high = 0.101 } }",
           "the space is too small"},
          {"[[sample]]\ncount = 3\nmethod = \"latin\"\nparameters = { epochs = [1, 2] }", "`method` cannot be `latin`"},
          {"[[configuration]]\nlabel = \"original\"\nparameters = { epochs = 1 }", "is the name of the defaults"},
          {"[[configuration]]\nparameters = { epochs = [1] }", "`epochs` cannot be a list"},
          {"[[exclude]]\nreason = \"x\"", "does not say what"},
          {"[[exclude]]\nworkload = \"lenet\"", "lacks `reason`"},
          {"[[exclude]]\nworkload = \"lenet\"\nreason = \"x\"", "every configuration is excluded"},
          {"[[exclude]]\nworkload = \"lent\"\nreason = \"x\"", "there is no workload `lent`; did you mean `lenet`?"},
          {"[[exclude]]\nparameters = { epochs = \"x\" }\nreason = \"x\"", "`x` is not a whole number"},
          {"[[group]]\nworkloads = [\"lenet\"]", "a group has 2 to 16 workloads, not 1"},
          {"[[group]]\nworkloads = [\"lenet\", \"rsnet\"]", "there is no workload `rsnet`"},
          {"[[group]]\nworkloads = [\"lenet\", \"lenet\"]\n[[group]]\nworkloads = [\"lenet\", \"lenet\"]",
           "stands twice"},
          {"[[outlier]]\nmeasure = \"time\"", "does not say which runs"},
          {"[[outlier]]\nmeasure = \"time\"\ndrop_highest = 3", "none is left"},
          {"[outlier]\nmeasure = \"time\"", "`outlier` must be a list of tables, not a table; write [[outlier]]"},
          {"[environment]\ncpus = \"3-1\"", "15:8: `3-1` is no list of CPUs: 3-1 runs backwards"},
          {"[environment]\npower_cap = \"-5 W\"", "`power_cap` is `-5 W`"},
          {"[environment]\nnice = 20", "`nice` is 20, but must be from 0 to 19"},
          {"[environment]\nprecision = \"bf16\"",
           "15:13: the built-in trainer of workload `lenet` takes no `precision`"},
          {"[environment]\nwait_policy = \"lazy\"", "`wait_policy` cannot be `lazy`"},
          {"[environments.a]\nthreads = 2\n[environments.b]\nthreads = 2", "`b` is the same as `a`"},
          {"[environments.\"a b\"]\n", "cannot be an environment's name"},
          {"[protocol]\nforeign_load = \"110 %\"", "must be a part above 0 and at most 1"},
          {"[protocol]\ncool_to = {}", "`cool_to` is empty"},
          {"[protocol]\ncontrol = 1", "`control` must be true or false, not a whole number"},
      }) {
    const std::string said = mistakes_in(builtin_study(more));
    EXPECT_NE(said.find(says), std::string::npos) << more << "\nwanted: " << says << "\nsaid:\n" << said;
  }
}

TEST(Mistakes, in_adaptive_repetitions) {
  for (const auto& [given, says] : std::initializer_list<std::pair<const char*, const char*>>{
           {"{ min = 5, max = 30 }", "does not say when they are enough"},
           {"{ min = 5, max = 5, precision = 0.02 }",
            "must be above `min`, 5; for a fixed number write repetitions = 5"},
           {"{ max = 5, until = \"decided\" }", "lacks `min`"},
           {"{ min = 1, max = 5, until = \"deceided\" }", "did you mean `decided`?"},
           {"{ min = 1, max = 5, precision = \"2\" }", "4:47: `precision` is `2`"}}) {
    std::string text = builtin_study();
    text.replace(text.find("= 3\n"), 3, fmt::format("= {}", given));
    EXPECT_NE(mistakes_in(text).find(says), std::string::npos) << given << "\n" << mistakes_in(text);
  }
}

// --- Random studies ------------------------------------------------------------------------------------------------

// Sound in most cases; now and then a space is too small for what is asked of it.
std::string random_study(Random& random) {
  const auto pick = [&](std::initializer_list<const char*> words) {
    return *(words.begin() + random.below(words.size()));
  };
  std::string text = builtin_study(kSecond);
  text.replace(text.find("seed = 42"), 9, fmt::format("seed = {}", random.below(1000)));
  if (random.below(2) == 0) text += "[environments.x]\nthreads = 4\n";
  if (random.below(2) == 0) text += "[protocol]\ncontrol = true\n";
  if (random.below(2) == 0) {
    text += fmt::format("[[mutate]]\nparameter = \"epochs\"\noperator = \"{}\"\nrange = [0.5, 3]\nmutants = {}\n",
                        pick({"scale", "log_scale"}), 1 + random.below(4));
  }
  for (std::uint64_t rules = random.below(3); rules > 0; --rules) {
    text += fmt::format(
        "[[sample]]\nmethod = \"{}\"\ncount = {}\nparameters = {{ {} }}\n", pick({"random", "latin_hypercube"}),
        1 + random.below(12),
        pick({"learning_rate = { low = 1e-4, high = 0.1, scale = \"log\" }, epochs = { low = 3, high = 12 }",
              "batch_size = [32, 64, 128], optimizer = [\"sgd\", \"adam\"], nesterov = [true, false]",
              "momentum = { low = 0, high = 0.99 }", "epochs = { low = 1, high = 12, scale = \"log\" }"}));
  }
  if (random.below(2) == 0) {
    text += fmt::format("[[sweep]]\nparameters = {{ {} }}\n",
                        pick({"batch_size = [32, 64], epochs = [5, 6, 7]",
                              "learning_rate = { low = 0.001, high = 0.5, points = 4, scale = \"log\" }"}));
  }
  if (random.below(3) == 0) text += "[[exclude]]\nparameters = { epochs = 7 }\nreason = \"slow\"\n";
  if (random.below(2) == 0) {
    text += fmt::format("[[group]]\nworkloads = {}\nmode = \"{}\"\nmutants = {}\ndivide_cores = {}\n",
                        pick({"[\"lenet\", \"resnet\"]", "[\"resnet\", \"resnet\", \"lenet\"]"}),
                        pick({"together", "background"}), pick({"true", "false"}), pick({"true", "false"}));
  }
  return text;
}

void expect_sound(const Study& study, const Plan& plan) {
  std::set<std::string> keys;
  std::map<int, std::multiset<std::string>> blocks;
  for (std::size_t i = 0; i < plan.runs.size(); ++i) {
    const RunRequest& run = plan.runs[i];
    EXPECT_TRUE(keys.insert(run.key).second);
    if (run.purpose != Purpose::control) blocks[run.block].insert(run.configuration.id);
    const auto workload = std::find_if(study.workloads.begin(), study.workloads.end(),
                                       [&](const Workload& w) { return w.name == run.configuration.workload; });
    for (const Parameter& parameter : workload->parameters) {
      EXPECT_EQ(why_not(parameter, run.configuration.hyperparameters.at(parameter.name)), "");
    }
    if (run.group.empty()) continue;
    const auto member = static_cast<std::size_t>(run.configuration.colocation.member);
    ASSERT_GE(i, member);
    EXPECT_EQ(plan.runs[i - member].group, run.group);
    EXPECT_EQ(plan.runs[i - member].configuration.colocation.member, 0);
  }
  std::multiset<std::string> ids;
  for (const Configuration& c : plan.configurations) ids.insert(c.id);
  EXPECT_EQ(std::set<std::string>(ids.begin(), ids.end()).size(), ids.size()) << "no configuration twice";
  ASSERT_EQ(blocks.size(), static_cast<std::size_t>(study.repetitions.max));
  for (const auto& [block, held] : blocks) EXPECT_EQ(held, ids) << "block " << block;
  for (const RunRequest& run : plan.runs) EXPECT_TRUE(keys.contains(run.pair_key));
}

TEST(RandomStudies, give_valid_unique_reproducible_runs_in_complete_blocks) {
  Random random(20261121);
  int sound = 0;
  for (int i = 0; i < 60; ++i) {
    const std::string text = random_study(random);
    FixedSchema schema;
    const auto loaded = parse_study(text, "/nowhere/study.toml", schema);
    ASSERT_EQ(loaded.study.has_value(), loaded.diagnostics.empty());
    if (!loaded.study) continue;
    ++sound;
    const auto plan = make_plan(*loaded.study, "t");
    ASSERT_TRUE(plan) << text;
    expect_sound(*loaded.study, *plan);
    const auto again = make_plan(*loaded.study, "t");
    ASSERT_EQ(again->runs.size(), plan->runs.size());
    for (std::size_t r = 0; r < plan->runs.size(); ++r) EXPECT_EQ(again->runs[r].key, plan->runs[r].key);
    for (const RunRequest& run : plan->runs) EXPECT_EQ(to_json(*request_from_json(to_json(run))), to_json(run));
    if (HasFailure()) FAIL() << text;
  }
  EXPECT_GT(sound, 40);
}

TEST(RandomStudies, damaged_text_is_refused_or_read_and_nothing_else) {
  Random random(7);
  static const Words kHostile{"[",
                              "]",
                              "{",
                              "}",
                              "=",
                              "\"",
                              "'''",
                              "nan",
                              "-inf",
                              "1e308",
                              "-9223372036854775808",
                              "[[",
                              "99999999999999999999",
                              "\n",
                              ".",
                              "true",
                              "1979-05-27",
                              "\xff",
                              "[]",
                              "{}",
                              ",",
                              "0"};
  for (int i = 0; i < 1500; ++i) {
    std::string text = random_study(random);
    for (std::uint64_t edits = 1 + random.below(4); edits > 0; --edits) {
      const std::size_t at = random.below(text.size());
      const std::size_t length = random.below(8);
      text.replace(at, length, kHostile[random.below(kHostile.size())]);
    }
    if (random.below(4) == 0) text.resize(random.below(text.size()));
    FixedSchema schema;
    const auto loaded = parse_study(text, "/nowhere/study.toml", schema);
    EXPECT_EQ(loaded.study.has_value(), loaded.diagnostics.empty());
    if (!loaded.study || loaded.study->repetitions.max > 50) continue;
    EXPECT_TRUE(make_plan(*loaded.study, "t")) << text;
  }
}

// --- The reference ---------------------------------------------------------------------------------------------------

TEST(StudyFile, every_key_that_is_read_stands_in_the_reference) {
  const std::filesystem::path sources(WATTLE_STUDY_SOURCES);
  const std::string reference = read_text(WATTLE_STUDY_REFERENCE).value();
  const std::regex asked(
      R"re((?:find|require|text|texts|word|integer|positive|finite|part|truth|duration|table|list|tables|read_named|read|read_all)\((?:section, )?"([a-z_]+)")re");
  std::set<std::string> keys{"workloads", "precision"};
  for (const auto& entry : std::filesystem::directory_iterator(sources)) {
    if (!entry.path().filename().string().starts_with("read_")) continue;
    const std::string code = read_text(entry.path()).value();
    for (auto found = std::sregex_iterator(code.begin(), code.end(), asked); found != std::sregex_iterator(); ++found) {
      keys.insert((*found)[1]);
    }
  }
  EXPECT_GT(keys.size(), 60U);
  for (const std::string& key : keys) {
    const bool there = std::regex_search(reference, std::regex("[`.\\[]" + key + "[`.\\]]"));
    EXPECT_TRUE(there) << "docs/study_file.md says nothing of `" << key << "`";
  }
}

}  // namespace
}  // namespace wattle::study
