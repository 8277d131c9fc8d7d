#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/resource.h>
#include <unistd.h>

#include <cmath>
#include <csignal>
#include <filesystem>
#include <fstream>
#include <limits>
#include <nlohmann/json.hpp>
#include <set>

#include "../hyperparameters.h"
#include "../options.h"
#include "../protocol.h"
#include "../random.h"
#include "../schedule.h"

namespace wattle::trainer {
namespace {

const KnownNames kKnown{{"lenet5", "resnet20"}, {"glyphs", "idx"}, {"idx"}};

Result<Options> parse(std::vector<const char*> arguments) {
  arguments.insert(arguments.begin(), "wattle-train");
  return parse_options(static_cast<int>(arguments.size()), arguments.data(), kKnown);
}

TEST(Hyperparameters, every_default_is_inside_its_own_domain) {
  for (const HyperparameterKind& kind : hyperparameter_kinds()) {
    Hyperparameters values = default_hyperparameters();
    EXPECT_TRUE(kind.set(values, kind.standard)) << kind.name;
    EXPECT_FALSE(kind.meaning.empty()) << kind.name;
  }
}

TEST(Hyperparameters, names_are_unique) {
  std::set<std::string_view> names;
  for (const HyperparameterKind& kind : hyperparameter_kinds()) {
    EXPECT_TRUE(names.insert(kind.name).second) << kind.name;
  }
}

TEST(Hyperparameters, edges_of_a_domain_are_closed_unless_it_says_otherwise) {
  EXPECT_TRUE(parse({"--learning-rate", "1000"}));
  EXPECT_TRUE(parse({"--learning-rate", "1e-300"}));
  EXPECT_TRUE(parse({"--learning-rate", "0"}));
  EXPECT_FALSE(parse({"--frozen-learning-rate", "0"}));
  EXPECT_FALSE(parse({"--learning-rate", "1000.1"}));
  EXPECT_TRUE(parse({"--weight-decay", "0"}));
  EXPECT_FALSE(parse({"--weight-decay", "-1e-9"}));
  EXPECT_FALSE(parse({"--epochs", "0"}));
}

TEST(Hyperparameters, what_is_not_a_number_of_the_type_is_refused) {
  for (const char* text : {"", "x", "0.1x", "nan", "inf", "-inf", "1e999", " 1", "0x1p3", "1,5"}) {
    EXPECT_FALSE(parse({"--learning-rate", text})) << text;
  }
  for (const char* text : {"1.5", "6.0", "1e2", "99999999999999999999", "+3"}) {
    EXPECT_FALSE(parse({"--epochs", text})) << text;
  }
  for (const char* text : {"1", "yes", "True", ""}) {
    EXPECT_FALSE(parse({"--nesterov", text})) << text;
  }
}

TEST(Hyperparameters, a_flag_reaches_its_field) {
  const auto options =
      parse({"--learning-rate=0.25", "--batch-size", "7", "--optimizer", "adamw", "--nesterov", "true"});
  ASSERT_TRUE(options);
  EXPECT_EQ(options->values.learning_rate, 0.25);
  EXPECT_EQ(options->values.batch_size, 7);
  EXPECT_EQ(options->values.optimizer, "adamw");
  EXPECT_TRUE(options->values.nesterov);
  EXPECT_EQ(options->values.epochs, default_hyperparameters().epochs);
}

TEST(Options, all_errors_are_told_at_once_each_with_what_would_be_right) {
  const auto options = parse({"--learnig-rate", "0.1", "--optimizer", "sdg", "--batch-size", "0", "--model", "lenet"});
  ASSERT_FALSE(options);
  EXPECT_EQ(options.error().code, ExitCode::kBadInput);
  const std::string& text = options.error().message;
  EXPECT_NE(text.find("unknown flag `--learnig-rate`; did you mean `--learning-rate`?"), std::string::npos) << text;
  EXPECT_NE(text.find("--optimizer sdg: must be one of sgd, adam, adamw, adadelta; did you mean `sgd`?"),
            std::string::npos)
      << text;
  EXPECT_NE(text.find("--batch-size 0: must be a whole number from 1"), std::string::npos) << text;
  EXPECT_NE(text.find("unknown model `lenet`; did you mean `lenet5`?"), std::string::npos) << text;
}

TEST(Options, a_path_is_asked_for_where_it_is_needed_and_only_there) {
  EXPECT_FALSE(parse({"--dataset", "idx"}));
  EXPECT_TRUE(parse({"--dataset", "idx", "--data", "x"}));
  EXPECT_FALSE(parse({"--dataset", "glyphs", "--data", "x"}));
}

TEST(Options, joules_of_a_ledger_belong_to_weights) {
  EXPECT_TRUE(parse({"--weights", "w", "--ledger-joules", "12.5"}));
  EXPECT_FALSE(parse({"--ledger-joules", "12.5"}));
  for (const char* text : {"-1", "nan", "x", "1e999"}) {
    EXPECT_FALSE(parse({"--weights", "w", "--ledger-joules", text})) << text;
  }
}

TEST(Options, fixed_flags_are_checked_too) {
  EXPECT_FALSE(parse({"--checkpoint-every", "0"}));
  EXPECT_FALSE(parse({"--threads", "0"}));
  EXPECT_FALSE(parse({"--seed", "-1"}));
  EXPECT_FALSE(parse({"--device", "tpu"}));
  EXPECT_FALSE(parse({"--seed"}));
  EXPECT_FALSE(parse({"stray"}));
  EXPECT_FALSE(parse({"--summary", "--classes", "0"}));
  EXPECT_EQ(parse({"--seed", "18446744073709551615"})->seed, std::numeric_limits<std::uint64_t>::max());
}

TEST(Options, a_name_that_is_like_none_gets_no_suggestion) {
  EXPECT_EQ(nearest("zzzzzz", {"sgd", "adam"}), std::nullopt);
  EXPECT_EQ(nearest("ada", {"sgd", "adam"}), "adam");
}

class Events : public testing::Test {
 protected:
  void SetUp() override {
    path_ = (std::filesystem::temp_directory_path() / ("wattle-events-" + std::to_string(getpid()))).string();
    std::ofstream{path_};
  }
  void TearDown() override { std::filesystem::remove(path_); }

  [[nodiscard]] std::vector<nlohmann::json> lines() const {
    std::vector<nlohmann::json> all;
    std::ifstream file(path_);
    for (std::string line; std::getline(file, line);) {
      all.push_back(nlohmann::json::parse(line));
    }
    return all;
  }

  std::string path_;
};

TEST_F(Events, lines_are_numbered_without_holes_and_an_open_phase_is_ended_by_done) {
  auto log = EventLog::open(path_.c_str());
  ASSERT_TRUE(log);
  log->hello("program", "1", {{"seed", 3}});
  log->begin_phase("train", 2, 100);
  log->metric("loss", 0.5, "train", 2, 200);
  log->done("failed", "why");
  const auto all = lines();
  ASSERT_EQ(all.size(), 5U);
  for (std::size_t index = 0; index < all.size(); ++index) {
    EXPECT_EQ(all[index]["seq"], index);
    EXPECT_EQ(all[index]["pid"], getpid());
  }
  EXPECT_EQ(all[0]["protocol"], 1);
  EXPECT_EQ(all[0]["boot_id"].get<std::string>().size(), 36U);
  EXPECT_EQ(all[1]["t"], 100);
  EXPECT_EQ(all[3]["event"], "phase_end");
  EXPECT_EQ(all[3]["epoch"], 2);
  EXPECT_EQ(all[4]["reason"], "why");
}

TEST_F(Events, values_that_json_has_no_number_for_are_words) {
  auto log = EventLog::open(path_.c_str());
  log->metric("loss", std::nan(""), "train", 1, 1);
  log->metric("loss", std::numeric_limits<double>::infinity(), "train", 1, 1);
  log->metric("loss", -std::numeric_limits<double>::infinity(), "train", 1, 1);
  const auto all = lines();
  EXPECT_EQ(all[0]["value"], "nan");
  EXPECT_EQ(all[1]["value"], "inf");
  EXPECT_EQ(all[2]["value"], "-inf");
}

TEST_F(Events, a_hostile_reason_stays_one_short_line) {
  auto log = EventLog::open(path_.c_str());
  log->done("failed", std::string(100'000, '\n') + "\xff\xfe");
  log = EventLog::open(path_.c_str());
  log->done("failed", "\xff\xfe");
  EXPECT_EQ(lines().size(), 2U);
  EXPECT_LT(std::filesystem::file_size(path_), 4096U);
}

TEST_F(Events, a_file_is_appended_to_and_never_made) {
  std::ofstream(path_) << "{}\n";
  EventLog::open(path_.c_str())->done("completed");
  EXPECT_EQ(lines().size(), 2U);
  EXPECT_EQ(EventLog::open((path_ + "-absent").c_str()).error().code, ExitCode::kUnwritable);
  EXPECT_FALSE(std::filesystem::exists(path_ + "-absent"));
  EXPECT_EQ(EventLog::open(std::filesystem::temp_directory_path().c_str()).error().code, ExitCode::kUnwritable);
}

TEST_F(Events, a_write_that_fails_is_remembered) {
  ASSERT_EQ(::truncate(path_.c_str(), 0), 0);
  auto log = EventLog::open(path_.c_str());
  rlimit before{};
  getrlimit(RLIMIT_FSIZE, &before);
  signal(SIGXFSZ, SIG_IGN);
  const rlimit small{64, before.rlim_max};
  setrlimit(RLIMIT_FSIZE, &small);
  log->hello("program", "1", {});
  setrlimit(RLIMIT_FSIZE, &before);
  ASSERT_TRUE(log->failure());
  EXPECT_EQ(log->failure()->code, ExitCode::kUnwritable);
}

TEST(EventLog, without_a_path_nothing_happens) {
  auto log = EventLog::open(nullptr);
  ASSERT_TRUE(log);
  log->hello("program", "1", {});
  log->done("completed");
  EXPECT_FALSE(log->failure());
}

TEST(Random, a_shuffle_is_a_permutation_that_its_seed_decides) {
  std::vector<int> first(100), second(100), third(100);
  for (int index = 0; index < 100; ++index) {
    first[static_cast<std::size_t>(index)] = second[static_cast<std::size_t>(index)] =
        third[static_cast<std::size_t>(index)] = index;
  }
  Random a(1), b(1), c(2);
  shuffle(std::span(first), a);
  shuffle(std::span(second), b);
  shuffle(std::span(third), c);
  EXPECT_EQ(first, second);
  EXPECT_NE(first, third);
  EXPECT_EQ(std::set<int>(first.begin(), first.end()).size(), 100U);
}

TEST(Random, normal_numbers_have_mean_0_and_variance_1) {
  Random random(5);
  double sum = 0, squares = 0;
  constexpr int kCount = 200'000;
  for (int index = 0; index < kCount; ++index) {
    const double value = random.normal();
    sum += value;
    squares += value * value;
  }
  EXPECT_NEAR(sum / kCount, 0, 5 / std::sqrt(kCount));
  EXPECT_NEAR(squares / kCount, 1, 5 * std::sqrt(2.0 / kCount));
}

}  // namespace
}  // namespace wattle::trainer
