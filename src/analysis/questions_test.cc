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

// Runs of architectures in environments; noise is small and repeatable.
class Cells {
 public:
  std::vector<Record> records;

  Record& add(const std::string& architecture, const std::string& environment, int block, double joules,
              double accuracy, double gflops) {
    Record record;
    study::Configuration& configuration = record.request.configuration;
    configuration.workload = architecture;
    configuration.label = "original";
    configuration.environment.name = environment;
    configuration.id = architecture + environment;
    record.request.block = block;
    record.request.key = configuration.id + std::to_string(block);
    record.request.pair_key = record.request.key;
    record.request.metric.name = "f1";
    record.request.metric.tolerance = 0.01;
    record.end = record::EndState::completed;
    record.duration = seconds(100 + block);
    const double wobble = 1.0 + 0.01 * ((block * 7) % 5);
    record.measured = {to_microjoules(Joules{joules * wobble}), {}, 1.0, 0.0};
    record.metrics = {{"f1", record::Split::test, {}, accuracy, {}},
                      {"images_seen", record::Split::train, {}, 1000.0, {}},
                      {"gflops", record::Split::train, {}, gflops, {}}};
    records.push_back(std::move(record));
    return records.back();
  }

  // The large one takes 5 times the energy on the small machine, 2 times on the large one.
  static Cells crossed() {
    Cells cells;
    for (int block = 1; block <= 8; ++block) {
      cells.add("small", "laptop", block, 100.0, 0.97, 0.06);
      cells.add("large", "laptop", block, 500.0, 0.98, 10.0);
      cells.add("small", "server", block, 200.0, 0.97, 0.06);
      cells.add("large", "server", block, 400.0, 0.98, 10.0);
    }
    return cells;
  }
};

TEST(Architectures, reduction_is_by_medians_within_an_environment) {
  const auto answer = reduction(Cells::crossed().records, {});
  ASSERT_TRUE(answer);
  const AnswerTable& pairs = table(*answer, "pairs");
  ASSERT_EQ(pairs.rows.size(), 2U);
  EXPECT_EQ(cell(pairs, 0, "environment").text, "laptop");
  EXPECT_NEAR(*cell(pairs, 0, "reduction").value, 0.8, 1e-12);
  EXPECT_NEAR(*cell(pairs, 0, "metric_loss").value, 0.01 / 0.98, 1e-12);
  EXPECT_EQ(cell(pairs, 0, "cliffs_delta").value, -1.0);
  EXPECT_LT(*cell(pairs, 0, "p_value_holm").value, 0.01);
  EXPECT_THAT(answer->sentence, HasSubstr("small instead of large takes 80.00 % less energy per image in laptop"));
}

TEST(Architectures, cost_per_image_divides_by_the_images_seen) {
  const auto answer = cost_per_image(Cells::crossed().records, {});
  const AnswerTable& cells = table(*answer, "cells");
  ASSERT_EQ(cells.rows.size(), 4U);
  EXPECT_EQ(cell(cells, 0, "architecture").text, "large");
  EXPECT_NEAR(*cell(cells, 0, "energy_per_image_j").value * 1000.0, *cell(cells, 0, "energy_j").value, 1e-9);
}

TEST(Architectures, what_depends_on_the_environment_is_an_interaction_and_decides_the_placement) {
  const Cells crossed = Cells::crossed();
  EXPECT_LT(*cell(table(*interaction(crossed.records, {}), "test"), 0, "p_value").value, 0.01);
  const auto placed = placement(crossed.records, {});
  const AnswerTable& where = table(*placed, "placement");
  ASSERT_EQ(where.rows.size(), 2U);
  EXPECT_EQ(cell(where, 0, "environment").text, "server") << "large";
  EXPECT_EQ(cell(where, 1, "environment").text, "laptop") << "small";
  EXPECT_EQ(cell(where, 0, "decided").text, "yes");
  EXPECT_NEAR(*cell(where, 0, "reduction").value, 0.2, 0.02);
}

TEST(Architectures, the_front_holds_what_nothing_beats) {
  const AnswerTable cells = table(*front(Cells::crossed().records, {}), "cells");
  std::vector<std::string> on;
  for (std::size_t i = 0; i < cells.rows.size(); ++i) on.push_back(cell(cells, i, "front").text);
  EXPECT_EQ(on, (std::vector<std::string>{"no", "yes", "yes", "no"}))
      << "large laptop, small laptop, large server, small server";
}

TEST(Architectures, omnibus_and_complexity_see_clear_differences) {
  const Cells crossed = Cells::crossed();
  const auto tests = omnibus(crossed.records, {});
  EXPECT_LT(*cell(table(*tests, "tests"), 0, "p_value").value, 0.01);
  EXPECT_EQ(table(*tests, "normality").rows.size(), table(*tests, "pairs").rows.size() * 2);
  const auto relation = complexity(crossed.records, {});
  EXPECT_GT(*cell(table(*relation, "relations"), 0, "rho").value, 0.8);
}

TEST(Architectures, one_environment_places_nothing_and_says_so) {
  Cells cells;
  for (int block = 1; block <= 3; ++block) cells.add("a", "here", block, 10.0, 0.9, 1.0);
  EXPECT_THAT(placement(cells.records, {})->sentence, HasSubstr("cannot be said"));
  EXPECT_THAT(interaction(cells.records, {})->sentence, HasSubstr("takes two of each"));
}

// Settings of one workload that end by a target of their own.
Record& add_setting(Cells& cells, double batch, double rate, int block, double joules, record::EndState end) {
  Record& record = cells.add("net", "v100", block, joules, 0.6, 1.0);
  study::Configuration& configuration = record.request.configuration;
  configuration.hyperparameters = {{"batch_size", batch}, {"learning_rate", rate}};
  configuration.label = "batch_size " + study::to_text(batch) + ", learning_rate " + study::to_text(rate);
  if (batch == 64 && rate == 0.1) {
    configuration.label = "original";
  } else {
    configuration.varied = {"batch_size", "learning_rate"};
  }
  configuration.id = configuration.label;
  record.request.key = configuration.label + std::to_string(block);
  record.measured.energy = to_microjoules(Joules{joules});
  record.end = end;
  return record;
}

Cells grid_of_settings() {
  Cells cells;
  for (int block = 1; block <= 3; ++block) {
    add_setting(cells, 64, 0.1, block, 1000.0 + block, record::EndState::reached);
    add_setting(cells, 128, 0.1, block, 500.0 + block, record::EndState::reached);
    add_setting(cells, 64, 0.01, block, 2500.0, record::EndState::censored);
    add_setting(cells, 128, 0.01, block, 700.0, block == 1 ? record::EndState::diverged : record::EndState::reached);
  }
  return cells;
}

TEST(Target, censored_runs_are_bounds_and_failures_never_reach) {
  const Cells cells = grid_of_settings();
  const auto target = to_target(cells.records, {});
  ASSERT_TRUE(target);
  const AnswerTable& settings = table(*target, "settings");
  ASSERT_EQ(settings.rows.size(), 4U);
  EXPECT_EQ(cell(settings, 0, "setting").text, "net batch_size 128.0, learning_rate 0.01");
  EXPECT_EQ(cell(settings, 0, "failed").value, 1.0);
  EXPECT_EQ(cell(settings, 2, "censored").value, 3.0);
  EXPECT_TRUE(cell(settings, 2, "median_energy_j").at_least);
  EXPECT_EQ(cell(settings, 3, "median_energy_j").value, 1002.0);
  EXPECT_EQ(cell(settings, 3, "horizon_j").value, 2500.0) << "only where a curve ends censored is it not known further";
  EXPECT_NEAR(*cell(settings, 3, "restricted_mean_energy_j").value, 1002.0, 1e-9);
  const auto answer = spread(cells.records, {});
  ASSERT_TRUE(answer);
  EXPECT_EQ(cell(table(*answer, "spread"), 0, "spread").text, ">= 4.98") << "2500 J at least against 502 J";
  EXPECT_NEAR(*cell(table(*answer, "spread"), 0, "default_to_best").value, 1002.0 / 502.0, 1e-9);
  const auto map = heat_map(cells.records, {});
  ASSERT_TRUE(map);
  EXPECT_EQ(table(*map, "map").rows.size(), 2U);
  EXPECT_TRUE(cell(table(*map, "map"), 0, "learning_rate_0.01").at_least);
}

TEST(Target, is_asked_for_where_runs_have_none_of_their_own) {
  Cells cells;
  cells.add("a", "here", 1, 10.0, 0.9, 1.0);
  const auto answer = to_target(cells.records, {});
  ASSERT_FALSE(answer);
  EXPECT_EQ(answer.error().kind, ErrorKind::bad_input);
  EXPECT_THAT(answer.error().hint, HasSubstr("--target"));
}

TEST(Greener, what_failures_cost_is_paid_by_those_that_succeed) {
  Cells cells = grid_of_settings();
  const auto answer = greener(cells.records, {});
  ASSERT_TRUE(answer);
  const AnswerTable& all = table(*answer, "configurations");
  for (std::size_t i = 0; i < all.rows.size(); ++i) {
    if (cell(all, i, "failures").value != 1.0) continue;
    EXPECT_EQ(cell(all, i, "energy_per_success_j").value, 1050.0) << "three times 700 J for two successes";
    EXPECT_EQ(cell(all, i, "completers_only_energy_j").value, 700.0);
    return;
  }
  FAIL() << "the setting that failed once vanished";
}

TEST(Susceptible, compares_rho_alone_and_beside) {
  std::vector<Record> records;
  for (const bool beside : {false, true}) {
    for (int block = 1; block <= 6; ++block) {
      for (int value = 1; value <= 4; ++value) {
        Cells one;
        Record& record = one.add("net", "here", block, 0.0, 0.9, 1.0);
        study::Configuration& configuration = record.request.configuration;
        configuration.hyperparameters = {{"epochs", static_cast<double>(value)}};
        configuration.id = std::to_string(value) + (beside ? "b" : "a");
        configuration.label = value == 2 ? "original" : "epochs " + std::to_string(value);
        if (value != 2) configuration.varied = {"epochs"};
        if (beside) configuration.colocation.partners = {"other/original"};
        record.request.key = configuration.id + std::to_string(block);
        // Alone energy has nothing to do with epochs; beside it follows them.
        const double joules = beside ? 100.0 * value : 100.0 + 10.0 * ((block * 5 + value * 3) % 7);
        record.measured.energy = to_microjoules(Joules{joules});
        records.push_back(record);
      }
    }
  }
  const auto answer = susceptible(records, {});
  ASSERT_TRUE(answer);
  const AnswerTable& parameters = table(*answer, "parameters");
  ASSERT_EQ(parameters.rows.size(), 1U);
  EXPECT_EQ(cell(parameters, 0, "rho_beside").value, 1.0);
  EXPECT_GT(*cell(parameters, 0, "difference").low, 0.2);
  EXPECT_NEAR(*cell(parameters, 0, "relative_change_beside").value, (0.5 + 0.5 + 1.0) / 3.0, 1e-9);
  EXPECT_THAT(answer->sentence, HasSubstr("1 of 1"));
}

TEST(Methods, say_what_was_run_measured_and_tested) {
  Cells cells = Cells::crossed();
  for (Record& record : cells.records) record.fingerprint = {{"cpu", "Example CPU"}, {"cores", "2"}};
  const auto answer = methods(cells.records, {});
  EXPECT_THAT(answer->sentence,
              HasSubstr("2 workloads (large, small) in 2 environments (laptop, server), 4 configurations"));
  EXPECT_THAT(answer->sentence, HasSubstr("in 8 blocks"));
  EXPECT_THAT(answer->sentence, HasSubstr("Energy was measured"));
  EXPECT_THAT(answer->sentence, HasSubstr("Example CPU"));
  for (Record& record : cells.records) std::swap(record.measured, record.estimated);
  EXPECT_THAT(methods(cells.records, {})->sentence, HasSubstr("no claim about energy"));
}

TEST(Methods, of_imported_runs_claim_no_blocks_and_no_machine) {
  Cells cells = Cells::crossed();
  for (Record& record : cells.records) record.fingerprint = {{"imported", "others.csv"}};
  const std::string text = methods(cells.records, {})->sentence;
  EXPECT_THAT(text, HasSubstr("We analyse runs that others made of 2 workloads"));
  EXPECT_THAT(text, Not(HasSubstr("random order")));
  EXPECT_THAT(text, HasSubstr("The machine is not known."));
  EXPECT_THAT(text, HasSubstr("Kruskal-Wallis"));
  EXPECT_THAT(text, Not(HasSubstr("Mutants")));
}

TEST(Methods, name_a_dozen_workloads_and_count_the_rest) {
  Cells cells;
  for (int i = 10; i < 40; ++i) cells.add("net" + std::to_string(i), "here", 1, 1.0, 0.9, 1.0);
  const std::string text = methods(cells.records, {})->sentence;
  EXPECT_THAT(text, HasSubstr("net21 and 18 more"));
  EXPECT_LT(text.size(), 1200U);
}

TEST(Questions, have_names_of_their_own) {
  for (const Question& one : questions()) {
    EXPECT_EQ(question(one.name), &one);
    const auto answer = one.answer(std::span<const Record>{}, {});
    const bool needs_names = one.name == "pretraining" || one.name == "multitask";
    EXPECT_EQ(answer.has_value(), !needs_names) << one.name << " of nothing must say so";
    EXPECT_TRUE(!answer || !answer->sentence.empty()) << one.name;
  }
  EXPECT_EQ(question("nonsense"), nullptr);
}

}  // namespace
}  // namespace wattle::analysis
